"""What a user can cause to go wrong, one class for each room that can say so, and a hint."""

import difflib
from collections.abc import Iterable


class PlacementSearchError(Exception):
    """Base of every error that a user can cause and cure; the command line exits with 2 on it."""


class LayoutError(PlacementSearchError):
    """A layout, a connection or a module's settings break a rule."""


class SpaceError(PlacementSearchError):
    """A search-space file or its meeting with a backbone breaks a rule."""


class BackboneError(PlacementSearchError):
    """A model can't be read as a residual graph, or can't be loaded."""


class TaskError(PlacementSearchError):
    """A data set is unknown or does not fit the model."""


class StudyError(PlacementSearchError):
    """A study is missing, differs from what was asked, or is in use."""


class ReportError(PlacementSearchError):
    """A report can't be made from what the study holds."""


class ExportError(PlacementSearchError):
    """A layout can't be written, or a layout file fails one of its checks."""


class OperationError(PlacementSearchError):
    """A trained layout can't be changed as asked."""


class EvaluationError(PlacementSearchError):
    """An evaluation gave no usable score, such as a loss that is not finite."""


class FailureError(PlacementSearchError):
    """The tool itself failed at what it was asked; the command line exits with 1 on it."""


class OutputError(PlacementSearchError):
    """A place to write to can't be used."""


def held(data: object) -> str:
    """What a file does that is to hold keys and values, and does not."""
    if data is None:
        return "is empty"
    return "holds a list" if isinstance(data, list) else "holds a single value"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to ``word``, or all of them; starts with a space."""
    choices = sorted(known)
    return did_you_mean(word, choices) or f" (known: {', '.join(choices)})"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to ``word``; empty where none is near."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
