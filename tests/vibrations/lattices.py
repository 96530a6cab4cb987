"""Crystals whose vibrations are known in closed form, as engines; and an engine as a source of forces."""

from typing import ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Lattice, Structure

from ninefold.engines.ase_engine import ASEEngine

EDGES = (3.0, 3.41, 3.83)
"""Å, of the cells."""


class Direct:
    """An engine as a source, and what it was asked for."""

    def __init__(self, engine):
        self.engine, self.computed = engine, []
        self.evidence, self.label = engine.evidence, engine.label

    def relax(self, structures, settings):
        return self.engine.relax(structures, settings)

    def evaluate(self, structures):
        return self.engine.evaluate(structures)

    def forces(self, structure):
        self.computed.append(structure)
        [result] = self.engine.evaluate([structure])
        return result


class _OfLattice(Calculator):
    """Energies of displacements from the sites of a lattice; the cell costs nothing.

    The axes of the lattice lie along x, y and z in any order, and its origin anywhere: a cell that is brought into a
    standard setting has the same energy. A name of axis stands for the edge that it had at first.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        lattice = _Sites(atoms)
        energy, forces = self.energy_and_forces(atoms, lattice)
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "stress": np.zeros(6)}


class _Sites:
    def __init__(self, atoms):
        columns = atoms.cell.array.T
        self.edges = np.array([next(edge for edge in EDGES if _divides(edge, column)) for column in columns])
        self.axes = [int(np.flatnonzero(self.edges == edge)[0]) for edge in EDGES]
        self.size = np.rint(atoms.cell.array / self.edges)
        symbols = np.array(atoms.get_chemical_symbols())
        self.cations, self.hydrogens = np.flatnonzero(symbols != "H"), np.flatnonzero(symbols == "H")
        places = (atoms.positions - atoms.positions[self.cations[0]]) / self.edges
        places[self.hydrogens] -= 0.5
        self.cells = np.rint(places)
        self.moved = (places - self.cells) * self.edges
        """Å, from the sites; all of them by the same unknown vector, which no energy depends on."""

    def step(self, axis):
        """One cell along an axis."""
        return np.eye(3)[self.axes[axis]]

    def partners(self, first, second, step=0.0):
        """Atom of `second` in the cell a step on from that of each atom of `first`."""
        keys = {self._key(self.cells[place]): place for place in second}
        return np.array([keys[self._key(self.cells[place] + step)] for place in first])

    def _key(self, cell):
        part = np.linalg.solve(self.size.T, cell)
        return tuple(np.rint((part - np.floor(part + 1e-9)) @ self.size).astype(int))


def _divides(edge, lengths):
    return np.abs(lengths).max() > 1 and np.allclose(lengths / edge, np.rint(lengths / edge), atol=1e-3)


class Springs(_OfLattice):
    """Equal springs between neighbours along x, y and z that hold all three components.

    omega^2 = 2 K/m sum_d (1 - cos 2 pi q_d), three times each.
    """

    def __init__(self, stiffness):
        super().__init__()
        self.stiffness = stiffness

    def energy_and_forces(self, atoms, sites):
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for axis in range(3):
            other = sites.partners(sites.cations, sites.cations, sites.step(axis))
            stretch = sites.moved[other] - sites.moved[sites.cations]
            energy += 0.5 * self.stiffness * float((stretch**2).sum())
            np.add.at(forces, sites.cations, self.stiffness * stretch)
            np.add.at(forces, other, -self.stiffness * stretch)
        return energy, forces


class DoubleWell(_OfLattice):
    """Cations on springs, a hydrogen in the middle of each cell, off its place along x.

    s = hydrogen less cation; E = -a s_x^2/2 + b s_x^4/4 + a (s_y^2 + s_z^2)/2 + j s_x s_x' between neighbours along y,
    and the same along x and z with -ALIGNED for j. At rest s_x = (depth/b)^(1/2) with the `depth` below, all alike for
    j < 0, alternating along y for j > 0; the energy is -depth^2/(4b) per hydrogen.
    """

    ALIGNED = 0.02
    """eV/Å²."""

    def __init__(self, a, b, j, stiffness=3.0):
        super().__init__()
        self.a, self.b, self.springs = a, b, Springs(stiffness)
        self.couplings = (-self.ALIGNED, j, -self.ALIGNED)

    @property
    def depth(self):
        return self.a + 2 * sum(abs(one) for one in self.couplings)

    def energy_and_forces(self, atoms, sites):
        energy, forces = self.springs.energy_and_forces(atoms, sites)
        own = sites.partners(sites.hydrogens, sites.cations)
        s = sites.moved[sites.hydrogens] - sites.moved[own]
        place_of = {int(atom): place for place, atom in enumerate(sites.hydrogens)}
        x = sites.axes[0]
        slope = self.a * s
        slope[:, x] = -self.a * s[:, x] + self.b * s[:, x] ** 3
        energy += float((self.a * np.delete(s, x, axis=1) ** 2 / 2).sum())
        energy += float((-self.a * s[:, x] ** 2 / 2 + self.b * s[:, x] ** 4 / 4).sum())
        for axis, j in enumerate(self.couplings):
            found = sites.partners(sites.hydrogens, sites.hydrogens, sites.step(axis))
            other = np.array([place_of[int(atom)] for atom in found])
            slope[:, x] += j * s[other, x]
            np.add.at(slope[:, x], other, j * s[:, x])
            energy += float((j * s[:, x] * s[other, x]).sum())
        np.add.at(forces, sites.hydrogens, -slope)
        np.add.at(forces, own, slope)
        return energy, forces


def springs(stiffness=2.0):
    return ASEEngine("springs", "springs", Springs(stiffness), (stiffness,), evidence="test")


def double_well(a=0.4, b=4.0, j=0.0):
    return ASEEngine("wells", "wells", DoubleWell(a, b, j), (a, b, j), evidence="test")


def simple(symbol="Na"):
    return Structure(Lattice.orthorhombic(*EDGES), [symbol], [[0, 0, 0]])


def pair(cation="Na"):
    return Structure(Lattice.orthorhombic(*EDGES), [cation, "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
