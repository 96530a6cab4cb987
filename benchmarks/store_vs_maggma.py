"""The store against maggma's stores that need no server: python benchmarks/store_vs_maggma.py [rows]."""

import copy
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from maggma.stores import JSONStore, MemoryStore

from ninefold.models.candidate import Candidate
from ninefold.store.sqlite import SQLiteStore

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
BATCH = 100
FILTER = 'elements HAS "Li" AND e_above_hull < 0.1'
CRITERIA = {"elements": "Li", "e_above_hull": {"$lt": 0.1}}
FIELDS = ["id", "formula", "e_above_hull", "rank"]


def candidates(count):
    chance = random.Random(7)
    for k in range(count):
        cation, centre, n = chance.choice(["Li", "Na", "K", "Mg", "Ca"]), chance.choice(["Re", "Mo", "Cr"]), 7 + k % 3
        yield Candidate(
            id=f"{k:064x}", composition=f"{k:064x}", method="made up", campaign="bench",
            formula=f"{cation}{1 + k % 5}{centre}H{n}", anion=f"[{centre}H{n}]",
            label=f"{k}", chemical_system="-".join(sorted(["H", cation, centre])),
            elements=sorted(["H", cation, centre]), nelements=3, centre=centre, cations=[cation],
            cation_counts={cation: 1 + k % 5}, group=7, n=n, q=2, m=0, electron_count=18, oxidation_state=n - 2,
            anion_class="classical", prior=chance.random(), status="ranked", e_above_hull=chance.random(), rank=k + 1,
            verdicts=[
                {"rule": f"rule {r}", "mode": "soft", "value": chance.random(), "passed": True, "reason": "x" * 60}
                for r in range(10)
            ],
        )  # fmt: skip


def median_ms(function, times):
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1e3


def measure(folder):
    documents = list(candidates(COUNT))
    plain = [document.model_dump() for document in documents]
    batches = range(0, COUNT, BATCH)
    ids = random.Random(1).sample([document.id for document in documents], 25)

    path = folder / "ninefold.db"
    with SQLiteStore(path, "write") as store:
        start = time.perf_counter()
        for first in batches:
            store.put("candidates", documents[first : first + BATCH])
        inserts = COUNT / (time.perf_counter() - start)
        each = iter(ids)
        get = median_ms(lambda: store.get("candidates", next(each)), len(ids))
        order = [("e_above_hull", "asc")]
        find = median_ms(lambda: store.find("candidates", FILTER, sort=order, limit=50, fields=FIELDS), 9)
        ours = [row["id"] for row in store.find("candidates", FILTER, sort=order, limit=50)]

    def open_and_get():
        with SQLiteStore(path) as reader:
            reader.get("candidates", ids[0])

    yield "ninefold, SQLite on disk", inserts, get, find, median_ms(open_and_get, 5)

    # maggma looks through all documents at every update, and at opening a file once per document of it:
    # a thousand documents show the rate, the rest goes past it into the collection
    few = min(COUNT, 10 * BATCH)
    (folder / "few.json").write_text("[]")
    for name, store in (
        ("maggma MemoryStore, not kept", MemoryStore(key="id")),
        ("maggma JSONStore, file", JSONStore(str(folder / "few.json"), read_only=False, key="id")),
    ):
        store.connect()
        start = time.perf_counter()
        for first in range(0, few, BATCH):
            store.update(plain[first : first + BATCH], key="id")
        inserts = few / (time.perf_counter() - start)
        opening = float("nan")
        if isinstance(store, JSONStore):
            start = time.perf_counter()
            reader = JSONStore(str(folder / "few.json"), read_only=True, key="id")
            reader.connect()
            reader.query_one({"id": ids[0]})
            opening = (time.perf_counter() - start) * 1e3
        store._collection.insert_many(copy.deepcopy(plain[few:]))
        each = iter(ids)
        get = median_ms(lambda store=store, each=each: store.query_one({"id": next(each)}), 5)
        options = {"sort": {"e_above_hull": 1}, "limit": 50}
        find = median_ms(lambda store=store, options=options: list(store.query(CRITERIA, FIELDS, **options)), 3)
        assert [row["id"] for row in store.query(CRITERIA, **options)] == ours
        yield name, inserts, get, find, opening


with tempfile.TemporaryDirectory() as name:
    print(f"{COUNT} rows of candidates, batches of {BATCH}; filter: {FILTER}, first 50 by e_above_hull")
    print("maggma: inserts/s while the store holds up to 1000 documents; open + get from a file of 1000")
    print(f"{'store':30s} {'inserts/s':>10s} {'get (ms)':>10s} {'query (ms)':>11s} {'open + get (ms)':>16s}")
    for label, inserts, get, find, again in measure(Path(name)):
        print(f"{label:30s} {inserts:10.0f} {get:10.3f} {find:11.2f} {again:16.2f}", flush=True)
