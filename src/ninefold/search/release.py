"""Which compositions are searched first, from those that have been: for campaigns that will not search them all.

What has been found so far is fitted by a sum of contributions, one of each centre, cation, n, m and charge (ridge
regression on the ranks of the outcomes: one absurd energy does not bend it). That is no prediction of an energy; it
puts compositions like the good ones before compositions like the bad ones. Every fourth place goes by the rules' score
alone, so that what the fit has not seen is tried too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

FEWEST_OUTCOMES = 20
"""Before that many are known, the order is that of the rules."""
BY_PRIOR = 4
"""One of so many places goes to the first by the rules' score."""
_RIDGE = 1.0
"""Weight of a contribution against one outcome: one that a single composition tells of is halved."""

Traits = Mapping[str, float]
"""What is known of a composition before any structure: name -> amount."""


def traits_of(assignment: Mapping[str, object]) -> dict[str, float]:
    """Traits of a packed assignment: centre, n, m and q by name, cations by their share."""
    cations: list[tuple[str, int, int]] = [tuple(cation) for cation in assignment["cations"]]  # type: ignore[attr-defined]
    number = sum(count for _, count, _ in cations)
    traits = {f"{key} {assignment[key]}": 1.0 for key in ("centre", "n", "m", "q")}
    return traits | {f"cation {symbol}": count / number for symbol, count, _ in cations}


def release_order(untried: Sequence[Traits], tried: Sequence[tuple[Traits, float]]) -> list[int]:
    """Places of the compositions that are left, in the order in which to search them.

    Args:
        untried: Traits of each, by falling score of the rules.
        tried: Traits and outcome of those that have been searched; the lower the outcome, the better.

    Returns:
        Every place once.
    """
    places = list(range(len(untried)))
    if len(tried) < FEWEST_OUTCOMES or not untried:
        return places
    expected = _expected(untried, tried)
    by_outcome = iter(sorted(places, key=lambda place: (expected[place], place)))
    by_prior = iter(places)
    order: dict[int, None] = {}
    while len(order) < len(places):
        source = by_prior if (len(order) + 1) % BY_PRIOR == 0 else by_outcome
        order[next(place for place in source if place not in order)] = None
    return list(order)


def _expected(untried: Sequence[Traits], tried: Sequence[tuple[Traits, float]]) -> list[float]:
    """Expected rank of each among what was tried, 0 the best and 1 the worst; noise is rounded away."""
    names = {name: column for column, name in enumerate(sorted({name for traits, _ in tried for name in traits}))}

    def table(every: Sequence[Traits]) -> np.ndarray:  # shape (len(every), len(names))
        values = np.zeros((len(every), len(names)))
        for row, traits in enumerate(every):
            for name, amount in traits.items():
                if name in names:
                    values[row, names[name]] = amount
        return values

    outcomes = np.array([outcome for _, outcome in tried])  # shape (n_tried,)
    # equal outcomes have equal ranks
    ranks = np.searchsorted(np.sort(outcomes), outcomes) / (len(outcomes) - 1)
    known = table([traits for traits, _ in tried])
    mean = ranks.mean()
    normal = known.T @ known + _RIDGE * np.eye(len(names))
    weights = np.linalg.solve(normal, known.T @ (ranks - mean))  # shape (n_names,)
    return [round(float(value), 9) for value in mean + table(untried) @ weights]
