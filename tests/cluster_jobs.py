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
def leave_program(folder, name):
    """Starts a program by another, which ends at once, in a session of its own."""
    import subprocess

    note(folder, name)
    code = "import time; time.sleep(1000)"
    left = (
        f"import subprocess; p = subprocess.Popen(['python3', '-c', '{code}'], start_new_session=True, "
        "stdout=subprocess.DEVNULL); print(p.pid)"
    )
    done = subprocess.run(["python3", "-c", left], stdout=subprocess.PIPE, text=True, check=True)
    (Path(folder) / "pid").write_text(done.stdout.strip())
    while not (Path(folder) / "go").exists():
        time.sleep(0.02)
    return name


@job
def relax(folder, name):
    """Relaxes by a potential that takes its time; notes each geometry."""
    import numpy as np
    from ase.calculators.lj import LennardJones
    from pymatgen.core import Lattice, Structure

    from ninefold.engines.ase_engine import ASEEngine
    from ninefold.engines.settings import RelaxSettings

    class Slow(LennardJones):
        def calculate(self, *arguments, **options):
            time.sleep(0.03)
            note(folder, "geometry")
            super().calculate(*arguments, **options)

    note(folder, name)
    places = np.random.default_rng(3).random((3, 3)) * 0.2 + [[0, 0, 0], [0.4, 0.5, 0.4], [0.7, 0.1, 0.6]]
    start = Structure(Lattice.from_parameters(3.4, 3.6, 3.9, 85, 95, 92), ["Ar", "Ar", "Ne"], places)
    engine = ASEEngine("slow", "a test", Slow(sigma=1.8, epsilon=0.1, rc=5.0, smooth=True), ("slow",))
    [found] = engine.relax([start], RelaxSettings(fmax=1e-3, max_steps=200, keep_symmetry=False))
    return [found.is_converged, found.steps, found.energy_per_atom]


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
