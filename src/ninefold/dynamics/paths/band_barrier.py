"""The barrier of one permutation of an anion's ligands, by a nudged elastic band in the crystal.

Both ends are the relaxed structure, with the ligands' names exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.dynamics.anions.permutations import Way
from ninefold.dynamics.anions.sites import Site
from ninefold.dynamics.paths.bands import relaxed_band
from ninefold.dynamics.paths.images import interpolated

if TYPE_CHECKING:
    from ase import Atoms

IMAGES = 7


class Barrier(NamedTuple):
    """A way with its barrier."""

    way: Way
    barrier_eV: float
    """Of the highest image, which climbs, above the ends."""
    energies_eV: tuple[float, ...]
    """Of all images above the ends."""
    path_length: float
    """Sum over the images of the root of the summed squares of all atoms' steps, Å."""
    residual: float
    """Largest force across the path, eV/Å."""
    is_converged: bool
    images: tuple[Any, ...]
    """ASE atoms, the ends included."""


def barrier(
    atoms: Atoms,
    site: Site,
    way: Way,
    calculator: Any,
    fmax: float = 0.05,
    max_steps: int = 300,
    images: int = IMAGES,
    notify: Callable[[int], None] | None = None,
) -> Barrier:
    """The barrier of one way by a nudged elastic band with a climbing image.

    Args:
        atoms: Relaxed with the calculator; its cell is kept.
        site: The anion.
        way: Of `ways`.
        calculator: Shared by all images.
        fmax: Of the forces across the path, eV/Å.
        max_steps: Of the optimizer, in both parts together.
        images: Between the ends.
        notify: Called with the steps done.
    """
    chain = interpolated(atoms, site, way, images)
    ends = float(atoms.get_potential_energy()) if atoms.calc is not None else None
    found = relaxed_band(chain, calculator, fmax, max_steps, ends, notify)
    return Barrier(
        way, max(found.energies_eV), found.energies_eV, found.path_length, found.residual, found.is_converged,
        tuple(chain),
    )  # fmt: skip
