"""The store with 10^5 candidates and 10^6 calculations, on SQLite and on a MongoDB server.

    python benchmarks/store_at_scale.py [--candidates 100000] [--calculations 1000000] [--only SQLite|MongoDB]

Documents are made up, of the size and shape of a campaign's. Measured are inserts, first pages of the queries that the
command line makes, the same by `ninefold query` itself, a re-rank with other weights, and the memory of this process.
MongoDB's server is that of NINEFOLD_TEST_MONGODB_URI, or of `make services`; without one SQLite is measured alone.

Goals, and what 2 cores gave on 27 November 2026 (SQLite; FerretDB 2.7 on PostgreSQL 18, on the same cores): 3 000
documents a second (see docs/mongodb.md); first pages below 20 ms (4; 16), `ninefold query` below 0.5 s (0.30; 0.36), a
ranking with other weights below 5 s (2.6; 4.0), memory that does not grow. It takes five minutes on each.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from pydantic_core import to_json

from ninefold.api.reranking import rerank
from ninefold.ranking import RankingSettings
from ninefold.store import open_store

BATCH = 1000
CAMPAIGN = "scale"
CENTRES = ["Re", "Tc", "Mo", "W", "Cr", "Mn", "Fe", "Ru", "Os", "Nb"]
CATIONS = ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba"]
METHOD = "5402c472c7b3c00c1668e9d9383b602581d6a9c0465046b7ab582645398f0aed"
FIELDS = ["rank", "formula", "anion", "m", "e_above_hull", "phase_separation_energy", "space_group_symbol", "is_known"]
VERDICTS = [
    {
        "rule": f"rule_{k}", "mode": "score", "value": 0.5 + k / 100, "unit": "Å", "bound": ">= 1.5", "passed": True,
        "score": 1.0, "reason": f"{0.5 + k / 100} Å, meets >= 1.5: " + "x" * 60, "source": "der: " + "y" * 40,
    }
    for k in range(5)
]  # fmt: skip


class Row:
    """A document as text, of the size that a campaign's have."""

    def __init__(self, id, **content):
        self.id, self._content = id, content

    def model_dump_json(self):
        return to_json({"id": self.id, **self._content}).decode()  # as a pydantic model


def candidate(number):
    chance = random.Random(number)
    centre, cation, n = chance.choice(CENTRES), chance.choice(CATIONS), chance.randint(7, 9)
    count, energy = chance.randint(1, 5), chance.gammavariate(2, 0.05) - 0.02
    of_minimum = {
        "energy_per_atom": -4.1, "space_group_number": 62, "space_group_symbol": "Pnma", "nsites": 24,
        "volume_per_formula_unit": 143.0, "coordination_numbers": [n, n], "shortest_m_h": 1.69, "is_valid": True,
        "shortest_h_h": 1.95, "max_force": 0.005, "is_converged": True, "source": "prototype:AB3_oP16_62_c_cd:Z4",
        "structure_type": None, "notes": [], "shortest_m_m": 5.35, "shortest_m_interstitial": None,
    }  # fmt: skip
    return Row(
        f"{chance.getrandbits(64):016x}-{number:08x}", schema_version=4, campaign=CAMPAIGN,
        composition=f"{number:016x}", method=METHOD, minima_record=f"{number:064x}", revision=1, is_best=True,
        formula=f"{cation}{count}{centre}H{n}", anion=f"[{centre}H{n}]{count}-",
        label=f"{cation}{count}{centre}H{n} = [{centre}H{n}]{count}- ({number})",
        chemical_system="-".join(sorted(["H", cation, centre])), elements=sorted(["H", cation, centre]), nelements=3,
        centre=centre, cations=[cation], cation_counts={cation: count}, group=chance.randint(5, 8), n=n, q=count, m=0,
        electron_count=18, oxidation_state=n - count, anion_class="classical", is_neighbour=False, is_competitor=False,
        prior=chance.random(), is_known=False, status="ranked", evidence="ML", engine="CHGNet 0.3.0",
        energy_per_atom=-4 - chance.random(), space_group_number=chance.randint(1, 230), space_group_symbol="Pnma",
        nsites=24, volume_per_formula_unit=143.0, is_converged=chance.random() < 0.9, max_force=0.005,
        e_above_hull=max(energy, 0.0), phase_separation_energy=energy, e_above_hull_uncertainty=0.01,
        e_above_same_composition=0.0, score=chance.random(), rank=number + 1, rank_best=number + 1,
        rank_worst=number + 9, is_pareto=False, verdicts=VERDICTS,
        minima=[{"structure": f"{number:031x}{k}", **of_minimum} for k in range(3)],
        decomposition=[{"formula": "KH", "name": "KH rocksalt", "fraction": 0.5, "energy_per_atom": -2.9}] * 3,
        terms={"stability": {"value": 0.5, "weight": 0.6, "contribution": 0.3}}, properties={}, flags=[], known=[],
    )  # fmt: skip


def calculation(number):
    chance = random.Random(number)
    relaxes = number % 5 == 0  # one relaxation for four single points
    forces = [[round(chance.gauss(0, 0.01), 12) for _ in range(3)] for _ in range(24)] if relaxes else None
    return Row(
        f"{chance.getrandbits(224):056x}{number:08x}", schema_version=4, campaign=CAMPAIGN,
        kind="relax" if relaxes else "evaluate", method=METHOD, machine="made up, 2 cores",
        settings={"fmax": 0.01, "max_steps": 500, "pressure": 0.0, "keep_symmetry": True} if relaxes else None,
        start=f"{number:032x}", final=f"{number + 2**100:032x}" if relaxes else None,
        energy_per_atom=-4 - chance.random(), error=None, core_seconds=chance.random(), forces=forces,
        stress=[0.01] * 6 if relaxes else None, max_force=0.009 if relaxes else None,
        max_stress=0.01 if relaxes else None, steps=30 if relaxes else None, is_converged=True if relaxes else None,
        notes=[], created=f"2026-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
    )  # fmt: skip


class Campaign(Row):
    """The campaign that the command line looks up."""

    def __init__(self):
        super().__init__(
            CAMPAIGN, name=CAMPAIGN, status="finished", created="2026-01-01T00:00:00+00:00", columns={},
            methods=[METHOD], verified=None, settings={}, attempt=1,
        )  # fmt: skip


def memory():
    """MB of this process at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def insert(store, collection, made, count):
    """Seconds spent; making the documents is not counted."""
    spent = cpu = 0.0
    for first in range(0, count, BATCH):
        rows = [made(number) for number in range(first, min(first + BATCH, count))]
        begun, begun_cpu = time.perf_counter(), time.process_time()
        store.insert(collection, rows)
        spent += time.perf_counter() - begun
        cpu += time.process_time() - begun_cpu
    print(
        f"  {count:8d} {collection:13s} {count / spent:8.0f} /s; "
        f"{1e6 * cpu / count:4.0f} us of processor each in this process; {memory():5.0f} MB",
        flush=True,
    )
    return spent


def told(label, action, times=9):
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        spent.append(time.perf_counter() - begun)
    print(f"  {label:60s} {1000 * median(spent):8.1f} ms (worst {1000 * max(spent):.0f})", flush=True)


def pages(store):
    of_campaign = {"campaign": CAMPAIGN, "is_best": True}
    page = {"fields": FIELDS, "limit": 50}
    by_rank, by_hull = [("rank", "asc")], [("e_above_hull", "asc")]
    selective = 'centre = "Re" AND e_above_hull < 0.05'
    for label, filter, equal, sort in (
        ("of all campaigns, by rank", None, {"is_best": True}, by_rank),
        ("of one campaign, by rank", None, of_campaign, by_rank),
        (f"{selective}, by rank", selective, of_campaign, by_rank),
        (f"{selective}, by hull distance", selective, of_campaign, by_hull),
        ("e_above_hull < 0.05, by rank", "e_above_hull < 0.05", of_campaign, by_rank),
        ('elements HAS "Li", by falling score', 'elements HAS "Li"', of_campaign, [("score", "desc")]),
        ('formula = "K2ReH9", by rank', 'formula = "K2ReH9"', of_campaign, by_rank),
    ):

        def ask(filter=filter, equal=equal, sort=sort):
            return store.find("candidates", filter, equal=equal, sort=sort, **page)

        told(label, ask)
    told("count of e_above_hull < 0.05", lambda: store.count("candidates", "e_above_hull < 0.05", equal=of_campaign))
    some = calculation(0).id
    told("a calculation by its id", lambda: store.get("calculations", some))


def by_command_line(address):
    for arguments, times in (
        (["query", "--json"], 5), (["query", "--json", 'centre = "Re" AND e_above_hull < 0.05'], 5),
        (["query", "--json", "-c", CAMPAIGN], 5), (["rank", "--json", "--weights", "stability=0.3,prior=0.7"], 3),
    ):  # fmt: skip
        command = [sys.executable, "-m", "ninefold.cli.main", *arguments]

        def run(command=command):
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NINEFOLD_STORE": address})

        told(f"ninefold {' '.join(arguments)}", run, times=times)


def rerank_all(store):
    """As `ninefold rank` does it."""
    before, begun = memory(), time.perf_counter()
    document = store.get("campaigns", CAMPAIGN)
    reranking = rerank(store, document, RankingSettings(weights={"stability": 0.3, "prior": 0.7}))
    number = sum(1 for _ in reranking.ranked())
    print(
        f"  re-rank of {number} rows, each with its terms: {time.perf_counter() - begun:.1f} s; memory rose by "
        f"{memory() - before:.0f} MB"
    )


def measure(name, address, options):
    print(f"{name}: batches of {BATCH}")
    with open_store(address, "write") as store:
        store.put("campaigns", [Campaign()])
        spent = insert(store, "candidates", candidate, options.candidates)
        spent += insert(store, "calculations", calculation, options.calculations)
        print(f"  {(options.candidates + options.calculations) / spent:8.0f} /s of both together")
    with open_store(address) as store:
        pages(store)
        before = memory()
        number = sum(1 for _ in store.iterate("calculations", equal={"campaign": CAMPAIGN}, fields=["core_seconds"]))
        print(f"  {number} calculations read a page at a time: memory rose by {memory() - before:.0f} MB")
        rerank_all(store)
    by_command_line(address)


def mongo_address(server: str, name: str) -> str:
    base, _, options = server.partition("?")
    scheme, _, rest = base.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/{name}?{options or 'authSource=admin'}"


def server_address() -> str | None:
    file = Path(__file__).resolve().parent.parent / ".services" / "mongodb.uri"
    return os.environ.get("NINEFOLD_TEST_MONGODB_URI") or (file.read_text() if file.exists() else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--calculations", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["SQLite", "MongoDB"])
    options = parser.parse_args()
    if options.only != "MongoDB":
        with tempfile.TemporaryDirectory() as folder:
            measure("SQLite", str(Path(folder) / "s.db"), options)
    if options.only == "SQLite":
        return
    if not (server := server_address()):
        print("MongoDB: no server ('make services' starts one)")
        return
    from pymongo import MongoClient

    name = f"ninefold_scale_{os.getpid()}"
    try:
        measure("MongoDB", mongo_address(server, name), options)
    finally:
        MongoClient(server).drop_database(name)


if __name__ == "__main__":
    main()
