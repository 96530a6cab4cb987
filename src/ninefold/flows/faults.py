"""What is told of faults of the machine: a run goes on after them, stores no result of them, and tells them at its end.

A fault says nothing about a structure or a composition, so it must not become a property of one: what it kept from
being computed is left as it was before and is computed by the next run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ninefold.errors import MachineFaultError

MOST_NAMED = 3
"""Things that a message names."""


def named(things: Sequence[str]) -> str:
    """The first few by name, the others by number."""
    more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
    return ", ".join(things[:MOST_NAMED]) + more


def faults_error(faults: Sequence[Mapping[str, str]]) -> MachineFaultError:
    """What a run that went on after faults says at its end.

    Args:
        faults: Stored documents, at least one.
    """
    reasons = Counter(fault["reason"] for fault in faults)
    what = list(dict.fromkeys(fault["what"] for fault in faults))
    [(commonest, _)] = reasons.most_common(1)
    return MachineFaultError(
        f"the machine failed, not the calculation, for {named(what)} ({commonest}); nothing was stored of it and the "
        "rest is kept; 'ninefold resume' tries again",
        is_at_end=True,
    )
