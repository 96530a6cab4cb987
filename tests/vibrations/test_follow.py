"""A structure that is a saddle point is left along its imaginary mode: against a crystal that is solved on paper."""

import numpy as np
import pytest
from lattices import EDGES, Direct, DoubleWell, double_well, pair

from ninefold.errors import InputError
from ninefold.thermo.harmonic import MEV_PER_THZ
from ninefold.vibrations import PhononSettings, displacements_of, vibrations_of
from ninefold.vibrations.follow import displaced_along, wave_cell
from ninefold.vibrations.phonons import THZ, ImaginaryMode

SETTINGS = PhononSettings(min_width=6.0, follow=2, modes=2, fmax=1e-4)
A, B = 0.4, 4.0
DEPTH, DEPTH_AT_BOUNDARY = DoubleWell(A, B, -0.05).depth, DoubleWell(A, B, 0.25).depth
HYDROGEN, SODIUM = 1.00784, 22.98976928


def course_of(j, fault_of=None, **changes):
    source = Direct(double_well(A, B, j))
    extra = {} if fault_of is None else {"fault_of": fault_of}
    return vibrations_of(pair(), source, SETTINGS.model_copy(update=changes), **extra)


@pytest.fixture(scope="module")
def at_gamma():
    return course_of(-0.05)


@pytest.fixture(scope="module")
def at_the_boundary():
    return course_of(0.25)


def test_the_imaginary_frequency_is_that_on_paper(at_gamma):
    first = at_gamma.saddles[0].modes[0]
    reduced = 1 / (1 / HYDROGEN + 1 / SODIUM)
    assert first.is_at_gamma
    assert first.frequency_meV == pytest.approx(-THZ * MEV_PER_THZ * np.sqrt(DEPTH / reduced), rel=1e-2)


def test_the_lower_structure_takes_its_place(at_gamma):
    assert at_gamma.has_moved
    assert at_gamma.energy_per_atom - at_gamma.relaxed_energy == pytest.approx(-(DEPTH**2) / (4 * B) / 2, rel=1e-4)
    assert at_gamma.phonons.imaginary_modes == []
    assert len(at_gamma.structure) == 2
    off = at_gamma.structure.frac_coords[1] - at_gamma.structure.frac_coords[0] - 0.5
    shift = np.abs((off - np.rint(off)) * at_gamma.structure.lattice.abc)
    assert shift.max() == pytest.approx(np.sqrt(DEPTH / B), rel=1e-3)


def test_sides_that_are_alike_are_relaxed_once(at_gamma):
    of_first = [tried for tried in at_gamma.saddles[0].tried if tried.mode is at_gamma.saddles[0].modes[0]]
    assert [tried.outcome for tried in of_first] == ["lower"]
    assert of_first[0].amplitude == 0.3  # of those tried the nearest to the minimum


def test_a_mode_at_the_boundary_doubles_the_cell(at_the_boundary):
    modes = at_the_boundary.saddles[0].modes
    assert np.abs(modes[0].q).tolist() == [0.0, 0.5, 0.0]
    assert all(abs(mode.q[1]) == 0.5 for mode in modes)  # at Γ it is stable: a < 2 j
    assert len(at_the_boundary.structure) == 4
    gain = at_the_boundary.energy_per_atom - at_the_boundary.relaxed_energy
    assert gain == pytest.approx(-(DEPTH_AT_BOUNDARY**2) / (4 * B) / 2, rel=1e-4)
    assert at_the_boundary.phonons.imaginary_modes == []


def test_a_structure_that_breaks_what_was_asked_is_rejected_with_its_reason():
    course = course_of(-0.05, lambda cell: "coordination lost" if _is_off(cell) else None)
    assert not course.has_moved
    assert {tried.outcome for tried in course.saddles[0].tried} >= {"coordination lost"}
    assert course.energy_per_atom == course.relaxed_energy
    assert course.phonons.imaginary_modes


def _is_off(cell):
    off = cell.frac_coords[1] - cell.frac_coords[0] - 0.5
    return np.abs(off - np.rint(off)).max() > 1e-3


def test_nothing_is_followed_where_it_is_not_asked():
    course = course_of(-0.05, follow=0)
    assert course.saddles == []
    assert course.phonons.imaginary_modes


def test_the_number_of_times_is_bounded():
    """Displaced by steps that are too short for the other well: each time is one saddle more, and no more."""
    course = course_of(-0.05, follow=1)
    assert len(course.saddles) == 1


def test_a_lower_structure_whose_supercell_is_too_large_is_left_aside_with_a_word(monkeypatch):
    from ninefold.vibrations import course as module

    def of_pairs_only(structure, settings):
        if len(structure) > 2:
            raise InputError("min_width", 6.0, problem="needs a supercell of 999 atoms")
        return displacements_of(structure, settings)

    monkeypatch.setattr(module, "displacements_of", of_pairs_only)
    course = course_of(0.25)
    assert not course.has_moved
    assert "meV/atom lower was left aside: min_width: 6.0 needs a supercell of 999 atoms" in course.notes[-1]
    assert len(course.structure) == 2


@pytest.mark.parametrize(
    ("q", "size"),
    [((0, 0, 0), 1), ((0.5, 0, 0), 2), ((0.5, 0.5, 0.5), 2), ((1 / 3, -1 / 3, 0), 3), ((0.25, 0.5, 0), 4)],
)
def test_the_cell_of_a_wave_is_the_smallest_that_holds_it(q, size):
    matrix = wave_cell(q)
    assert round(abs(np.linalg.det(matrix))) == size
    assert matrix @ np.array(q) == pytest.approx(np.rint(matrix @ np.array(q)), abs=1e-9)


@pytest.mark.parametrize("amplitude", [0.2, -0.2])
def test_the_largest_displacement_is_the_amplitude(amplitude):
    mode = ImaginaryMode((0.0, 0.5, 0.0), -10.0, np.array([[0.0, 0, 0], [1.0, 0, 0]], dtype=complex))
    cell = displaced_along(pair(), mode, amplitude)
    hydrogen = np.array([site.coords for site in cell if site.specie.symbol == "H"])
    moved = np.sort(hydrogen[:, 0]) - EDGES[0] / 2
    assert moved == pytest.approx([-0.2, 0.2])
