"""In which order compositions are released: laws of the order, and a world in which the fit must help."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.search.release import BY_PRIOR, FEWEST_OUTCOMES, release_order, traits_of

CENTRES, CATIONS = ["Re", "Mo", "W", "Cr", "Fe"], ["K", "Na", "Mg", "Ca"]


def packed(centre, cation, n=9, count=2):
    return {"centre": centre, "n": n, "q": 2, "m": 0, "cations": [[cation, count, 1]]}


EVERY = [traits_of(packed(centre, cation, n)) for centre in CENTRES for cation in CATIONS for n in range(6, 10)]
somewhere = st.sampled_from(EVERY)


def test_traits_by_hand():
    mixed = {"centre": "Re", "n": 9, "q": 2, "m": 1, "cations": [["K", 1, 1], ["Na", 3, 1]]}
    assert traits_of(mixed) == {
        "centre Re": 1, "n 9": 1, "m 1": 1, "q 2": 1, "cation K": 0.25, "cation Na": 0.75,
    }  # fmt: skip


@given(st.lists(somewhere, max_size=60), st.lists(st.tuples(somewhere, st.floats(-1, 9)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_composition_comes_once_and_the_first_by_the_rules_within_four(untried, tried):
    order = release_order(untried, tried)
    assert sorted(order) == list(range(len(untried)))
    # what the rules put at place k comes after at most four times as many
    assert all(order.index(place) <= BY_PRIOR * (place + 1) for place in range(len(untried)))


@given(st.lists(somewhere, max_size=60), st.lists(st.tuples(somewhere, st.floats(-1, 9)), max_size=FEWEST_OUTCOMES - 1))
@settings(max_examples=20, deadline=None)
def test_before_enough_is_known_the_order_is_that_of_the_rules(untried, tried):
    assert release_order(untried, tried) == list(range(len(untried)))


@given(st.lists(st.tuples(somewhere, st.floats(-1, 9)), min_size=FEWEST_OUTCOMES, max_size=60), st.randoms())
@settings(max_examples=30, deadline=None)
def test_neither_the_order_nor_the_scale_of_the_outcomes_matters(tried, rng):
    other = [(traits, round(outcome, 6) * 8 + 1) for traits, outcome in tried]
    rng.shuffle(other)
    assert release_order(EVERY, [(traits, round(outcome, 6)) for traits, outcome in tried]) == release_order(
        EVERY, other
    )


@pytest.mark.parametrize("seed", range(5))
def test_good_ones_come_early_where_centre_and_cation_decide(seed):
    """Outcomes are a sum of two contributions and noise; the rules' order knows nothing of it."""
    rng = random.Random(seed)
    weight = {name: rng.uniform(0, 0.4) for name in [*CENTRES, *CATIONS]}
    world = [
        (c, a, n, weight[c] + weight[a] + rng.gauss(0, 0.02)) for c in CENTRES for a in CATIONS for n in range(5, 10)
    ]
    rng.shuffle(world)
    tried, left = world[:30], world[30:]
    traits = [traits_of(packed(c, a, n)) for c, a, n, _ in left]
    order = release_order(traits, [(traits_of(packed(c, a, n)), value) for c, a, n, value in tried])
    best = set(sorted(range(len(left)), key=lambda place: left[place][3])[:10])
    assert len(best & set(order[:25])) >= 8  # by chance 3.6 of the 70 that are left


def test_one_absurd_outcome_does_not_bend_the_order():
    tried = [
        (traits_of(packed(c, a)), CENTRES.index(c) + 0.1 * CATIONS.index(a)) for c in CENTRES for a in CATIONS
    ]  # fmt: skip
    absurd = [*tried[:-1], (tried[-1][0], 1e9)]
    assert release_order(EVERY, tried) == release_order(EVERY, absurd)
