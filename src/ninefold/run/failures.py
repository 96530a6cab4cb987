"""What failed in a campaign, grouped by cause."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import LONGEST_SHOWN
from ninefold.flows.faults import blamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ninefold.store import Store

_VARYING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{12,}|(?<![A-Za-z])[-+]?\d[\d.,:eE+-]*|/[^\s:'\"]+")
"""Parts of a reason that differ between two failures of one cause: addresses, hashes, numbers, paths."""
MOST_NAMED = 3


class Failures(NamedTuple):
    """Failures of one cause."""

    cause: str
    """Without numbers and paths; what `ninefold retry --cause` takes."""
    number: int
    stages: dict[str, int]
    """Stage -> failures."""
    named: list[str]
    """What failed, the first few."""
    reason: str
    """Of the first, in full."""
    log: str
    """The end of what a job of this cause has written, if it was kept."""


def cause_of(reason: str) -> str:
    """The cause of a failure: its reason without what differs from one to the next.

    >>> cause_of("OSError: [Errno 28] No space left on device: '/scratch/a1/x.h5'")
    "machine: OSError: [Errno #] No space left on device: '#'"
    """
    return " ".join(_VARYING.sub("#", blamed(reason)).split())[:LONGEST_SHOWN]


def grouped(faults: Iterable[Mapping[str, Any]], logs: Mapping[str, str]) -> list[Failures]:
    """Failures by their cause, the commonest first.

    Args:
        faults: Stored documents.
        logs: Reason -> what the job has written.
    """
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for fault in faults:
        groups[cause_of(fault["reason"])].append(fault)
    found = []
    for cause, members in groups.items():
        stages: dict[str, int] = defaultdict(int)
        for fault in members:
            stages[fault["stage"]] += 1
        log = next((logs[fault["reason"]] for fault in members if fault["reason"] in logs), "")
        names = [fault["what"] for fault in members[:MOST_NAMED]]
        found.append(Failures(cause, len(members), dict(stages), names, members[0]["reason"], log))
    return sorted(found, key=lambda group: (-group.number, group.cause))


def held_faults(store: Store, campaign: str, causes: tuple[str, ...]) -> str | None:
    """The faults of some causes as a blob: the runs to come leave them as they are. None without causes."""
    import json

    if not causes:
        return None
    faults = store.find("faults", equal={"campaign": campaign}, fields=["stage", "what", "reason"])
    held = [[row["stage"], row["what"], row["reason"]] for row in faults if cause_of(row["reason"]) in causes]
    return store.blobs.put(json.dumps(held).encode())
