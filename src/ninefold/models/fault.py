"""What could not be computed in a run."""

from __future__ import annotations

from typing import ClassVar

from ninefold.models.record import Record


class Fault(Record):
    """A composition or reference phase that a stage lost: a full disk, memory, a dead worker, or an undeclared error.

    It says nothing about what was to be computed. While a campaign has faults it is not finished; a run computes
    what they name and removes them. id = campaign:stage:what.
    """

    collection: ClassVar[str] = "faults"

    campaign: str
    stage: str
    what: str
    attempt: int = 0
    """Number of the run that it happened in, as in `FunnelRecord`."""
    reason: str
    created: str
