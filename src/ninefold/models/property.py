"""What a stage of the user's computed of a structure."""

from __future__ import annotations

from typing import Any, ClassVar

from ninefold.models.record import Record


class PropertyRecord(Record):
    """Values of one structure by one stage. id = hash of the stage, its file's content, structure and method."""

    collection: ClassVar[str] = "properties"

    campaign: str
    stage: str
    label: str
    structure: str
    """Id of the `StructureRecord`."""
    method: str
    values: dict[str, Any]
    """Key -> plain value, as the stage declares them."""
    reason: str | None = None
    """Why the stage has no values for this structure."""
    core_seconds: float
    created: str
