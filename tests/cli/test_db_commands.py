"""`ninefold db`: what each command does, says and refuses; on a finished campaign, on every kind of store."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import NamedTuple

import pytest

import mongo_server
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.store import open_store, store_state
from ninefold.store.schema import COLLECTIONS, SCHEMA_VERSION

SECRET = "s3cret%2Fword"


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of a finished store."""
    shutil.copy(finished / "ninefold.db", tmp_path)
    shutil.copytree(finished / "ninefold.db.files", tmp_path / "ninefold.db.files")
    return tmp_path


class Done(NamedTuple):
    """What a command has printed."""

    stdout: str
    stderr: str


@pytest.fixture
def db(folder, monkeypatch, capfd):
    """The command line in this process: nothing is started, so that a test takes a second."""
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.chdir(folder)

    def command(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        done = Done(*capfd.readouterr())
        assert end.value.code == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if code == 2:
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert done.stdout == ""
        return done

    def db(*arguments, **options):
        return command("db", *arguments, **options)

    db.command = command
    return db


@pytest.fixture(params=["SQLite", "MongoDB"])
def stored(request, folder, db):
    """The address of the finished store, on every backend."""
    if request.param == "SQLite":
        return str(folder / "ninefold.db")
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    db("copy", "ninefold.db", address)
    return address


def whole(address):
    with open_store(address) as store:
        return {
            **{name: [json.dumps(document) for document in store.iterate(name)] for name in COLLECTIONS},
            "blobs": [(name, store.blobs.get(name)) for name in store.blobs.names()],
        }


# init


def test_init_makes_an_empty_store_once(db, folder):
    assert "Made an empty store: new.db" in db("init", "--store", "new.db").stdout
    before = (folder / "new.db").read_bytes()
    assert "There already: new.db" in db("init", "--store", "new.db").stdout
    assert (folder / "new.db").read_bytes() == before
    assert "1 campaign," in db("init").stdout


def test_init_makes_a_database_once(db):
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    assert "Made an empty store: mongodb://***@" in db("init", "--store", address).stdout
    assert "There already" in db("init", "--store", address).stdout


def test_what_is_not_ninefold_s_is_refused_by_every_command(db, folder):
    with sqlite3.connect(folder / "other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    (folder / "text.db").write_text("hello, this is no database at all, and longer than a header of one" * 9)
    before = {name: (folder / name).read_bytes() for name in ("other.db", "text.db")}
    for name in before:
        for command in ("init", "check", "migrate", "rebuild"):
            assert "not" in db(command, "--store", name, code=2).stderr
        db("backup", "b.tar.gz", "--store", name, code=2)
        db("copy", name, "target.db", code=2)
        db("copy", "ninefold.db", name, code=2)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert not (folder / "b.tar.gz").exists()
    assert not (folder / "target.db").exists()


def test_a_database_of_another_s_is_refused(db):
    mongo_server.server()
    name = mongo_server.unused_database()
    mongo_server.client()[name]["mine"].insert_one({"x": 1})
    for command in ("init", "check", "migrate", "rebuild"):
        assert "not one of ninefold's" in db(command, "--store", mongo_server.address_of(name), code=2).stderr
    assert "not one of ninefold's" in db("copy", "ninefold.db", mongo_server.address_of(name), code=2).stderr
    assert mongo_server.client()[name].list_collection_names() == ["mine"]


@pytest.mark.parametrize("command", ["check", "migrate", "rebuild"])
def test_a_store_that_is_not_there_is_not_made(db, folder, command):
    assert "does not exist" in db(command, "--store", "none.db", code=2).stderr
    assert not (folder / "none.db").exists()


# check


def test_an_intact_store_has_no_problems(db, stored):
    done = db("check", "--store", stored)
    assert re.search("^0 problems in ", done.stdout, re.MULTILINE)
    assert "Rows compared with the facts: 3" in done.stdout
    found = json.loads(db("check", "--json", "--store", stored).stdout)
    assert found["problems"] == []
    with open_store(stored) as store:
        assert found["documents"] == {name: store.count(name) for name in COLLECTIONS}
        named = {row["packings"] for row in store.find("pools", fields=["packings"])}
        assert found["blobs"] - found["blobs_without_owner"] == len(named)


def remove(collection, **equal):
    def damage(store):
        assert store.delete(collection, equal=equal or {"id": next(store.iterate(collection))["id"]})

    return damage


def remove_a_final(store):
    identifier = next(row["final"] for row in store.iterate("calculations", fields=["final"]) if row["final"])
    store.delete("structures", equal={"id": identifier})


def remove_a_pool_s_blob(store):
    store.blobs.delete(next(store.iterate("pools"))["packings"])


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (remove_a_final, {"orphans"}), (remove("methods"), {"orphans", "views"}), (remove("pools"), {"orphans"}),
        (remove("minima"), {"orphans", "views"}), (remove("campaigns"), {"orphans"}),
        (remove("compositions"), {"orphans"}),
        (remove("candidates", is_best=True), {"views"}), (remove_a_pool_s_blob, {"blobs"}),
        (remove("searches"), {"orphans"}),
    ],
)  # fmt: skip
def test_what_is_lost_is_found(db, stored, damage, expected):
    with open_store(stored, "write") as store:
        damage(store)
    before = whole(stored)
    found = json.loads(db("check", "--json", "--store", stored, code=1).stdout)["problems"]
    assert expected <= {problem["kind"] for problem in found} <= expected | {"views"}
    lines = db("check", "--no-views", "--store", stored, code=1 if expected - {"views"} else 0).stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line.split(":")[0] in ("orphans", "blobs", "documents")] == [
        problem["kind"] for problem in found if problem["kind"] != "views"
    ]
    assert whole(stored) == before


def test_what_mends_rows_is_told(db, stored):
    with open_store(stored, "write") as store:
        remove("candidates", is_best=True)(store)
    told = db("check", "--store", stored, code=1).stdout
    assert (
        "Rows of an older ninefold differ where its rules or hulls did; 'ninefold db rebuild' makes them anew" in told
    )
    db("rebuild", "--store", stored)
    assert "0 problems in " in db("check", "--store", stored).stdout


def test_a_missing_index_is_found_and_made(db):
    mongo_server.server()
    name = mongo_server.unused_database()
    address = mongo_server.address_of(name)
    db("init", "--store", address)
    mongo_server.client()[name]["candidates"].drop_index("rank_id")
    assert "indexes: candidates.rank_id is missing" in db("check", "--store", address, code=1).stdout
    assert "missing indexes: candidates.rank_id" in db("migrate", "--dry-run", "--store", address).stdout
    assert "candidates.rank_id" in db("check", "--store", address, code=1).stdout
    db("migrate", "--store", address)
    assert "0 problems" in db("check", "--store", address).stdout


def test_a_missing_index_of_a_file_is_found_and_made(db, folder):
    with closing(sqlite3.connect(folder / "ninefold.db")) as connection:
        connection.execute("DROP INDEX candidates_rank")
    for _ in range(2):
        assert "indexes: candidates.candidates_rank is missing" in db("check", "--no-views", code=1).stdout
        assert "missing indexes: candidates.candidates_rank" in db("migrate", "--dry-run").stdout
    db("migrate")
    assert "0 problems" in db("check", "--no-views").stdout


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE structures SET doc = substr(doc, 1, 20) WHERE id = (SELECT min(id) FROM structures)",
        "UPDATE calculations SET energy_per_atom = 1.5 WHERE id = (SELECT min(id) FROM calculations)",
        "UPDATE pools SET doc = json_set(doc, '$.count_in', 'many') WHERE id = (SELECT min(id) FROM pools)",
        "UPDATE pools SET packings = '../../x', doc = json_set(doc, '$.packings', '../../x')",
    ],
)
def test_damaged_documents_are_found(db, folder, statement):
    with sqlite3.connect(folder / "ninefold.db") as connection:
        assert connection.execute(statement).rowcount
    done = db("check", "--no-views", code=1)
    assert re.search("^(documents|blobs): ", done.stdout, re.MULTILINE)


def test_a_damaged_blob_is_found(db, folder):
    with open_store(folder / "ninefold.db") as store:
        name = next(store.iterate("pools"))["packings"]
        file = store.blobs.file(name)
    file.write_bytes(file.read_bytes()[:-20])
    assert "is corrupted" in db("check", code=1).stdout
    assert name[2:] in db("check", "--no-views", code=1).stdout
    assert name[2:] in db("backup", "b.tar.gz", code=1).stderr
    assert not (folder / "b.tar.gz").exists()


# migrate


def old_store(folder):
    """The finished store as an older ninefold would have left it: a column is missing."""
    with closing(sqlite3.connect(folder / "ninefold.db")) as connection:
        connection.execute("DROP INDEX pools_label")
        connection.execute("ALTER TABLE pools DROP COLUMN label")


def test_migrate_says_what_it_would_do_and_does_it(db, folder):
    before = whole(folder / "ninefold.db")
    old_store(folder)
    content = (folder / "ninefold.db").read_bytes()
    said = db("migrate", "--dry-run").stdout
    assert "Nothing was changed." in said
    assert re.search(r"Likely to take .*; needs .* of room meanwhile, of which .* are free", said)
    assert "3 candidates" in said
    for command in (["check"], ["backup", "b.tar.gz"], ["copy", "ninefold.db", "c.db"], ["rebuild"], ["init"]):
        assert "'ninefold db migrate --dry-run'" in db(*command, code=2).stderr
    assert (folder / "ninefold.db").read_bytes() == content, "nothing of these has written to it"
    assert "Brought up to date" in db("migrate").stdout
    assert "Up to date" in db("migrate").stdout
    assert whole(folder / "ninefold.db") == before


def test_every_step_is_described():
    from ninefold.store.migrations import CHANGES, MIGRATIONS

    assert set(CHANGES) == set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_a_store_of_a_newer_ninefold_is_refused(db, folder):
    with sqlite3.connect(folder / "ninefold.db") as connection:
        connection.execute("PRAGMA user_version=99")
    content = (folder / "ninefold.db").read_bytes()
    for command in (
        ["init"],
        ["check"],
        ["migrate"],
        ["backup", "b.tar.gz"],
        ["copy", "ninefold.db", "c.db"],
        ["rebuild"],
    ):
        assert "written by a newer ninefold" in db(*command, code=2).stderr
    assert "written by a newer ninefold" in db("copy", "ninefold.db", "ninefold.db", code=2).stderr
    assert (folder / "ninefold.db").read_bytes() == content
    assert not (folder / "c.db").exists()


@pytest.mark.parametrize(("version", "words"), [(99, "written by a newer ninefold"), (3, "no ninefold has written")])
def test_a_database_of_another_schema_is_refused(db, version, words):
    mongo_server.server()
    name = mongo_server.unused_database()
    address = mongo_server.address_of(name)
    db("init", "--store", address)
    mongo_server.client()[name]["ninefold"].update_one({}, {"$set": {"schema_version": version}})
    assert words in db("migrate", "--store", address, code=2).stderr
    assert mongo_server.client()[name]["ninefold"].find_one()["schema_version"] == version


# backup, restore, copy


def test_a_backup_of_any_store_restores_into_any(db, folder, stored):
    before = whole(stored)
    assert "documents and" in db("backup", "b.tar.gz", "--store", stored).stdout
    said = db("restore", "b.tar.gz", "--store", "back.db").stdout
    assert "verified" in said
    assert whole(folder / "back.db") == before == whole(stored)
    assert "0 problems" in db("check", "--store", "back.db").stdout
    assert "is not empty" in db("restore", "b.tar.gz", "--store", "back.db", code=2).stderr


def test_there_and_back_over_a_server_is_the_identity(db, folder):
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    before = whole(folder / "ninefold.db")
    db("copy", "ninefold.db", address)
    db("copy", address, "back.db")
    assert whole(folder / "back.db") == before
    assert db.command("query", "--json", "--store", address) == db.command("query", "--json")


def test_a_backup_replaces_nothing_unasked_and_never_a_store(db, folder):
    (folder / "b.tar.gz").write_text("mine")
    assert "exists already" in db("backup", "b.tar.gz", code=2).stderr
    assert (folder / "b.tar.gz").read_text() == "mine"
    db("backup", "b.tar.gz", "--force")
    before = whole(folder / "ninefold.db")
    for name in ("ninefold.db", "ninefold.db.lock", "ninefold.db.files/x"):
        db("backup", name, "--force", code=2)
    assert whole(folder / "ninefold.db") == before
    assert "folder" in db("backup", ".", code=2).stderr
    db("backup", "none/b.tar.gz", code=2)


def test_a_store_is_not_copied_into_itself(db, folder):
    (folder / "link.db").symlink_to("ninefold.db")
    os.link(folder / "ninefold.db", folder / "hard.db")
    for target in ("ninefold.db", "./ninefold.db", "link.db", "hard.db", f"sqlite:///{folder}/ninefold.db"):
        assert "is the source" in db("copy", "ninefold.db", target, code=2).stderr
    assert store_state(str(folder / "ninefold.db")).kind == "whole"


def test_a_damaged_backup_makes_no_store(db, folder):
    db("backup", "b.tar.gz")
    content = (folder / "b.tar.gz").read_bytes()
    (folder / "b.tar.gz").write_bytes(content[: len(content) // 2])
    assert "is damaged, or no backup" in db("restore", "b.tar.gz", "--store", "back.db", code=2).stderr
    assert not (folder / "back.db").exists()
    assert "does not exist" in db("restore", "none.tar.gz", "--store", "back.db", code=2).stderr


SLOW = """
import time

import ninefold.store.filling as filling

parts_of = filling.parts_of


def slowly(*arguments):
    for part in parts_of(*arguments):
        time.sleep(0.05)
        yield part


filling.parts_of = slowly
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_copy_says_so_and_goes_on(db, folder, number):
    before = whole(folder / "ninefold.db")
    code = f"{SLOW}\nfrom ninefold.cli.main import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "db", "copy", "ninefold.db", "c.db"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    while not (folder / "c.db").exists() or store_state(str(folder / "c.db")).kind != "unfinished":
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; copy: the same command goes on" in error
    for command in (["check", "--store", "c.db"], ["init", "--store", "c.db"], ["copy", "c.db", "d.db"]):
        assert "a copy or restore was interrupted" in db(*command, code=2).stderr
    for command in ("query", "status", "resume"):
        assert "was interrupted" in db.command(command, "--store", "c.db", code=2).stderr
    db("copy", "ninefold.db", "c.db")
    assert whole(folder / "c.db") == before


def test_two_copies_into_one_store_at_once_do_not_mix(db, folder):
    from ninefold.store.store import EXECUTOR

    with open_store(folder / "c.db", "fill") as store, store.lease(EXECUTOR, "copy"):
        assert "is in use by process" in db("copy", "ninefold.db", "c.db", code=2).stderr


def test_a_copy_while_a_campaign_runs_says_so(db, folder):
    from ninefold.store.store import EXECUTOR

    with open_store(folder / "ninefold.db", "write") as store, store.lease(EXECUTOR, "campaign tiny"):
        said = db("copy", "ninefold.db", "c.db").stderr
        assert "in use by process" in said
        assert "campaign tiny" in said
        assert "is in use" in db("rebuild", code=2).stderr
        db("rebuild", "--dry-run")


@pytest.mark.parametrize("command", [("copy", "ninefold.db", "c.db"), ("backup", "b.tar.gz")])
def test_a_copy_of_a_store_that_lost_a_blob_says_so(db, folder, command):
    assert "note" not in db("copy", "ninefold.db", "whole.db").stderr
    with open_store(folder / "ninefold.db", "write") as store:
        remove_a_pool_s_blob(store)
    assert "note: 1 blob that pools name cannot be copied: missing in the source" in db(*command).stderr


@pytest.mark.parametrize("command", [["init"], ["check"], ["migrate"], ["backup", "b.tar.gz"], ["rebuild"]])
def test_no_message_shows_a_password(db, folder, command):
    address = f"mongodb://ada:{SECRET}@127.0.0.1:9/x?serverSelectionTimeoutMS=200"
    done = db(*command, "--store", address, code=2)
    assert "cannot be reached" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    for pair in ((address, "c.db"), ("ninefold.db", address)):
        done = db("copy", *pair, code=2)
        assert "s3cret" not in done.stdout + done.stderr
    assert not (folder / "c.db").exists()


def test_a_backup_and_an_unfinished_store_hold_no_password(db, folder):
    import tarfile

    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    db("init", "--store", address)
    db("copy", address, "c.db")
    db("backup", "b.tar.gz", "--store", address)
    with tarfile.open(folder / "b.tar.gz") as archive:
        content = b"".join(archive.extractfile(member).read() for member in archive)
    password = re.search("://[^:]*:([^@]*)@", address)
    if password:
        assert password[1].encode() not in content
        assert password[1].encode() not in (folder / "c.db").read_bytes()


# rebuild


def test_rebuild_makes_lost_rows_anew_on_every_backend(db, stored):
    before = whole(stored)
    assert ", 0 written: " in db("rebuild", "--store", stored).stdout
    assert whole(stored) == before
    with open_store(stored, "write") as store:
        store.delete("candidates", equal={"campaign": "tiny", "rank": 1})
    assert ", 1 to write: " in db("rebuild", "--dry-run", "--store", stored).stdout
    assert whole(stored) != before
    assert ", 1 written: " in db("rebuild", "--store", stored).stdout
    assert whole(stored) == before


def test_help_is_there(db):
    for command in ("init", "check", "migrate", "backup", "restore", "copy", "rebuild"):
        assert command in db("--help").stdout
        db(command, "--help")
