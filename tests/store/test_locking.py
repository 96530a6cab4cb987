import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest

from ninefold.errors import InputError
from ninefold.store.locking import exclusive, holder, progress_of

HOLD = """
import sys, time
from pathlib import Path
from ninefold.store.locking import exclusive
with exclusive(Path(sys.argv[1]), "run of quickstart"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "s"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_process_is_refused_with_the_first_ones_id(tmp_path, other):
    with pytest.raises(InputError) as caught, exclusive(tmp_path / "s", "run"):
        pass
    assert f"is in use by process {other.pid} (run of quickstart)" in str(caught.value)
    assert caught.value.exit_code == 2
    assert holder(tmp_path / "s") == f"process {other.pid} (run of quickstart)"


def test_freed_by_kill_9(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(tmp_path / "s") is None
    with exclusive(tmp_path / "s", "resume"):
        assert holder(tmp_path / "s") == f"process {os.getpid()} (resume)"
    assert holder(tmp_path / "s") is None


def test_freed_by_an_error(tmp_path):
    with pytest.raises(KeyError), exclusive(tmp_path / "s", "run"):
        raise KeyError
    with exclusive(tmp_path / "s", "run"), pytest.raises(InputError), exclusive(tmp_path / "s", "run"):
        pass


def test_nobody_holds_what_was_never_held(tmp_path):
    assert holder(tmp_path / "s") is None
    assert list(tmp_path.iterdir()) == []


def test_no_place_for_the_lock(tmp_path):
    with pytest.raises(InputError, match=r"store: .* cannot be locked: "), exclusive(tmp_path / "no" / "s", "run"):
        pass


def test_a_reader_does_not_refuse_a_starting_run(tmp_path):
    """`status` holds a shared lock for an instant: a run that meets it waits."""
    with exclusive(tmp_path / "s", "run"):
        pass
    reader = os.open(tmp_path / "s.lock", os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    timer = threading.Timer(0.3, os.close, (reader,))
    timer.start()
    with exclusive(tmp_path / "s", "run"):
        assert holder(tmp_path / "s") is not None
    timer.join()


def test_runs_start_while_others_look(tmp_path):
    stop, failures = threading.Event(), []

    def look():
        while not stop.is_set():
            holder(tmp_path / "s")

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(300):
            try:
                with exclusive(tmp_path / "s", "run"):
                    pass
            except InputError as error:
                failures.append(str(error))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert failures == []


def test_progress_is_told_while_the_lock_is_held(tmp_path):
    with exclusive(tmp_path / "s", "run") as lock:
        assert progress_of(tmp_path / "s") == {}
        lock.note({"stage": "prescreen", "note": "x" * 500})
        lock.note({"stage": "rank"})  # shorter: nothing of the longer one is left
        assert progress_of(tmp_path / "s") == {"stage": "rank"}
        assert holder(tmp_path / "s") == f"process {os.getpid()} (run)"
    assert progress_of(tmp_path / "s") == {}
