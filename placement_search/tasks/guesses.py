"""Guesses, by name and type, which columns hold the label and the input."""

from collections.abc import Callable, Sequence

from datasets import Image

from placement_search.errors import TaskError
from placement_search.tasks.column_table import ColumnTable, declared_classes, is_text

LABEL_NAMES = ("label", "labels")
"""Taken before columns that declare classes."""

OTHER_LABEL_NAMES = (
    "target", "targets", "class", "category", "score", "rating", "intent", "sentiment", "emotion",
    "y", "gold_label", "similarity", "similarity_score",
)  # fmt: skip
"""Taken after them."""

TEXT_NAMES = (
    "text", "sentence", "question", "content", "review", "comment", "tweet", "utterance",
    "document", "article", "body", "message", "query", "title", "premise", "sentence1",
)  # fmt: skip

PAIR_NAMES = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"),
    ("question", "sentence"), ("text", "text_pair"), ("text1", "text2"), ("text_a", "text_b"),
    ("sentence_a", "sentence_b"), ("query", "passage"), ("question", "passage"),
)  # fmt: skip

IMAGE_NAMES = ("image", "img", "picture", "photo", "pixels", "image_path", "file_name")


def guess_label(table: ColumnTable) -> str:
    """The column of the label: by the usual names, by declared classes, or by other names.

    Raises:
        TaskError: If there is none, or more than one of a kind.
    """
    usual, others = table.named(LABEL_NAMES), table.named(OTHER_LABEL_NAMES)
    classes = [name for name, f in table.features.items() if declared_classes(f) is not None]
    for found in (usual, classes, others):
        if found:
            return _only(found, "label", "--label", table)
    raise TaskError(f"no column looks like a label; give --label; {table}")


def guess_image(table: ColumnTable) -> str | None:
    """The column of the image: by declared images, or by names; None if there is none.

    Raises:
        TaskError: If there is more than one, or a column that may as well be a text.
    """
    images = [name for name, feature in table.features.items() if isinstance(feature, Image)]
    images = images or table.named(IMAGE_NAMES)
    texts = [name for name in table.named(TEXT_NAMES) if name in table.where(is_text)]
    if images and texts:
        raise TaskError(
            f"both {images[0]!r} and {texts[0]!r} could be the input; give --image or --text; "
            f"{table}"
        )
    return _only(images, "image", "--image", table) if images else None


def guess_texts(table: ColumnTable, is_code: Callable[[str], bool]) -> tuple[str, str | None]:
    """The columns of a text and of the one that it is paired with, if there is one.

    Args:
        table: The columns, without that of the label.
        is_code: Whether a column of strings holds no texts, see `holds_codes`.

    Raises:
        TaskError: If there is none, or more than one.
    """
    pairs = [found for pair in PAIR_NAMES if len(found := table.named(pair)) == 2]
    if len(pairs) > 1:
        shown = " or ".join(" and ".join(pair) for pair in pairs)
        raise TaskError(f"texts could be {shown}; give --text and --text-pair; {table}")
    if pairs:
        return pairs[0][0], pairs[0][1]
    strings = table.where(is_text)
    found = [name for name in table.named(TEXT_NAMES) if name in strings]
    found = found or [name for name in strings if not is_code(name)]
    if not found:
        raise TaskError(f"no column looks like a text or an image; give --text or --image; {table}")
    return _only(found, "text", "--text (and --text-pair)", table), None


def _only(found: Sequence[str], what: str, option: str, table: ColumnTable) -> str:
    if len(found) > 1:
        raise TaskError(
            f"the {what} could be column {' or '.join(map(repr, found))}; give {option}; {table}"
        )
    return found[0]
