"""Supercells: wide enough, cheap, refused before anything is computed."""

import numpy as np
import pytest
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.structures.symmetry import standard_cells
from ninefold.vibrations import PhononSettings, displacements_of
from ninefold.vibrations.cost import Cost, check_memory, cost_of
from ninefold.vibrations.supercell import image_distance

LIH = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.03), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_conventional_cell_is_told_in_primitive_vectors():
    primitive, conventional = standard_cells(LIH)
    assert len(primitive) == 2
    assert round(abs(np.linalg.det(conventional))) == 4
    assert np.linalg.norm(conventional @ primitive.lattice.matrix, axis=1) == pytest.approx([4.03] * 3)


@pytest.mark.parametrize(
    ("lattice", "distance"),
    [
        (np.diag([3.0, 4.0, 5.0]), 3.0),
        (np.array([[0, 2.0, 2.0], [2.0, 0, 2.0], [2.0, 2.0, 0]]), 2.0 * np.sqrt(2)),
        (np.array([[10.0, 0, 0], [9.0, 1.0, 0], [0, 0, 8.0]]), np.sqrt(2)),
    ],
)
def test_an_image_may_be_nearer_than_a_vector_is_long(lattice, distance):
    assert image_distance(lattice) == pytest.approx(distance)


@pytest.mark.parametrize("width", [5.0, 8.0, 10.0])
def test_it_is_as_wide_as_asked_and_keeps_the_symmetry(width):
    found = displacements_of(LIH, PhononSettings(min_width=width))
    assert found.supercell.width >= width
    assert image_distance(found.at_rest.lattice.matrix) == pytest.approx(found.supercell.width)
    assert len(found.displaced) == 2  # one for each of two elements on cubic sites
    # the cheapest possible is a cube or an fcc multiple: no atom more than a cube of that width has
    assert found.supercell.n_atoms <= 8 * int(np.ceil(width / 4.03)) ** 3


def test_no_width_is_the_primitive_cell():
    found = displacements_of(LIH, PhononSettings(min_width=0))
    assert len(found.at_rest) == 2


def test_a_supercell_with_too_many_atoms_is_refused():
    with pytest.raises(
        InputError, match=r"min_width: 20.0 needs a supercell of \d+ atoms of LiH, more than max_atoms, 60"
    ):
        displacements_of(LIH, PhononSettings(min_width=20.0, max_atoms=60))


def test_one_that_does_not_fit_into_memory_is_refused_with_both_numbers():
    cost = cost_of(EngineSettings(name="sevennet", model="7net-0"), 2000, 3)
    with pytest.raises(InputError, match=r"2000 atoms' is a supercell of KH that takes some \d+\.\d GB; .* 2\.0 GB"):
        check_memory("KH", 2000, cost, 2.0)
    check_memory("KH", 2000, cost, 500.0)
    check_memory("KH", 2000, Cost(None, None), 0.1)


def test_cost_grows_with_what_is_computed():
    method = EngineSettings(name="sevennet", model="7net-0")
    assert cost_of(method, 72, 4).seconds == pytest.approx(4 * cost_of(method, 72, 1).seconds)
    assert cost_of(EngineSettings(name="sevennet"), 72, 4) == cost_of(method, 72, 4)
    assert (
        cost_of(EngineSettings(name="sevennet", model="7net-mf-0:PBE"), 72, 4).seconds > cost_of(method, 72, 4).seconds
    )
    assert cost_of(EngineSettings(name="emt"), 72, 4) == (None, None)


@pytest.mark.parametrize(
    "values",
    [{"displacement": 0.0}, {"displacement": 0.2}, {"min_width": -1}, {"amplitudes": ()}, {"amplitudes": (0.0,)},
     {"amplitudes": (1.5,)}, {"fmax": 0}, {"follow": -1}, {"mesh_length": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(ValidationError):
        PhononSettings(**values)
