"""Nudged elastic bands, and the minimum that they start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

SPRING = 0.5
"""eV/Å^2 between images."""


class Band(NamedTuple):
    """What a nudged elastic band came to."""

    energies_eV: tuple[float, ...]
    """Of all images above the first; 0 for the last, which is the same crystal."""
    path_length: float
    """Sum over the images of the root of the summed squares of all atoms' steps, Å."""
    residual: float
    """Largest force across the path, eV/Å."""
    is_converged: bool


def relaxed_band(
    chain: Sequence[Atoms],
    calculator: Any,
    fmax: float,
    max_steps: int,
    ends: float | None = None,
    notify: Callable[[int], None] | None = None,
) -> Band:
    """Relax a band of images in place, with a climbing image in its second part.

    Args:
        chain: ASE atoms, the two relaxed ends included; they have no calculator afterwards.
        calculator: Shared by all images.
        fmax: Of the forces across the path, eV/Å.
        max_steps: Of the optimizer, in both parts together.
        ends: Energy of the ends, eV; default: that of the first image.
        notify: Called with the steps done.

    Returns:
        The band. Where an image has no finite energy or forces (two atoms have met), it ends there: not converged,
        its energies infinite. An optimizer would go on from such forces to positions without a list of neighbours.
    """
    from ase.mep import NEB
    from ase.optimize import FIRE

    for image in chain:
        image.calc = _of_one_image(calculator)
    if ends is None:
        ends = float(chain[0].get_potential_energy())
    done = 0
    # the band is straightened first: a climbing image of a rough path climbs the wrong way
    for climb, steps, goal in ((False, max_steps // 2, 4 * fmax), (True, max_steps, fmax)):
        band = NEB(list(chain), k=SPRING, climb=climb, method="improvedtangent")
        optimizer = FIRE(band, logfile=None, maxstep=0.1)
        for _ in optimizer.irun(fmax=goal, steps=max(1, steps - done)):
            if not (np.isfinite(band.energies[1:-1]).all() and np.isfinite(band.real_forces[1:-1]).all()):
                return _without_energies(chain)
            if notify is not None:
                notify(done + optimizer.nsteps)
        done += optimizer.nsteps
    residual = float(np.sqrt((band.get_forces() ** 2).sum(axis=1)).max())
    energies = [0.0, *(float(image.get_potential_energy()) - ends for image in chain[1:-1]), 0.0]
    steps_between = [float(np.linalg.norm(after.positions - before.positions)) for before, after in pairwise(chain)]
    for image in chain:
        image.calc = None
    return Band(tuple(energies), sum(steps_between), residual, residual <= fmax * 1.01)


def _of_one_image(shared: Any) -> Any:
    """A calculator that keeps what a shared one gave of its image: ASE asks for the forces of a step three times."""
    from ase.calculators.calculator import Calculator, all_changes

    class OfOneImage(Calculator):
        implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

        def calculate(
            self, atoms: Any = None, properties: Sequence[str] = ("energy",), system_changes: Any = all_changes
        ) -> None:
            super().calculate(atoms, properties, system_changes)
            image = self.atoms.copy()
            image.calc = shared
            forces = image.get_forces(apply_constraint=False)
            self.results = {"energy": image.get_potential_energy(), "forces": forces.copy()}

    return OfOneImage()


def _without_energies(chain: Sequence[Atoms]) -> Band:
    """What is told of a band that ended on an image without an energy."""
    for image in chain:
        image.calc = None
    return Band((0.0, *(float("inf") for _ in chain[1:-1]), 0.0), float("inf"), float("inf"), is_converged=False)


def relax_in_cell(
    atoms: Atoms, fmax: float = 0.01, max_steps: int = 200, notify: Callable[[int], None] | None = None
) -> None:
    """Bring positions to the minimum, in the cell and the symmetry of the start; in place.

    Args:
        atoms: With a calculator.
        fmax: Largest force at the end, eV/Å.
        max_steps: Of the optimizer.
        notify: Called with the steps done.
    """
    from ase.constraints import FixSymmetry
    from ase.optimize import BFGS

    atoms.set_constraint(FixSymmetry(atoms, symprec=0.01))
    optimizer = BFGS(atoms, logfile=None)
    if notify is not None:
        optimizer.attach(lambda: notify(optimizer.nsteps))
    optimizer.run(fmax=fmax, steps=max_steps)
    atoms.set_constraint()
