"""A store of an older ninefold is brought up to date, documents and all."""

import json
import signal
import sqlite3
import subprocess
import sys
import tracemalloc

import pytest
from contract import record

from ninefold.store import StoreError, migrations, schema
from ninefold.store.migrations import Entry, each
from ninefold.store.sqlite import SQLiteStore
from ninefold.store.sqlite_upgrade import APPLICATION_ID


@pytest.fixture
def old(tmp_path):
    """A store as the first ninefold laid it out: documents alone, indexes on expressions."""
    connection = sqlite3.connect(tmp_path / "s", isolation_level=None)
    for name in schema.COLLECTIONS:
        connection.execute(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID')
    connection.execute("""CREATE INDEX candidates_campaign ON candidates (json_extract(doc, '$.campaign'))""")
    for k in range(5):
        document = {"id": f"{k}", "n": k, "elements": ["H"], "prior": 1 / 3, "nested": [{"x": k}], "schema_version": 1}
        connection.execute("INSERT INTO candidates VALUES (?, ?)", (f"{k}", json.dumps(document)))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    return tmp_path / "s"


NOW = schema.SCHEMA_VERSION
UNCHANGED = {version: each(lambda document, collection: document, version + 1) for version in range(1, NOW)}
"""Steps for documents that are none of a campaign's; the real ones are in test_schema_2.py."""


@pytest.mark.parametrize("mode", ["read", "write"])
def test_new_columns_are_filled_from_the_documents(old, mode, monkeypatch):
    monkeypatch.setattr(migrations, "MIGRATIONS", UNCHANGED)
    with SQLiteStore(old, mode) as repository:
        assert [row["id"] for row in repository.find("candidates", "n >= 3")] == ["3", "4"]
        assert repository.find("candidates", "n = 4", fields=["prior", "elements", "rank"]) == [
            {"prior": 1 / 3, "elements": ["H"], "rank": None}
        ]
        assert repository.get("candidates", "4")["nested"] == [{"x": 4}]
    assert tables(old) == set(schema.COLLECTIONS)


def test_changed_meanings_go_through_every_step(old, monkeypatch):
    def first(document, collection):
        return {**document, "m": document["n"] + 10}

    def second(document, collection):
        assert (collection, document["schema_version"]) == ("candidates", 2)
        return {**document, "m": document["m"] * 2}

    monkeypatch.setattr(schema, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(migrations, "MIGRATIONS", {1: each(first, 2), 2: each(second, 3)})
    with SQLiteStore(old) as store:
        [row] = store.find("candidates", "m = 24")
        assert (row["id"], row["schema_version"]) == ("2", 3)
    with SQLiteStore(old) as again:
        assert again.count("candidates", "m = 24") == 1
    assert tables(old) == set(schema.COLLECTIONS)


def tables(path):
    with sqlite3.connect(path) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return names - {"sqlite_stat1"}


def contents(path):
    """Every row of every table, and the version."""
    with sqlite3.connect(path) as connection:
        rows = {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY id').fetchall() for name in tables(path)}
        version = connection.execute("PRAGMA user_version").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return rows, version


@pytest.fixture(params=[1, NOW])
def older(request, old, tmp_path):
    """A store of each earlier schema, with a collection that the next one does not have."""
    if request.param == 1:
        connection = sqlite3.connect(old)
        with connection:
            connection.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, doc TEXT NOT NULL)")
            connection.execute('INSERT INTO notes VALUES (\'n\', \'{"id": "n", "text": "x"}\')')
        connection.close()
        return old
    with SQLiteStore(tmp_path / "second", "write") as store:
        store.put("candidates", [record(f"{k}", n=k, elements=["H"], nested=[{"x": k}]) for k in range(5)])
    connection = sqlite3.connect(tmp_path / "second")
    with connection:
        connection.execute("CREATE TABLE notes (id TEXT PRIMARY KEY, doc TEXT NOT NULL)")
        connection.execute('INSERT INTO notes VALUES (\'n\', \'{"id": "n", "text": "x"}\')')
    connection.close()
    return tmp_path / "second"


def split(before):
    """Each candidate becomes a smaller one and two calculations; notes go into it; what is nested becomes a blob."""
    text = before.get("notes", "n")["text"]
    assert before.get("notes", "m") is before.get("nonsense", "n") is None
    assert list(before.documents("nonsense")) == []
    total = sum(document["n"] for document in before.documents("candidates"))
    for collection, document in before:
        if collection == "candidates":
            name = before.blobs.put(json.dumps(document["nested"]).encode())
            yield Entry("candidates", {"id": document["id"], "n": document["n"], "m": total, "label": text})
            yield Entry("calculations", {"id": f"r{document['id']}", "kind": "relax", "blob": name})
            yield Entry("calculations", {"id": "shared", "kind": "pool"})


@pytest.fixture
def with_split(monkeypatch):
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NOW + 1)
    monkeypatch.setattr(migrations, "MIGRATIONS", {**UNCHANGED, NOW: split})


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_step_splits_documents_and_reads_others(older, with_split, mode):
    with SQLiteStore(older, mode) as store:
        assert store.find("candidates") == [{"id": f"{k}", "n": k, "m": 10, "label": "x"} for k in range(5)]
        assert store.count("candidates", "m = 10") == 5
        results = {row["id"]: row for row in store.iterate("calculations")}
        assert sorted(results) == ["r0", "r1", "r2", "r3", "r4", "shared"]
        assert json.loads(store.blobs.get(results["r3"]["blob"])) == [{"x": 3}]
    assert tables(older) == set(schema.COLLECTIONS)


def no_json(before):
    yield from (Entry("candidates", {**document, "nested": {1}}) for _, document in before)


def two_of_one_id(before):
    yield Entry("candidates", {"id": "x", "n": 1})
    yield Entry("candidates", {"id": "x", "n": 2})


def unknown_collection(before):
    yield from before
    yield Entry("nonsense", {"id": "x"})


def fails_late(before):
    yield from (Entry("candidates", document) for document in before.documents("candidates"))
    raise ZeroDivisionError


FAILURES = [
    (no_json, TypeError),
    (two_of_one_id, StoreError),
    (unknown_collection, KeyError),
    (fails_late, ZeroDivisionError),
]


@pytest.mark.parametrize(("step", "error"), FAILURES)
def test_an_upgrade_that_fails_changes_nothing(older, monkeypatch, step, error):
    before = contents(older)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NOW + 1)
    monkeypatch.setattr(migrations, "MIGRATIONS", {**UNCHANGED, NOW: step})
    for mode in ("read", "write"):
        with pytest.raises(error):
            SQLiteStore(older, mode)
    assert contents(older) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from ninefold.store import migrations, schema
from ninefold.store.sqlite import SQLiteStore

def step(before):
    for k, entry in enumerate(before):
        if k == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield entry._replace(document={**entry.document, "label": "x" * 3_000_000})  # more than the cache of pages

now = schema.SCHEMA_VERSION
unchanged = {version: migrations.each(lambda document, collection: document, version + 1) for version in range(1, now)}
migrations.MIGRATIONS = {**unchanged, now: step}
schema.SCHEMA_VERSION = now + 1
SQLiteStore(Path(sys.argv[1]), "write")
"""


@pytest.mark.parametrize("after", [0, 4])
def test_an_upgrade_that_is_killed_changes_nothing(older, after):
    before = contents(older)
    done = subprocess.run([sys.executable, "-c", KILLED, older, str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert contents(older) == before


def test_several_processes_upgrade_once(old):
    code = (
        "import sys; from ninefold.store import migrations, open_store; "
        "unchanged = lambda version: migrations.each(lambda document, collection: document, version + 1); "
        "migrations.MIGRATIONS.update({version: unchanged(version) for version in (2, 3)}); "
        "print(open_store(sys.argv[1]).count('candidates'))"
    )
    arguments = [sys.executable, "-c", code, str(old)]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["5\n"] * 3


def test_an_upgrade_does_not_hold_the_store_in_memory(tmp_path, monkeypatch):
    with SQLiteStore(tmp_path / "s", "write") as store:
        for k in range(30):
            store.put("candidates", [record(f"{k}", label="x" * 1_000_000)])
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NOW + 2)
    steps = {version: each(lambda document, collection: document, version + 1) for version in (NOW, NOW + 1)}
    monkeypatch.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, **steps})
    tracemalloc.start()
    SQLiteStore(tmp_path / "s", "write").close()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 12_000_000  # of 30: a few documents


def test_there_is_a_step_from_every_older_version():
    assert sorted(migrations.MIGRATIONS) == list(range(1, schema.SCHEMA_VERSION))


@pytest.mark.parametrize(
    ("signed", "same", "above"), [(-0.1, 0.0, 0.0), (-0.1, 0.08, 0.08), (0.03, 0.0, 0.03), (None, None, None)]
)
def test_the_signed_distance_of_the_first_schema_becomes_two(signed, same, above):
    condition = {"temperature_K": 300, "pressure_GPa": 5, "e_above_hull": signed}
    old = {
        "id": "x", "e_above_hull": signed, "e_above_same_composition": same, "e_above_hull_uncertainty": 0.02,
        "search_spread": 0.004, "conditions": [condition],
    }  # fmt: skip
    new = migrations.from_1(old, "candidates")
    assert (new["phase_separation_energy"], new["e_above_hull"]) == (signed, above)
    assert new["e_above_hull_uncertainty"] == 0.004, "a setting was printed as an uncertainty"
    [at] = new["conditions"]
    assert at["phase_separation_energy"] == signed
    assert at["e_above_hull"] is None or at["e_above_hull"] >= 0
    assert migrations.from_1(condition, "references") == condition


def test_a_new_schema_keeps_every_calculation(monkeypatch):
    from pymatgen.core import Lattice, Structure

    from ninefold.engines import EngineSettings, make_engine
    from ninefold.flows.cached_engine import CachedEngine

    structure = Structure(Lattice.cubic(4), ["Cu"], [[0, 0, 0]])
    engine = CachedEngine(make_engine(EngineSettings(name="emt")), None, "x")
    before = engine._key("evaluate", structure)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 99)
    monkeypatch.setattr("ninefold.models.record.SCHEMA_VERSION", 99)
    assert engine._key("evaluate", structure) == before
