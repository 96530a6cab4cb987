"""How vibrations are computed."""

from __future__ import annotations

from pydantic import Field, field_validator

from ninefold.settings import Settings


class PhononSettings(Settings):
    """Supercell, displacements, and what is done about an unstable structure."""

    min_width: float = Field(default=8.0, ge=0, le=60)
    """Least distance of an atom to its own image in the supercell, Å: a displaced atom must not feel its image. Forces
    that reach beyond half of it are folded. 0: the primitive cell as it is, Γ computed and the rest interpolated."""
    displacement: float = Field(default=0.01, ge=0.001, le=0.1)
    """Of one atom, Å. Smaller ones drown in the noise of forces, larger ones leave the parabola."""
    fmax: float = Field(default=0.002, gt=0, le=0.05)
    """Force to which the structure is relaxed before, eV/Å."""
    max_steps: int = Field(default=500, ge=0, le=10_000)
    """Of that relaxation. 0 takes the structure as it stands."""
    max_atoms: int = Field(default=600, ge=1, le=100_000)
    """Of the supercell; a larger one is refused."""
    mesh_length: float = Field(default=60.0, ge=5, le=1000)
    """Length in Å that the mesh of q-points resolves: along each reciprocal vector it has this length over that of the
    cell many points, so that free energies are converged to 0.1 meV/atom."""
    follow: int = Field(default=2, ge=0, le=10)
    """How often an unstable structure is displaced along imaginary modes, relaxed and computed again; 0: told only."""
    modes: int = Field(default=3, ge=1, le=30)
    """Imaginary modes that are followed each time, the most negative first."""
    amplitudes: tuple[float, ...] = (0.05, 0.15, 0.3)
    """Largest displacement of an atom along a mode, Å, to both sides; the lowest energy of each side is relaxed."""

    @field_validator("amplitudes")
    @classmethod
    def _check_amplitudes(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values or any(not 0 < value <= 1 for value in values):
            raise ValueError("must be one length or more, above 0, up to 1 Å")
        return values
