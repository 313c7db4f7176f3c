"""Ctrl-C at places where Python drops it."""

import signal


class PressedInDestructor:
    """Ctrl-C is pressed while this is destroyed."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
