"""A competing phase as one method sees it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ninefold.models.record import Record


class ReferenceRecord(Record):
    """A reference phase relaxed with one method. id = campaign:method:name."""

    collection: ClassVar[str] = "references"

    campaign: str
    method: str
    """Id of the method."""
    engine: str
    """Its label."""
    name: str
    formula: str
    chemical_system: str
    elements: list[str]
    kind: str
    """element | molecule | binary | ternary | intermetallic | known_hydride."""
    energy_per_atom: float | None
    space_group_number: int | None
    volume_per_atom: float | None
    """Å³/atom; None for the molecule in its box."""
    is_converged: bool | None
    structure: str | None
    """Id of the `StructureRecord` of the relaxed phase; None where there is no energy."""
    source: str
    provenance: str
    """published | from memory | derived: how well the literature structure is known."""
    refuted: str | None = None
    """Why the structure is kept out of every hull, if it is."""
    notes: list[str] = Field(default_factory=list)
    core_seconds: float = 0.0


def reference_id(campaign: str, method: str, name: str) -> str:
    """Id of a reference phase in a campaign."""
    return f"{campaign}:{method[:8]}:{name}"
