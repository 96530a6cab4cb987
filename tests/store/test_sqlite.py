"""The store keeps what it acknowledged and tells what is wrong in one line."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ninefold.errors import InputError, NinefoldError
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.store import StoreError
from ninefold.store.records import find_damage
from ninefold.store.schema import SCHEMA_VERSION
from ninefold.store.sqlite import SQLiteStore

CANDIDATE = Candidate(
    id="a", campaign="c", formula="K2ReH9", anion="[ReH9]2-", label="K2[ReH9]", chemical_system="H-K-Re",
    elements=["H", "K", "Re"], nelements=3, centre="Re", cations=["K"], cation_counts={"K": 2}, group=7, n=9, q=2, m=0,
    electron_count=18, oxidation_state=7, anion_class="classical", prior=0.1 + 0.2, status="ranked",
    composition="a", method="", e_above_hull=-1e-17, is_known=True, verdicts=[{"rule": "x", "value": None}],
)  # fmt: skip

WRITER = """
import json, sys, time
from pathlib import Path
from typing import NamedTuple
from ninefold.store.sqlite import SQLiteStore

class Record(NamedTuple):
    id: str
    def model_dump_json(self):
        return json.dumps({"id": self.id, "kind": "x" * 2000})

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with SQLiteStore(path, "write") as repository:
    for k in range(count):
        batch = [Record(f"{name}-{k}-{part}") for part in range(3)]
        repository.put("calculations", batch)
        print(f"{name}-{k}", flush=True)
"""


def put(store, *records):
    store.put("candidates", records)


def ids(store, *args, **options):
    return "".join(document["id"] for document in store.find("candidates", *args, **options))


# what stands in the file


def test_a_call_writes_all_or_none(store, record):
    """More than a store promises: rows that SQLite refuses take the others with them."""
    put(store, record("a", n=1))
    with pytest.raises(OverflowError):
        put(store, record("a", n=2), record("b", n=2**70))
    assert [(row["id"], row["n"]) for row in store.find("candidates")] == [("a", 1)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("doc = json_set(doc, '$.n', 'nine')", ["'a'", "n: ", "integer"]),
        ("doc = json_remove(doc, '$.formula')", ["'a'", "formula: "]),
        ("e_above_hull = 'x'", ["'a'", "columns"]),
        ("n = n", []),
    ],
)
def test_damage_is_found_in_documents_and_columns(tmp_path, change, words):
    with SQLiteStore(tmp_path / "x.db", "write") as repository:
        put(repository, CANDIDATE)
        repository._connection.execute(f"UPDATE candidates SET {change}")
        damage = find_damage(repository, {"candidates": Candidate})
    assert (damage is None) == (not words)
    for word in words:
        assert word in str(damage)


@pytest.mark.parametrize("name", ["a b.db", "a#b.db", "a?b=c.db", "100%.db", "é.db"])
def test_any_file_name_will_do(tmp_path, record, name):
    with SQLiteStore(tmp_path / name, "write") as writer:
        put(writer, record("a"))
    with SQLiteStore(tmp_path / name) as reader:
        assert ids(reader) == "a"
    assert [path.name for path in tmp_path.iterdir()] == [name]


# what is not a store of ours


def refused(path, words, mode="read", code=2):
    with pytest.raises(NinefoldError, match=words) as caught:
        SQLiteStore(path, mode)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert caught.value.exit_code == code


def test_missing_file_is_not_made_by_reading(tmp_path):
    refused(tmp_path / "s", "does not exist")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["read", "write"])
def test_missing_folder(tmp_path, mode):
    refused(tmp_path / "no" / "s", "does not exist", mode)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["read", "write"])
def test_folder(tmp_path, mode):
    refused(tmp_path, "store: ", mode)


@pytest.mark.parametrize("mode", ["read", "write"])
def test_newer_schema(tmp_path, mode):
    SQLiteStore(tmp_path / "s", "write").close()
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    refused(tmp_path / "s", f"newer ninefold; allowed: up to {SCHEMA_VERSION}", mode)


@pytest.mark.parametrize("mode", ["read", "write"])
def test_foreign_sqlite_file_is_left_alone(tmp_path, mode):
    with sqlite3.connect(tmp_path / "s") as connection:
        connection.execute("CREATE TABLE candidates (x)")
    connection.close()
    before = (tmp_path / "s").read_bytes()
    refused(tmp_path / "s", "not one of ninefold's", mode)
    assert (tmp_path / "s").read_bytes() == before


@pytest.mark.parametrize("mode", ["read", "write"])
@pytest.mark.parametrize("content", [b"campaign: x\n", b"\x00" * 5000, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_garbage_is_left_alone(tmp_path, mode, content):
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(NinefoldError, match="store: ") as caught:
        SQLiteStore(tmp_path / "s", mode)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "s").read_bytes() == content


def test_empty_file(tmp_path):
    (tmp_path / "s").touch()
    refused(tmp_path / "s", "is empty")


def test_damaged_pages(tmp_path, record):
    with SQLiteStore(tmp_path / "s", "write") as writer:
        put(writer, *(record(f"{k}", label="x" * 500) for k in range(200)))
    content = bytearray((tmp_path / "s").read_bytes())
    content[len(content) // 3 :] = b"\xa5" * (len(content) - len(content) // 3)
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(NinefoldError, match=r"store: .*damaged"), SQLiteStore(tmp_path / "s") as reader:
        reader.find("candidates")


def test_truncated(tmp_path, record):
    with SQLiteStore(tmp_path / "s", "write") as writer:
        put(writer, *(record(f"{k}", label="x" * 500) for k in range(200)))
    content = (tmp_path / "s").read_bytes()
    (tmp_path / "s").write_bytes(content[: len(content) // 2])
    with pytest.raises(NinefoldError, match="store: "), SQLiteStore(tmp_path / "s") as reader:
        reader.find("candidates")


def as_nobody(code, *arguments):
    """Run Python without the right to write everywhere, which root has."""
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def open_to_all(tmp_path):
    """A folder that another user can reach."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o055)
    yield folder
    folder.chmod(0o755)


OPEN = """
import os, sys
from pathlib import Path
from ninefold.errors import NinefoldError
from ninefold.store.sqlite import SQLiteStore
if os.getuid() == 0:  # only now: the interpreter may lie where nobody else can read
    os.setgroups([])
    os.setuid(65534)
try:
    with SQLiteStore(Path(sys.argv[1]), sys.argv[2]) as repository:
        print(repository.count("candidates"))
except NinefoldError as error:
    print(error.exit_code, error)
"""


def test_folder_that_cannot_be_written(open_to_all):
    open_to_all.chmod(0o555)
    done = as_nobody(OPEN, open_to_all / "s", "write")
    assert done.stdout.startswith("2 store: "), done.stderr
    assert "cannot be written" in done.stdout


def test_finished_store_in_a_folder_that_cannot_be_written_is_read(open_to_all, record):
    with SQLiteStore(open_to_all / "s", "write") as writer:
        put(writer, record("a"), record("b"))
    open_to_all.chmod(0o555)
    assert as_nobody(OPEN, open_to_all / "s", "read").stdout == "2\n"


def test_full_disk_loses_nothing(store, record):
    put(store, record("a", n=1))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(InputError, match=r"the disk is full.*ninefold resume") as caught:
        put(store, record("a", n=2), *(record(f"b{k}", label="x" * 5000) for k in range(20)))
    assert caught.value.exit_code == 2
    store._connection.execute("PRAGMA max_page_count=1000000")
    assert [(row["id"], row["n"]) for row in store.find("candidates")] == [("a", 1)]
    put(store, record("c"))
    assert ids(store) == "ac"


def test_held_by_another(tmp_path, record, monkeypatch):
    monkeypatch.setattr("ninefold.store.sqlite_file.BUSY_SECONDS", 0.1)
    with SQLiteStore(tmp_path / "s", "write") as first, SQLiteStore(tmp_path / "s", "write") as second:
        first._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(NinefoldError, match="held by another process") as caught:
            put(second, record("a"))
        assert caught.value.exit_code == 1
        first._connection.execute("ROLLBACK")
        put(second, record("a"))


# many processes, and the sudden end of one


def writer(path, name, count):
    return subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(count)], stdout=subprocess.PIPE, text=True)


def test_two_writers(tmp_path):
    processes = [writer(tmp_path / "s", name, 60) for name in "ab"]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with SQLiteStore(tmp_path / "s") as reader:
        assert reader.count("calculations") == 2 * 60 * 3


def test_many_may_make_the_store_at_once(tmp_path):
    def opened(path, barrier):
        barrier.wait()
        SQLiteStore(path, "write").close()

    with ThreadPoolExecutor(6) as pool:
        for k in range(25):
            barrier = threading.Barrier(6)
            for future in [pool.submit(opened, tmp_path / f"{k}.db", barrier) for _ in range(6)]:
                future.result()


def test_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    acknowledged = set()
    for turn in range(8):
        process = writer(tmp_path / "s", f"w{turn}", 10**6)
        for _ in range(1 + 7 * turn):
            acknowledged.add(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        acknowledged.update(line.strip() for line in process.stdout if line.endswith("\n"))
        process.wait()
        process.stdout.close()
        with SQLiteStore(tmp_path / "s") as reader:
            there = [row["id"] for row in reader.find("calculations")]
        batches = {name.rpartition("-")[0] for name in there}
        assert acknowledged <= batches
        assert len(there) == 3 * len(batches)  # a batch is there whole or not at all
    with sqlite3.connect(tmp_path / "s") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_handle_in_another_thread_is_refused(store, record):
    put(store, record("a"))
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(StoreError, match="was opened in another thread; open"),
    ):
        pool.submit(store.count, "candidates").result()
    assert ids(store) == "a"


FORK = """
import os, sys
from pathlib import Path
from contract import record
from ninefold.store import StoreError
from ninefold.store.sqlite import SQLiteStore

store = SQLiteStore(Path(sys.argv[1]), "write")
store.put("candidates", [record("a")])
store._connection.execute("BEGIN IMMEDIATE")
store._connection.execute("DELETE FROM candidates")
if os.fork() == 0:
    for use in (lambda: store.put("candidates", [record("b")]), lambda: store.count("candidates")):
        try:
            use()
            os._exit(1)
        except StoreError as error:
            assert "was opened in another process" in str(error), error
    store.close()
    del store
    sys.exit(0)
assert os.wait()[1] == 0
store._connection.execute("ROLLBACK")
store.put("candidates", [record("c")])
print(*(row["id"] for row in store.find("candidates")))
"""


def test_a_forked_process_leaves_its_parents_transaction_alone(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", FORK, tmp_path / "s"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "a c\n", done.stderr
    with sqlite3.connect(tmp_path / "s") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


# reading is light

HEAVY = ("pymatgen", "numpy", "scipy", "torch", "ase", "pandas", "pyarrow", "jobflow", "optimade.models")


def modules_after(code, *arguments):
    code = f"import sys\nsys.argv = ['ninefold', *sys.argv[1:]]\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_reading_a_store_imports_no_models_and_no_science(tmp_path):
    with SQLiteStore(tmp_path / "s", "write") as repository:
        put(repository, CANDIDATE)
    modules = modules_after(
        "from ninefold.store import open_store\n"
        "with open_store(sys.argv[1]) as repository: assert repository.find('candidates', 'n = 9')",
        tmp_path / "s",
    )
    assert [name for name in (*HEAVY, "pydantic") if name in modules] == []


def test_query_imports_no_science(tmp_path):
    campaign = CampaignRecord(
        id="c", name="c", fingerprint="", settings={}, versions={}, status="finished", created="2026-01-01"
    )
    with SQLiteStore(tmp_path / "s", "write") as repository:
        put(repository, CANDIDATE)
        repository.put("campaigns", [campaign])
    # pydantic is there all the same: typer reads its options with it
    modules = modules_after(
        "from ninefold.cli.main import main\ntry: main()\nexcept SystemExit as end: assert not end.code",
        "query", "n = 9", "--json", "--store", tmp_path / "s",
    )  # fmt: skip
    assert [name for name in HEAVY if name in modules] == []
    assert "ninefold.models.candidate" not in modules


def test_a_writer_logs_ahead_and_waits_for_the_disk(tmp_path):
    with SQLiteStore(tmp_path / "s.db", "write") as repository:
        assert repository._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert repository._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_store_that_stays_busy_is_given_up_after_the_time_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("ninefold.store.sqlite_file.BUSY_SECONDS", 0.3)
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    for statement in ("CREATE TABLE t (a)", "DROP TABLE t", "BEGIN", "SELECT * FROM sqlite_master"):
        other.execute(statement).fetchall()  # a reader: the journal cannot be changed while it reads
    start = time.monotonic()
    try:
        with pytest.raises(NinefoldError, match="held by another process"):
            SQLiteStore(tmp_path / "s.db", "write")
    finally:
        other.close()
    assert 0.2 < time.monotonic() - start < 20


def test_no_more_than_a_page_is_read_at_once(store, monkeypatch, record):
    store.put("references", [record(f"a:{k}", campaign="a", name=f"n{k}") for k in range(10)])
    read = []
    find = store.find

    def counted(*arguments, **options):
        rows = find(*arguments, **options)
        read.append((len(rows), options["fields"]))
        return rows

    monkeypatch.setattr(store, "find", counted)
    rows = store.iterate("references", equal={"campaign": "a"}, fields=["name"], page=4)
    next(rows)
    assert read == [(4, ["id", "name"])]
    list(rows)
    assert [number for number, _ in read] == [4, 4, 2]
