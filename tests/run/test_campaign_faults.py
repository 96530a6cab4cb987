"""A campaign in whose middle the database stops or a disk fills: the store is that of a run on one machine.

Run by `make test-cluster`.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fireworks")

import mongo_server
from campaign_run import QUICK, ninefold, start, what_matters, with_pairs
from launchpad_place import database, wait_until
from mongo_proxy import Proxy
from ninefold.store import public_address

pytestmark = pytest.mark.cluster

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
    "execution": {"compositions_per_job": 1},
}  # fmt: skip
WORK = ("work", "--cluster", "./here.yaml", "--resources", "cpu", "--idle-seconds", "20")
SHORT_RETRIES = "import ninefold.run.cluster_worker as worker\nworker.RETRY_SECONDS = 1.0\n"
"""A start file of Python's: what cannot be stored is kept in files after a second, and not after minutes."""


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The store of a run on one machine, and the environment with the engine."""
    mongo_server.server()
    folder = tmp_path_factory.mktemp("local")
    environment = with_pairs(folder / "plugin")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    done = ninefold("run", "campaign.yaml", cwd=folder, env={**environment, "NINEFOLD_STORE": "ninefold.db"})
    assert done.returncode == 0, done.stderr
    return what_matters(folder / "ninefold.db"), environment


def write_files(folder, place, **more):
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    text = {
        "scheduler": "slurm", "work_folder": str(folder / "work"), **place, **more,
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (folder / "here.yaml").write_text(yaml.safe_dump(text))


def command(*arguments, cwd, env):
    done = ninefold(*arguments, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def each_ended_once(address):
    jobs = list(database(address)["fireworks"].find({}))
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert {len(job["launches"]) for job in jobs} == {1}
    return {job["name"]: job["spec"]["ninefold"].get("lost", 0) for job in jobs}


@pytest.mark.parametrize(("seconds", "retries"), [(6.0, "short"), (60.0, "usual")])
def test_the_database_stops_in_the_middle(local, tmp_path, seconds, retries, record_property):
    expected, environment = local
    proxy = Proxy()
    address = proxy.address_of(mongo_server.unused_database())
    write_files(tmp_path, {"database": public_address(address)})
    environment = {**environment, "NINEFOLD_STORE": address, "XDG_STATE_HOME": str(tmp_path / "state")}
    if retries == "short":
        (tmp_path / "patched").mkdir()
        (tmp_path / "patched" / "sitecustomize.py").write_text(SHORT_RETRIES)
        environment["PYTHONPATH"] = f"{tmp_path / 'patched'}:{environment['PYTHONPATH']}"
    command("submit", "campaign.yaml", "--cluster", "./here.yaml", cwd=tmp_path, env=environment)
    workers = [start(*WORK, cwd=tmp_path, env=environment) for _ in range(2)]
    try:
        jobs = database(address)["fireworks"]
        wait_until(lambda: jobs.find_one({"state": "RUNNING", "name": "build structures"}))
        proxy.stop()
        time.sleep(seconds)
        assert all(worker.poll() is None for worker in workers)
        proxy.start()
        back = time.monotonic()
        for worker in workers:
            out, err = worker.communicate(timeout=250)
            assert worker.returncode == 0, out + err
        record_property("seconds until the end", time.monotonic() - back)
    finally:
        for worker in workers:
            worker.kill()
        proxy.stop()
    direct = mongo_server.address_of(address.rpartition("/")[2].partition("?")[0])
    assert what_matters(direct) == expected
    lost = each_ended_once(address)
    assert set(lost.values()) == {0}  # a server that is away is no fault of a job's
    begun_anew = [job["name"] for job in jobs.find({}) if job["archived_launches"]]
    assert len(begun_anew) <= 2  # of each worker at most the job that it had just been given
    assert list((tmp_path / "state").rglob("*.jsonl")) == []  # what was kept is delivered


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 40 MB."""
    place = tmp_path / "scratch"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "ninefold-test", str(place)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk):
    """Leave no byte of it."""
    with (disk / "full").open("ab", buffering=0) as file:
        for size in (1_000_000, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_the_scratch_disk_fills_in_the_middle(local, tmp_path, small_disk, record_property):
    expected, environment = local
    address = mongo_server.address_of(mongo_server.unused_database())
    write_files(tmp_path, {"spool": str(tmp_path / "spool")})
    on_login = {**environment, "NINEFOLD_STORE": address}
    on_node = {**environment, "NINEFOLD_SCRATCH": str(small_disk)}
    command("submit", "campaign.yaml", "--cluster", "./here.yaml", cwd=tmp_path, env=on_login)
    serve = ("serve-spool", "--cluster", "./here.yaml", "--until-done")
    started = [start(*serve, cwd=tmp_path, env=on_login), start(*WORK, cwd=tmp_path, env=on_node)]
    server, worker = started
    try:
        wait_until(lambda: list(small_disk.glob("ninefold-*/job.db")))
        fill(small_disk)
        out, err = worker.communicate(timeout=250)
        # SQLite on a full disk may say no more than that its file cannot be written
        assert worker.returncode in (1, 2), out + err
        assert any(words in err.splitlines()[-1] for words in ("full", "No space left", "disk I/O error"))
        assert "Traceback" not in err
        again = ninefold(*WORK, cwd=tmp_path, env=on_node)
        assert again.returncode == 2
        assert "0 MB free; no job is taken" in again.stderr
        begun = time.monotonic()
        started.append(start(*WORK, cwd=tmp_path, env={**environment, "NINEFOLD_SCRATCH": str(tmp_path)}))
        out, err = server.communicate(timeout=250)
        record_property("seconds until the end", time.monotonic() - begun)
        assert server.returncode == 0, out + err
        started[-1].send_signal(signal.SIGTERM)
        started[-1].communicate(timeout=60)
    finally:
        for process in started:
            process.kill()
    assert what_matters(address) == expected
    lost = each_ended_once(address)
    assert sorted(lost.values())[-1] == 1  # the job that met it, once; the worker after it took none
    assert sum(lost.values()) == 1
    assert os.listdir(Path(tmp_path, "spool", "done")) == []
