"""A wall time in the middle of a relaxation: it stops in time, and the next worker goes on from its last geometry."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("fireworks")

from jobflow import Flow

import cluster_jobs
from launchpad_place import address as address
from launchpad_place import place as place
from launchpad_place import submit, wait_until
from ninefold.engines import unfinished
from ninefold.flows.earlier import CONTINUED, JOB_UNTIL, last_geometry
from ninefold.run.cluster_worker import work
from ninefold.run.launchpad import outputs_in

KINDS = ("cpu", "dft")


def run_jobs(address, folder, **options):
    return work(address, "here", KINDS, idle_seconds=5.0, folder=folder, **options)


def test_a_relaxation_goes_on_in_the_next_queue_job(place, address, tmp_path, monkeypatch):
    """As by GPAW: in the process of the worker, stopped by its signal."""
    monkeypatch.setattr(unfinished, "KEEP_SECONDS", 0.0)
    (tmp_path / "whole").mkdir()
    expected = cluster_jobs.relax.original(str(tmp_path / "whole"), "relax")
    geometries = cluster_jobs.runs(tmp_path / "whole", "geometry")
    one = cluster_jobs.relax(str(tmp_path), "relax")
    submit(place, Flow([one], name="test"), kinds=KINDS)

    def stop():  # as the end of the worker's time does, at its seventh geometry
        wait_until(lambda: cluster_jobs.runs(tmp_path, "geometry") >= 7)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    first = run_jobs(address, tmp_path / "work")
    thread.join()
    assert (first.jobs, first.given_back) == (0, 1)
    assert run_jobs(address, tmp_path / "work").jobs == 1
    assert cluster_jobs.runs(tmp_path, "relax") == 2
    assert cluster_jobs.runs(tmp_path, "geometry") <= geometries + 2
    found = outputs_in(place[1]).get_output(one.uuid, load=True)
    assert found == pytest.approx(expected, abs=1e-9)
    assert list((tmp_path / "work" / "relaxations").iterdir()) == []


@pytest.fixture
def vasp(tmp_path, monkeypatch):
    """The maker of a relaxation by the stand-in, whose steps take their time."""
    pytest.importorskip("atomate2")
    pytest.importorskip("custodian")
    from pymatgen.core import SETTINGS

    from ninefold.flows import vasp_time
    from ninefold.flows.vasp import VaspMaker
    from vasp_stand_in import install, make_potentials

    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(make_potentials(tmp_path / "potentials", ["Li_sv", "H"])))
    monkeypatch.setattr(vasp_time, "SPARE_SECONDS", 0.0)
    command = install(tmp_path / "bin")
    (tmp_path / "bin" / "slow").write_text("0.4")
    return VaspMaker(vasp_cmd=command, custodian={"polling_time_step": 0.1, "monitor_freq": 2})


def lithium_hydride():
    from pymatgen.core import Lattice, Structure

    cubic = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2.95), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return cubic.get_primitive_structure()


def test_vasp_is_stopped_after_a_step_and_goes_on_from_its_last_geometry(place, address, tmp_path, vasp, monkeypatch):
    _, launchpad = place
    flow = vasp.make(lithium_hydride())
    submit(place, flow, kinds=KINDS)

    def near_the_end():  # when the relaxation has taken some steps, half a second is left
        outputs = (tmp_path / "work").glob
        wait_until(lambda: any(path.read_text().count("LOOP+") >= 3 for path in outputs("runs/*/*/OUTCAR")))
        os.environ[JOB_UNTIL] = str(time.time() + 0.2)

    thread = threading.Thread(target=near_the_end)
    thread.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the potentials are not VASP's
        first = run_jobs(address, tmp_path / "work")
        thread.join()
        assert (first.given_back, first.reason) == (1, "its time is nearly over")
        [stopped] = [path.parent for path in (tmp_path / "work").glob("runs/*/*/STOPCAR")]
        assert "soft stop" in (stopped / "OUTCAR").read_text()
        steps = (stopped / "OSZICAR").read_text().count("F=")
        assert steps >= 3
        geometry = last_geometry(stopped)
        (tmp_path / "bin" / "slow").write_text("0.0")
        second = run_jobs(address, tmp_path / "work")
    assert second.failed == 0
    assert {row["state"] for row in launchpad.fireworks.find({})} == {"COMPLETED"}
    assert sum(row["spec"]["ninefold"].get("lost", 0) for row in launchpad.fireworks.find({})) == 0
    calls = [Path(line.split(" ", 1)[1]) for line in (tmp_path / "bin" / "log").read_text().splitlines()]
    assert [folder == stopped for folder in calls] == [True, False, False, False]  # and the second, and a static run
    assert (calls[1] / CONTINUED).read_text() == str(stopped)
    began = last_start(calls[1])
    assert abs(began.lattice.matrix - geometry.lattice.matrix).max() < 1e-6
    assert abs(began.lattice.abc[0] - lithium_hydride().lattice.abc[0]) > 1e-3
    output = outputs_in(launchpad).get_output(flow.output.uuid, load=True)
    assert "relaxations that went on in another queue job: 1" in output["notes"]
    assert max(abs(value) for row in output["forces"] for value in row) < 0.02


def last_start(folder):
    from pymatgen.io.vasp import Poscar

    name = next(each for each in ("POSCAR", "POSCAR.gz") if (folder / each).exists())
    return Poscar.from_file(folder / name, check_for_potcar=False).structure


@pytest.mark.parametrize("text", ["", "cut short\n1.0\n 1 0", None])
def test_a_geometry_that_is_not_whole_is_not_gone_on_from(tmp_path, text):
    from pymatgen.io.vasp import Poscar

    structure = lithium_hydride()
    Poscar(structure).write_file(tmp_path / "POSCAR")
    Poscar(structure).write_file(tmp_path / "CONTCAR")
    assert last_geometry(tmp_path) == structure
    if text is None:  # of something else
        structure.replace(0, "Na")
        Poscar(structure).write_file(tmp_path / "CONTCAR")
    else:
        (tmp_path / "CONTCAR").write_text(text)
    assert last_geometry(tmp_path) is None


def test_a_run_that_has_ended_by_itself_is_none_that_was_stopped(tmp_path, monkeypatch):
    pytest.importorskip("custodian")
    from ninefold.flows.vasp_time import StopInTime

    handler = StopInTime(spare_seconds=100.0)
    assert not handler.check(tmp_path)
    monkeypatch.setenv(JOB_UNTIL, str(time.time() + 150))
    (tmp_path / "OUTCAR").write_text("  LOOP+:  cpu time   20.0: real time   40.0\n")
    assert not handler.check(tmp_path)
    assert not (tmp_path / "STOPCAR").exists()
    with (tmp_path / "OUTCAR").open("a") as file:
        file.write("  LOOP+:  cpu time   20.0: real time   60.0\n")
    assert not handler.check(tmp_path)  # it is told, and goes on for a step
    assert (tmp_path / "STOPCAR").read_text() == "LSTOP = .TRUE.\n"
    (tmp_path / "STOPCAR").unlink()
    with (tmp_path / "OUTCAR").open("a") as file:
        file.write(" General timing and accounting informations for this job:\n")
    assert not handler.check(tmp_path)
    assert not (tmp_path / "STOPCAR").exists()


@pytest.mark.parametrize("how", ["stopped", "ended"])
def test_a_program_whose_parent_has_died_ends_with_its_job(place, address, tmp_path, monkeypatch, how):
    """As VASP's processes when their mpirun has died: in a session of their own, and nobody's child."""
    monkeypatch.setattr("ninefold.run.children.GRACE_SECONDS", 0.3)
    submit(place, Flow([cluster_jobs.leave_program(str(tmp_path), "one")], name="test"), kinds=KINDS)

    def end():
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        if how == "ended":
            (tmp_path / "go").touch()
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    done = run_jobs(address, tmp_path / "work")
    thread.join()
    assert (done.given_back, done.jobs) == ((1, 0) if how == "stopped" else (0, 1))
    assert not Path(f"/proc/{int((tmp_path / 'pid').read_text())}").exists()


def test_what_a_killed_worker_has_left_ends_with_it(tmp_path):
    """By the process that has started the workers of a queue job."""
    worker = (
        "import subprocess, sys, os, time, signal\n"
        "p = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'a').write(f'{{p.pid}}\\n'); time.sleep(0.5); os.kill(os.getpid(), 9)\n"
    )
    text = (
        "import sys; from ninefold.run.worker_group import run_workers\n"
        f"print(run_workers([sys.executable, '-c', {worker!r}], 2))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n", done.stderr
    pids = (tmp_path / "pid").read_text().split()
    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
