"""Distances to the convex hull beside pymatgen: python benchmarks/hull_vs_pymatgen.py.

One process, one thread, CPU time. Five elements, 5 000 entries, 1 000 queries: the energy above the hull of new
compositions, as a screening asks for it. Both sides build the hull from the same entries and answer the same queries in
one run; the answers must agree within 1e-6 eV/atom.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import time
import warnings
from importlib.metadata import version

import numpy as np

from ninefold.thermo.lower_hull import LowerHull

ELEMENTS = ("Li", "K", "Mg", "Re", "H")
LARGEST_DIFFERENCE = 1e-6
"""eV/atom."""
LEAST_SPEEDUP = 50


def drawn(entries: int, queries: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Amounts, shape (n, n_elements), and energies, eV/atom, of entries and of queries."""
    random = np.random.default_rng(seed)
    amounts = random.integers(0, 7, size=(entries + queries, len(ELEMENTS)))
    amounts[amounts.sum(axis=1) == 0, 0] = 1
    amounts[: len(ELEMENTS)] = np.eye(len(ELEMENTS), dtype=int)
    fractions = amounts / amounts.sum(axis=1, keepdims=True)
    # a bowl, so that many compositions lie near the hull, and noise
    energies = -0.8 * (1 - (fractions**2).sum(axis=1)) + random.normal(0, 0.05, len(amounts))
    energies[: len(ELEMENTS)] = 0
    return amounts[:entries], energies[:entries], amounts[entries:], energies[entries:]


def ours(amounts: np.ndarray, energies: np.ndarray, wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Signed distances, eV/atom, shape (n_queries,)."""
    hull = LowerHull(amounts / amounts.sum(axis=1, keepdims=True), energies)
    return heights - hull.energy(wanted / wanted.sum(axis=1, keepdims=True))


def entries_of(amounts: np.ndarray, energies: np.ndarray) -> list:
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.core import Composition

    return [
        PDEntry(Composition(dict(zip(ELEMENTS, map(int, row), strict=True))), float(energy * row.sum()))
        for row, energy in zip(amounts, energies, strict=True)
    ]


def theirs(entries: list, queries: list) -> tuple[np.ndarray, float]:
    """Signed distances, eV/atom, shape (n_queries,), and the seconds that building the diagram took."""
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    start = time.process_time()
    diagram = PhaseDiagram(entries)
    built = time.process_time() - start
    return np.array([diagram.get_decomp_and_e_above_hull(entry, allow_negative=True)[1] for entry in queries]), built


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5, help="of ninefold's side, of which the median counts")
    arguments = parser.parse_args()
    amounts, energies, wanted, heights = drawn(arguments.entries, arguments.queries, seed=7)
    spent = []
    for _ in range(arguments.repeats):
        start = time.process_time()
        own = ours(amounts, energies, wanted, heights)
        spent.append(time.process_time() - start)
    seconds = float(np.median(spent))
    entries, queries = entries_of(amounts, energies), entries_of(wanted, heights)  # not timed: theirs alone needs them
    start = time.process_time()
    other, built = theirs(entries, queries)
    slow = time.process_time() - start
    difference = float(np.abs(own - other).max())
    print(f"{len(ELEMENTS)} elements, {arguments.entries} entries, {arguments.queries} queries; CPU seconds")
    print(f"{'ninefold':<40}{seconds:>10.3f}")
    print(f"{'pymatgen ' + version('pymatgen'):<40}{slow:>10.3f}   of which the diagram {built:.3f}")
    print(f"{'ratio':<40}{slow / seconds:>10.0f}")
    print(f"{'largest difference, eV/atom':<40}{difference:>10.1e}")
    if difference > LARGEST_DIFFERENCE or slow / seconds < LEAST_SPEEDUP:
        raise SystemExit(f"more than {LARGEST_DIFFERENCE:g} eV/atom apart, or less than {LEAST_SPEEDUP} times as fast")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
