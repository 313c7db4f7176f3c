"""Labelled data as it was read, before any backbone is known: texts, images, targets by split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placement_search.tasks.metrics import Metric
from placement_search.tasks.target import Target


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts, or pairs of them.

    Args:
        first: One text per example.
        second: The text that it is paired with; None where there are no pairs.
    """

    first: tuple[str, ...]
    second: tuple[str, ...] | None = None

    kind = "text"

    def __len__(self) -> int:
        return len(self.first)

    def chosen(self, indices: Sequence[int]) -> "Texts":
        """The texts at ``indices``, in that order."""
        second = self.second
        return Texts(
            tuple(self.first[i] for i in indices),
            None if second is None else tuple(second[i] for i in indices),
        )

    def keys(self) -> list[bytes]:
        """Bytes that are alike where examples are alike, one per example."""
        if self.second is None:
            return [text.encode() for text in self.first]
        pairs = zip(self.first, self.second, strict=True)
        return [f"{first}\0{second}".encode() for first, second in pairs]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images of any size, still encoded as their files hold them.

    Args:
        encoded: The content of one image file per example, e.g. PNG or JPEG.
    """

    encoded: tuple[bytes, ...]

    kind = "image"

    def __len__(self) -> int:
        return len(self.encoded)

    def chosen(self, indices: Sequence[int]) -> "Images":
        """The images at ``indices``, in that order."""
        return Images(tuple(self.encoded[i] for i in indices))

    def keys(self) -> list[bytes]:
        """Bytes that are alike where examples are alike, one per example."""
        return list(self.encoded)


@dataclass(frozen=True, slots=True, eq=False)
class Canvases:
    """Grey pictures drawn by the embedded tasks.

    Args:
        pixels: Shape ``(n, 1, height, width)``, float32 brightness within [0, 1].
    """

    pixels: np.ndarray

    kind = "image"

    def __len__(self) -> int:
        return len(self.pixels)

    def chosen(self, indices: Sequence[int]) -> "Canvases":
        """The pictures at ``indices``, in that order."""
        return Canvases(self.pixels[list(indices)])

    def keys(self) -> list[bytes]:
        """Bytes that are alike where examples are alike, one per example."""
        return [picture.tobytes() for picture in self.pixels]


Content = Texts | Images | Canvases


@dataclass(frozen=True, slots=True, eq=False)
class RawSplit:
    """Some labelled examples.

    Args:
        content: What is labelled.
        targets: Classes as int64 of shape ``(n,)``; sets of labels as 0.0 or 1.0, float32 of shape
            ``(n, n_labels)``; numbers in their own units as float64 of shape ``(n,)``.
    """

    content: Content
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def chosen(self, indices: Sequence[int]) -> "RawSplit":
        """The examples at ``indices``, in that order."""
        return RawSplit(self.content.chosen(indices), self.targets[list(indices)])


@dataclass(frozen=True, slots=True, eq=False)
class RawTask:
    """A data set that was read and checked as far as that needs no backbone.

    Args:
        name: How studies and layout files call it.
        target: What targets are.
        label_names: The name of each class or label; for numbers one name.
        metric: The score of a split.
        train: See `placement_search.tasks.task.Task`, as for the other splits.
        validation: See there.
        test: See there.
        notes: Lines that tell the user how it was read.
    """

    name: str
    target: Target
    label_names: tuple[str, ...]
    metric: Metric
    train: RawSplit
    validation: RawSplit
    test: RawSplit
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """``text`` or ``image``."""
        return self.train.content.kind

    @property
    def splits(self) -> dict[str, RawSplit]:
        """The three splits by name, training first."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def noted(self, *notes: str) -> "RawTask":
        """The same with more lines for the user."""
        return replace(self, notes=(*self.notes, *notes))
