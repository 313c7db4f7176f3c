"""One pass at a time through a backbone, since hooks hang on it meanwhile."""

import threading
from types import TracebackType


class PassLock:
    """A lock that one thread may take again; what is copied or pickled with it has its own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        """Wait until no other thread holds it."""
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next one in."""
        self._lock.release()

    def __reduce__(self) -> tuple[type["PassLock"], tuple[()]]:
        """A new one."""
        return PassLock, ()
