"""Copies and backups between stores of every kind: whole, verified, continued after kill -9."""

import gzip
import hashlib
import io
import itertools
import json
import os
import random
import signal
import sqlite3
import tarfile
from contextlib import contextmanager

import pytest
from contract import BACKENDS, record

from ninefold import atomic_files
from ninefold.errors import InputError, NinefoldError
from ninefold.models.lines import encode_lines
from ninefold.models.structure import StructureRecord
from ninefold.store import StoreError, open_store, store_state
from ninefold.store.backup import check_backup, parts_of_backup, write_backup
from ninefold.store.filling import ORDER, Content, Documents, fill, parts_of, tally_of
from ninefold.store.schema import COLLECTIONS

KINDS = ("SQLite by path", "MongoDB")
PAIRS = list(itertools.product(KINDS, repeat=2))
HEAD = {"source": "here", "created": "2026-01-01T00:00:00+00:00", "ninefold": "0"}
SOURCE = "the store of the test"


def silent(*_):
    pass


@pytest.fixture
def place(tmp_path):
    """Makes empty places of a kind; an unfinished store is freed for the next test."""
    made = []

    def place(kind):
        folder = tmp_path / f"place{len(made)}"
        folder.mkdir()
        made.append(BACKENDS[kind](folder))
        return made[-1]

    yield place
    for found in made:
        if store_state(found.address).kind == "unfinished":
            with found.open("fill") as store:
                store.end_filling()
        found.close()


def structure(number):
    packed = {"lattice": [[float(number), 0, 0], [0, 1, 0], [0, 0, 1]], "species": ["K"], "positions": [[0, 0, 0]]}
    return StructureRecord(id=f"s{number:04d}", **packed)


STRANGE = {
    "campaign": "c", "e_above_hull": -0.0, "score": 1e-300, "rank": 2**53 + 1, "n": 9,
    "source": "a\"b'c\\ $x.y % é \U0001d7d7",
    "elements": ["K", "H"], "minima": [{"$set": {"a.b": 1, "": None}}, []], "verification": {"%41": "ü", "a.b.c": 1.0},
    "terms": {}, "known": [[], {}, None, True, 1, 1.0, 0.1 + 0.2],
}  # fmt: skip
"""What a database could take for something else: operators, paths, numbers that are no exact ones of another kind."""


def write_some(store, *, structures=450):
    """Documents of several pages, strange ones, and blobs of all sizes."""
    store.put("structures", [structure(number) for number in range(structures)])
    ids = ["plain", "with:colon", "K2[ReH9]", "a.b$c", "é", "\U0001d7d7", "\uffff", "%", " x"]
    store.put("candidates", [record(key, **STRANGE) for key in ids])
    store.put("campaigns", [record("c", name="c", status="finished")])
    for content in (b"", b"x", os.urandom(300_000), encode_lines([{"a": 1}])):
        store.blobs.put(content)


def whole(store):
    return {
        **{name: [json.dumps(document) for document in store.iterate(name)] for name in COLLECTIONS},
        "blobs": [(name, store.blobs.get(name)) for name in store.blobs.names()],
    }


def copy(source, target, parts=lambda parts: parts):
    with source.open("read") as opened, target.open("fill") as filled:
        return fill(filled, parts(parts_of(opened, silent, "copy")), SOURCE, silent, None)


def test_every_collection_is_copied():
    assert set(ORDER) == set(COLLECTIONS)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_there_and_back_is_the_identity(place, first, second):
    source, between, back = place(first), place(second), place(first)
    with source.open() as store:
        write_some(store)
        before = whole(store)
    copy(source, between)
    copy(between, back)
    for other in (source, between, back):
        with other.open("read") as store:
            assert whole(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_blobs_are_named_once_and_in_order(place, kind):
    with place(kind).open() as store:
        assert list(store.blobs.names()) == []
        contents = [f"{number}".encode() for number in range(40)]
        for content in contents:
            store.blobs.put(content)
        assert list(store.blobs.names()) == sorted(hashlib.sha256(content).hexdigest() for content in contents)


def test_a_copy_between_sqlite_files_is_the_same_to_the_last_byte(place):
    source, target = place("SQLite by path"), place("SQLite by path")
    records = [structure(number) for number in range(3)]
    with source.open() as store:
        store.put("structures", records)
    copy(source, target)
    rows = [sqlite3.connect(each.address).execute("SELECT * FROM structures").fetchall() for each in (source, target)]
    assert rows[0] == rows[1]
    assert rows[0][0][-1] == records[0].model_dump_json()


# interrupted


def killed(action):
    """Do something in a process that kills itself in it."""
    child = os.fork()
    if not child:
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def dying(parts, after):
    for number, part in enumerate(parts):
        if number == after:
            os.kill(os.getpid(), signal.SIGKILL)
        yield part
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [0, 2, 4, 6, 100])
def test_a_copy_that_was_killed_is_no_store_and_goes_on(place, kind, after):
    source, target = place("SQLite by path"), place(kind)
    with source.open() as store:
        write_some(store)
        before = whole(store)
    killed(lambda: copy(source, target, lambda parts: dying(parts, after)))
    if after:
        for mode in ("read", "write"):
            with pytest.raises(InputError, match=f"holds a part of {SOURCE}: a copy or restore was interrupted"):
                target.open(mode)
        assert store_state(target.address)[0] == "unfinished"
    copy(source, target)
    with target.open("read") as store:
        assert whole(store) == before


def test_views_that_changed_meanwhile_are_copied_as_they_are(place):
    source, target = place("SQLite by path"), place("SQLite by path")
    with source.open() as store:
        write_some(store)
    killed(lambda: copy(source, target, lambda parts: dying(parts, 6)))
    with source.open() as store:
        store.put("campaigns", [record("c", name="c", status="running")])
        store.delete("candidates", equal={"id": "plain"})
        store.put("candidates", [record("new", campaign="c")])
        before = whole(store)
    copy(source, target)
    with target.open("read") as store:
        assert whole(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_another_source_is_refused(place, kind):
    source, target = place("SQLite by path"), place(kind)
    with source.open() as store:
        write_some(store, structures=3)
    killed(lambda: copy(source, target, lambda parts: dying(parts, 2)))
    with target.open("fill") as filled, pytest.raises(InputError, match="not of another store"):
        filled.begin_filling("another store")
    with target.open("fill") as filled:  # the same name, and other facts
        filled.put("structures", [structure(0).model_copy(update={"species": ["Li"]})])
    with pytest.raises(InputError, match="has another document 's0000' in structures"):
        copy(source, target)
    assert store_state(target.address).kind == "unfinished"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_source_does_not_have_is_found_at_the_end(place, kind):
    source, target = place("SQLite by path"), place(kind)
    with source.open() as store:
        write_some(store, structures=3)
    killed(lambda: copy(source, target, lambda parts: dying(parts, 2)))
    with target.open("fill") as filled:
        filled.put("structures", [structure(7)])
    with pytest.raises(InputError, match="4 documents in structures instead of 3"):
        copy(source, target)
    assert store_state(target.address).kind == "unfinished"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["document", "blob"])
def test_only_an_empty_store_is_filled(place, kind, what):
    source, target = place("SQLite by path"), place(kind)
    with source.open() as store:
        write_some(store, structures=3)
    with target.open() as store:
        store.put("structures", [structure(99)]) if what == "document" else store.blobs.put(b"own")
        before = whole(store)
    with pytest.raises(InputError, match="is not empty"):
        copy(source, target)
    with target.open("read") as store:
        assert whole(store) == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_store_holds_is_counted_to_the_end(place, kind):
    source, target = place("SQLite by path"), place(kind)
    source.open().close()
    with target.open() as store:
        store.put("structures", [structure(number) for number in range(1200)])
    with pytest.raises(InputError, match="it holds 1200 documents"):
        copy(source, target)


def test_a_damaged_blob_of_the_source_ends_the_copy(place):
    source, target = place("SQLite by path"), place("SQLite by path")
    with source.open() as store:
        write_some(store, structures=3)
        name = next(store.blobs.names())
    source.set_raw_blob(name, b"damaged")
    with pytest.raises(StoreError, match=name[2:]):
        copy(source, target)
    assert store_state(target.address).kind == "unfinished"


def test_a_target_that_cannot_grow_goes_on_when_it_can(place, monkeypatch):
    source, target = place("SQLite by path"), place("SQLite by path")
    with source.open() as store:
        write_some(store, structures=2000)
        before = whole(store)
    connect = sqlite3.connect

    def full(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count=100")
        return connection

    with source.open("read") as opened:
        monkeypatch.setattr(sqlite3, "connect", full)
        with target.open("fill") as filled, pytest.raises(InputError, match="the disk is full"):
            fill(filled, parts_of(opened, silent, "copy"), SOURCE, silent, None)
        monkeypatch.undo()
    assert store_state(target.address).kind == "unfinished"
    copy(source, target)
    with target.open("read") as store:
        assert whole(store) == before


# backups


@pytest.fixture
def backup(tmp_path):
    """A backup of some documents, and what it holds."""
    address = str(tmp_path / "source.db")
    with open_store(address, "write") as store:
        store.put("structures", [structure(number) for number in range(450)])
        for content in (b"", b"x", random.Random(1).randbytes(50_000)):
            store.blobs.put(content)
        before = whole(store)
        write_backup(tmp_path / "b.tar.gz", parts_of(store, silent, "back up"), HEAD)
    return tmp_path / "b.tar.gz", before


def restore(path, target):
    found = check_backup(path, silent)
    with target.open("fill") as filled:
        return fill(filled, parts_of_backup(path, silent), found.title, silent, found.summary)


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_restores_everything_into_any_store(place, kind, backup):
    path, before = backup
    target = place(kind)
    restore(path, target)
    with target.open("read") as store:
        assert whole(store) == before
        assert check_backup(path, silent).summary == tally_of(store, silent, "").summary()


def test_the_same_store_gives_the_same_backup(place, backup, tmp_path):
    path, _ = backup
    target = place("SQLite by path")
    restore(path, target)
    with target.open("read") as store:
        write_backup(tmp_path / "again.tar.gz", parts_of(store, silent, ""), HEAD)
    assert (tmp_path / "again.tar.gz").read_bytes() == path.read_bytes()


def test_a_restore_that_was_killed_goes_on_with_the_same_backup_alone(place, backup, tmp_path):
    path, before = backup
    target, found = place("SQLite by path"), check_backup(path, silent)

    def some():
        with target.open("fill") as filled:
            fill(filled, dying(parts_of_backup(path, silent), 2), found.title, silent, found.summary)

    killed(some)
    with open_store(tmp_path / "source.db", "write") as store:
        store.put("structures", [structure(900)])
        write_backup(tmp_path / "other.tar.gz", parts_of(store, silent, ""), HEAD)
    with pytest.raises(InputError, match="holds a part of the backup of here"):
        restore(tmp_path / "other.tar.gz", target)
    restore(path, target)
    with target.open("read") as store:
        assert whole(store) == before


def test_every_cut_is_told(backup, tmp_path):
    path, _ = backup
    content, cut = path.read_bytes(), tmp_path / "cut.tar.gz"
    for size in [*range(0, len(content), len(content) // 60), len(content) - 9, len(content) - 8, len(content) - 1]:
        cut.write_bytes(content[:size])
        with pytest.raises(InputError, match="damaged, or no backup"):
            check_backup(cut, silent)


def test_every_changed_byte_is_told_or_changes_nothing(backup, tmp_path):
    path, _ = backup
    content, changed, wanted = path.read_bytes(), tmp_path / "changed.tar.gz", check_backup(path, silent)
    told = 0
    for place in random.Random(2).sample(range(len(content)), 60):
        changed.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            assert check_backup(changed, silent) == wanted  # of gzip's header: a time, a name of a system
        except InputError:
            told += 1
    assert told >= 58


def archive_of(path, members):
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for member, content in members:
            found = tarfile.TarInfo(member) if isinstance(member, str) else member
            found.size = len(content) if found.isreg() else 0
            archive.addfile(found, io.BytesIO(content))
    return path


def members_of(path):
    with tarfile.open(path) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive]


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "extra",
    [
        ("../outside", b"x"), ("/outside", b"x"), ("blobs/../../outside", b"x"), ("blobs/xyz", b"x"),
        ("documents/structures/../../../outside/000000.jsonl", b"x"), ("documents/unknown/000000.jsonl", b"{}\n"),
        (link("blobs/" + 64 * "a", "/etc/passwd"), b""), (link("outside", "..", tarfile.LNKTYPE), b""),
        (link("fifo", "", tarfile.FIFOTYPE), b""), (link("dir", "", tarfile.DIRTYPE), b""),
        ("documents/structures/000009.jsonl", b'{"id": "s9999"}\n'), ("documents/structures/000009.jsonl", b"[1]\n"),
        ("documents/structures/000009.jsonl", b"{not json\n"), ("blobs/" + 64 * "a", b"other content"),
        ("documents/structures/000009.jsonl", b'{"id": {"$gt": ""}}\n'),
    ],
)  # fmt: skip
def test_what_does_not_belong_into_a_backup_is_refused_and_never_unpacked(backup, tmp_path, extra, monkeypatch):
    path, _ = backup
    members = members_of(path)
    target = archive_of(tmp_path / "x.tar.gz", [*members[:-1], extra, members[-1]])
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(InputError, match="damaged, or no backup"):
        check_backup(target, silent)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("lost", [0, 1, 2, -2, -1])
def test_a_lost_member_is_told(backup, tmp_path, lost):
    members = members_of(backup[0])
    del members[lost]
    with pytest.raises(InputError, match="damaged, or no backup"):
        check_backup(archive_of(tmp_path / "x.tar.gz", members), silent)


def test_an_edited_document_is_told(backup, tmp_path):
    members = members_of(backup[0])
    edited = [
        (name, content.replace(b'"K"', b'"Li"', 1) if "documents" in name else content) for name, content in members
    ]
    assert edited != members
    with pytest.raises(InputError, match="other documents in structures"):
        check_backup(archive_of(tmp_path / "x.tar.gz", edited), silent)


@pytest.mark.parametrize(("version", "words"), [(99, "is of a newer ninefold"), (2, "is of schema version 2")])
def test_a_backup_of_another_schema_is_refused(backup, tmp_path, version, words):
    members = members_of(backup[0])
    head = {**json.loads(members[0][1]), "schema_version": version}
    target = archive_of(tmp_path / "x.tar.gz", [("ninefold.json", json.dumps(head).encode()), *members[1:]])
    with pytest.raises(InputError, match=words):
        check_backup(target, silent)


@pytest.mark.parametrize(
    "content", [b"", b"x", gzip.compress(b"", mtime=0), gzip.compress(b"hello" * 1000, mtime=0), b"PK\x03\x04"]
)
def test_another_file_is_no_backup(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match="damaged, or no backup"):
        check_backup(tmp_path / "x", silent)


@contextmanager
def failing_disk(patch):
    def fsync(_):
        raise OSError(28, "No space left on device")

    with patch.context() as context:
        context.setattr(atomic_files.os, "fsync", fsync)
        yield


def test_a_full_disk_leaves_no_backup(tmp_path, monkeypatch):
    with open_store(tmp_path / "s.db", "write") as store:
        store.put("structures", [structure(1)])
        before = sorted(tmp_path.iterdir())
        with failing_disk(monkeypatch), pytest.raises(InputError, match="No space left"):
            write_backup(tmp_path / "b.tar.gz", parts_of(store, silent, ""), HEAD)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("error", [NinefoldError("damaged"), KeyboardInterrupt()])
def test_a_backup_that_ends_early_leaves_the_earlier_one(tmp_path, error):
    def parts():
        yield Documents("structures", [{"id": "a"}])
        raise error

    (tmp_path / "b.tar.gz").write_bytes(b"earlier")
    with pytest.raises(type(error)):
        write_backup(tmp_path / "b.tar.gz", parts(), HEAD)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("b.tar.gz", b"earlier")]


def test_a_blob_that_changes_while_it_is_restored_leaves_the_store_unfinished(place, backup):
    path, _ = backup
    target, found = place("SQLite by path"), check_backup(path, silent)
    fewer = [part for part in parts_of_backup(path, silent) if not isinstance(part, Content)]
    with target.open("fill") as filled, pytest.raises(InputError, match="0 blobs instead of 3"):
        fill(filled, fewer, found.title, silent, found.summary)
    assert store_state(target.address).kind == "unfinished"
