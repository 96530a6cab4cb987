"""The Slurm of the tests: of NINEFOLD_TEST_SLURM_CONF, or the one that `make services` has started."""

import contextlib
import fcntl
import functools
import importlib.util
import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REQUIRED = "NINEFOLD_TEST_SERVICES"
"""Set to `required`, a missing Slurm is a failure; set so where a submission is tested."""
PARTITION = "debug"
ANSWER_SECONDS = 30.0


@functools.cache
def configuration():
    """Path of slurm.conf. A Slurm that does not answer fails the test; without any it is skipped, unless required."""
    given = os.environ.get("NINEFOLD_TEST_SLURM_CONF")
    path = Path(given) if given else ROOT / ".services" / "slurm" / "slurm.conf"
    if given or path.exists():
        try:
            answer = subprocess.run(
                ["sinfo", "-h", "-p", PARTITION, "-o", "%t"],
                env={**os.environ, "SLURM_CONF": str(path)}, capture_output=True, text=True, timeout=ANSWER_SECONDS,
            )  # fmt: skip
            if answer.returncode == 0 and answer.stdout.strip():
                return path
            told = answer.stderr.strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            told = type(error).__name__
        pytest.fail(
            f"the Slurm of the tests does not answer ({told}): 'make services' starts it, 'make services-stop' "
            "forgets it"
        )
    missing = "no Slurm: 'make services' starts one"
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture
def slurm(monkeypatch, tmp_path_factory):
    """This process, and what it starts, talks to the Slurm of the tests; jobs that the test leaves are cancelled."""
    monkeypatch.setenv("SLURM_CONF", str(configuration()))
    # jobs start a login shell: what the profile of whoever runs the tests does is none of theirs, and may take a minute
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    with alone():
        yield


@contextlib.contextmanager
def alone():
    """The whole Slurm for one test, of whichever process: it may restart a daemon, or need every core.

    Jobs that it leaves are cancelled.
    """
    with configuration().with_name("tests.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = job_ids()
        try:
            yield
        finally:
            last = time.monotonic() + 20
            while (left := job_ids() - before) and time.monotonic() < last:
                run("scancel", *left)
                time.sleep(0.2)


def job_ids():
    """Numbers of all jobs that wait or run; none while the controller does not answer."""
    return set(run("squeue", "-h", "-o", "%A").stdout.split())


def run(*command):
    """A program of Slurm."""
    environment = {**os.environ, "SLURM_CONF": str(configuration())}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@functools.cache
def service():
    """The module that starts and ends the daemons: for tests that restart one. Not for a Slurm of another's."""
    if os.environ.get("NINEFOLD_TEST_SLURM_CONF"):
        pytest.skip("the Slurm of NINEFOLD_TEST_SLURM_CONF is left as it is")
    spec = importlib.util.spec_from_file_location("slurm_service", ROOT / "tools" / "slurm_service.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
