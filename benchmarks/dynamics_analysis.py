"""Time and memory of the analysis of a long trajectory: 100 000 frames of 96 atoms, eight anions [ReH9].

    python benchmarks/dynamics_analysis.py [FRAMES]

The trajectory is made on the fly, 1000 frames at a time, as a reader would give it: ligands vibrate and permute.
Prints seconds of one core for each part, and the peak memory of the process.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ninefold.dynamics.analysis import analyse
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.trajectories.trajectory import Frames, Trajectory

ANIONS = 8
CHUNK = 1000
TIME_STEP = 5.0
RATE = 0.002
"""Permutations per anion and frame."""


def trajectory(frames: int) -> Trajectory:
    """Anions on a row, each in one of the isomers of a tricapped trigonal prism that changes at random."""
    isomers = isomers_of(9)["tricapped trigonal prism"]
    near = isomers.neighbours[:3]
    cell = np.diag([6.5 * ANIONS, 6.5, 6.5])
    species = tuple(symbol for _ in range(ANIONS) for symbol in ("Re", *["H"] * 9, "K", "K"))

    def read() -> Iterator[Frames]:
        rng = np.random.default_rng(0)
        assignments = np.tile(np.arange(9), (ANIONS, 1))
        for start in range(0, frames, CHUNK):
            count = min(CHUNK, frames - start)
            positions = np.empty((count, len(species), 3))
            for anion in range(ANIONS):
                origin = np.array([6.5 * anion, 0.0, 0.0])
                first = 12 * anion
                positions[:, first] = origin
                positions[:, first + 10] = origin + np.array([3.2, 1.6, 1.6])
                positions[:, first + 11] = origin + np.array([3.2, 4.8, 4.8])
                shells = np.empty((count, 9, 3))
                changes = [0, *np.flatnonzero(rng.random(count) < RATE), count]
                for begin, end in pairwise(changes):
                    if begin:
                        assignments[anion] = near[rng.integers(3)][assignments[anion]]
                    shells[begin:end] = isomers.vertices[assignments[anion]]
                shells += 0.06 * rng.normal(size=shells.shape)
                positions[:, first + 1 : first + 10] = origin + 1.68 * shells
            yield Frames(np.mod(positions, np.diag(cell)), np.broadcast_to(cell, (count, 3, 3)))

    return Trajectory(species, TIME_STEP, read, 300.0, "made here")


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    started = time.process_time()
    for _ in trajectory(frames).chunks():
        pass
    making = time.process_time() - started
    started = time.process_time()
    found = analyse(trajectory(frames), "Re")
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{frames} frames of {12 * ANIONS} atoms: analysis {seconds - 2 * making:.1f} s of one core")
    print(f"(making the trajectory, twice: {2 * making:.1f} s, not counted); peak memory {peak:.2f} GB")
    print(f"{found.pseudorotation.permutation_rate.events} permutations")


if __name__ == "__main__":
    main()
