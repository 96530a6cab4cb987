"""Progress of the stages, told to whoever listens in this process.

A stage announces; the command line shows. On a cluster nobody listens, and the funnel in the store
tells the same at the end of each stage.
"""

from __future__ import annotations

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
