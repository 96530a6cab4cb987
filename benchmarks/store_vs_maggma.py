"""The store against maggma's stores: python benchmarks/store_vs_maggma.py [rows].

On files and in memory, and on the MongoDB server of NINEFOLD_TEST_MONGODB_URI or of `make services` if there is one.
The table of 27 November 2026 stands in docs/mongodb.md.
"""

import copy
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from maggma.stores import JSONStore, MemoryStore, MongoStore
from pymongo import MongoClient
from store_at_scale import mongo_address, server_address

from ninefold.models.candidate import Candidate
from ninefold.store import open_store

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


def measure_ours(label, address, documents, ids):
    """A row of the table, and the ids that the query finds."""
    with open_store(address, "write") as store:
        start = time.perf_counter()
        for first in range(0, COUNT, BATCH):
            store.put("candidates", documents[first : first + BATCH])
        inserts = COUNT / (time.perf_counter() - start)
        each = iter(ids)
        get = median_ms(lambda: store.get("candidates", next(each)), len(ids))
        order = [("e_above_hull", "asc")]
        find = median_ms(lambda: store.find("candidates", FILTER, sort=order, limit=50, fields=FIELDS), 9)
        found = [row["id"] for row in store.find("candidates", FILTER, sort=order, limit=50)]

    def open_and_get():
        with open_store(address) as reader:
            reader.get("candidates", ids[0])

    return (label, inserts, get, find, median_ms(open_and_get, 5)), found


def measure_maggma_server(address, plain, ids, ours):
    def connected():
        name = address.rpartition("/")[2].partition("?")[0]
        store = MongoStore.from_uri(address, "maggma", database=name, key="id")
        store.connect()
        return store

    store = connected()
    for key in ("id", "e_above_hull", "elements"):
        store.ensure_index(key)
    start = time.perf_counter()
    for first in range(0, COUNT, BATCH):
        store.update(copy.deepcopy(plain[first : first + BATCH]), key="id")
    inserts = COUNT / (time.perf_counter() - start)
    each = iter(ids)
    get = median_ms(lambda: store.query_one({"id": next(each)}), len(ids))
    options = {"sort": {"e_above_hull": 1}, "limit": 50}
    find = median_ms(lambda: list(store.query(CRITERIA, FIELDS, **options)), 9)
    assert [row["id"] for row in store.query(CRITERIA, **options)] == ours
    again = median_ms(lambda: connected().query_one({"id": ids[0]}), 5)
    return "maggma MongoStore, server", inserts, get, find, again


def measure(folder):
    documents = list(candidates(COUNT))
    plain = [document.model_dump() for document in documents]
    ids = random.Random(1).sample([document.id for document in documents], 25)
    row, ours = measure_ours("ninefold, SQLite on disk", str(folder / "ninefold.db"), documents, ids)
    yield row
    if server := server_address():
        names = [f"ninefold_benchmark_{kind}_{os.getpid()}" for kind in ("ours", "maggma")]
        try:
            row, found = measure_ours("ninefold, MongoDB server", mongo_address(server, names[0]), documents, ids)
            assert found == ours
            yield row
            yield measure_maggma_server(mongo_address(server, names[1]), plain, ids, ours)
        finally:
            for name in names:
                MongoClient(server).drop_database(name)

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
