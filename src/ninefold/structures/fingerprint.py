"""A fingerprint of distances: equal for equal crystals, and moving as little as the atoms do.

For each ordered pair of elements, the average over the atoms of the first of the distance to the k-th
nearest atom of the second (average minimum distances: Widdowson et al., MATCH 87, 529 (2022)). No
choice of cell, origin or axes enters, and a small displacement changes it by no more than twice its
size: unlike a space group, it cannot fall apart at a tolerance.
"""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

NEIGHBOURS = 12
"""Nearest atoms that are looked at, of each element."""
FIRST_RADIUS = 1.6
"""In units of the mean spacing; grown until every atom has neighbours enough."""


def distance_fingerprint(structure: Structure, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Average minimum distances in units of (volume per atom)^(1/3).

    Args:
        structure: Any cell.
        neighbours: Of each element.

    Returns:
        shape (n_elements, n_elements, neighbours), elements in alphabetical order.
    """
    spacing = (structure.volume / len(structure)) ** (1 / 3)
    symbols = np.array([site.specie.symbol for site in structure])
    elements = sorted(set(symbols))
    kind = np.array([elements.index(symbol) for symbol in symbols])
    rarest = min((kind == index).sum() for index in range(len(elements))) / len(structure)
    # a sphere that holds enough of the rarest element on average, and a little more
    radius = spacing * max(FIRST_RADIUS, 1.25 * (3 * neighbours / (4 * np.pi * rarest)) ** (1 / 3))
    while True:
        first, second, _, distances = structure.get_neighbor_list(radius)
        order = np.lexsort((distances, kind[second], first))
        first, other, distances = first[order], kind[second][order], distances[order]
        counts = np.zeros((len(structure), len(elements)), dtype=int)
        np.add.at(counts, (first, other), 1)
        if counts.min() >= neighbours:
            break
        radius *= 1.25
    starts = np.concatenate([[0], np.cumsum(counts.ravel())[:-1]])
    nearest = distances[starts[:, None] + np.arange(neighbours)].reshape(len(structure), len(elements), neighbours)
    averaged = np.array([nearest[kind == index].mean(axis=0) for index in range(len(elements))])
    return np.asarray(averaged / spacing)
