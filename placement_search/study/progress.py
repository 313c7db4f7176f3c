"""How a running study tells of its progress."""

from typing import Protocol


class Progress(Protocol):
    """Is told the stages of a search; the command line draws them, a library call may not."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of ``total`` steps begins, ``done`` of which are done already."""

    def advance(self, line: str) -> None:
        """One step is done; ``line`` says what came out."""

    def say(self, line: str) -> None:
        """Something that the user should know."""

    def finish(self) -> None:
        """The stage is over."""


class Silence:
    """A progress that nobody sees."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """See `Progress`."""

    def advance(self, line: str) -> None:
        """See `Progress`."""

    def say(self, line: str) -> None:
        """See `Progress`."""

    def finish(self) -> None:
        """See `Progress`."""
