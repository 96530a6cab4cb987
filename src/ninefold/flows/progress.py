"""Progress of the stages, told to whoever listens in this process.

A stage announces; the command line shows. On a cluster nobody listens, and the funnel in the store
tells the same at the end of each stage.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Progress(NamedTuple):
    """How far a stage is."""

    stage: str
    done: int
    total: int | None
    """None while the total is not known."""
    unit: str
    note: str = ""
    """Last thing finished, for people."""


_RECENT = 20
"""Announcements that the rate is taken from."""
Listener = Callable[[Progress], None]
_listeners: list[Listener] = []


def announce(stage: str, done: int, total: int | None, unit: str = "compositions", note: str = "") -> None:
    """Tell every listener how far a stage is."""
    for listener in _listeners:
        listener(Progress(stage, done, total, unit, note))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call the listener on every announcement inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class Pace:
    """Time spent on a stage and time left, from its announcements.

    The rate is that of the last announcements: what a resumed run finds in its store comes at once and says
    nothing about what is left. A stage begins anew when another one, or a smaller count, is announced.

    Args:
        clock: Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._begin = 0.0
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def of(self, step: Progress) -> tuple[float, float | None]:
        """Seconds since the stage began, and seconds left; None where unknown or nothing is left."""
        now = self._clock()
        if step.stage != self._stage or (self._recent and step.done < self._recent[-1][1]):
            self._stage, self._begin = step.stage, now
            self._recent.clear()
        self._recent.append((now, step.done))
        before, done = self._recent[0]
        if step.total is None or step.done >= step.total or step.done == done or now == before:
            return now - self._begin, None
        return now - self._begin, (now - before) / (step.done - done) * (step.total - step.done)
