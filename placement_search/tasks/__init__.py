"""The tasks: one builder each, one line each in the table below."""

import difflib
from collections.abc import Callable, Mapping

from placement_search.errors import TaskError
from placement_search.tasks import digits
from placement_search.tasks.task import Examples, Task

__all__ = ["TASKS", "Examples", "Task", "load_task"]

TASKS: Mapping[str, Callable[[], Task]] = {
    "digits": digits.digits,
    "digits-location": digits.digits_location,
    "digits-rotation": digits.digits_rotation,
    "digits-count": digits.digits_count,
}


def load_task(name: str) -> Task:
    """The task of that name.

    Raises:
        TaskError: If no task has that name; the message names the nearest one.
    """
    if name not in TASKS:
        known = ", ".join(TASKS)
        nearest = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise TaskError(f"a task must be one of {known}, got {name!r}{hint}")
    return TASKS[name]()
