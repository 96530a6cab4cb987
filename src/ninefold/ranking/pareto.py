"""The Pareto front: the points that no other dominates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pareto_front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other dominates: at least as good everywhere and better somewhere; equal points stand together.

    In two dimensions one sort; in more, each member of the front removes what it dominates from what is left, so that
    the cost is the number of points times the size of the front, over arrays. scipy has none; pymoo has one and brings
    a dozen packages.

    Args:
        points: shape (n_points, n_dimensions), higher is better; no NaN.

    Returns:
        shape (n_points,).
    """
    if not len(points) or not points.shape[1]:
        return np.ones(len(points), dtype=bool)
    distinct, places = np.unique(points + 0.0, axis=0, return_inverse=True)  # -0 is 0
    members = _front_of_two(distinct) if distinct.shape[1] <= 2 else _front(distinct)
    return members[places.reshape(-1)]


def _front_of_two(distinct: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of rows in lexicographic order: a later one is greater in the first dimension, or in the last."""
    last = distinct[::-1, -1]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(last)[:-1]])
    members = (last > before)[::-1]
    if distinct.shape[1] == 1:
        members[:-1] = False
    return members


def _front(distinct: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of distinct rows in any order."""
    # by ranks and not by values: sums of the values could round two of them to one
    heights = sum(np.unique(column, return_inverse=True)[1].reshape(-1) for column in distinct.T)
    left = np.argsort(-np.asarray(heights), kind="stable")
    members = np.zeros(len(distinct), dtype=bool)
    while len(left):
        # nothing that is left is higher in all dimensions, and what was taken before does not dominate it
        members[left[0]] = True
        rest = left[1:]
        left = rest[(distinct[rest] > distinct[left[0]]).any(axis=1)]
    return members
