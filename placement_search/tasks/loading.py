"""From what a user asks for to a task: read the data, then prepare it for the backbone."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from placement_search.errors import TaskError, nearest
from placement_search.input_format import InputFormat
from placement_search.tasks import digits
from placement_search.tasks.balance import described
from placement_search.tasks.checks import check_settings, check_used
from placement_search.tasks.metrics import choose_metric
from placement_search.tasks.preparation import prepare
from placement_search.tasks.raw import RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.splitting import reduced
from placement_search.tasks.tables import read_tables
from placement_search.tasks.task import Task

TASKS: Mapping[str, Callable[[], RawTask]] = {
    "digits": digits.digits,
    "digits-location": digits.digits_location,
    "digits-rotation": digits.digits_rotation,
    "digits-count": digits.digits_count,
}
"""The embedded tasks."""

NOT_EMBEDDED = ("config", "text", "text_pair", "image", "label", "target")
"""What can't be asked of an embedded task, which has no columns."""


def load_task(settings: DataSettings | str, form: InputFormat) -> Task:
    """The data that is asked for, as one backbone takes it.

    Args:
        settings: Which data; a string is short for settings that say no more than ``data``.
        form: What the backbone takes.

    Raises:
        TaskError: See `read_data` and `prepare`.
    """
    if isinstance(settings, str):
        settings = DataSettings(data=settings)
    return prepare(read_data(settings), form, settings)


def read_data(settings: DataSettings) -> RawTask:
    """An embedded task by its name, else a local file or folder, else a data set of the hub.

    Everything that needs no backbone is checked here.

    Raises:
        TaskError: If there is no such data, an option does not fit it, or rows break a rule; the
            message tells of all rows that do.
    """
    check_settings(settings)
    raw = _embedded(settings) if settings.data in TASKS else _other(settings)
    raw = reduced(raw, settings)
    check_used(raw)
    return raw.noted(*described(raw))


def _embedded(settings: DataSettings) -> RawTask:
    asked = [name for name in NOT_EMBEDDED if getattr(settings, name) is not None]
    if asked:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise TaskError(f"the embedded task {settings.data!r} has no columns; leave out {options}")
    raw = TASKS[settings.data]()
    metric = choose_metric(settings.metric, raw.target, raw.label_names)
    return replace(raw, metric=metric)


def _other(settings: DataSettings) -> RawTask:
    name = settings.data
    if "/" not in name and not settings.is_local:
        raise TaskError(
            "--data takes an embedded task, an existing file or folder, or the id of a data set on "
            f"the hub, owner/name; got {name!r}{nearest(name, TASKS)}"
        )
    return read_tables(settings)
