"""`ninefold cluster check`: on the real Slurm with its tiny jobs, and part by part without one."""

import os
import sys

import pytest

import mongo_server
import slurm_server
from ninefold.clusters import Cluster
from ninefold.clusters.files import read_cluster
from ninefold.clusters.finding import Finding
from ninefold.run import cluster_check, probe
from ninefold.run.cluster_check import check_cluster, clock_finding, memory_finding
from ninefold.run.probe import folder_finding, look
from ninefold.run.queue import queue_of
from ninefold.shipped import config_path
from slurm_server import PARTITION
from slurm_server import slurm as slurm

CPU = {"cores": 1, "memory_GB": 4, "wall_time": "00:30:00"}


def cluster(folder, **changes):
    data = {
        "name": f"check{os.getpid()}", "scheduler": "slurm", "queue": PARTITION, "work_folder": str(folder / "work"),
        "spool": str(folder / "spool"), "resources": {"cpu": CPU}, "python": sys.executable,
    } | changes  # fmt: skip
    return Cluster.model_validate({key: value for key, value in data.items() if value is not None})


def checked(folder, seconds=60.0, **changes):
    """What is tested -> finding."""
    one = cluster(folder, **changes)
    found = list(check_cluster(one, folder / "c.yaml", seconds))
    assert len({finding.what for finding in found}) == len(found)
    for finding in found:
        assert "\n" not in finding.text
        assert finding.status == "ok" or finding.advice
    return {finding.what: finding for finding in found}


def failed(found):
    return {what for what, finding in found.items() if finding.status == "failed"}


def fake_tool(folder, name):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_everything_that_is_right_is_said_to_be(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("NINEFOLD_STORE", mongo_server.address_of(mongo_server.unused_database()))
    fake_tool(tmp_path / "bin", "vasp_std")
    (tmp_path / "potcars/POT_PAW_PBE_54").mkdir(parents=True)
    found = checked(
        tmp_path,
        resources={"cpu": CPU, "dft": {**CPU, "cores": 2, "memory_GB": 3, "account": "paid"}},
        environment=[f'export PATH="{tmp_path}/bin:$PATH"', f"export PLACE={tmp_path}"],
        scratch="$PLACE/scratch",
        executables={"vasp": "srun -n 2 vasp_std"},
        pseudopotentials={"vasp": str(tmp_path / "potcars")},
    )
    assert failed(found) == set()
    assert "stage 'verify' asks for up to 8 GB" in found["dft: memory"].text
    of_each = ("queue job", "tiny job", "ninefold", "clock", "scratch", "spool")
    assert set(found) == {
        "scheduler", "work_folder", "spool from here", "database from here",
        *(f"{kind}: {what}" for kind in ("cpu", "dft") for what in of_each),
        "dft: executable vasp", "dft: pseudopotentials vasp", "dft: memory",
    }  # fmt: skip
    assert found["dft: executable vasp"].text.endswith(f"{tmp_path}/bin/vasp_std")
    assert found["cpu: scratch"].text.startswith(f"{tmp_path}/scratch/ninefold: ")
    assert list((tmp_path / "work/check").iterdir()) == []
    assert list((tmp_path / "scratch/ninefold").iterdir()) == list((tmp_path / "spool").iterdir()) == []


def test_the_database_is_reached_from_the_node_with_the_login_of_the_user_s_file(slurm, tmp_path, monkeypatch):
    address = mongo_server.address_of(mongo_server.unused_database())
    login = tmp_path / "config/ninefold/stores"
    login.parent.mkdir(parents=True)
    login.touch(mode=0o600)
    login.write_text(address)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    from ninefold.store import public_address

    found = checked(tmp_path, spool=None, database=public_address(address))
    assert failed(found) == set()
    assert "takes writes" in found["database from here"].text
    assert "takes writes" in found["cpu: database"].text


def test_a_database_that_is_not_there_is_told_for_here_and_for_the_node(slurm, tmp_path, monkeypatch):
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    found = checked(tmp_path, spool=None, database="mongodb://127.0.0.1:9/x?serverSelectionTimeoutMS=300")
    assert failed(found) == {"database from here", "cpu: database"}
    for what in failed(found):
        assert "cannot be reached: no answer within 0.3 s" in found[what].text
        assert "check host, port, network" in found[what].advice


@pytest.fixture
def reached(monkeypatch):
    """The login node reaches its database, which is no matter of the test's."""
    found = Finding("database from here", "ok", "")
    monkeypatch.setattr(cluster_check, "login_database_finding", lambda: found)


def test_what_slurm_refuses_is_told_in_its_words_and_other_kinds_are_tested(slurm, reached, tmp_path):
    found = checked(tmp_path, resources={"cpu": CPU, "dft": {**CPU, "account": "nobody"}})
    assert failed(found) == {"dft: queue job"}
    assert "Invalid account or account/partition combination specified" in found["dft: queue job"].text
    assert "nobody" in found["dft: queue job"].text
    assert found["cpu: tiny job"].status == "ok"


@pytest.fixture
def at_once(monkeypatch):
    """On one machine no file turns up late."""
    monkeypatch.setattr(cluster_check, "APPEARS_SECONDS", 0.5)


def test_a_python_that_is_not_on_the_node_is_told_with_the_end_of_the_log(slurm, reached, at_once, tmp_path):
    found = checked(tmp_path, python="/no/such/python")
    assert failed(found) == {"cpu: tiny job"}
    assert "/no/such/python: No such file or directory" in found["cpu: tiny job"].text
    assert "'environment', 'modules' and 'python'" in found["cpu: tiny job"].advice


def test_a_scratch_variable_that_the_node_lacks_is_named(slurm, at_once, tmp_path):
    found = checked(tmp_path, scratch="$NO_SUCH_FOLDER")
    assert "NO_SUCH_FOLDER: unbound variable" in found["cpu: tiny job"].text


def test_a_job_that_does_not_start_is_waited_for_so_long_and_cancelled(slurm, reached, tmp_path):
    one = cluster(tmp_path, scheduler_lines=["--begin=now+1hour"])
    found = {finding.what: finding for finding in check_cluster(one, tmp_path / "c.yaml", 2.0)}
    assert failed(found) == {"cpu: tiny job"}
    assert "no answer in time: the job is waiting (BeginTime)" in found["cpu: tiny job"].text
    assert queue_of(one).jobs([f"ninefold-{one.name}-cpu-check"]) == []


def test_a_job_that_will_never_start_is_not_waited_for(slurm, tmp_path):
    found = checked(tmp_path, 60.0, scheduler_lines=["--hold"])
    assert "will not start: the job is held (JobHeldUser)" in found["cpu: tiny job"].text


def test_without_a_scheduler_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = list(check_cluster(cluster(tmp_path), tmp_path / "c.yaml"))
    assert [finding.status for finding in found] == ["failed", "note"]
    assert "needs the program 'squeue'" in found[0].text
    assert "login node" in found[0].advice


@pytest.mark.parametrize(
    ("kind", "needs", "advice"),
    [
        ("cpu", {"cores": 16, "memory_GB": 64}, None),
        ("cpu", {"cores": 16, "memory_GB": 32}, "set jobs_at_once to 8, or memory_GB to 64"),
        ("cpu", {"cores": 16, "memory_GB": 32, "jobs_at_once": 8}, None),
        ("gpu", {"cores": 8, "memory_GB": 4, "gpus": 2}, "set jobs_at_once to 1, or memory_GB to 8"),
        ("cpu", {"cores": 1, "memory_GB": 3}, "set memory_GB to 4"),
        ("dft", {"cores": 32, "memory_GB": 8}, None),
        ("dft", {"cores": 32, "memory_GB": 7}, "set memory_GB to 8"),
    ],
)
def test_a_note_on_memory_that_the_places_of_a_queue_job_do_not_have(tmp_path, kind, needs, advice):
    finding = memory_finding(cluster(tmp_path, resources={kind: {**CPU, **needs}}), kind)
    assert (finding and finding.advice) == advice
    assert finding is None or finding.status == "note"


@pytest.mark.parametrize("kind", ["cpu", "dft"])
def test_the_shipped_local_slurm_has_the_memory_that_stages_declare(kind):
    """Of both: the queue job asks for it, and a virtual node of 'make services' has it."""
    shipped = read_cluster(str(config_path("clusters", "local-slurm.yaml")))
    assert memory_finding(shipped, kind) is None
    assert 1000 * shipped.of(kind).memory_GB <= slurm_server.service().MEMORY_MB


@pytest.mark.parametrize("difference", [-3600.0, -30.0, -11.0, -9.0, 0.0, 9.0, 11.0, 30.0, 3600.0])
@pytest.mark.parametrize(
    ("wait", "run", "sight"), [(0.0, 0.0, 0.0), (5.0, 2.0, 0.0), (0.0, 2.0, 5.0), (900.0, 2.0, 1.0)]
)
def test_a_clock_is_blamed_for_what_nothing_else_explains(difference, wait, run, sight):
    began, ended = 1000.0 + wait + difference, 1000.0 + wait + run + difference
    finding = clock_finding(began, ended, submitted=1000.0, seen=1000.0 + wait + run + sight)
    # ahead: the job may have waited; behind: its answer may have been there for a while
    least = max(0.0, difference - sight) if difference > 0 else min(0.0, difference + wait)
    assert (finding.status == "failed") == (abs(least) > 10)
    if finding.status == "failed":
        assert f"at least {abs(least):.0f} s {'ahead' if difference > 0 else 'behind'}" in finding.text


@pytest.fixture
def node(tmp_path, monkeypatch):
    """This process as a job on a node."""
    monkeypatch.setenv("NINEFOLD_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    fake_tool(tmp_path / "bin", "srun")
    return lambda **changes: {
        finding.what: finding for finding in look(cluster(tmp_path, resources={"dft": CPU}, **changes), "dft")
    }


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("srun", None),
        ("srun -n 4 vasp_std", "vasp_std"),
        ("mpirun vasp_std", "mpirun"),
        ("vasp_gam --x", "vasp_gam"),
        ("srun -n 'x", "No closing quotation"),
        ("/bin/sh -c x", None),
    ],
)
def test_executables(node, command, missing):
    finding = node(executables={"vasp": command})["executable vasp"]
    assert (finding.status == "ok") == (missing is None)
    assert missing is None or missing in finding.text


def test_gpaw_in_the_process_of_ninefold_needs_no_python_on_the_path(node, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert node(executables={"gpaw": "python"})["executable gpaw"].status == "ok"
    assert node(executables={"gpaw": "gpaw python"})["executable gpaw"].status == "failed"


def test_pseudopotentials(node, tmp_path, monkeypatch):
    for name, content in (("good", "POT_PAW_PBE"), ("other", "readme")):
        (tmp_path / name / content).mkdir(parents=True)
    (tmp_path / "empty").mkdir()

    def of(code, name):
        return node(pseudopotentials={code: f"{tmp_path}/{name}"})[f"pseudopotentials {code}"]

    assert of("vasp", "good").status == of("abinit", "other").status == "ok"
    assert "has no folder POT_...; it holds readme" in of("vasp", "other").text
    assert "has no folder POT_...; it holds nothing" in of("vasp", "empty").text
    assert "is empty" in of("abinit", "empty").text
    assert "No such file" in of("abinit", "none").text
    monkeypatch.setattr(probe, "_DATA_OF_GPAW", "no_such_package")
    found = node(executables={"gpaw": "/bin/sh"})["pseudopotentials gpaw"]
    assert found.status == "failed"
    assert "is not installed" in found.text


def test_the_login_node_of_a_spool_folder_needs_a_database(tmp_path, monkeypatch):
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    found = probe.login_database_finding()
    assert (found.what, found.status) == ("database from here", "failed")
    assert found.text == "NINEFOLD_STORE names no server: ninefold.db is a file"
    monkeypatch.setenv("NINEFOLD_STORE", "mongodb://127.0.0.1:9/x?serverSelectionTimeoutMS=300")
    found = probe.login_database_finding()
    assert found.status == "failed"
    assert found.advice.endswith("?tls=")  # nothing of campaigns that go on
    assert list(tmp_path.iterdir()) == []


def test_a_spool_folder_of_the_node_s_own_is_told_from_the_shared_one(tmp_path, monkeypatch):
    monkeypatch.setenv("NINEFOLD_SCRATCH", str(tmp_path / "scratch"))
    one = cluster(tmp_path)
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/.check-1").touch()
    assert [finding.status for finding in look(one, "cpu", ".check-1")] == ["ok", "ok"]
    finding = look(one, "cpu", ".check-2")[1]
    assert finding.status == "failed"
    assert "not the folder of this name that the login node sees" in finding.text


def test_folders(tmp_path, monkeypatch):
    assert folder_finding("x", tmp_path / "new/one", "a").status == "ok"
    (tmp_path / "file").touch()
    finding = folder_finding("x", tmp_path / "file" / "y", "do that")
    assert (finding.status, finding.advice) == ("failed", "do that")
    monkeypatch.setattr(probe, "LEAST_FREE", 10**30)
    assert folder_finding("x", tmp_path, "a").status == "note"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in folder_finding("x", tmp_path, "a").text
    assert list(tmp_path.iterdir()) == []
