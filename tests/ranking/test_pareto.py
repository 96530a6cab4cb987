import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.ranking.pareto import pareto_front

VALUES = st.sampled_from([-1.0, -0.0, 0.0, 0.1, 0.1 + 1e-17, 0.1 + 1e-16, 0.5, 1.0, 1e308])
POINTS = st.integers(1, 4).flatmap(lambda size: st.lists(st.lists(VALUES, min_size=size, max_size=size), max_size=12))


def as_array(points):
    return np.array(points, dtype=float) if points else np.empty((0, 2))


def brute_force(points):
    """By the definition."""
    return [
        not any(
            all(a >= b for a, b in zip(other, point, strict=True))
            and any(a > b for a, b in zip(other, point, strict=True))
            for other in points
        )
        for point in points
    ]


@settings(deadline=None, max_examples=300)
@given(POINTS)
def test_the_front_by_its_definition(points):
    array = as_array(points)
    assert pareto_front(array).tolist() == brute_force(points)


CASES = [
    # points, on the front
    ([], []),
    ([(0.5, 0.5)], [True]),
    ([(0.5, 0.5), (0.5, 0.5)], [True, True]),
    ([(1, 0), (0, 1), (0.5, 0.5), (0.4, 0.5)], [True, True, True, False]),
    ([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)], [True, True, True, False]),
    ([(1, 1, 0), (1, 1, -0.0), (1, 0, 0)], [True, True, False]),
    ([(3,), (1,), (3,)], [True, False, True]),
]


@pytest.mark.parametrize(("points", "members"), CASES)
def test_front(points, members):
    assert pareto_front(as_array(points)).tolist() == members


@pytest.mark.parametrize("dimensions", [2, 4])
def test_many_points_take_no_quadratic_time(dimensions):
    points = np.random.default_rng(1).random((20_000, dimensions))
    start = time.process_time()
    members = pareto_front(points)
    assert time.process_time() - start < 3
    assert 0 < members.sum() < 2000
    [index] = np.flatnonzero(members)[:1]
    assert not ((points >= points[index]).all(axis=1) & (points > points[index]).any(axis=1)).any()
