"""What is written is what was computed: structures a little off their symmetry, in every format, read back."""

import ase.io
import numpy as np
import pytest

from ninefold.chemistry.elements import SYMBOLS
from ninefold.output.structures import TaggedStructure, write_tagged
from ninefold.output.target import Target, structure_ending
from ninefold.structures.description import describe
from ninefold.structures.files import read_structure
from ninefold.structures.reading.comparison import is_same_structure, shortest_distances
from ninefold.structures.symmetry import space_group
from ninefold.thermo import reference_phases

PHASES = {phase.name: phase.structure for phase in reference_phases(SYMBOLS)}
KINDS = ("cif", "poscar", "extxyz")
ASE_NAMES = {"poscar": "vasp"}


def shaken(structure, length, seed):
    """Every atom moved by so many Å, in a random direction."""
    moved = structure.copy()
    steps = np.random.default_rng(seed).normal(size=(len(structure), 3))
    steps *= length / np.linalg.norm(steps, axis=1, keepdims=True)
    for place, step in enumerate(steps):
        moved.translate_sites([place], step, frac_coords=False)
    return moved


def check(folder, name, length, seed):
    structure = shaken(PHASES[name], length, seed)
    for kind in KINDS:
        target = Target(folder / kind, kind, True)
        [path], count, unfaithful = write_tagged([TaggedStructure(structure, "x", {})], target)
        assert (count, unfaithful) == (1, [])
        assert path.name.endswith(structure_ending(kind))
        path = path.rename(path.with_name("x.vasp")) if kind == "poscar" else path
        read = read_structure(path).structure
        by_ase = ase.io.read(path, format=ASE_NAMES.get(kind, kind))
        assert is_same_structure(read, structure), (name, kind)
        assert len(read) == len(by_ase)
        assert space_group(read).number == space_group(structure).number, (name, kind)
        if kind == "cif":
            description = describe(structure)
            is_symmetric = f"_space_group_IT_number{' ' * 18} {description.space_group_number}\n" in path.read_text()
            assert is_symmetric or description.space_group_number == 1 or "'P 1'" in path.read_text()
            assert len(read) == (description.nsites if is_symmetric else len(structure))
        else:
            assert len(read) == len(structure)
            assert read.matches(structure)


@pytest.mark.parametrize("name", sorted(PHASES)[::12])
def test_what_is_written_is_read(tmp_path, name):
    check(tmp_path, name, 0.004, 0)


@pytest.mark.slow
@pytest.mark.parametrize("length", [0.001, 0.002, 0.004, 0.007, 0.01])
def test_every_reference_type_in_every_format(tmp_path, length):
    assert len(PHASES) >= 96
    for seed, name in enumerate(sorted(PHASES)):
        check(tmp_path / str(seed), name, length, seed)


def test_other_distances_are_another_structure():
    structure = PHASES["Fe bcc"] if "Fe bcc" in PHASES else next(iter(PHASES.values()))
    other = structure.copy()
    other.apply_strain([0.05, 0.05, 1 / 1.05**2 - 1])  # the same volume
    assert not is_same_structure(other, structure)
    assert is_same_structure(structure * 2, structure)
    assert shortest_distances(structure) == pytest.approx(shortest_distances(structure * 2))
