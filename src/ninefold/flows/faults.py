"""Faults of the machine: a run goes on after them, stores nothing of them, and tells them at its end.

A fault says nothing about a structure or a composition, so it must not become a property of one: what it kept from
being computed is left as it was before and is computed by the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ninefold.errors import MachineFaultError

IN_FUNNEL = "machine: "
"""Before the reason of a fault in a funnel."""
MOST_NAMED = 3
"""Things that a message names."""


class Fault(NamedTuple):
    """Something that could not be computed on this machine, this time."""

    stage: str
    what: str
    """A composition or a reference phase."""
    reason: str


_collectors: list[list[Fault]] = []


def note_fault(stage: str, what: str, reason: str) -> None:
    """Tell whoever collects in this process."""
    for collector in _collectors:
        collector.append(Fault(stage, what, reason))


@contextmanager
def collecting_faults() -> Iterator[list[Fault]]:
    """Faults that are noted inside the block, as they come."""
    faults: list[Fault] = []
    _collectors.append(faults)
    try:
        yield faults
    finally:
        _collectors.remove(faults)


def named(things: Sequence[str]) -> str:
    """The first few by name, the others by number."""
    more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
    return ", ".join(things[:MOST_NAMED]) + more


def fault_error(faults: Sequence[Fault]) -> MachineFaultError:
    """What a run that went on after faults says at its end."""
    reasons = Counter(fault.reason for fault in faults)
    what = list(dict.fromkeys(fault.what for fault in faults))
    [(commonest, _)] = reasons.most_common(1)
    return MachineFaultError(
        f"the machine failed, not the calculation, for {named(what)} ({commonest}); nothing was stored of it and the "
        "rest is kept; 'ninefold resume' tries again",
        is_at_end=True,
    )
