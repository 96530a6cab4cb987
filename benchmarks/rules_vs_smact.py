"""Enumeration and rules beside SMACT's screening: python benchmarks/rules_vs_smact.py [--million].

One process, one thread, CPU time, median of repeats. SMACT is no dependency of ninefold: without it its half is left
out, and said to be. Both sides judge compositions of the space wide-12; SMACT a sample of them, because it is slower.
`--million` adds a space of some ten million compositions and the memory that it takes.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import dataclasses
import random
import re
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path

from ninefold.campaign import read_campaign
from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.elements import CATION_CHARGES
from ninefold.enumeration import enumerate_assignments
from ninefold.rules import Mode, RuleSettings, Stage, load_rule_set, recall

SAMPLE = 2000
REPEATS = 7


def screen(space, rule_set=None):
    """Rows enumerated and rows kept."""
    rows = kept = 0
    for table in enumerate_assignments(space):
        rows += len(table)
        kept += int(rule_set.apply(table).kept.sum()) if rule_set else len(table)
    return rows, kept


def cpu_seconds(function, repeats=REPEATS):
    """Median CPU seconds and the last result."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        spent.append(time.process_time() - start)
    return statistics.median(spent), result


def ours(space, takagi):
    every = dataclasses.replace(
        takagi,
        rules=tuple(
            dataclasses.replace(rule, mode=Mode.SCORE if rule.mode is Mode.OFF else rule.mode)
            for rule in takagi.rules
            if rule.stage is Stage.COMPOSITION
        ),
    )
    print(f"{'ninefold':<34}{'compositions':>13}{'kept':>10}{'CPU s':>8}{'per second':>13}")
    speed = {}
    for name, rule_set in (
        ("enumeration alone", None),
        ("with takagi", takagi),
        (f"with all {len(every.rules)} built-in rules", every),
    ):
        seconds, (rows, kept) = cpu_seconds(lambda rule_set=rule_set: screen(space, rule_set))
        speed[name] = rows / seconds
        print(f"{name:<34}{rows:>13,}{kept:>10,}{seconds:>8.3f}{rows / seconds:>13,.0f}")
    return speed["with takagi"]


def large(space, takagi):
    everything = {"cations": tuple(CATION_CHARGES), "cation_kinds": (1, 3), "max_cations_per_centre": 14, "m": (0, 12)}
    wide = space.model_copy(update=everything)
    seconds, (rows, kept) = cpu_seconds(lambda: screen(wide, takagi), repeats=1)
    # not getrusage: its peak is inherited from the parent process
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))[1])
    print(f"{'takagi, 27 cations, 1 to 3 kinds':<34}{rows:>13,}{kept:>10,}{seconds:>8.3f}{rows / seconds:>13,.0f}")
    print(f"peak memory of the process: {peak / 1024**2:.2f} GiB")


def theirs(space, takagi, our_speed):
    try:
        from smact.screening import smact_validity
    except ImportError as error:
        print(f"\nSMACT: not measured, it cannot be imported here ({error}); pip install smact in a copy of this venv")
        return
    from pymatgen.core import Composition

    # the same compositions for both: formulas are drawn from the space that ninefold has just enumerated
    everything = [row for table in enumerate_assignments(space) for row in table.assignments()]
    drawn = [Composition(row.amounts) for row in random.Random(7).sample(everything, SAMPLE)]
    made = [(Composition(compound.assignment.amounts), compound) for compound in known_compounds()]
    ninefold_kept = {row["name"]: row["kept"] for row in recall(takagi).rows}

    print(f"\nSMACT {version('smact')}, {SAMPLE} of these compositions, ready-made Composition objects")
    print(f"{'smact_validity':<34}{'compositions':>13}{'kept':>10}{'CPU s':>8}{'per second':>13}{'ninefold is':>13}")
    lines = []
    for name, options in (("defaults", {}), ("use_pauling_test=False", {"use_pauling_test": False})):

        def judge(composition, options=options):
            return bool(smact_validity(composition, **options))

        judge(drawn[0])  # reads its tables
        seconds, answers = cpu_seconds(lambda judge=judge: [judge(composition) for composition in drawn], repeats=3)
        speed = SAMPLE / seconds
        print(f"{name:<34}{SAMPLE:>13,}{sum(answers):>10,}{seconds:>8.3f}{speed:>13,.0f}{our_speed / speed:>10,.0f} ×")
        lines.append((f"smact_validity, {name}", {compound.formula: judge(c) for c, compound in made}))

    print(f"\n{'compounds that have been made':<40}{'n >= 7 kept':>13}{'n < 7 kept':>13}{'violators out':>15}")
    for name, kept in (("ninefold, takagi", ninefold_kept), *lines):
        high, low, out = (
            [kept[compound.formula] for _, compound in made if chosen(compound)]
            for chosen in (
                lambda c: not c.violates and c.assignment.n >= 7,
                lambda c: not c.violates and c.assignment.n < 7,
                lambda c: bool(c.violates),
            )
        )
        cells = f"{sum(high)} of {len(high)}", f"{sum(low)} of {len(low)}", f"{len(out) - sum(out)} of {len(out)}"
        print(f"{name:<40}{cells[0]:>13}{cells[1]:>13}{cells[2]:>15}")
    rejected = [compound.formula for _, compound in made if not compound.violates and not lines[0][1][compound.formula]]
    print(f"rejected by smact_validity's defaults: {', '.join(rejected)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="some ten million compositions too, and their memory")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    [wide_12] = read_campaign("wide-12").space
    rules = load_rule_set(RuleSettings())
    our_speed = ours(wide_12, rules)
    if arguments.million:
        large(wide_12, rules)
    theirs(wide_12, rules, our_speed)
