"""Batches by torch-sim end where ASE's engine ends, structure by structure. Needs Python 3.12 and torch-sim."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.errors import InputError, MissingDependencyError


def mg2feh6(a=6.443, shake=0.0, seed=0):
    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    ).get_primitive_structure()
    if shake:
        ways = np.random.default_rng(seed).normal(scale=shake, size=(len(structure), 3))
        return Structure(structure.lattice, structure.species, structure.cart_coords + ways, coords_are_cartesian=True)
    return structure


def mgh2():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 3.1), ["Mg", "H"], [[0, 0, 0], [0.31, 0.31, 0]]
    )


def overlapping():
    return Structure(Lattice.cubic(4), ["Mg", "H"], [[0, 0, 0], [0, 0, 0.01]])


@pytest.fixture(scope="module")
def batched():
    pytest.importorskip("torch_sim", reason="torch-sim needs Python 3.12")
    pytest.importorskip("sevenn")
    return make_engine(EngineSettings(name="torchsim", model="sevennet:7net-0"))


@pytest.fixture(scope="module")
def single():
    pytest.importorskip("sevenn")
    return make_engine(EngineSettings(name="sevennet"))


def test_without_torch_sim_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_sim", None)
    with pytest.raises(MissingDependencyError, match="torch-sim-atomistic"):
        make_engine(EngineSettings(name="torchsim"))


def test_evaluations_are_those_of_ase(batched, single):
    structures = [mg2feh6(shake=0.05), mgh2(), overlapping(), mg2feh6(6.3, shake=0.1, seed=1)]
    for mine, theirs in zip(batched.evaluate(structures), single.evaluate(structures), strict=True):
        assert mine.error == theirs.error
        if theirs.error is None:
            assert mine.energy_per_atom == pytest.approx(theirs.energy_per_atom, abs=1e-5)
            np.testing.assert_allclose(mine.forces, theirs.forces, atol=1e-3)
            np.testing.assert_allclose(mine.stress, theirs.stress, atol=1e-5)


@pytest.mark.parametrize("pressure", [0.0, 5.0])
@pytest.mark.parametrize("relax_cell", [True, False])
def test_relaxations_end_where_ase_s_end(batched, single, pressure, relax_cell):
    if pressure and not relax_cell:
        pytest.skip("a fixed cell feels no pressure")
    structures = [mg2feh6(6.6, shake=0.05), mgh2()]
    settings = RelaxSettings(fmax=0.01, pressure=pressure, relax_cell=relax_cell)
    for mine, theirs in zip(batched.relax(structures, settings), single.relax(structures, settings), strict=True):
        assert mine.is_converged is True
        assert mine.steps < 100
        assert mine.max_force <= 0.01
        assert mine.energy_per_atom == pytest.approx(theirs.energy_per_atom, abs=1e-3)
        assert mine.structure.volume == pytest.approx(theirs.structure.volume, rel=0.01)


def test_symmetry_is_kept(batched):
    from ninefold.structures.symmetry import space_group

    [relaxation] = batched.relax([mg2feh6(6.6)], RelaxSettings(keep_symmetry=True))
    assert relaxation.is_converged
    assert space_group(relaxation.structure).number == 225


def test_results_come_in_order_and_one_bad_structure_spoils_nothing(batched):
    structures = [mgh2(), overlapping(), mg2feh6(), Structure(Lattice.cubic(4), ["Cm"], [[0, 0, 0]])]
    results = batched.relax(structures, RelaxSettings(fmax=0.1))
    assert [result.error is None for result in results] == [True, False, True, False]
    assert results[1].error == "atoms overlap"
    assert "Cm" in results[3].error
    assert [len(result.structure) for result in results] == [6, 2, 9, 1]


def test_too_few_steps_are_not_converged(batched):
    [relaxation] = batched.relax([mg2feh6(7.2, shake=0.1)], RelaxSettings(fmax=0.001, max_steps=2))
    assert not relaxation.is_converged
    assert relaxation.steps <= 2


def test_a_model_that_it_does_not_have_is_told():
    pytest.importorskip("torch_sim")
    with pytest.raises(InputError, match="sevennet, mace"):
        make_engine(EngineSettings(name="torchsim", model="oracle"))
