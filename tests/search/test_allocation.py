"""Successive halving: everything once, then the half that lies lowest, and again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.search import Prospect, in_round, promising


def test_the_lowest_half_goes_on_and_those_without_a_structure_come_last():
    prospects = [
        Prospect("a", 0.30),
        Prospect("b", -0.02),
        Prospect("c", None),
        Prospect("d", 0.01),
        Prospect("e", 0.05),
    ]
    assert promising(prospects, 2) == ["b", "d", "e"]
    assert promising(prospects, 3) == ["b", "d"]
    assert promising(prospects, 4) == ["b"]


def test_what_cannot_be_ranked_is_not_searched_again():
    prospects = [Prospect("h2 ligand", -1.0, can_be_ranked=False), Prospect("a", 0.1), Prospect("b", 0.2)]
    assert promising(prospects, 2) == ["a"]


def test_without_any_structure_the_search_still_goes_on():
    assert promising([Prospect("b", None), Prospect("a", None)], 2) == ["a"]
    assert promising([], 2) == []


@given(st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=40), st.integers(2, 8))
def test_rounds_shrink_and_are_nested(distances, number):
    prospects = [Prospect(str(index), value) for index, value in enumerate(distances)]
    chosen = promising(prospects, number)
    assert len(chosen) == in_round(len(prospects), number)
    assert set(chosen) <= set(promising(prospects, number - 1) if number > 2 else [item.id for item in prospects])
    left = [item.above_hull for item in prospects if item.id not in chosen and item.above_hull is not None]
    taken = [item.above_hull for item in prospects if item.id in chosen and item.above_hull is not None]
    assert not left or not taken or max(taken) <= min(left)


@pytest.mark.parametrize(("total", "sizes"), [(100, [100, 50, 25, 13]), (1, [1, 1, 1, 1]), (0, [0, 0, 0, 0])])
def test_half_of_each_round(total, sizes):
    assert [in_round(total, number) for number in (1, 2, 3, 4)] == sizes
