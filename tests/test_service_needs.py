"""Servers of the tests: what a machine must have to build them, and that none is skipped where they could be there."""

import http.server
import importlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import dynamics_needs
import gpaw_needs
import mongo_server
import slurm_server

ROOT = Path(__file__).parents[1]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def needs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    found = importlib.import_module("service_needs")
    monkeypatch.setattr(found, "TIMES", 1)
    monkeypatch.setattr(found.os, "geteuid", lambda: 0)
    monkeypatch.setattr(found.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(found.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    monkeypatch.setattr(found, "APT_HELPER", Path("/nowhere"))
    return found


@pytest.fixture
def mirror():
    """A server that answers, by an error."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_machine_with_everything_lacks_nothing(needs, mirror, monkeypatch):
    monkeypatch.setenv("GOPROXY", f"{NOWHERE},{mirror}|direct")
    assert needs.lacking(f"{mirror}/Release", "module") is None
    monkeypatch.setenv("GOPROXY", "off")
    assert needs.lacking(f"{mirror}/Release", "module") is None


def test_what_is_lacking_is_named(needs, mirror, monkeypatch):
    monkeypatch.setenv("GOPROXY", NOWHERE)
    assert needs.lacking(f"{NOWHERE}/Release", "m") == f"Debian's mirror does not answer: {NOWHERE}/Release"
    assert needs.lacking(f"{mirror}/Release", "m") == f"Go's module proxy does not answer: {NOWHERE}"
    assert needs.lacking(None, "m") is None  # the queue alone is of this machine's packages
    monkeypatch.setattr(needs.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    assert "chroot" in needs.lacking(f"{mirror}/Release", "m")
    monkeypatch.setattr(needs.shutil, "which", lambda name: None)
    assert "apt-get" in needs.lacking(f"{mirror}/Release", "m")
    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    assert "root" in needs.lacking(f"{mirror}/Release", "m")


STUB = """#!/bin/sh
case "$*" in
  *"services.py start"*) exit {code} ;;
  *"services.py stop"*) echo stopped ;;
esac
"""
MAKE = """#!/bin/sh
case "$1" in
  setup-dft) exit {gpaw} ;;
  test)
    echo "tested: ${NINEFOLD_TEST_SERVICES:-optional} ${NINEFOLD_TEST_DFT:-optional}" \\
      "${NINEFOLD_TEST_DYNAMICS:-optional}" ;;
esac
"""


@pytest.mark.parametrize(
    ("code", "gpaw", "expected", "words"),
    [
        (0, 0, 0, "tested: required required required"),
        (69, 0, 0, "tested: optional required required"),
        (69, 1, 0, "tested: optional optional required"),
        (1, 0, 1, "the end of a log"),
        (0, 1, 1, "GPAW could not be built"),
    ],
)
def test_a_build_of_servers_or_of_gpaw_that_fails_is_a_failure(tmp_path, code, gpaw, expected, words):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for name, text in {
        ".venv/bin/python": STUB.format(code=code),
        "bin/make": MAKE.replace("{gpaw}", str(gpaw)),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".services").mkdir()
    (tmp_path / ".services" / "log").write_text("the end of a log\n")
    required = ("NINEFOLD_TEST_SERVICES", "NINEFOLD_TEST_DFT", "NINEFOLD_TEST_DYNAMICS")
    environment = {name: value for name, value in os.environ.items() if name not in required}
    done = subprocess.run(
        [tmp_path / ".ci" / "run"], env={**environment, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == expected, done.stderr
    assert words in done.stdout
    assert ("tested" in done.stdout) == (expected == 0)
    assert "stopped" in done.stdout


def test_a_database_server_that_is_named_and_does_not_answer_fails_a_test(monkeypatch):
    import pymongo
    from pymongo.errors import ServerSelectionTimeoutError

    def client(*_, **__):
        raise ServerSelectionTimeoutError("none")

    monkeypatch.setattr(pymongo, "MongoClient", client)
    monkeypatch.setenv("NINEFOLD_TEST_MONGODB_URI", "mongodb://127.0.0.1:9/")
    monkeypatch.delenv("NINEFOLD_TEST_SERVICES", raising=False)
    with pytest.raises(pytest.fail.Exception, match="does not answer"):
        mongo_server.server.__wrapped__()


def test_a_queue_that_is_named_and_does_not_answer_fails_a_test(monkeypatch, tmp_path):
    monkeypatch.setenv("NINEFOLD_TEST_SLURM_CONF", str(tmp_path / "slurm.conf"))
    monkeypatch.delenv("NINEFOLD_TEST_SERVICES", raising=False)
    monkeypatch.setattr(slurm_server, "ANSWER_SECONDS", 0.5)
    (tmp_path / "sinfo").write_text("#!/bin/sh\nexec sleep 60\n")  # one that waits for its controller
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(pytest.fail.Exception, match=r"does not answer \(TimeoutExpired\)"):
        slurm_server.configuration.__wrapped__()


@pytest.mark.parametrize("is_required", [False, True])
def test_without_a_server_a_test_is_skipped_unless_it_is_required(monkeypatch, tmp_path, is_required):
    monkeypatch.delenv("NINEFOLD_TEST_MONGODB_URI", raising=False)
    monkeypatch.setattr(mongo_server, "ADDRESS_FILE", tmp_path / "none")
    monkeypatch.setenv("NINEFOLD_TEST_SERVICES", "required" if is_required else "")
    outcome = pytest.fail.Exception if is_required else pytest.skip.Exception
    with pytest.raises(outcome, match="make services"):
        mongo_server.server.__wrapped__()


@pytest.mark.parametrize("is_required", [False, True])
def test_without_gpaw_a_test_is_skipped_unless_it_is_required(monkeypatch, is_required):
    monkeypatch.setitem(sys.modules, "gpaw", None)  # its import fails
    monkeypatch.setenv("NINEFOLD_TEST_DFT", "required" if is_required else "")
    outcome = pytest.fail.Exception if is_required else pytest.skip.Exception
    with pytest.raises(outcome, match="make setup-dft"):
        gpaw_needs.gpaw()


@pytest.mark.parametrize("is_required", [False, True])
def test_without_an_oracle_a_test_is_skipped_unless_it_is_required(monkeypatch, is_required):
    monkeypatch.setitem(sys.modules, "MDAnalysis", None)
    monkeypatch.setenv("NINEFOLD_TEST_DYNAMICS", "required" if is_required else "")
    outcome = pytest.fail.Exception if is_required else pytest.skip.Exception
    with pytest.raises(outcome, match="make setup-dynamics"):
        dynamics_needs.module("MDAnalysis")
