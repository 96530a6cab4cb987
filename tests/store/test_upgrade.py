"""A store of an older ninefold is brought up to date, documents and all."""

import json
import sqlite3

import pytest

from ninefold.store import schema, sqlite
from ninefold.store.sqlite import SQLiteRepository


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
    connection.execute(f"PRAGMA application_id={sqlite._APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    return tmp_path / "s"


@pytest.mark.parametrize("mode", ["read", "write"])
def test_new_columns_are_filled_from_the_documents(old, mode):
    with SQLiteRepository(old, mode) as repository:
        assert [row["id"] for row in repository.find("candidates", "n >= 3")] == ["3", "4"]
        assert repository.find("candidates", "n = 4", fields=["prior", "elements", "rank"]) == [
            {"prior": 1 / 3, "elements": ["H"], "rank": None}
        ]
        assert repository.get("candidates", "4")["nested"] == [{"x": 4}]
    with sqlite3.connect(old) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert names == set(schema.COLLECTIONS)
    connection.close()


def test_changed_meanings_go_through_every_step(old, monkeypatch):
    def first(document, collection):
        return {**document, "m": document["n"] + 10}

    def second(document, collection):
        assert collection == "candidates"
        return {**document, "m": document["m"] * 2}

    monkeypatch.setattr(sqlite, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(sqlite, "MIGRATIONS", {1: first, 2: second})
    with SQLiteRepository(old) as repository:
        [row] = repository.find("candidates", "m = 24")
        assert (row["id"], row["schema_version"]) == ("2", 3)
    with SQLiteRepository(old) as again:
        assert again.count("candidates", "m = 24") == 1


def test_an_upgrade_that_fails_changes_nothing(old, monkeypatch):
    def broken(document, collection):
        raise ZeroDivisionError

    monkeypatch.setattr(sqlite, "MIGRATIONS", {1: broken})
    with pytest.raises(ZeroDivisionError):
        SQLiteRepository(old, "write")
    monkeypatch.undo()
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM candidates").fetchone() == (5,)
    connection.close()


def test_there_is_a_step_from_every_older_version():
    assert sorted(sqlite.MIGRATIONS) == list(range(1, schema.SCHEMA_VERSION))


@pytest.mark.parametrize(
    ("signed", "same", "above"), [(-0.1, 0.0, 0.0), (-0.1, 0.08, 0.08), (0.03, 0.0, 0.03), (None, None, None)]
)
def test_the_signed_distance_of_the_first_schema_becomes_two(signed, same, above):
    condition = {"temperature_K": 300, "pressure_GPa": 5, "e_above_hull": signed}
    old = {
        "id": "x", "e_above_hull": signed, "e_above_same_composition": same, "e_above_hull_uncertainty": 0.02,
        "search_spread": 0.004, "conditions": [condition],
    }  # fmt: skip
    new = sqlite.MIGRATIONS[1](old, "candidates")
    assert (new["phase_separation_energy"], new["e_above_hull"]) == (signed, above)
    assert new["e_above_hull_uncertainty"] == 0.004, "a setting was printed as an uncertainty"
    [at] = new["conditions"]
    assert at["phase_separation_energy"] == signed
    assert at["e_above_hull"] is None or at["e_above_hull"] >= 0
    assert sqlite.MIGRATIONS[1](condition, "references") == condition


def test_a_new_schema_keeps_every_calculation(monkeypatch):
    from pymatgen.core import Lattice, Structure

    from ninefold.engines import EngineSettings, make_engine
    from ninefold.flows.remember import RememberingEngine

    structure = Structure(Lattice.cubic(4), ["Cu"], [[0, 0, 0]])
    engine = RememberingEngine(make_engine(EngineSettings(name="emt")), None, "x")
    before = engine._key("evaluate", structure)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 99)
    assert engine._key("evaluate", structure) == before
