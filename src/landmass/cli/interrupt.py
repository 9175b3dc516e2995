"""Ctrl-C during a fit: an exception in the middle of JAX's work may be lost, hang or crash, so none is raised."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


@contextmanager
def at_interrupt(leave: Callable[[], None]) -> Iterator[None]:
    """On Ctrl-C do what has to be done and end the process on the spot; a second Ctrl-C ends even that.

    Args:
        leave: what has to be done.
    """

    def press(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            leave()
        finally:
            os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
