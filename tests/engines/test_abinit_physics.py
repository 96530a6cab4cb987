"""ABINIT beside GPAW on the same PAW data sets: this checks the codes, not the data (make test-dft)."""

import shutil

import numpy as np
import pytest
from ase.units import GPa
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, make_engine

pytestmark = pytest.mark.dft

ROCKSALT = [[0, 0, 0], [0.5, 0.5, 0.5]]
PHASES = {
    "Li": ("Im-3m", Lattice.cubic(3.44), ["Li"], [[0, 0, 0]]),
    "Mg": ("P6_3/mmc", Lattice.hexagonal(3.19, 5.18), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    "LiH": ("Fm-3m", Lattice.cubic(4.02), ["Li", "H"], ROCKSALT),
    "Mg2FeH6": ("Fm-3m", Lattice.cubic(6.40), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]),
}
H2 = Structure(Lattice.cubic(8), ["H", "H"], [[0, 0, 0], [0, 0, 0.75 / 8]])
FE = Structure(Lattice([[-1.415, 1.415, 1.415], [1.415, -1.415, 1.415], [1.415, 1.415, -1.415]]), ["Fe"], [[0, 0, 0]])


@pytest.fixture(scope="module")
def found():
    """By engine, by phase: eV/atom and GPa."""
    pytest.importorskip("gpaw", reason="GPAW is not installed (make setup-dft)")
    pytest.importorskip("abipy", reason="ABINIT is not installed (make setup-abinit)")
    if shutil.which("abinit") is None:
        pytest.skip("ABINIT is not installed (make setup-abinit)")
    cells = {name: Structure.from_spacegroup(*phase).get_primitive_structure() for name, phase in PHASES.items()}
    cells |= {"H2": H2, "Fe": FE}
    values = {}
    for name in ("gpaw", "abinit"):
        evaluations = make_engine(EngineSettings(name=name, model="draft")).evaluate(list(cells.values()))
        values[name] = {
            phase: (each.energy_per_atom, -np.trace(each.stress) / 3 / GPa)
            for phase, each in zip(cells, evaluations, strict=True)
        }
    return values


@pytest.mark.parametrize(("name", "elements"), [("LiH", {"Li": 1, "H2": 1}), ("Mg2FeH6", {"Mg": 2, "Fe": 1, "H2": 6})])
def test_formation_energy_and_pressure_are_those_of_the_other_code(found, name, elements):
    """Energies count from bcc Li, hcp Mg, ferromagnetic bcc Fe and the molecule: the zero of each code drops out."""
    formation, pressure = {}, {}
    for engine, values in found.items():
        atoms = sum(elements.values())
        formation[engine] = values[name][0] - sum(n * values[part][0] for part, n in elements.items()) / atoms
        pressure[engine] = values[name][1]
    assert formation["abinit"] == pytest.approx(formation["gpaw"], abs=0.005)
    assert pressure["abinit"] == pytest.approx(pressure["gpaw"], abs=0.3)
