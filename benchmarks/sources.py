"""What each structure source gives: cost of a packing, cost of settling it, share that holds the anion, lowest energy.

python benchmarks/sources.py [--packings 40]. One process, one thread, CPU time.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import time
from collections import Counter

import numpy as np

from ninefold.rules import assignments
from ninefold.structures.checks import check_shells
from ninefold.structures.forcefield import settle
from ninefold.structures.proposal import Stream
from ninefold.structures.sources import KNOWN_TYPES, OUR_NAMES, load_source

CASES = (("K2ReH9", 1), ("K2ReH9", 3), ("Mg3CrH8", 2), ("Mg3CrH8", 3), ("Li5MoH11", 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packings", type=int, default=40)
    wanted = parser.parse_args().packings
    print(f"{'':<16}{'composition':<14}{'atoms':>6}{'made':>6}{'ms each':>9}{'settle ms':>11}{'steps':>7}{'valid':>7}"
          f"{'lowest, meV/atom':>18}")  # fmt: skip
    settle(next(Stream("", load_source("hosts"), assignments("K2ReH9", (18,))[0], 1, np.random.default_rng(0),
                       Counter()).draw(1)), assignments("K2ReH9", (18,))[0])  # fmt: skip  # compiles
    for formula, units in CASES:
        assignment = assignments(formula, (18,))[0]
        lowest: dict[str, float] = {}
        rows = []
        for name in OUR_NAMES:
            if name == KNOWN_TYPES:
                continue
            stream = Stream(name, load_source(name), assignment, units, np.random.default_rng(0), Counter())
            start = time.process_time()
            packings = list(stream.draw(wanted))
            making = time.process_time() - start
            start = time.process_time()
            settled = [settle(packing, assignment) for packing in packings]
            settling = time.process_time() - start
            valid = [
                item.energy_per_atom
                for item in settled
                if check_shells(item.packing.to_structure(), assignment).is_valid
            ]
            count = max(1, len(packings))
            lowest[name] = min(valid, default=float("nan"))
            rows.append((name, len(packings), 1e3 * making / count, 1e3 * settling / count,
                         np.mean([item.steps for item in settled]) if settled else 0, len(valid) / count))  # fmt: skip
        best = np.nanmin(list(lowest.values()))
        for name, made, making, settling, steps, share in rows:
            atoms = sum(assignment.amounts.values()) * units
            above = 1e3 * (lowest[name] - best)
            print(f"{name:<16}{formula:<14}{atoms:>6}{made:>6}{making:>9.1f}{settling:>11.1f}{steps:>7.0f}{share:>7.0%}"
                  f"{above:>18.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
