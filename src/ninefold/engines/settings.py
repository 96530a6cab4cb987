"""What a campaign says of its engine."""

from __future__ import annotations

from pydantic import Field

from ninefold.settings import Settings


class EngineSettings(Settings):
    """What computes energies and forces."""

    name: str = "chgnet"
    """An engine by name: chgnet (weights come with the package), lj and emt (for tests), or an installed plug-in."""
    model: str | None = None
    """The engine's own model or weight file; default: the engine's default (CHGNet 0.3.0)."""


class RelaxSettings(Settings):
    """How far a structure is relaxed."""

    fmax: float = Field(default=0.01, gt=0, le=10)
    """Largest force on an atom, and virial per atom in the same measure, at the end, eV/Å."""
    max_steps: int = Field(default=300, ge=0, le=100_000)
    """Evaluations at most; a relaxation that needs more is not converged."""
    pressure: float = Field(default=0.0, ge=-100, le=1000)
    """External pressure, GPa."""
    relax_cell: bool = True
    """Cell and positions, or positions alone."""
    keep_symmetry: bool = False
    """Forces and stress are symmetrised with the space group of the start."""
