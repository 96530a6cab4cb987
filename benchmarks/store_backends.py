"""The two backends of the store with the same documents: inserts, a filtered and sorted page, a count, one document.

MongoDB's server is that of NINEFOLD_TEST_MONGODB_URI, or of `make services`; without one SQLite is measured alone.
"""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from ninefold.store import Store, open_store

COUNT = 10_000
ADDRESS_FILE = Path(__file__).resolve().parent.parent / ".services" / "mongodb.uri"


class Row:
    def __init__(self, number):
        chance = random.Random(number)
        self.id = f"{number:016x}"
        self._content = {
            "id": self.id, "campaign": "benchmark", "formula": f"K{number % 9 + 1}ReH{number % 3 + 7}",
            "centre": chance.choice(["Re", "Tc", "Mo"]),
            "elements": ["H", "K", "Re"], "nelements": 3, "n": chance.randint(7, 12), "rank": number,
            "e_above_hull": chance.random(), "score": chance.random(), "status": "ranked", "is_best": True,
            "verdicts": [{"rule": f"rule_{k}", "value": chance.random(), "reason": "x" * 40} for k in range(40)],
        }  # fmt: skip

    def model_dump_json(self):
        return json.dumps(self._content)


def milliseconds(action, times=15):
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)


def measure(name: str, store: Store) -> None:
    rows = [Row(number) for number in range(COUNT)]
    size = len(rows[0].model_dump_json()) / 1000
    begun = time.perf_counter()
    for start in range(0, COUNT, 500):
        store.insert("candidates", rows[start : start + 500])
    rate = COUNT / (time.perf_counter() - begun)
    fields = ["id", "formula", "rank", "e_above_hull"]
    page = {"sort": [("rank", "asc")], "limit": 50}
    print(f"{name}: {COUNT} documents of {size:.1f} kB")
    print(f"  inserts                                {rate:8.0f} /s")
    asked = 'centre = "Re" AND e_above_hull < 0.05'
    for label, action in (
        ("filtered, sorted, first 50, 4 fields", lambda: store.find("candidates", asked, fields=fields, **page)),
        ("the same, whole documents", lambda: store.find("candidates", asked, **page)),
        ("sorted without a filter, first 50", lambda: store.find("candidates", fields=fields, **page)),
        ("count by a filter", lambda: store.count("candidates", asked)),
        ("a document by its id", lambda: store.get("candidates", rows[77].id)),
    ):
        print(f"  {label:38s} {milliseconds(action):8.2f} ms")


def main():
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "s.db", "write") as store:
        measure("SQLite", store)
    server = os.environ.get("NINEFOLD_TEST_MONGODB_URI") or (
        ADDRESS_FILE.read_text() if ADDRESS_FILE.exists() else None
    )
    if not server:
        print("MongoDB: no server ('make services' starts one)")
        return
    from pymongo import MongoClient

    name = f"ninefold_benchmark_{os.getpid()}"
    base, _, options = server.partition("?")
    address = f"{base.rstrip('/')}/{name}?{options or 'authSource=admin'}"
    try:
        with open_store(address, "write") as store:
            measure("MongoDB", store)
    finally:
        MongoClient(server).drop_database(name)


if __name__ == "__main__":
    sys.exit(main())
