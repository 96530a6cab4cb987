"""One finished calculation of one structure by one method."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from ninefold.models.record import Record


class Calculation(Record):
    """Written once. id = hash of kind, structure, method, settings and the version of that kind.

    Only what a method says of a structure is stored, its declared failures included. What the machine broke is a
    `Fault` and is computed again.
    """

    collection: ClassVar[str] = "calculations"

    campaign: str
    """The campaign that computed it; another may find and use it."""
    kind: Literal["evaluate", "relax"]
    method: str | None = None
    """Id of the method; None in a store made before it was recorded."""
    settings: dict[str, Any] | None = None
    """Of a relaxation."""
    energy_per_atom: float | None
    """eV/atom; None where `error` is set."""
    error: str | None = None
    """Why there is no energy: a property of the structure with this method."""
    core_seconds: float
    structure: dict[str, Any] | None = None
    """The relaxed structure: lattice, species, positions as in `StructureRecord`; None of an evaluation."""
    max_force: float | None = None
    """eV/Å, at the end of a relaxation; None where it is not finite."""
    max_stress: float | None = None
    """GPa, likewise."""
    steps: int | None = None
    is_converged: bool | None = None
    created: str
    """ISO 8601, UTC."""
