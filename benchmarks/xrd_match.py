"""How often `ninefold xrd match` names what is in a simulated mixture, and what it names where nothing is.

    python benchmarks/xrd_match.py [FOLDER] [NAME ...]

The patterns of a folder, tests/diffraction/data by default, are simulated by another program: tools/simulate_powder.py.
A phase counts as named if it is in a group that the match reports, in its place or as an alternative to it; as visible
if its strongest peak has at least 3 % of the pattern's.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np

from ninefold.diffraction.background import reduced, typical_width
from ninefold.diffraction.library import MatchPhase, grouped
from ninefold.diffraction.match_results import Match
from ninefold.diffraction.matching import match
from ninefold.diffraction.measured import read_pattern
from ninefold.diffraction.profile import Profile
from ninefold.diffraction.radiation import d_of, radiation
from ninefold.models.structure import unpack_structure

DATA = Path(__file__).parents[1] / "tests" / "diffraction" / "data"
VISIBLE = 0.03


def phases_of(system: str) -> list[MatchPhase]:
    documents = json.loads(gzip.decompress((DATA / "phases.json.gz").read_bytes()))
    return [
        MatchPhase(
            each["id"], each["name"], each["formula"], unpack_structure(each), each["kind"], each["energy_per_atom"]
        )
        for each in documents
        if set(each["species"]) <= set(system.split("-"))
    ]


FOLDER = Path(sys.argv.pop(1)) if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir() else DATA


def matched(name: str, system: str, wavelength: str) -> tuple[Match, float]:
    start = time.perf_counter()
    beam = radiation(wavelength)
    pattern = reduced(read_pattern(FOLDER / f"{name}.xy.gz", beam))
    width = typical_width(pattern)
    ends = float(pattern.two_theta[0]), float(pattern.two_theta[-1])
    d_min = float(d_of(np.array(ends[1]), beam.wavelength)) * 0.96
    groups = grouped(phases_of(system), beam, ends, shape=Profile(w=width**2), d_min=d_min, most_strain=0.03)
    found = match(pattern, groups, beam, width=width)
    return found, time.perf_counter() - start


def main() -> None:
    truth = json.loads((FOLDER / "truth.json").read_text())
    names = sys.argv[1:] or list(truth)
    matched(names[0], "Li-Mo-H", "CuKa")  # compiled code is loaded
    visible = named = exact = clean = mixtures = hidden = hidden_named = extra = 0
    silent, foreign, seconds = 0, 0, []
    for name in names:
        case = truth[name]
        systems = [case["system"]] if case["system"] else ["Li-Mo-H", "K-Re-H", "Mg-Cr-H"]
        for system in systems:
            found, took = matched(name, system, case["wavelength"])
            seconds.append(took)
            in_place = [{each.name for each in phase.group.members} for phase in found.phases]
            told = [
                own | {each.name for group in phase.alternatives for each in group.members}
                for own, phase in zip(in_place, found.phases, strict=True)
            ]
            marks = []
            if name.startswith("mix"):
                mixtures += 1
                used = set()
                for each in case["phases"]:
                    is_first = any(each["name"] in names for names in in_place)
                    is_told = any(each["name"] in names for names in told)
                    used |= {place for place, names in enumerate(told) if each["name"] in names}
                    if each["strongest_peak"] >= VISIBLE:
                        visible, named, exact = visible + 1, named + is_told, exact + is_first
                    else:
                        hidden, hidden_named = hidden + 1, hidden_named + is_told
                    marks.append("first" if is_first else "told" if is_told else f"MISSED({each['strongest_peak']})")
                wrong = len(told) - len(used)
                extra += wrong
                clean += all(mark in ("first", "told") or each["strongest_peak"] < VISIBLE
                             for mark, each in zip(marks, case["phases"], strict=True)) and not wrong  # fmt: skip
                marks.append(f"extra {wrong}")
            else:
                foreign += 1
                silent += found.verdict == "not explained"
            listed = [
                f"{phase.group.first.name}~{phase.intensity_share:.2f}/{phase.found_share:.2f}/{phase.gain:.2f}"
                f"(+{len(phase.alternatives)})"
                for phase in found.phases
            ]
            left = f"{len(found.unexplained)}/{found.peaks}"
            print(f"{name} {system} {found.verdict} {found.explained:.2f} left {left} zero {found.zero_shift:+.3f} "
                  f"[{case.get('zero_shift')}] {took:.1f}s {marks} <- {[e['name'] for e in case['phases']]}: {listed}",
                  flush=True)  # fmt: skip
    if visible:
        print(f"mixtures {mixtures}: visible phases {visible}, named {named} ({named / visible:.0%}), in first place "
              f"{exact} ({exact / visible:.0%}); phases too much {extra}; all right {clean}; hidden {hidden}, named "
              f"{hidden_named}")  # fmt: skip
    if foreign:
        print(f"patterns of foreign phases {foreign}: nothing explains it {silent} ({silent / foreign:.0%})")
    print(f"seconds per match: median {np.median(seconds):.1f}, most {max(seconds):.1f}")


if __name__ == "__main__":
    main()
