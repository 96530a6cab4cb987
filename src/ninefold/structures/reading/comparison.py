"""Whether a structure that was written and read again is still the structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

WITHIN = 4.0
"""Å; shortest distances up to here are compared: every M-H and H-H contact, and most between metals."""
SAME_DISTANCE = 0.05
"""Å; a structure written in its symmetry has every atom within 0.01 Å of where it was."""
SAME_VOLUME = 1e-4
"""Share by which the volume per atom may differ: formats round, and symmetry moves the cell."""


def is_same_structure(read: Structure, written: Structure) -> bool:
    """Whether composition, atoms per volume and the shortest distances between elements are those that were written.

    Args:
        read: What a reader makes of the file; in another cell, maybe.
        written: What the file is of.
    """
    if read.composition.reduced_composition != written.composition.reduced_composition:
        return False
    if abs(read.volume / len(read) / (written.volume / len(written)) - 1) >= SAME_VOLUME:
        return False
    ours, theirs = shortest_distances(read), shortest_distances(written)
    for pair in {*ours, *theirs}:
        one, other = ours.get(pair), theirs.get(pair)
        if one is None or other is None:  # one of them may lie just beyond the limit
            if min(value for value in (one, other) if value is not None) < WITHIN - SAME_DISTANCE:
                return False
        elif abs(one - other) > SAME_DISTANCE:
            return False
    return True


def shortest_distances(structure: Structure) -> dict[tuple[str, str], float]:
    """Pair of elements -> their shortest distance in Å, up to WITHIN; images of an atom among them."""
    first, second, _, apart = structure.get_neighbor_list(WITHIN)
    symbols = np.array([site.specie.symbol for site in structure])
    found: dict[tuple[str, str], float] = {}
    for one in sorted(set(symbols)):
        for other in sorted(set(symbols)):
            chosen = apart[(symbols[first] == one) & (symbols[second] == other)]
            if one <= other and len(chosen):
                found[one, other] = float(chosen.min())
    return found
