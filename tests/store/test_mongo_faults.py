"""Writers on a MongoDB server that fails: what was acknowledged is there once, and what was not is told and kept."""

import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from contract import BACKENDS, record

from mongo_proxy import Proxy
from ninefold.cli.main import main
from ninefold.errors import InputError
from ninefold.store import mongo_connection, undelivered

WRITER = """
import json, os, time
print("ready", flush=True)
sys.stdin.readline()
number = 0
while not os.path.exists(sys.argv[3]):
    shared = [record(f"shared-{j}", kind="s") for j in range(number, number + 5)]
    new = store.insert("calculations", [record(f"{sys.argv[2]}-{number}", kind="x" * 500), *shared])
    print(json.dumps([new, f"{sys.argv[2]}-{number}", *(one.id for one in shared)]), flush=True)
    number += 1
    time.sleep(0.01)
"""


@pytest.fixture
def proxy(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = Proxy()
    yield found
    if found._listener is None:
        found.start()
    found.unblock()
    found.stop()


@pytest.fixture
def backend(tmp_path, proxy):
    """A database whose server is reached through the proxy."""
    direct = BACKENDS["MongoDB"](tmp_path)
    with direct.open():
        pass
    yield direct._replace(address=proxy.address_of(direct.address.rpartition("/")[2].partition("?")[0]))
    direct.close()


def write_with_eight(backend, tmp_path, disturb):
    """Eight writers, the first of which is killed in the middle; what they were told, and the store."""
    end = tmp_path / "end"
    processes = [backend.process(WRITER, name, end) for name in "kabcdefg"]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    killed, *others = processes
    lines = [killed.stdout.readline() for _ in range(3)]
    disturb(lambda: os.kill(killed.pid, signal.SIGKILL))
    time.sleep(0.5)
    end.touch()
    lines += killed.communicate(timeout=180)[0].splitlines(keepends=True)
    assert killed.returncode == -signal.SIGKILL
    for process in others:
        own = process.communicate(timeout=180)[0].splitlines(keepends=True)
        assert process.returncode == 0
        assert own
        lines += own
    return [json.loads(line) for line in lines if line.endswith("\n")]


def check_nothing_lost_or_doubled(backend, told):
    acknowledged = {name for _, *names in told for name in names}
    with backend.open("read") as store:
        there = [row["id"] for row in store.iterate("calculations", fields=["id"])]
        assert acknowledged <= set(there)
        assert len(there) == len(set(there)) == store.count("calculations")
    assert sum(new for new, *_ in told) <= len(there)


def test_a_server_that_ends_for_three_seconds(backend, proxy, tmp_path):
    def disturb(kill):
        proxy.stop()
        kill()
        time.sleep(3)
        proxy.start()

    check_nothing_lost_or_doubled(backend, write_with_eight(backend, tmp_path, disturb))


def test_a_server_that_stands_still_for_three_seconds(backend, proxy, tmp_path):
    def disturb(kill):
        proxy.block()
        kill()
        time.sleep(3)
        proxy.unblock()

    check_nothing_lost_or_doubled(backend, write_with_eight(backend, tmp_path, disturb))


def test_an_insert_whose_answer_is_lost_on_the_way_is_done_once(backend, proxy):
    with backend.open() as store:
        proxy.lose_answer()
        store.insert("calculations", [record("a", kind="relax"), record("b", kind="relax")])
        assert proxy.has_lost()
        assert [row["id"] for row in store.iterate("calculations")] == ["a", "b"]


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Servers of this test alone, from the programs that `make services` has built."""
    file = Path(__file__).resolve().parents[2] / "tools" / "services.py"
    monkeypatch.syspath_prepend(file.parent)  # its modules are beside it
    spec = importlib.util.spec_from_file_location("services", file)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    if not (found.DEBIAN / found.POSTGRES.lstrip("/") / "initdb").exists() or not found.FERRETDB.exists():
        pytest.skip("FerretDB and PostgreSQL are not built: 'make services' does")
    found.ROOT = found.FOLDER = tmp_path / "services"
    found.URI, found.DATA = found.FOLDER / "mongodb.uri", f"/srv/{tmp_path.parent.name}-{tmp_path.name}"
    yield found
    found.stop()
    shutil.rmtree(found.DEBIAN / found.DATA.lstrip("/"))


@pytest.mark.slow
def test_a_server_that_is_killed_with_its_database_for_thirty_seconds(services, tmp_path, monkeypatch):
    """PostgreSQL is killed too, so that what it has acknowledged must be on disk."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    services.start()
    base, address = services.URI.read_text(), services.URI.read_text() + "crash?authSource=admin"
    backend = BACKENDS["SQLite by path"](tmp_path)._replace(address=address)
    backend.open().close()

    def disturb(kill):
        data = services.DEBIAN / services.DATA.lstrip("/")
        for file in (data / "postmaster.pid", services.FOLDER / "ferretdb.pid"):
            os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
        kill()
        time.sleep(30)
        services.start()
        assert services.URI.read_text() == base

    check_nothing_lost_or_doubled(backend, write_with_eight(backend, tmp_path, disturb))


# a server that does not come back


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("ninefold.store.mongo_connection.RETRY_SECONDS", 0.5)
    monkeypatch.setattr("ninefold.store.mongo_connection.SELECTION_SECONDS", 0.5)
    monkeypatch.setitem(mongo_connection._DEFAULTS, "serverSelectionTimeoutMS", 500)


def test_what_was_not_stored_is_told_kept_and_stored_by_the_next_run(backend, proxy, impatient):
    rows = [record(f"{k:04d}", kind="relax", settings={"a.b": [1, 0.1 + 0.2, None, "é\u2028"]}) for k in range(1200)]
    with backend.open() as store:
        store.insert("calculations", rows[:2])
        proxy.stop()
        begun = time.monotonic()
        with pytest.raises(InputError) as caught:
            store.insert("calculations", rows)
        assert time.monotonic() - begun < 20
    told = str(caught.value)
    assert "cannot be reached" in told
    assert 'not stored: 1200 of calculations, "0000" the first: kept in ' in told.replace("'", '"')
    assert "\n" not in told
    [file] = undelivered.folder_of(store._place).glob("*")
    assert str(file) in told
    proxy.start()
    with backend.open("read") as store:
        assert store.count("calculations") == 2
    assert file.exists()
    with backend.open() as store:
        assert [row["id"] for row in store.iterate("calculations", fields=["id"])] == [row.id for row in rows]
        assert store.get("calculations", "0777") == {"id": "0777", **rows[777].content}
    assert not file.exists()


def test_what_is_made_from_facts_is_not_kept(backend, proxy, impatient):
    with backend.open() as store:
        proxy.stop()
        with pytest.raises(InputError, match=r"not stored: 2 of candidates, 'a' the first: a further run makes them"):
            store.put("candidates", [record("a"), record("b")])
        with pytest.raises(InputError, match=r"not stored: 1 of candidates"):
            store.put_unless_newer("candidates", [record("a", revision=1)])
        with pytest.raises(InputError, match="cannot be reached"):
            store.blobs.put(b"content")
        assert not undelivered.folder_of(store._place).exists()


def test_where_nothing_can_be_kept_it_is_told(backend, proxy, impatient, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with backend.open() as store:
        proxy.stop()
        with pytest.raises(InputError, match="lost, as no file can be written for them"):
            store.insert("calculations", [record("a")])


def test_what_cannot_be_delivered_stays_where_it_is(backend, proxy, impatient):
    with backend.open() as store:
        undelivered.keep(store._place, "calculations", ['{"id": "a"}'])
        [file] = undelivered.folder_of(store._place).glob("*")
        proxy.stop()
        with pytest.raises(InputError, match="not stored"):
            undelivered.deliver(store._place, lambda *what: store._insert(*what, keeps=False))
        assert [file] == list(undelivered.folder_of(store._place).glob("*"))


def test_an_unreachable_server_is_one_line_and_nothing_else(proxy, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)  # what lies in this folder would be noted
    address = proxy.address_of("ninefold_test_unreachable").replace("?", "?serverSelectionTimeoutMS=300&")
    proxy.stop()
    for command in (["query"], ["status"], ["run", "quickstart"], ["show", "K2ReH9"]):
        monkeypatch.setattr(sys, "argv", ["ninefold", *command, "--store", address])
        with pytest.raises(SystemExit) as end:
            main()
        told = capsys.readouterr()
        assert end.value.code == 2
        lines = told.err.splitlines()
        assert len(lines) == 1, told.err
        [line] = lines
        assert line.startswith("ninefold: error: store: ")
        assert "cannot be reached: no answer within 0.3 s" in line
