"""Imposed symmetry: the groups are moyopy's, the orbits close, and the structure has the symmetry asked for."""

from collections import Counter

import moyopy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structure_samples import ASSIGNMENTS, K2REH9

from ninefold.structures.forcefield import settle
from ninefold.structures.rigid_units import random_cell
from ninefold.structures.symmetric_units import (
    CROWDED,
    groups_for,
    orbit_of,
    space_group_operations,
    symmetric_cell,
    symmetric_shell,
    symmetric_units,
)
from ninefold.structures.symmetry import space_group

ANY_GROUP = st.integers(2, 230)
ANY_SEED = st.integers(0, 2**32 - 1)


def made(formula, formula_units, seed, wanted=6):
    rng, packings = np.random.default_rng(seed), []
    for _ in range(400):
        packing = symmetric_units(ASSIGNMENTS[formula], formula_units, rng, Counter())
        if packing is not None:
            packings.append(packing)
        if len(packings) == wanted:
            break
    return packings


@settings(max_examples=60, deadline=None)
@given(ANY_GROUP, ANY_SEED)
def test_the_cell_is_left_as_it_is_by_every_operation(number, seed):
    group = space_group_operations(number)
    start = random_cell(300.0, np.random.default_rng(seed))
    cell = symmetric_cell(start, group)
    metric = cell @ cell.T
    for rotation in group.rotations:
        np.testing.assert_allclose(rotation.T @ metric @ rotation, metric, atol=1e-8 * np.abs(metric).max())
    assert np.linalg.det(cell) == pytest.approx(300.0)


@settings(max_examples=60, deadline=None)
@given(ANY_GROUP, ANY_SEED, st.floats(0.5, 6.0))
def test_an_orbit_is_closed_and_its_size_divides_the_order(number, seed, merge):
    group, rng = space_group_operations(number), np.random.default_rng(seed)
    cell = symmetric_cell(random_cell(300.0, rng), group)
    orbit = orbit_of(rng.random(3), cell, group, merge)
    assert len(orbit.sites) * len(orbit.stabiliser) == len(group.rotations)
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        for site in orbit.sites:
            ways = rotation @ site + translation - orbit.sites
            assert np.abs(ways - np.round(ways)).max(axis=1).min() < 1e-4


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([3, 5, 6, 8, 16, 25, 47, 75, 89, 99, 111, 123, 143, 149, 156, 174, 187, 195, 215]),
       st.integers(4, 9), ANY_SEED)  # fmt: skip
def test_a_shell_has_the_site_symmetry_and_room(number, n, seed):
    turns = space_group_operations(number).rotations.astype(float)
    cell = symmetric_cell(np.diag([4.0, 4.0, 4.0]), space_group_operations(number))
    turns = np.array([cell.T @ turn @ np.linalg.inv(cell.T) for turn in turns])
    shell = symmetric_shell(n, turns, np.random.default_rng(seed))
    if shell is None:
        return
    assert shell.shape == (n, 3)
    np.testing.assert_allclose(np.linalg.norm(shell, axis=1), 1, atol=1e-9)
    for turn in turns:
        image = shell @ turn.T
        assert np.linalg.norm(image[:, None] - shell[None], axis=2).min(axis=1).max() < 1e-4
    apart = np.linalg.norm(shell[:, None] - shell[None], axis=2)[np.triu_indices(n, 1)]
    assert apart.min() > CROWDED * 0.9


@pytest.mark.parametrize("formula", sorted(ASSIGNMENTS))
@pytest.mark.parametrize("formula_units", [1, 2, 4])
def test_a_packing_has_at_least_the_symmetry_that_its_name_says(formula, formula_units):
    for packing in made(formula, formula_units, seed=1):
        order = len(moyopy.operations_from_number(int(packing.source.split(":")[1]), primitive=True))
        structure = packing.to_structure()
        found = moyopy.MoyoDataset(
            moyopy.Cell(packing.cell.tolist(), structure.frac_coords.tolist(), [s.specie.Z for s in structure]),
            symprec=0.02,
        )
        assert len(found.operations) % order == 0


def test_the_force_field_keeps_it():
    for packing in made("K2ReH9", 2, seed=3, wanted=8):
        before = space_group(packing.to_structure(), 0.02).number
        after = space_group(settle(packing, K2REH9).packing.to_structure(), 0.02)
        assert len(moyopy.operations_from_number(after.number, primitive=True)) >= len(
            moyopy.operations_from_number(before, primitive=True)
        )


def test_groups_are_those_that_can_hold_the_anions():
    # one anion a primitive cell: exactly the 73 symmorphic groups, less P1
    assert len(groups_for(1)) == 72
    assert 14 not in groups_for(1)  # P2_1/c: two at least
    assert 14 in groups_for(2)
    assert 19 not in groups_for(3)  # P2_12_12_1: fours only
    assert 19 in groups_for(4)
