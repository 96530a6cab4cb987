"""One way to write a file: whole, with the permissions that `open` gives, never over a database."""

import os
import sqlite3
import stat

import pytest

from ninefold.atomic_files import ProtectedFileError, write_atomically
from ninefold.output.target import write_whole
from ninefold.report import write_report
from ninefold.store import open_store
from ninefold.store.blobs import FolderBlobs
from ninefold.store.locking import exclusive


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o002, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_every_file_has_the_mode_that_open_would_give_it(tmp_path, umask):
    write_report(tmp_path / "report.html", "x")
    write_whole(tmp_path / "table.csv", b"x", "--out")
    blobs = FolderBlobs(tmp_path / "s.files")
    blob = blobs.file(blobs.put(b"a"))
    with exclusive(tmp_path / "s.db", "test"), open_store(tmp_path / "s.db", mode="write"):
        files = [tmp_path / name for name in ("report.html", "table.csv", "s.db", "s.db-wal", "s.db.lock")]
        assert {path.name: mode(path) for path in [*files, blob]} == {
            path.name: 0o666 & ~umask for path in [*files, blob]
        }


def test_an_existing_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert mode(target) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_a_database_is_never_replaced(tmp_path):
    with sqlite3.connect(tmp_path / "data") as connection:
        connection.execute("CREATE TABLE t (x)")
    before = (tmp_path / "data").read_bytes()
    with pytest.raises(ProtectedFileError):
        write_atomically(tmp_path / "data", b"new")
    assert (tmp_path / "data").read_bytes() == before


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_device_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
