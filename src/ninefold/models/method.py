"""What computed an energy."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

from ninefold.models.evidence import Evidence
from ninefold.models.record import Record


class Describable(Protocol):
    """What an engine says of itself."""

    name: str
    label: str
    fingerprint: str
    evidence: Evidence


class Method(Record):
    """An engine or code with everything that its energies depend on. id = the engine's fingerprint.

    Energies of two methods never share a hull.
    """

    collection: ClassVar[str] = "methods"

    name: str
    """Of the engine: chgnet, sevennet, lj."""
    label: str
    """Name and version, for people: CHGNet 0.3.0."""
    evidence: str
    """Evidence level of its energies, an `Evidence`; text, because a store of an earlier version may hold another."""
    hydrogen_reference: str = "H2 molecule in a box, same engine"
    """Where the energy of hydrogen gas comes from."""

    @classmethod
    def of(cls, engine: Describable) -> Self:
        """The method of an engine."""
        return cls(id=engine.fingerprint, name=engine.name, label=engine.label, evidence=engine.evidence)
