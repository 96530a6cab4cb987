"""What one stage let through."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ninefold.models.record import Record


class FunnelRecord(Record):
    """Counts of one stage, or of one shard of it. id = campaign:stage:shard; written whole each time the stage runs."""

    collection: ClassVar[str] = "funnel"

    campaign: str
    stage: str
    """Name of the stage; a further round or method stands behind it: build 2, stability sevennet."""
    shard: str = "0"
    attempt: int = 0
    """Number of the run that counted: a late job of an earlier one writes over nothing. 0: none was recorded."""
    after: str | None = None
    """The stage that it follows, if it is none of ninefold's own."""
    method: int = 0
    """Place among the campaign's methods of the one that the stage belongs to; 0 is the search's."""
    count_in: int
    count_out: int
    unit: str = "compositions"
    """What is counted: compositions or structures."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Reason of rejection -> count."""
    core_seconds: float
    """Of the facts that the stage rests on, whether this run made them or found them."""
    wall_seconds: float
    hardware: str
