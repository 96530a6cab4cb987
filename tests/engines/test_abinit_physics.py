"""ABINIT beside GPAW on the same PAW data sets: this checks the codes, not the data (make test-dft)."""

import shutil

import numpy as np
import pytest
from ase.units import GPa
from pymatgen.core import Lattice, Structure

import gpaw_needs
from ninefold.engines import EngineSettings, make_engine

pytestmark = pytest.mark.dft

ROCKSALT = [[0, 0, 0], [0.5, 0.5, 0.5]]
PHASES = {
    "Li": ("Im-3m", Lattice.cubic(3.44), ["Li"], [[0, 0, 0]]),
    "Mg": ("P6_3/mmc", Lattice.hexagonal(3.19, 5.18), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    "LiH": ("Fm-3m", Lattice.cubic(4.02), ["Li", "H"], ROCKSALT),
    "Mg2FeH6": ("Fm-3m", Lattice.cubic(6.40), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]),
}
VOLUMES = (0.94, 1.0, 1.06)
H2 = Structure(Lattice.cubic(8), ["H", "H"], [[0, 0, 0], [0, 0, 0.75 / 8]])
FE = Structure(Lattice([[-1.415, 1.415, 1.415], [1.415, -1.415, 1.415], [1.415, 1.415, -1.415]]), ["Fe"], [[0, 0, 0]])


@pytest.fixture(scope="module")
def found():
    """By engine, by phase, or phase and volume over that of `PHASES`: eV/atom and GPa."""
    gpaw_needs.gpaw()
    pytest.importorskip("abipy", reason="ABINIT is not installed (make setup-abinit)")
    if shutil.which("abinit") is None:
        pytest.skip("ABINIT is not installed (make setup-abinit)")
    cells = {name: Structure.from_spacegroup(*phase).get_primitive_structure() for name, phase in PHASES.items()}
    cells |= {"H2": H2, "Fe": FE}
    for name, factors in (("LiH", VOLUMES), ("Mg2FeH6", (1.0,))):
        for factor in factors:
            cells[name, factor] = cells[name].copy()
            cells[name, factor].scale_lattice(cells[name].volume * factor)
    values = {}
    for name in ("gpaw", "abinit"):
        evaluations = make_engine(EngineSettings(name=name, model="draft")).evaluate(list(cells.values()))
        assert [each.error for each in evaluations if each.error] == []
        values[name] = {
            phase: (each.energy_per_atom, -np.trace(each.stress) / 3 / GPa)
            for phase, each in zip(cells, evaluations, strict=True)
        }
    return values


def formation(values, name, elements):
    """From bcc Li, hcp Mg, ferromagnetic bcc Fe and the molecule, eV/atom: the zero of each code drops out."""
    atoms = sum(elements.values())
    return values[name][0] - sum(n * values[part][0] for part, n in elements.items()) / atoms


@pytest.mark.parametrize(
    ("name", "elements", "limit"),
    [
        ("LiH", {"Li": 1, "H2": 1}, 0.005),
        ("Mg2FeH6", {"Mg": 2, "Fe": 1, "H2": 6}, 0.005),
    ],
)
def test_formation_energies_are_those_of_the_other_code(found, name, elements, limit):
    gpaw, abinit = (formation(found[engine], name, elements) for engine in ("gpaw", "abinit"))
    assert abinit == pytest.approx(gpaw, abs=limit)


@pytest.mark.parametrize(("name", "factors"), [("LiH", VOLUMES), ("Mg2FeH6", (1.0,))])
def test_pressure_and_compression_are_those_of_the_other_code(found, name, factors):
    """Energies count from the middle volume."""
    for factor in factors:
        assert found["abinit"][name, factor][1] == pytest.approx(found["gpaw"][name, factor][1], abs=0.3)
        rise = {engine: found[engine][name, factor][0] - found[engine][name, 1.0][0] for engine in found}
        assert rise["abinit"] == pytest.approx(rise["gpaw"], abs=0.005)
