"""A disk that is full while a campaign runs: the run says so; after resume the store is as if nothing had been."""

import shutil

import pytest

from campaign_run import ninefold, what_matters

pytestmark = pytest.mark.cluster

FULL_STORE = """
import sqlite3

_connect = sqlite3.connect


def connect(*arguments, **options):
    connection = _connect(*arguments, **options)
    connection.execute("PRAGMA max_page_count={pages}")
    return connection


sqlite3.connect = connect
"""
"""SQLite itself refuses to grow its file, with the error of a full disk."""

FULL_FOR_A_WHILE = """
import errno
import os

_fsync, _calls = os.fsync, 0


def fsync(handle):
    global _calls
    _calls += 1
    if _calls in range({first}, {last}):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _fsync(handle)


os.fsync = fsync
"""
"""Files beside the store cannot be flushed, in each process from its nth to its mth."""

STEPS = [0.35, pytest.param(0.5, marks=pytest.mark.slow), pytest.param(0.65, marks=pytest.mark.slow), 0.85]
"""Share of the finished store's size at which it is full: in build, prescreen, the second round, the hulls."""


def interrupted(tmp_path, quick, environment, patch):
    """A run under a patched interpreter, and the store after a resume without it."""
    shutil.copy(quick / "campaign.yaml", tmp_path)
    patched = tmp_path / "patched"
    patched.mkdir()
    (patched / "sitecustomize.py").write_text(patch)
    path = f"{patched}:{environment['PYTHONPATH']}"
    failed = ninefold("run", "campaign.yaml", cwd=tmp_path, env={**environment, "PYTHONPATH": path})
    resumed = ninefold("resume", "--workers", "1", cwd=tmp_path, env=environment)
    if resumed.returncode:  # nothing was stored
        resumed = ninefold("run", "campaign.yaml", "--workers", "1", cwd=tmp_path, env=environment)
    assert resumed.returncode == 0, resumed.stderr
    return failed, what_matters(tmp_path / "ninefold.db")


@pytest.mark.parametrize("share", STEPS)
def test_a_store_that_cannot_grow(tmp_path, quick, pairs, share):
    pages = (quick / "ninefold.db").stat().st_size // 4096
    failed, store = interrupted(tmp_path, quick, pairs, FULL_STORE.format(pages=int(share * pages)))
    assert failed.returncode == 2
    assert "disk is full" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert store == what_matters(quick / "ninefold.db")


@pytest.mark.parametrize("first", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_files_that_cannot_be_written_for_a_while(tmp_path, quick, pairs, first):
    failed, store = interrupted(tmp_path, quick, pairs, FULL_FOR_A_WHILE.format(first=first, last=first + 2))
    assert failed.returncode == 2
    assert "No space left" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    assert store == what_matters(quick / "ninefold.db")
