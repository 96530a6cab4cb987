"""One finished calculation of one structure by one method."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from ninefold.models.record import Record


class Calculation(Record):
    """Written once. id = hash of kind, structure, method, settings and the version of that kind.

    Only what a method says of a structure is stored, its declared failures included. What the machine broke is a
    `Fault` and is computed again.
    """

    collection: ClassVar[str] = "calculations"

    campaign: str
    """The campaign that computed it; another may find and use it. Empty: imported."""
    kind: Literal["evaluate", "relax", "static"]
    """evaluate: energy alone, of the many structures of which a search needs the order; relax; static: energy, forces
    and stress of one structure as it stands, as a DFT code gives them."""
    method: str | None = None
    """Id of the method; None in a store made before it was recorded."""
    machine: str | None = None
    """Processor and cores; None in a store made before it was recorded."""
    settings: dict[str, Any] | None = None
    """Of a relaxation; of an imported calculation `import` (its method's), `potentials`, `source` and `of`."""
    start: str | None = None
    """Id of the `StructureRecord` that was computed; None in a store made before it was recorded.

    It is stored, except where `kind` is evaluate: those are lines of their pool's blob, or a structure of the search
    moved onto a symmetry. Of structures that agree to the digits of the calculation's id, the first one computed."""
    final: str | None = None
    """Id of the `StructureRecord` of the relaxed structure, which is stored; None where `error` is set, and of every
    other kind than relax."""
    energy_per_atom: float | None
    """eV/atom; None where `error` is set."""
    error: str | None = None
    """Why there is no energy: a property of the structure with this method."""
    core_seconds: float
    forces: list[list[float]] | None = None
    """shape (n, 3), eV/Å, Cartesian, of the final structure (static: of the start), as the constraint of its symmetry
    leaves them. None of kind evaluate, some hundred for each composition, of which the energy alone is used; and where
    the engine does not give them or `error` is set."""
    stress: list[float] | None = None
    """GPa, ASE's order (xx, yy, zz, yz, xz, xy) and sign (positive under tension), the external pressure not added;
    None as `forces`."""
    max_force: float | None = None
    """eV/Å, at the end of a relaxation; None where it is not finite."""
    max_stress: float | None = None
    """GPa, likewise."""
    steps: int | None = None
    is_converged: bool | None = None
    notes: list[str] = Field(default_factory=list)
    """What was not as usual: steps that self-consistency needed, the magnetic moment."""
    created: str
    """ISO 8601, UTC."""
