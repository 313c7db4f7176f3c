"""Which labelled data a user asks for, and how it is to be read; loads no torch."""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Which labelled data a user asks for, and how it is to be read.

    Args:
        data: An embedded task, a local file or folder, or the id of a data set on the hub.
        config: Configuration of a hub data set, e.g. ``cola`` of ``nyu-mll/glue``.
        text: Column of the text; None to guess, as for the other columns.
        text_pair: Column of a second text.
        image: Column of the image.
        label: Column of the label.
        target: ``single-label``, ``multi-label`` or ``regression``; None to guess from the label.
        metric: Name of the score; None for the usual one.
        max_length: Most tokens of a text, longer ones are cut; None to choose from the data.
        shots: Training examples of each class; None for all.
        train_size: Most training examples, drawn in proportion to the classes; None for all.
        validation_size: Most validation examples, drawn alike; None for all.
        split_seed: Fixes which examples go where whenever splits are cut or reduced.
    """

    data: str = "digits-location"
    config: str | None = None
    text: str | None = None
    text_pair: str | None = None
    image: str | None = None
    label: str | None = None
    target: str | None = None
    metric: str | None = None
    max_length: int | None = None
    shots: int | None = None
    train_size: int | None = None
    validation_size: int | None = None
    split_seed: int = 0

    @property
    def is_local(self) -> bool:
        """Whether ``data`` is the path of a file or folder that exists."""
        try:
            return Path(self.data).expanduser().exists()
        except (OSError, RuntimeError):  # a name that no file system takes, nobody's home
            return False

    def moved_to(self, place: str | None, metric: str) -> "DataSettings":
        """The same data where they lie now; unchanged where ``place`` is None or empty.

        A configuration is of a data set of the hub, and a local copy has none. The usual metric may
        go by the name of the place, so it is said.

        Args:
            place: Where they lie now.
            metric: What they were scored by.
        """
        if not place or place == self.data:
            return self
        moved = replace(self, data=place, metric=metric)
        return replace(moved, config=None) if moved.is_local else moved
