"""How new a frame is: the farthest of its atomic environments from all those that have been seen.

An environment is the neighbours of an atom by species and distance, each counted in overlapping shells. It knows no
angles beyond what the distances among neighbours of neighbours say; for choosing frames that is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

CUTOFF = 5.0
"""Å."""
SHELLS = np.arange(1.0, CUTOFF, 0.4)
"""Å, middles of the shells; their width is half of their distance."""
WIDTH = 0.2


def environments(atoms: Atoms, species: Sequence[str]) -> dict[str, np.ndarray]:
    """Environments of all atoms of a frame.

    Args:
        atoms: Periodic.
        species: Symbols, in the order that environments count their neighbours.

    Returns:
        Symbol -> shape (n_atoms of it, n_species * n_shells).
    """
    from ase.neighborlist import neighbor_list

    symbols = np.array(atoms.get_chemical_symbols())
    first, second, distances = neighbor_list("ijd", atoms, CUTOFF)
    fade = 0.5 * (1 + np.cos(np.pi * distances / CUTOFF))
    weights = np.exp(-0.5 * ((distances[:, None] - SHELLS) / WIDTH) ** 2) * fade[:, None]
    counts = np.zeros((len(atoms), len(species), len(SHELLS)))
    place = np.array([species.index(symbol) for symbol in symbols])
    np.add.at(counts, (first, place[second]), weights)
    flat = counts.reshape(len(atoms), -1)
    return {symbol: flat[symbols == symbol] for symbol in species if (symbols == symbol).any()}


def newest(candidates: Sequence[Atoms], seen: Sequence[Atoms], number: int) -> list[int]:
    """Choose frames one after another, each the newest beside what was seen and chosen before.

    Args:
        candidates: To choose from.
        seen: Frames that are known; may be none.
        number: To choose at most.

    Returns:
        Indices of the chosen ones in the order of choice; a frame that brings nothing new is not chosen.
    """
    from scipy.spatial import KDTree
    from scipy.spatial.distance import cdist

    if not candidates:
        return []
    species = sorted({symbol for atoms in candidates for symbol in atoms.get_chemical_symbols()})
    of_candidates = [environments(atoms, species) for atoms in candidates]
    known: dict[str, list[np.ndarray]] = {symbol: [] for symbol in species}
    for atoms in seen:
        for symbol, rows in environments(atoms, species).items():
            known[symbol].append(rows)
    # per candidate and species the distance of each atom's environment to the nearest known one
    trees = {symbol: KDTree(np.concatenate(rows)) for symbol, rows in known.items() if rows}
    nearest = [
        {
            symbol: trees[symbol].query(rows)[0] if symbol in trees else np.full(len(rows), np.inf)
            for symbol, rows in frame.items()
        }
        for frame in of_candidates
    ]
    chosen: list[int] = []
    while len(chosen) < min(number, len(candidates)):
        novelty = [max(float(rows.max()) for rows in frame.values()) for frame in nearest]
        best = int(np.argmax(novelty))
        if not novelty[best] > 1e-9:
            break
        chosen.append(best)
        picked = of_candidates[best]
        for left, frame in zip(nearest, of_candidates, strict=True):
            for symbol in left.keys() & picked.keys():
                left[symbol] = np.minimum(left[symbol], cdist(frame[symbol], picked[symbol]).min(axis=1))
    return chosen
