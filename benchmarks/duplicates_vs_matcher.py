"""Merging 1 000 structures: ninefold beside pymatgen's StructureMatcher.group_structures, same tolerances.

python benchmarks/duplicates_vs_matcher.py [--structures 1000]. One process, one thread, CPU time, one run of each (the
second takes minutes). The structures: packings of one composition settled with the force field, each in ten copies that
are shaken by 0.005 Å, turned, permuted and given in another cell.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import time

import numpy as np
from pymatgen.core import Lattice, Structure

from ninefold.rules import assignments
from ninefold.search.budget import SearchBudget
from ninefold.search.pool import build_pool
from ninefold.structures.duplicates import grouped, matcher
from ninefold.structures.packing import random_rotation

COPIES = 10
CELLS = (np.eye(3), [[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1], [0, 0, 1]])


def copy(structure: Structure, rng: np.random.Generator) -> Structure:
    """The same crystal as somebody else would write it down."""
    turned = Lattice(structure.lattice.matrix @ random_rotation(rng).T)
    same = Structure(turned, structure.species, structure.frac_coords)
    same.make_supercell(np.array(CELLS[rng.integers(len(CELLS))], dtype=int))
    ways = rng.normal(size=(len(same), 3))
    moved = same.cart_coords + 0.005 * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    order = rng.permutation(len(same))
    species = [same.species[index] for index in order]
    return Structure(same.lattice, species, moved[order], coords_are_cartesian=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=int, default=1000)
    wanted = parser.parse_args().structures
    [assignment] = assignments("K2ReH9")
    budget = SearchBudget(pool=wanted, formula_units=(1, 2), withhold_types=("K2ReH9",))
    pool = build_pool(assignment, budget, 0).proposals
    rng = np.random.default_rng(0)
    chosen = [proposal.structure for proposal in pool[:: max(1, len(pool) * COPIES // wanted)]][: wanted // COPIES]
    structures = [copy(structure, rng) for structure in chosen for _ in range(COPIES)]
    structures = [structures[index] for index in rng.permutation(len(structures))]
    print(f"{len(structures)} structures of {assignment.formula}, {len(chosen)} settled packings, 12 or 24 atoms each")

    start = time.process_time()
    ours = grouped(structures)
    our_seconds = time.process_time() - start
    print(f"{'ninefold.structures.duplicates':<44}{len(ours):>6} groups{our_seconds:>10.1f} CPU s", flush=True)
    for index, structure in enumerate(structures):
        structure.properties["index"] = index
    start = time.process_time()
    theirs = matcher().group_structures(structures)
    their_seconds = time.process_time() - start
    print(f"{'StructureMatcher.group_structures':<44}{len(theirs):>6} groups{their_seconds:>10.1f} CPU s")
    as_sets = {frozenset(group) for group in ours}
    same = sum(frozenset(s.properties["index"] for s in group) in as_sets for group in theirs)
    print(f"groups that are the same: {same} of {len(theirs)}; {their_seconds / our_seconds:.0f} times faster")


if __name__ == "__main__":
    main()
