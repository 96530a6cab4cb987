"""Geometries of the trust set: a phase at several volumes, and its atoms displaced by their thermal motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.engines.settings import RelaxSettings
from ninefold.errors import NinefoldError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Engine

VOLUME_RATIOS = (0.90, 0.96, 1.00, 1.04)
"""Of the series: from the volume of a saline hydride at some 5 GPa to beyond the minimum."""
BOND_LENGTHS = (0.74, 0.75, 0.76)
"""Å, of the molecule: PBE has 0.750."""
TIMESTEP, TEMPERATURE, FRICTION, STEPS = 0.5, 300.0, 0.02, 400
"""Of the dynamics: fs, K, 1/fs, and steps between two frames."""


class NoFrameError(NinefoldError):
    """The engine could not relax a phase of the set."""


def relaxed(engine: Engine, structure: Structure) -> Structure:
    """A phase at the engine's own minimum, in its symmetry.

    Raises:
        NoFrameError: if the engine cannot.
    """
    settings = RelaxSettings(fmax=0.005, max_steps=800, keep_symmetry=True)
    [result] = engine.relax([structure], settings)
    if result.error is not None:
        raise NoFrameError(f"{structure.composition.reduced_formula}: {result.error}")
    return result.structure


def volume_series(engine: Engine, structure: Structure, ratios: Sequence[float] = VOLUME_RATIOS) -> list[Structure]:
    """A relaxed phase at several volumes: cell scaled, atoms relaxed within, so that scaling strains no bond.

    Args:
        engine: Relaxes the atoms.
        structure: At its minimum.
        ratios: Of the volumes over that of the minimum.

    Raises:
        NoFrameError: if the engine cannot.
    """
    settings = RelaxSettings(fmax=0.005, max_steps=400, keep_symmetry=True, relax_cell=False)
    starts = []
    for ratio in ratios:
        scaled = structure.copy()
        scaled.scale_lattice(structure.volume * ratio)
        starts.append(scaled)
    results = engine.relax(starts, settings)
    if failed := next((result.error for result in results if result.error is not None), None):
        raise NoFrameError(f"{structure.composition.reduced_formula}: {failed}")
    return [result.structure for result in results]


def molecule(box: float = 8.0, lengths: Sequence[float] = BOND_LENGTHS) -> list[Structure]:
    """H2 in a box, at several bond lengths.

    Args:
        box: Edge of the shortest side, Å; the sides differ, so that no symmetry of the box is the molecule's.
        lengths: Å.
    """
    from pymatgen.core import Lattice, Structure

    lattice = Lattice.orthorhombic(box, box + 0.5, box + 1.0)
    middle = np.array([box, box + 0.5, box + 1.0]) / 2
    along = np.array([[0, 0, -0.5], [0, 0, 0.5]])
    return [Structure(lattice, ["H", "H"], middle + along * length, coords_are_cartesian=True) for length in lengths]


def displaced(calculator: Any, structure: Structure, count: int, seed: int) -> list[Structure]:
    """Frames of a short molecular dynamics run at 300 K and fixed cell.

    Args:
        calculator: ASE's, of the engine.
        structure: At its minimum.
        count: Frames, some 0.2 ps apart.
        seed: Of the random forces.
    """
    from ase import Atoms, units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from pymatgen.core import Structure as PymatgenStructure

    generator = np.random.default_rng(seed)
    symbols = [site.specie.symbol for site in structure]
    atoms = Atoms(symbols, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)
    atoms.calc = calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE, rng=generator)
    dynamics = Langevin(
        atoms, TIMESTEP * units.fs, temperature_K=TEMPERATURE, friction=FRICTION / units.fs, rng=generator, fixcm=False
    )
    frames = []
    for _ in range(count):
        dynamics.run(STEPS)
        frames.append(PymatgenStructure(atoms.cell.array, symbols, atoms.get_scaled_positions(wrap=False)))
    return frames
