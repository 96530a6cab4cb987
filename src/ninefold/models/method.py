"""What computed an energy."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, Self

from ninefold.models.evidence import Evidence
from ninefold.models.record import Record


class Describable(Protocol):
    """What an engine says of itself."""

    name: str
    label: str
    fingerprint: str
    evidence: Evidence


ZeroPoint = Literal["none", "included"]
"""Of a method's energies. none: nuclei at rest. included: corrections fitted to formation enthalpies at 298 K hold an
average zero-point energy, and its energy of H2 is that of the gas at 298 K; see `ninefold.thermo.zero_point`."""


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
    zero_point: ZeroPoint | None = None
    """Whether its energies hold a zero-point energy; None in a store made before it was recorded."""

    @property
    def holds_zero_point(self) -> ZeroPoint:
        """`zero_point`; where it was not recorded, what the engine of that name says today."""
        if self.zero_point is not None:
            return self.zero_point
        # CHGNet has learned corrected energies, but for its model of raw r2SCAN ones
        return "included" if self.name == "chgnet" and not self.label.endswith("r2scan") else "none"

    @classmethod
    def of(cls, engine: Describable) -> Self:
        """The method of an engine; one that does not say otherwise gives energies of nuclei at rest."""
        return cls(
            id=engine.fingerprint, name=engine.name, label=engine.label, evidence=engine.evidence,
            zero_point=getattr(engine, "zero_point", "none"),
        )  # fmt: skip
