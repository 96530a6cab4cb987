"""Vibrations of one structure by one method."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ninefold.models.record import Record


class StoredMode(BaseModel):
    """An imaginary mode at a point that the supercell holds whole waves of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: list[float]
    """shape (3,), in vectors of the primitive reciprocal cell."""
    frequency_meV: float
    """Negative: the modulus of an imaginary frequency."""


class StoredTrial(BaseModel):
    """One side of an imaginary mode, along which the structure was displaced and relaxed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    saddle: str
    """Id of the structure with the mode."""
    q: list[float]
    frequency_meV: float
    amplitude: float
    """Å, with sign."""
    gain: float | None
    """Energy less that of the saddle point, eV/atom."""
    outcome: str
    """lower, or why it was rejected."""
    structure: str | None = None
    """Id of the structure that is lower."""


class VibrationRecord(Record):
    """Phonons of a structure. id = hash of the structure, the settings, the method and the version of the course.

    The forces are calculations of kind static, one for each displaced supercell, and stand in the store by themselves.
    """

    collection: ClassVar[str] = "vibrations"

    campaign: str
    """The campaign that asked for it; empty: computed of a file."""
    label: str
    """The composition's label, a reference's name, or a formula."""
    method: str
    start: str
    """Id of the structure that was asked for."""
    relaxed: str | None = None
    """Id of it, relaxed to the criterion of vibrations; None where `error` is set, like all that follows."""
    structure: str | None = None
    """Id of the primitive cell that the phonons are of: `relaxed` as a primitive cell, or a lower one."""
    relaxed_energy: float | None = None
    """eV/atom."""
    energy_per_atom: float | None = None
    """eV/atom, of `structure`."""
    gain: float | None = None
    """What was gained by leaving saddle points, eV/atom; 0 where none was left."""
    nsites: int | None = None
    supercell: list[list[int]] | None = None
    """shape (3, 3); rows are its vectors in those of the primitive cell."""
    supercell_atoms: int | None = None
    displacements: int | None = None
    """Supercells whose forces were computed."""
    imaginary: list[StoredMode] = Field(default_factory=list)
    """Of `structure`, most negative first; of equivalent points one."""
    n_imaginary: int | None = None
    noise_meV: float | None = None
    """Imaginary frequencies up to this are noise and not among them."""
    translation_meV: float | None = None
    """What the translations at Γ came out with before the sum rule was imposed: the noise that was measured."""
    start_imaginary: list[StoredMode] = Field(default_factory=list)
    """Of `relaxed`."""
    trials: list[StoredTrial] = Field(default_factory=list)
    zero_point_energy: float | None = None
    """eV/atom."""
    free_energy_298: float | None = None
    """Of the vibrations at 298.15 K, eV/atom, zero-point energy included."""
    missing_modes: float | None = None
    """Modes per atom that have no real frequency, and are in no sum."""
    force_constants: str | None = None
    """Blob: a NumPy file, shape (nsites, supercell_atoms, 3, 3), eV/Å²."""
    spectrum: str | None = None
    """Blob: JSON of `HarmonicVibrations`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    error: str | None = None
    """Why there are none: a property of the structure with this method."""
    created: str

    @property
    def is_stable(self) -> bool:
        """Whether it has no imaginary mode."""
        return self.n_imaginary == 0
