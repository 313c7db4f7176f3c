"""Layout files as starting points of another study."""

from collections.abc import Iterable
from pathlib import Path

from placement_search.errors import ExportError
from placement_search.export.layout_file import LAYOUT_NAME, LayoutFile, read_layout_file
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study.starts import StartLayout, named_starts


def read_starts(files: Iterable[Path | str]) -> dict[str, StartLayout]:
    """What layout files say, by the role that each layout has in a study that starts from it.

    The weights beside a file are not read: a layout is trained from its beginning on the new task.

    Args:
        files: Layout files, or the folders that exports wrote them into.

    Raises:
        ExportError: If a file is missing, is damaged, or breaks its schema; with all such files.
    """
    starts: list[StartLayout] = []
    mistakes: list[str] = []
    for given in files:
        path = Path(given)
        try:
            path = path / LAYOUT_NAME if path.is_dir() else path
            starts.append(_start(read_layout_file(path)))
        except (ExportError, OSError) as error:
            message = str(error)
            mistakes.append(message if str(path) in message else f"{path}: {message}")
    if mistakes:
        raise ExportError("\n".join(["--start-from takes layout files:", *mistakes]))
    return named_starts(starts)


def _start(file: LayoutFile) -> StartLayout:
    finals = file.scores.validation
    single = file.scores.search or file.scores.exported
    return StartLayout(
        layout=file.layout().notation,
        task=file.task.name,
        study=file.provenance.study,
        backbone=file.backbone.fingerprint,
        metric=file.task.metric,
        score=finals.mean if finals else single.validation,
        n_seeds=finals.n if finals else 1,
        training=_training(file),
    )


def _training(file: LayoutFile) -> TrainingChoice:
    """How its weights were last trained; files of earlier versions say what a space chose alone."""
    if file.plan:
        plan = file.training_plan()
        said = [name for name in ("learning_rate", "weight_decay") if name in file.plan]
        return TrainingChoice(**{name: float(getattr(plan, name)) for name in said})
    return TrainingChoice(**file.training.model_dump()) if file.training else NO_CHOICE
