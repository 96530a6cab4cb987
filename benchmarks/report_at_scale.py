"""The report, status and query of a store of a hundred thousand candidates: time, peak memory, size of the file.

python benchmarks/report_at_scale.py [--candidates 5000] [--keep FOLDER]. The store is made up: the compositions are
those of a wide space with every cation, the energies random, every candidate with six structures of some 30 atoms,
as a search leaves them. Each command runs in a process of its own; its
peak is the resident set that the system reports for it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

STRUCTURES = 6
ATOMS = 30
BATCH = 500
SPACE = {
    "centres": ["Cr", "Mo", "W", "V", "Nb", "Ta", "Mn", "Tc", "Re", "Fe", "Ru", "Os", "Ti", "Zr", "Hf"],
    "cations": ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Y", "La", "Eu", "Yb"],
    "n": [7, 9], "m": [0, 4],
}  # fmt: skip
LIMITS = {"report": (300.0, 3.0)}
"""Command -> peak in MB and size of its file in MB that it must stay under."""


METHOD = "0" * 64


def structure(symbols: list[str], draw: random.Random) -> Any:
    """A cell of random positions."""
    from ninefold.models.structure import StructureRecord, structure_id

    side = 8.0
    packed: dict[str, Any] = {
        "lattice": [[side if row == column else 0.0 for column in range(3)] for row in range(3)],
        "species": symbols,
        "positions": [[draw.random() for _ in range(3)] for _ in symbols],
    }
    return StructureRecord(id=structure_id(packed), **packed)


def records(name: str, number: int) -> Iterator[list[Any]]:
    """Of each candidate its composition, structures and row: one in twenty has none, others random energies."""
    from ninefold.campaign import parse_campaign
    from ninefold.enumeration import enumerate_assignments
    from ninefold.models.candidate import Candidate
    from ninefold.models.composition import CompositionRecord
    from ninefold.models.search import Minimum

    settings = {"name": name, "seed": 1, "engine": {"name": "lj"}, "rules": {"set": "exploratory"}, "space": [SPACE]}
    campaign = parse_campaign(settings)
    draw = random.Random(1)
    made = 0
    while made < number:  # assignments again where the space has fewer: identifiers differ, nothing else matters here
        for table in enumerate_assignments(campaign.space[0]):
            for start in range(0, len(table), BATCH):
                for assignment in table.assignments(range(start, min(start + BATCH, len(table)))):
                    if made == number:
                        return
                    made += 1
                    energy, above = draw.uniform(-5, -3), draw.gauss(0.15, 0.08)
                    has_energy = made % 20 != 0
                    cation = assignment.cations[0].symbol
                    symbols = [assignment.centre] * 2 + [cation] * 8 + ["H"] * (ATOMS - 10)
                    structures = [structure(symbols, draw) for _ in range(STRUCTURES * has_energy)]
                    minima = [
                        Minimum(
                            structure=found.id, energy_per_atom=energy + 0.005 * place, space_group_number=1,
                            space_group_symbol="P1", nsites=ATOMS, volume_per_formula_unit=150.0, volume_ratio=1.0,
                            coordination_numbers=[assignment.n] * 2, shortest_m_h=1.7, shortest_h_h=1.9,
                            max_force=0.01, is_converged=True, source="random rigid units", is_valid=True,
                        )
                        for place, found in enumerate(structures)
                    ]  # fmt: skip
                    amounts = assignment.amounts
                    results: dict[str, Any] = {
                        "energy_per_atom": energy, "e_above_hull": max(above, 0.0), "phase_separation_energy": above,
                        "e_above_hull_uncertainty": 0.003, "e_above_same_composition": 0.0,
                        "e_above_references": above - 0.02,
                        "score": 1 - above, "rank": made, "engine": "made up", "evidence": "ML",
                        "space_group_number": 1,
                        "space_group_symbol": "P1", "nsites": ATOMS, "volume_per_formula_unit": 150.0,
                        "structures_found": STRUCTURES, "relaxations": 20, "is_coordination_kept": True,
                    } if has_energy else {}  # fmt: skip
                    shared: dict[str, Any] = {
                        "campaign": name, "formula": assignment.formula, "anion": assignment.anion,
                        "label": assignment.label, "chemical_system": assignment.chemical_system,
                        "elements": sorted(amounts), "nelements": len(amounts), "centre": assignment.centre,
                        "cations": [cation.symbol for cation in assignment.cations],
                        "cation_counts": {cation.symbol: cation.count for cation in assignment.cations}, "group": 6,
                        "n": assignment.n, "q": assignment.q, "m": assignment.m,
                        "electron_count": assignment.electron_count, "oxidation_state": assignment.oxidation_state,
                        "anion_class": assignment.anion_class.value, "prior": draw.random(),
                    }  # fmt: skip
                    composition = CompositionRecord(id=f"{made:016x}", **shared)
                    row = Candidate(
                        id=f"{made:016x}-{METHOD[:8]}", composition=composition.id, method=METHOD,
                        status="ranked" if has_energy else "no_structure", minima=minima, **shared, **results,
                    )  # fmt: skip
                    yield [*structures, composition, row]


def make_store(path: Path, number: int) -> None:
    """Write a store of so many candidates, with the elements as references."""
    from ninefold.models.campaign import CampaignRecord
    from ninefold.models.funnel import FunnelRecord
    from ninefold.models.method import Method
    from ninefold.models.reference import ReferenceRecord
    from ninefold.store import open_store
    from ninefold.store.records import write

    name, stamp, draw = "scale", "2026-01-01T00:00:00Z", random.Random(2)
    with open_store(path, mode="write") as store:
        campaign = CampaignRecord(
            id=name, name=name, fingerprint="0", settings={"name": name}, versions={}, status="finished",
            methods=[METHOD], created=stamp, finished=stamp,
        )  # fmt: skip
        funnel = FunnelRecord(
            id=f"{name}:select:0", campaign=name, stage="select", count_in=number, count_out=number,
            core_seconds=1.0, wall_seconds=1.0, hardware="made up",
        )  # fmt: skip
        method = Method(id=METHOD, name="made up", label="made up", evidence="ML")
        references = [
            ReferenceRecord(
                id=f"{name}:{METHOD[:8]}:{symbol}", campaign=name, method=METHOD, name=symbol, formula=symbol,
                chemical_system=symbol, elements=[symbol], kind="element", energy_per_atom=-3.0, space_group_number=1,
                volume_per_atom=15.0, is_converged=True, engine="made up", source="made up", provenance="derived",
                structure=structure([symbol], draw).id,
            )
            for symbol in {"H", *SPACE["centres"], *SPACE["cations"]}
        ]  # fmt: skip
        write(store, [campaign, funnel, method, *references])
        each, written = records(name, number), 0
        while batch := list(islice(each, BATCH)):
            found = sorted((record for some in batch for record in some), key=lambda record: record.collection)
            write(store, found)
            written += len(batch)
            if written % 10_000 == 0:
                print(f"{written} candidates written", file=sys.stderr, flush=True)


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command; its wall time in s and its peak resident set in MB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    scale = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return time.monotonic() - start, usage.ru_maxrss * scale / 1e6


def main() -> None:
    """Make the store and measure the three commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=5000)
    parser.add_argument("--keep", type=Path, help="a folder for the store, used again if it is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        store, page = folder / f"{arguments.candidates}.db", Path(temporary) / "report.html"
        if not store.exists():
            # in a process of its own: the peak that the system reports for a child begins with its parent's
            maker = multiprocessing.get_context("spawn").Process(target=make_store, args=(store, arguments.candidates))
            maker.start()
            maker.join()
        print(f"{arguments.candidates} candidates, store of {store.stat().st_size / 1e6:.0f} MB")
        ninefold = [sys.executable, "-m", "ninefold.cli.main"]
        commands = {
            "report": [*ninefold, "report", "--store", str(store), "--out", str(page)],
            "status": [*ninefold, "status", "--store", str(store)],
            "query": [*ninefold, "query", "e_above_hull < 0.05", "--limit", "50", "--store", str(store)],
        }
        for name, command in commands.items():
            seconds, peak = measured(command)
            size = f", {page.stat().st_size / 1e6:.1f} MB of HTML" if name == "report" else ""
            print(f"{name:<7} {seconds:6.1f} s, peak {peak:5.0f} MB{size}", flush=True)
            if name in LIMITS:
                most, largest = LIMITS[name]
                assert peak < most, f"{peak=:.0f} MB must stay under {most:.0f}"
                assert page.stat().st_size / 1e6 < largest, f"the report must stay under {largest} MB"


if __name__ == "__main__":
    main()
