"""Phonons against a lattice that is solved on paper, phonopy by hand, and ASE's vibrations."""

import io

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from lattices import Direct, simple, springs
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, make_engine
from ninefold.thermo.harmonic import MEV_PER_THZ
from ninefold.vibrations import Phonons, PhononSettings, displacements_of, vibrations_of
from ninefold.vibrations.phonons import NOISE_THZ, THZ, dense_path

STIFFNESS, MASS = 2.0, 22.98976928


def analytic(q):
    """meV."""
    return THZ * MEV_PER_THZ * np.sqrt(2 * STIFFNESS / MASS * (1 - np.cos(2 * np.pi * np.asarray(q))).sum())


@pytest.fixture(scope="module")
def chain():
    return vibrations_of(simple(), Direct(springs(STIFFNESS)), PhononSettings(min_width=9.0))


@pytest.fixture(scope="module")
def metal():
    engine = make_engine(EngineSettings(name="emt"))
    cell = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.75), ["Cu", "Au"], [[0, 0.5, 0.5], [0, 0, 0]])
    source = Direct(engine)
    return vibrations_of(cell, source, PhononSettings(min_width=7.0)), source


@pytest.mark.parametrize("q", [(0.5, 0, 0), (0.13, 0.27, 0.41), (0, 0, 1 / 3), (0.01, 0, 0)])
def test_frequencies_of_a_lattice_of_springs_are_those_on_paper(chain, q):
    assert chain.phonons.along([q])[0] == pytest.approx([analytic(q)] * 3, rel=1e-5)


def test_translations_are_exactly_zero(chain):
    assert chain.phonons.frequencies([0, 0, 0]) == pytest.approx(np.zeros(3), abs=1e-6)
    assert chain.phonons.imaginary_modes == []


def test_commensurate_points_are_those_of_the_supercell(chain):
    points = chain.phonons.commensurate_points()
    matrix = np.array(chain.phonons.matrix)
    size = round(abs(np.linalg.det(matrix)))
    assert points @ matrix.T == pytest.approx(np.rint(points @ matrix.T), abs=1e-9)
    both = {tuple(np.round(sign * q % 1.0, 6) % 1.0) for q in points for sign in (1, -1)}
    assert len(both) == size
    assert not points[0].any()


def test_zero_point_energy_is_the_mean_over_the_zone(chain):
    mesh = np.stack(np.meshgrid(*[(np.arange(24) + 0.5) / 24] * 3), axis=-1).reshape(-1, 3)
    exact = np.mean([1.5 * analytic(q) for q in mesh]) / 1e3
    vibrations = chain.phonons.vibrations(80.0)
    assert vibrations.zero_point_energy == pytest.approx(exact, rel=2e-3)
    assert vibrations.missing_modes < 1e-3


def test_phonopy_by_hand_gives_the_same(metal):
    """The same cell, forces by ASE's EMT, in a script as phonopy's manual has it."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    course, _ = metal
    cell = course.structure
    by_hand = Phonopy(
        PhonopyAtoms(
            symbols=[site.specie.symbol for site in cell], cell=cell.lattice.matrix, scaled_positions=cell.frac_coords
        ),
        supercell_matrix=np.diag([2, 2, 2]), log_level=0,
    )  # fmt: skip
    by_hand.generate_displacements(distance=0.01)
    forces = []
    for supercell in by_hand.supercells_with_displacements:
        atoms = Atoms(supercell.symbols, cell=supercell.cell, scaled_positions=supercell.scaled_positions, pbc=True)
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    by_hand.forces = forces
    by_hand.produce_force_constants()
    by_hand.symmetrize_force_constants()
    mesh = course.phonons.mesh(40.0)
    by_hand.run_mesh(mesh, is_gamma_center=True)
    temperatures = [0.0, 10.0, 298.15, 973.0]
    by_hand.run_thermal_properties(temperatures=temperatures, cutoff_frequency=1e-3)
    theirs = by_hand.thermal_properties
    ours = course.phonons.vibrations(40.0)
    assert np.array(course.phonons.matrix).tolist() == np.diag([2, 2, 2]).tolist()
    per_atom = 96.48533212 * 4
    for place, temperature in enumerate(temperatures):
        assert ours.free_energy(temperature) == pytest.approx(theirs.free_energy[place] / per_atom, abs=1e-6)
        assert ours.entropy(temperature) == pytest.approx(theirs.entropy[place] / per_atom / 1e3, abs=1e-8)
        assert ours.heat_capacity(temperature) == pytest.approx(theirs.heat_capacity[place] / per_atom / 1e3, abs=1e-8)


def test_frequencies_at_gamma_are_those_of_ase(tmp_path):
    from ase.vibrations import Vibrations

    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    atoms.set_cell(atoms.cell * 1.02, scale_atoms=True)
    structure = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
    source = Direct(make_engine(EngineSettings(name="emt")))
    course = vibrations_of(structure, source, PhononSettings(min_width=0.0, max_steps=0))
    atoms.calc = EMT()
    by_ase = Vibrations(atoms, name=str(tmp_path / "vib"), delta=0.01)
    by_ase.run()
    theirs = np.sort(by_ase.get_energies().real)[3:] * 1e3  # without the translations
    ours = course.phonons.frequencies([0, 0, 0])[3:] * MEV_PER_THZ
    assert len(course.structure) == 4
    assert ours == pytest.approx(theirs, rel=2e-4)


def test_displacements_are_reduced_by_symmetry_and_at_rest_is_subtracted(metal):
    course, source = metal
    assert course.displaced == len(source.computed) == 3  # one at rest, one for each element
    assert all(len(cell) == 32 for cell in source.computed)
    moved = [cell.frac_coords - source.computed[0].frac_coords for cell in source.computed[1:]]
    assert all((np.abs(shift).max(axis=1) > 1e-6).sum() == 1 for shift in moved)


def test_force_constants_come_back_from_their_bytes(metal):
    phonons = metal[0].phonons
    again = Phonons.from_bytes(phonons.primitive, phonons.matrix, phonons.to_bytes())
    q = [0.1, 0.2, 0.3]
    assert again.frequencies(q) == pytest.approx(phonons.frequencies(q), abs=1e-6)
    assert np.load(io.BytesIO(phonons.to_bytes())).shape == (4, 32, 3, 3)


def test_what_the_relaxation_left_is_no_force_constant():
    engine = springs(STIFFNESS)
    needed = displacements_of(simple(), PhononSettings(min_width=6.0))
    clean = [engine.evaluate([cell])[0].forces for cell in (needed.at_rest, *needed.displaced)]
    left = np.full_like(clean[0], 0.02)
    expected = needed.phonons(clean[0], clean[1:]).frequencies([0.5, 0, 0])
    assert needed.phonons(clean[0] + left, [each + left for each in clean[1:]]).frequencies(
        [0.5, 0, 0]
    ) == pytest.approx(expected, rel=1e-9)


def test_noise_is_what_the_translations_tell_and_at_least_the_floor(chain):
    assert chain.phonons.noise_THz == NOISE_THZ
    constants = chain.phonons.raw.copy()
    constants[0, 0] += 0.05 * np.eye(3)  # breaks the sum rule
    noisy = Phonons(chain.phonons.primitive, chain.phonons.matrix, constants)
    assert noisy.noise_THz == noisy.translation_THz > NOISE_THZ


def test_the_path_joins_special_points(metal):
    points, places, marks = dense_path(metal[0].structure)
    assert marks[0] == (0.0, "Γ")
    assert any("|" in name for _, name in marks)
    assert (np.diff(places) >= 0).all()
    assert len(points) == len(places) > 100
