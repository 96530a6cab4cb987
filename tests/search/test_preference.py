"""Which minimum stands for a composition."""

import pytest

from ninefold.search.minima import KEPT_STRUCTURES, kept
from ninefold.search.preference import DEGENERATE, representative
from ninefold.structures.symmetry import operation_count

P62M, PNMA = (operation_count(189), 36), (operation_count(62), 48)


def test_operations_per_primitive_cell_are_the_order_of_the_point_group():
    assert [operation_count(number) for number in (1, 2, 62, 189, 194, 225)] == [1, 2, 8, 12, 24, 48]


@pytest.mark.parametrize(
    ("energies", "symmetries", "expected"),
    [
        ([-4.1292, -4.1289], [PNMA, P62M], 1),  # 0.3 meV/atom: the higher symmetry
        ([-4.1292, -4.1272], [PNMA, P62M], 0),  # 2 meV/atom: the lower energy
        ([-3.7032, -3.7027], [(1, 24), (2, 48)], 1),  # P2_1 with twice the atoms before P1
        ([-4.0, -4.0], [(8, 48), (8, 24)], 1),  # as many operations: the smaller cell
        ([-4.0, -4.0002], [(2, 12), (2, 12)], 1),  # equal symmetry: the lower
        ([-1.0], [(1, 1)], 0),
        ([-1.0, -1.0 - DEGENERATE / 2, -1.0 + DEGENERATE], [(9, 1), (1, 1), (20, 1)], 0),  # from the lowest, no chains
    ],
)
def test_representative(energies, symmetries, expected):
    assert representative(energies, [item[0] for item in symmetries], [item[1] for item in symmetries]) == expected


def test_structures_of_a_known_type_are_kept_however_high_they_lie():
    sources = [f"random:{place}" for place in range(KEPT_STRUCTURES + 2)] + ["type:Li5MoH11", "host:fcc"]
    assert kept(sources, str) == [*sources[:KEPT_STRUCTURES], "type:Li5MoH11"]
