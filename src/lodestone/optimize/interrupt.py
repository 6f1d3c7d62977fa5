"""Ctrl-C: the first finishes the step and keeps everything, the second quits at once."""

import signal
from types import FrameType, TracebackType

__all__ = ["GracefulInterrupt"]


class GracefulInterrupt:
    """While active, turns the first SIGINT into a flag; the next one raises KeyboardInterrupt as usual."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> "GracefulInterrupt":
        self.previous = signal.getsignal(signal.SIGINT)
        self.installed = self.previous is signal.default_int_handler  # elsewhere (threads, notebooks) leave it alone
        if self.installed:
            signal.signal(signal.SIGINT, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remembers the first interrupt and lets the next one through."""
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, self.previous)
