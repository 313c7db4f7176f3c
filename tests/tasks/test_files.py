"""Files and folders all give the same rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from placement_search.errors import TaskError
from placement_search.tasks.files import read_file
from placement_search.tasks.raw import RawTask, Texts
from placement_search.tasks.target import Target
from tests.tasks.tiny_data import parquet, picture, read, reviews, saved

AWKWARD = ['she said "no", twice', "NA", "null", "two\nlines", "a,b;c", "naïve"]
"""Texts that readers like to change."""


def table(n: int = 40) -> dict[str, list[Any]]:
    rows = reviews(n)
    rows["text"][: len(AWKWARD)] = AWKWARD
    return rows


def write_csv(path: Path, delimiter: str = ",") -> None:
    rows = table()
    quoted = ['"' + text.replace('"', '""') + '"' for text in rows["text"]]
    lines = [delimiter.join(pair) for pair in zip(quoted, rows["label"], strict=True)]
    path.write_text("\n".join([delimiter.join(rows), *lines]) + "\n", encoding="utf-8")


def json_rows() -> list[dict[str, Any]]:
    rows = table()
    return [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]


def write_arrow(path: Path) -> None:
    content = pa.table(table())
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, content.schema) as writer:
        writer.write_table(content)


def write_stream(path: Path) -> None:
    content = pa.table(table())
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, content.schema) as writer:
        writer.write_table(content)


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "csv": ("rows.csv", write_csv),
    "tsv": ("rows.tsv", lambda path: write_csv(path, "\t")),
    "lines": ("rows.jsonl", lambda p: p.write_text("\n".join(map(json.dumps, json_rows())))),
    "list": ("rows.json", lambda p: p.write_text(json.dumps(json_rows()))),
    "object": ("rows.json", lambda p: p.write_text(json.dumps({"v": 1, "data": json_rows()}))),
    "lines in json": ("rows.json", lambda p: p.write_text("\n".join(map(json.dumps, json_rows())))),
    "parquet": ("rows.parquet", lambda path: parquet(path, table())),
    "arrow": ("rows.arrow", write_arrow),
    "stream": ("rows.arrow", write_stream),
}


def texts(raw: RawTask) -> list[str]:
    parts = [split.content for split in raw.splits.values()]
    return [text for part in parts if isinstance(part, Texts) for text in part.first]


def every_file(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_of_file_gives_the_same_rows(form: str, tmp_path: Path) -> None:
    """Quotes, line ends, and words that elsewhere mean nothing arrive as they are."""
    name, write = WRITERS[form]
    write(tmp_path / name)
    before = every_file(tmp_path)
    raw = read(tmp_path / name)

    assert sorted(texts(raw)) == sorted(table()["text"])
    assert raw.label_names == ("a", "b")
    assert raw.name == "rows"
    assert every_file(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", "text,label\na,b\nc\n", "can't be read: CSV parse error"),
        ("rows.csv", "text,label\n", "holds no rows"),
        ("rows.csv", "text,text,label\na,b,c\n", "repeats text"),
        ("rows.jsonl", f'{{"text": "a", "label": {10**30}}}', "too large"),
        ("rows.csv", "", "can't be read: Empty CSV"),
        ("rows.jsonl", '{"text": "a"}\n{"text": \n', "line 2 is no JSON"),
        ("rows.jsonl", '{"text": "a"}\n[1]\n', "must hold a list of objects"),
        ("rows.json", '[{"text": "a"}, {"text": 1}]', "column 'text' mixes types"),
        ("rows.parquet", "PAR1", "can't be read"),
        ("rows.arrow", "ARROW", "can't be read"),
        ("rows.txt", "a", "reads files that end in .parquet, .csv"),
    ],
)
def test_a_broken_file_is_named(name: str, content: str, said: str, tmp_path: Path) -> None:
    """With what is wrong in it, and no traceback."""
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskError, match=said) as caught:
        read(tmp_path / name)

    assert name in str(caught.value)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """A Latin-1 file would otherwise turn into bytes that look like no text at all."""
    (tmp_path / "rows.csv").write_bytes("text,label\nnaïve,a\n".encode("latin-1"))
    with pytest.raises(TaskError, match="column 'text' is not in UTF-8"):
        read(tmp_path / "rows.csv")


def test_a_text_may_start_with_a_quote(tmp_path: Path) -> None:
    """In files without quoting, as those of GLUE, it swallows no other line."""
    found = [f'"Great" film {row}' if row % 7 else f'"film {row}' for row in range(40)]
    lines = [f"{text}\t{'ab'[row % 2]}" for row, text in enumerate(found)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")

    assert sorted(texts(read(tmp_path / "rows.tsv"))) == sorted(found)


def test_texts_that_are_quoted_whole_lose_their_quotes(tmp_path: Path) -> None:
    """Also where no text holds a tab or a new line, which only quotes could hold."""
    found = [f'"film" {row}' if row % 3 else f"film {row}" for row in range(40)]
    quoted = ['"' + text.replace('"', '""') + '"' if '"' in text else text for text in found]
    lines = [f"{text}\t{'ab'[row % 2]}" for row, text in enumerate(quoted)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")

    assert sorted(texts(read(tmp_path / "rows.tsv"))) == sorted(found)


def test_lines_are_rows_where_they_can_be(tmp_path: Path) -> None:
    """Also where what one quotes ends in another, as in texts that were cut into sentences."""
    found = ['"I went home.', "He stayed.", 'And then I slept."', "Good."] * 10
    lines = [f"{text}\t{'ab'[row % 2]}" for row, text in enumerate(found)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")

    assert sorted(texts(read(tmp_path / "rows.tsv"))) == sorted(found)


def test_a_quote_in_a_tsv_is_a_quote_where_texts_go_on_behind_it(tmp_path: Path) -> None:
    """In each row, too, and not only where another one's quote stays open."""
    lines = [f'"Great" film {row}\t{"ab"[row % 2]}' for row in range(40)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")

    assert all(text.startswith('"Great" film') for text in texts(read(tmp_path / "rows.tsv")))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_text_may_be_longer_than_a_block(suffix: str, tmp_path: Path) -> None:
    """Files are parsed in blocks of a megabyte, unless they are told otherwise."""
    comma = {"csv": ",", "tsv": "\t"}[suffix]
    found = [f"film {row} " * (200_000 if row == 30 else 1) for row in range(40)]
    lines = [f"{text}{comma}{'ab'[row % 2]}" for row, text in enumerate(found)]
    (tmp_path / f"rows.{suffix}").write_text("\n".join([f"text{comma}label", *lines]) + "\n")

    assert sorted(texts(read(tmp_path / f"rows.{suffix}"))) == sorted(found)


def test_columns_of_unknown_types_are_named(tmp_path: Path) -> None:
    """Used or not: the datasets library holds a table whole."""
    odd = pa.array([[("a", 1)]] * 40, pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table(table()).append_column("meta", odd), tmp_path / "rows.parquet")

    with pytest.raises(TaskError, match=r"types that can't be read: meta \(map<string, int64"):
        read(tmp_path / "rows.parquet")


def test_metadata_that_are_not_understood_are_told(tmp_path: Path) -> None:
    """As those of a later version."""
    foreign = pa.table(table()).replace_schema_metadata({"huggingface": "{"})
    pq.write_table(foreign, tmp_path / "rows.parquet")

    with pytest.raises(TaskError, match="write it without metadata"):
        read(tmp_path / "rows.parquet")


def test_categories_of_views_are_texts(tmp_path: Path) -> None:
    """As other programs write them."""
    rows = pa.table(table())
    listed = rows.column("text").combine_chunks().dictionary_encode()
    views = pa.DictionaryArray.from_arrays(listed.indices, listed.dictionary.cast(pa.string_view()))
    content = rows.set_column(0, "text", views)
    path = str(tmp_path / "rows.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, content.schema) as writer:
        writer.write_table(content)

    assert sorted(texts(read(tmp_path / "rows.arrow"))) == sorted(table()["text"])


def test_texts_alone_may_hold_lines(tmp_path: Path) -> None:
    """A test split without labels has no tabs by which its lines could be told apart."""
    write_csv(tmp_path / "train.tsv", "\t")
    (tmp_path / "test.tsv").write_text('text\n"one\nand two"\n"three"\n')

    assert read_file(tmp_path / "test.tsv")["text"][:] == ["one\nand two", "three"]


def test_views_are_texts(tmp_path: Path) -> None:
    """As other programs write them."""
    rows = pa.table(table())
    seen = rows.set_column(0, "text", rows.column("text").cast(pa.string_view()))
    pq.write_table(seen, tmp_path / "rows.parquet")

    assert sorted(texts(read(tmp_path / "rows.parquet"))) == sorted(table()["text"])


def test_a_saved_data_set_may_have_a_format(tmp_path: Path) -> None:
    """It says how its rows are handed out, which is not how they are read here."""
    train = Dataset.from_dict({"text": reviews(40)["text"], "tags": [["a"], ["b", "a"]] * 20})
    test = Dataset.from_dict({"text": reviews(9, first=80)["text"], "tags": [["a"]] * 8 + [["b"]]})
    both = DatasetDict({"train": train, "test": test})
    both.set_format("numpy", columns=["tags"])
    both.save_to_disk(str(tmp_path / "saved"))

    assert read(tmp_path / "saved", label="tags").target is Target.MULTI_LABEL


def test_images_lie_beside_the_file_that_names_them(tmp_path: Path) -> None:
    """Also where that lies in the folder's data folder."""
    place = tmp_path / "set" / "data"
    place.mkdir(parents=True)
    lines = [f"{row}.png,{'ab'[row % 2]}" for row in range(40)]
    for row in range(40):
        picture(row).save(place / f"{row}.png")
    (place / "train.csv").write_text("\n".join(["image,label", *lines]) + "\n")

    assert read(tmp_path / "set").kind == "image"


@pytest.mark.parametrize(
    "names",
    [
        ("train.parquet", "validation.parquet", "test.parquet"),
        ("training.parquet", "valid.parquet", "testing.parquet"),
        ("my-train.parquet", "my-dev.parquet", "my-test.parquet"),
        ("data/train-00000-of-00001.parquet", "data/val-00000-of-00001.parquet",
         "data/test-00000-of-00001.parquet"),
    ],
)  # fmt: skip
def test_files_are_splits_by_their_names(names: tuple[str, ...], tmp_path: Path) -> None:
    """In the folder itself or in its data folder, as the hub lays them out."""
    for number, (name, size) in enumerate(zip(names, (20, 6, 4), strict=True)):
        parquet(tmp_path / name, reviews(size, first=100 * number))
    raw = read(tmp_path)

    assert [len(split) for split in raw.splits.values()] == [20, 6, 4]
    assert raw.name == tmp_path.name
    assert "splits: as given" in raw.notes


def test_parts_of_a_split_are_joined_in_order(tmp_path: Path) -> None:
    """The first part's rows come first."""
    for number in range(3):
        rows = reviews(20, first=20 * number)
        parquet(tmp_path / f"train-{number:05}-of-00003.parquet", rows)
    parquet(tmp_path / "validation.parquet", reviews(4, first=100))
    parquet(tmp_path / "test.parquet", reviews(4, first=200))

    assert texts(read(tmp_path))[:60] == reviews(60)["text"]


def test_of_two_validation_splits_the_first_is_taken_and_the_other_told(tmp_path: Path) -> None:
    """MultiNLI has a matched and a mismatched one."""
    for name in ("train", "test", "validation_matched", "validation_mismatched"):
        parquet(tmp_path / f"{name}.parquet", reviews(20, first=100 * len(name)))
    raw = read(tmp_path)

    assert "splits left out: validation_mismatched" in raw.notes
    assert raw.validation.content.keys()[0] == f"film number {100 * 18}".encode()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("one.csv", "two.csv"), "must be named after splits .* found one.csv, two.csv"),
        (("train.csv", "train.tsv"), "'train' in several forms: train.csv, train.tsv"),
        (("test.csv", "dev.csv"), "needs rows for training"),
        (("readme.md",), "holds no files that end in"),
    ],
)
def test_a_folder_without_clear_splits_is_refused(
    names: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """Nothing is guessed about which rows may be trained on."""
    for name in names:
        (tmp_path / name).write_text("text,label\na,b\n")
    with pytest.raises(TaskError, match=said):
        read(tmp_path)


def test_declared_classes_survive(tmp_path: Path) -> None:
    """In the order that the file declares, not in the alphabet's."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    rows = {"text": reviews(30)["text"], "label": [0, 1] * 15}
    raw = read(parquet(tmp_path / "rows.parquet", rows, features))

    assert raw.label_names == ("pos", "neg")


def test_a_saved_data_set_is_read(tmp_path: Path) -> None:
    """With its splits, and without writing beside it."""
    folder = saved(tmp_path / "mine", train=reviews(20), test=reviews(10, first=50))
    before = every_file(tmp_path)
    raw = read(folder)

    assert len(raw.train) + len(raw.validation) == 20
    assert len(raw.test) == 10
    assert every_file(tmp_path) == before


def test_a_saved_split_is_read(tmp_path: Path) -> None:
    """Its chosen rows only, where some were left out before saving."""
    Dataset.from_dict(reviews(40)).select(range(0, 40, 2)).map(
        lambda row: {"label": str(len(row["text"]) % 2)}
    ).save_to_disk(str(tmp_path / "mine"))

    assert len(texts(read(tmp_path / "mine"))) == 20


@pytest.mark.parametrize("has_splits", [True, False])
def test_an_image_folder_is_read(has_splits: bool, tmp_path: Path) -> None:
    """Classes are its sub-folders, splits the folders above them."""
    for split in ("train", "val", "test"):
        for number, name in enumerate(("cat", "ant")):
            folder = tmp_path / split / name if has_splits else tmp_path / name
            folder.mkdir(parents=True, exist_ok=True)
            for shade in range(6):
                picture(shade + 50 * number).save(folder / f"{split}-{shade}.png")
    raw = read(tmp_path)

    assert raw.kind == "image"
    assert raw.label_names == ("ant", "cat")
    assert sum(len(split) for split in raw.splits.values()) == 36
    assert (len(raw.test) == 12) == has_splits


def test_images_of_a_test_folder_without_classes_have_no_labels(tmp_path: Path) -> None:
    """As those of a competition; the split is not used, as any test split without labels."""
    for name in ("train/cat", "train/ant", "test"):
        (tmp_path / name).mkdir(parents=True)
        for shade in range(8):
            picture(shade).save(tmp_path / name / f"{shade}.png")
    raw = read(tmp_path)

    assert "the given test split has no labels: it is not used" in raw.notes
    assert sum(len(split) for split in raw.splits.values()) == 16


def test_an_image_folder_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path counts once."""
    for name in ("cat", "ant"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for shade in range(5):
            picture(shade).save(tmp_path / "pets" / name / f"{shade}.png")
    monkeypatch.chdir(tmp_path)

    assert len(read(Path("./pets")).train) == 8


def test_folders_of_splits_and_classes_do_not_mix(tmp_path: Path) -> None:
    """A class called test could not be told from a split."""
    for name in ("train/cat", "train/ant", "dog"):
        (tmp_path / name).mkdir(parents=True)
        picture().save(tmp_path / name / "1.png")
    with pytest.raises(TaskError, match=r"folders of splits \(train\) beside dog"):
        read(tmp_path)


def test_a_configuration_of_a_local_file_is_refused(tmp_path: Path) -> None:
    """An option that would be ignored."""
    with pytest.raises(TaskError, match="for data sets of the hub"):
        read(parquet(tmp_path / "rows.parquet", reviews(20)), config="cola")


def test_what_is_hidden_is_no_data(tmp_path: Path) -> None:
    """Copies that editors keep, and what some systems lay beside every file."""
    (tmp_path / "texts").mkdir()
    write_csv(tmp_path / "texts" / "train.csv")
    (tmp_path / "texts" / "._train.csv").write_bytes(b"\0\xff")
    for name in ("cats", "dogs"):
        for place in (name, f"{name}/.ipynb_checkpoints"):
            (tmp_path / "pets" / place).mkdir(parents=True, exist_ok=True)
            for shade in range(20):
                picture(shade).save(tmp_path / "pets" / place / f"{shade}.png")
        (tmp_path / "pets" / name / "._0.png").write_bytes(b"\0")

    assert len(texts(read(tmp_path / "texts"))) == 40
    assert sum(map(len, read(tmp_path / "pets").splits.values())) == 40
