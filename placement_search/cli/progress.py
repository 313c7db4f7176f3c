"""Progress with time left, on stderr."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class StderrProgress:
    """Draws each stage as a bar with the time left; in a file, one line per step.

    Args:
        is_quiet: Whether to show messages alone.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._messages = Console(stderr=True, highlight=False)
        self._console = Console(stderr=True, quiet=is_quiet, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Stages that are left by an error, too, give the terminal back."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the stage that is open."""
        self.finish()

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of ``total`` steps begins, ``done`` of which are done already."""
        self.finish()
        self._bar = Progress(
            TextColumn(f"{stage:<13}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=False,
            disable=not sys.stderr.isatty(),
        )
        self._bar.start()
        self._task = self._bar.add_task(stage, total=total, completed=done)
        if not sys.stderr.isatty():
            self._console.print(f"{stage}: {done} of {total} done")

    def advance(self, line: str) -> None:
        """One step is done."""
        self._print(line, self._console)
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def say(self, line: str) -> None:
        """A line above the bar that is shown even where progress is not."""
        self._print(line, self._messages)

    def _print(self, line: str, without_bar: Console) -> None:
        is_drawn = self._bar is not None and not self._console.quiet
        console = self._bar.console if self._bar is not None and is_drawn else without_bar
        console.print(line, markup=False, soft_wrap=True)

    def finish(self) -> None:
        """The stage is over; its bar stays where it is."""
        if self._bar is not None:
            if self._task is not None and self._bar.tasks[0].total == 1:
                self._bar.update(self._task, completed=1)
            self._bar.stop()
        self._bar = self._task = None
