"""Jobs for tests of the cluster's workers: what has run, and when, is noted in files."""

import os
import time
import uuid
from pathlib import Path

from jobflow import Flow, JobConfig, OnMissing, Response, job

WHATEVER_IS_THERE = JobConfig(on_missing_references=OnMissing.NONE)


def note(folder, name):
    (Path(folder) / f"{name}.{uuid.uuid4().hex}").write_text(str(os.getpid()))


def runs(folder, name):
    """How often a job has run."""
    return len(list(Path(folder).glob(f"{name}.*")))


@job
def count(folder, name, *needed):
    note(folder, name)
    return name


@job(config=WHATEVER_IS_THERE)
def gather(folder, name, needed):
    note(folder, name)
    return needed


@job
def fail(folder, name):
    note(folder, name)
    raise KeyError(f"{name} /tmp/x 17")


@job
def fan_out(folder, number):
    note(folder, "fan_out")
    jobs = [count(folder, f"part{place}") for place in range(number)]
    return Response(replace=Flow(jobs, output=[each.output for each in jobs]))


@job
def wait_for(folder, name):
    """Runs until a file says that it may end."""
    note(folder, name)
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return name


@job
def full_disk(folder, name):
    note(folder, name)
    raise OSError(28, "No space left on device")


@job
def start_program(folder, name):
    """Starts a program, which does not listen, and never ends."""
    import subprocess

    note(folder, name)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    program = subprocess.Popen(["python3", "-c", code])
    (Path(folder) / "pid").write_text(str(program.pid))
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return name
