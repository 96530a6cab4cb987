"""A store of schema 3 opens as one of today's: every calculation under its id, its structure by itself."""

import json
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing

import pytest
import report_sample
from pymatgen.core import Lattice, Structure

from ninefold.engines.base import Relaxation
from ninefold.engines.settings import RelaxSettings
from ninefold.flows.cached_engine import CachedEngine
from ninefold.models.collections import MODELS
from ninefold.models.structure import StructureRecord, pack_structure
from ninefold.stages.stability import Hulls
from ninefold.store import StoreError, open_store
from ninefold.store.records import find_damage
from ninefold.store.sqlite_upgrade import APPLICATION_ID
from ninefold.thermo.settings import StabilitySettings

SETTINGS = RelaxSettings(max_steps=3)
START, BAD = (Structure(Lattice.cubic(side), ["Cu", "H"], [[0, 0, 0], [0.5, 0.5, 1 / 3]]) for side in (3.0, 3.3))
FINAL = Structure(Lattice.cubic(3.0).scale(26.1), ["Cu", "H"], [[0, 0, 1e-17], [0.5, 0.5, 0.4]])
WHEN = "2026-11-27T09:50:47+00:00"


class Never:
    """An engine that must not be asked."""

    name, label, evidence, batch, fingerprint = "never", "never", "test", 2, "f" * 64

    def relax(self, structures, settings):
        raise AssertionError("the store holds it")


def key(kind, structure, *more):
    return CachedEngine(Never(), None, "x")._key(kind, structure, *more)


def relaxation(start, **changes):
    """As schema 3 stored one."""
    return {
        "id": key("relax", start, SETTINGS.model_dump(mode="json"), 1), "schema_version": 3, "campaign": "old",
        "kind": "relax", "method": Never.fingerprint, "settings": SETTINGS.model_dump(mode="json"),
        "energy_per_atom": -1.5, "error": None, "core_seconds": 2.0, "structure": pack_structure(start),
        "max_force": 0.01, "max_stress": None, "steps": 3, "is_converged": True, "created": WHEN, **changes,
    }  # fmt: skip


GOOD = relaxation(START, structure=pack_structure(FINAL))
FAILED = relaxation(BAD, error="atoms overlap", energy_per_atom=None, max_force=None, is_converged=False)
EVALUATED = {
    "id": key("evaluate", START), "schema_version": 3, "campaign": "old", "kind": "evaluate", "method": "f" * 64,
    "settings": None, "energy_per_atom": -1.25, "error": None, "core_seconds": 0.1, "structure": None,
    "max_force": None, "max_stress": None, "steps": None, "is_converged": None, "created": WHEN,
}  # fmt: skip


def inline(reference):
    """A reference as schema 3 held it."""
    species = {"H2": ["H", "H"]}.get(reference["formula"], reference["elements"])
    structure = Structure(Lattice.cubic(8), species, [[0.1 * place, 0, 0] for place in range(len(species))])
    return {**reference, "schema_version": 3, "structure": pack_structure(structure)}


REFERENCES = [inline(row) for row in report_sample.references()]
LOST = {**REFERENCES[0], "id": "lost", "structure": None, "energy_per_atom": None}


def documents():
    """By collection."""
    found = {"calculations": [GOOD, FAILED, EVALUATED], "references": [*REFERENCES, LOST]}
    for record in report_sample.records():
        document = {**record.model_dump(mode="json"), "schema_version": 3}
        found.setdefault(record.collection, []).append(document)
    # a relaxed structure that a search had stored already
    found["structures"].append({**StructureRecord.of(FINAL).model_dump(mode="json"), "schema_version": 3})
    return found


def write(path, documents):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name, some in documents.items():
            connection.execute(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY, doc TEXT NOT NULL)')
            connection.execute("BEGIN")
            connection.executemany(
                f'INSERT INTO "{name}" VALUES (?, ?)', ((row["id"], json.dumps(row)) for row in some)
            )
            connection.execute("COMMIT")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=3")
    return path


@pytest.fixture
def old(tmp_path):
    return write(tmp_path / "ninefold.db", documents())


def test_every_document_keeps_its_id_and_what_it_says(old):
    with open_store(old) as store:
        assert find_damage(store, MODELS) is None
        for collection, before in documents().items():
            now = store.get_many(collection, [document["id"] for document in before])
            for document in before:
                moved = {"structure", "schema_version"} if collection in ("calculations", "references") else set()
                kept = {name: value for name, value in document.items() if name not in moved | {"schema_version"}}
                assert {name: now[document["id"]][name] for name in kept} == kept
                assert now[document["id"]]["schema_version"] == 4
        # the start of the failed one, and a cell of each composition of the references
        cells = {json.dumps(row["structure"]) for row in REFERENCES}
        assert store.count("structures") == len(documents()["structures"]) + 1 + len(cells)


def test_structures_are_the_same_to_the_last_bit(old):
    with open_store(old) as store:
        good, failed, evaluated = (store.get("calculations", row["id"]) for row in (GOOD, FAILED, EVALUATED))
        held = [
            (GOOD["structure"], good["final"]), (FAILED["structure"], failed["start"]),
            *((row["structure"], store.get("references", row["id"])["structure"]) for row in REFERENCES),
        ]  # fmt: skip
        for packed, name in held:
            assert {key: store.get("structures", name)[key] for key in packed} == packed
        assert store.get("references", "lost")["structure"] is None
    assert good["start"] is failed["final"] is evaluated["start"] is evaluated["final"] is None


def test_nothing_is_computed_again(old):
    with open_store(old, mode="write") as store:
        found, failed = CachedEngine(Never(), store, "new").relax([START, BAD], SETTINGS)
        assert isinstance(found, Relaxation)
    assert pack_structure(found.structure) == pack_structure(FINAL)
    assert (found.energy_per_atom, found.max_force, found.steps, found.is_converged) == (-1.5, 0.01, 3, True)
    assert found.forces is found.stress is None, "never stored"
    assert (failed.error, failed.structure) == ("atoms overlap", BAD)


def test_references_make_the_same_phases(old):
    from ninefold.models.reference import ReferenceRecord

    with open_store(old) as store:
        rows = [ReferenceRecord.model_validate(row) for row in store.iterate("references")]
        cells = store.get_many("structures", [row.structure for row in rows if row.structure])
    hulls = Hulls(rows, {id: StructureRecord(**cell) for id, cell in cells.items()}, StabilitySettings())
    expected = {row["name"]: (row["structure"]["species"], row["energy_per_atom"]) for row in REFERENCES}
    found = {name: (list(phase.amounts), phase.energy_per_atom) for name, phase in hulls._references.items()}
    assert found == {
        name: (list(dict.fromkeys(species)), energy) for name, (species, energy) in expected.items() if energy
    }


@pytest.mark.parametrize(
    ("collection", "damage", "words"),
    [
        ("calculations", {"structure": 3}, "not subscriptable"),
        ("calculations", {"structure": {"lattice": []}}, "no 'species'"),
        ("references", {"structure": "x"}, "string indices"),
    ],
)
def test_damage_is_told_and_nothing_is_changed(tmp_path, collection, damage, words):
    held = documents()
    held[collection][0] = {**held[collection][0], **damage}
    path = write(tmp_path / "ninefold.db", held)
    with pytest.raises(StoreError, match=words) as told:
        open_store(path)
    assert held[collection][0]["id"] in str(told.value)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM calculations").fetchone() == (3,)


KILLED = """
import os, signal, sys
from ninefold.store import open_store, schema_4

def killed(packed, identified=schema_4.structure_id, calls=[]):
    calls.append(packed)
    if len(calls) > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return identified(packed)

schema_4.structure_id = killed
open_store(sys.argv[1], mode="write")
"""


def many(count):
    """So many relaxations, each of another structure of some 6 kB."""
    for k in range(count):
        cell = Structure(Lattice.cubic(10 + k / count), ["H"] * 60, [[(k + j) / 997, j / 61, 0.1] for j in range(60)])
        yield {**GOOD, "id": f"{k:064x}", "structure": pack_structure(cell)}


@pytest.mark.parametrize("after", [0, 300])
def test_killed_in_the_middle_the_old_store_is_as_it_was(tmp_path, after):
    path = write(tmp_path / "ninefold.db", {"calculations": many(400)})
    done = subprocess.run([sys.executable, "-c", KILLED, path, str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM calculations").fetchone() == (400,)
    with open_store(path) as store:
        assert (store.count("calculations"), store.count("structures")) == (400, 400)


def test_memory_does_not_grow_with_the_store(tmp_path):
    peaks = []
    for count in (50, 400):
        path = write(tmp_path / f"{count}.db", {"calculations": many(count)})
        tracemalloc.start()
        open_store(path).close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert path.stat().st_size > 2_000_000
    assert peaks[1] < peaks[0] + 300_000
