"""What happens to jobs when parts of a real cluster fail: each ends once, and soon.

Run by `make test-cluster`.
"""

import functools
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fireworks")

import yaml

import cluster_jobs
import mongo_server
from campaign_run import start
from launchpad_place import submit
from ninefold.clusters import read_cluster
from ninefold.errors import InputError
from ninefold.run import recovery
from ninefold.run.launchpad_demand import LaunchpadDemand
from ninefold.run.queue import queue_of
from ninefold.run.submitted_runs import launchpad_of
from ninefold.run.up import Pilots, keep_up, pilot_command
from ninefold.store import public_address
from slurm_server import PARTITION, run, service
from slurm_server import slurm as slurm

pytestmark = pytest.mark.cluster

NAME = f"faults{os.getpid()}"
SOON = 300.0
"""Seconds until a lost job runs again, however busy the machine; a tenth of it where it is not."""


class Campaign:
    """A job that runs until it is told to end, one that needs it, and `ninefold up` in a thread."""

    def __init__(self, folder, address, needs):
        self.folder = folder
        file = folder / f"{NAME}.yaml"
        settings = {
            "scheduler": "slurm", "queue": PARTITION, "work_folder": str(folder / "work"), "max_queue_jobs": 1,
            "database": public_address(address), "python": sys.executable,
            "resources": {"cpu": {"cores": 1, "memory_GB": 1, "wall_time": "00:30:00", **needs}},
        }  # fmt: skip
        file.write_text(yaml.safe_dump(settings))
        self.cluster = read_cluster(str(file))
        long = cluster_jobs.wait_for(str(folder), "long")
        last = cluster_jobs.count(str(folder), "last", long.output)
        with launchpad_of(address) as place:
            submit(place, long, last, cluster=NAME)
        self.queue = queue_of(self.cluster)
        self.steps, self.error = [], None
        pilots = Pilots(self.cluster, self.queue, lambda kind: pilot_command(self.cluster, file, kind))
        source = LaunchpadDemand(address, NAME)

        def up():
            try:
                keep_up(pilots, source, interval=0.5, seconds=500, report=self.steps.append)
            except Exception as error:
                self.error = error

        self.pilots, self.source = pilots, source
        self.thread = threading.Thread(target=up)
        self.thread.start()

    def wait_for_run(self, number, seconds=SOON):
        """Until the long job has begun so often; gives the process of its last run, and how long that took, s."""
        start = time.monotonic()
        while cluster_jobs.runs(self.folder, "long") < number:
            assert self.error is None, self.error
            assert time.monotonic() - start < seconds, self.steps[-3:]
            time.sleep(0.05)
        time.sleep(0.2)  # the note is written whole
        notes = sorted(Path(self.folder).glob("long.*"), key=lambda path: path.stat().st_mtime)
        return int(notes[-1].read_text()), time.monotonic() - start

    def queue_jobs(self):
        return [job.id for job in self.queue.jobs([f"ninefold-{NAME}-cpu"])]

    def finish(self):
        """Let the long job end."""
        (self.folder / "go").touch()
        self.thread.join(SOON)
        assert self.error is None, self.error
        assert self.steps[-1].work_left == 0
        assert cluster_jobs.runs(self.folder, "last") == 1


@pytest.fixture
def saved(slurm):
    """What the controller has written of its jobs before the campaign."""
    job = run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "true").stdout.strip()
    wait_until_saved(job)
    return saved_jobs().read_bytes()


@pytest.fixture
def campaign(slurm, tmp_path, monkeypatch, request):
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    monkeypatch.setenv("NINEFOLD_STORE", address)
    here = str(Path(cluster_jobs.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    # a minute otherwise
    monkeypatch.setattr(recovery, "recover_if_due", functools.partial(recovery.recover_if_due, seconds=1.0))
    one = Campaign(tmp_path, address, getattr(request, "param", {}))
    yield one
    (tmp_path / "go").touch()
    one.thread.join(SOON)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_cancelled_queue_job_is_replaced_and_its_job_runs_again(campaign, record_property):
    campaign.wait_for_run(1)
    before = campaign.queue_jobs()
    campaign.queue.cancel(before)
    _, seconds = campaign.wait_for_run(2)
    record_property("seconds until the job ran again", round(seconds, 1))
    assert seconds < SOON
    assert not set(before) & set(campaign.queue_jobs())
    campaign.finish()
    assert cluster_jobs.runs(campaign.folder, "long") == 2


def test_a_killed_worker_is_replaced_and_its_job_runs_again(campaign, record_property):
    pid, _ = campaign.wait_for_run(1)
    os.kill(pid, signal.SIGKILL)
    _, seconds = campaign.wait_for_run(2)
    record_property("seconds until the job ran again", round(seconds, 1))
    assert seconds < SOON
    campaign.finish()
    assert cluster_jobs.runs(campaign.folder, "long") == 2


def test_a_node_that_dies_with_its_processes_loses_no_job(campaign, record_property):
    pid, _ = campaign.wait_for_run(1)
    node = run("squeue", "-h", "-n", f"ninefold-{NAME}-cpu", "-o", "%N").stdout.strip()
    service().end(node, signal.SIGKILL)
    os.kill(parent_of(pid), signal.SIGKILL)  # slurmstepd, which would report the end
    os.kill(pid, signal.SIGKILL)
    try:
        _, seconds = campaign.wait_for_run(2)
        record_property("seconds until the job ran again", round(seconds, 1))
        assert seconds < SOON
        assert run("squeue", "-h", "-n", f"ninefold-{NAME}-cpu", "-o", "%N").stdout.strip() != node
        campaign.finish()
    finally:
        service().launch(node)
        service().wait_until_ready()
    assert cluster_jobs.runs(campaign.folder, "long") == 2


@pytest.mark.parametrize("campaign", [{"wall_time": "00:02:00", "margin_minutes": 1.5}], indirect=True)
def test_a_queue_job_ends_before_its_wall_time_and_the_next_goes_on(campaign, record_property):
    _, began = campaign.wait_for_run(1)
    before = campaign.queue_jobs()
    _, seconds = campaign.wait_for_run(2)
    record_property("seconds until the job ran again", round(seconds, 1))
    assert seconds < SOON + began
    assert not set(before) & set(campaign.queue_jobs())
    log = next((campaign.folder / "work/logs").glob(f"*{before[0]}.log")).read_text()
    assert "1 given back" in log
    campaign.finish()
    assert cluster_jobs.runs(campaign.folder, "long") == 2


def saved_jobs():
    """The file in which the controller keeps its jobs; it writes it some 5 s after a change."""
    return service().FOLDER / "state" / "job_state"


def wait_until_saved(job):
    """Until the controller has written down that a job runs: what it has not, it forgets when it is killed."""
    now = time.time()
    run("scontrol", "update", f"JobId={job}", "Comment=seen")
    last = time.monotonic() + 30
    while not saved_jobs().exists() or saved_jobs().stat().st_mtime <= now:
        assert time.monotonic() < last
        time.sleep(0.1)


def restart_controller(campaign, change=lambda: None):
    """Kill the controller, wait until `up` has noticed it, change something, and start it again."""
    service().end("slurmctld", signal.SIGKILL)
    seen = len(campaign.steps)
    while not any(step.delayed for step in campaign.steps[seen:]):
        assert campaign.error is None
        time.sleep(0.1)
    change()
    service().launch("slurmctld")
    service().wait_until_ready()


def test_a_restart_of_the_controller_disturbs_nothing(campaign):
    campaign.wait_for_run(1)
    [before] = campaign.queue_jobs()
    wait_until_saved(before)
    restart_controller(campaign)
    assert campaign.queue_jobs() == [before]
    campaign.finish()
    assert cluster_jobs.runs(campaign.folder, "long") == 1


def test_a_controller_that_has_forgotten_a_queue_job_kills_it_and_its_job_runs_again(saved, campaign, record_property):
    """Killed within 5 s of the start of a queue job, slurmctld does not know it any more, and ends its processes."""
    pid, _ = campaign.wait_for_run(1)
    restart_controller(campaign, lambda: saved_jobs().write_bytes(saved))
    _, seconds = campaign.wait_for_run(2)
    record_property("seconds until the job ran again", round(seconds, 1))
    assert seconds < SOON
    assert not Path(f"/proc/{pid}").exists()
    campaign.finish()
    assert cluster_jobs.runs(campaign.folder, "long") == 2


def test_two_launchers_at_once_run_each_job_once(campaign):
    """The second is refused; where the first one's lock is not seen, as on another file system, it does no harm."""
    campaign.wait_for_run(1)
    with pytest.raises(InputError, match="keeps it up already"):
        keep_up(campaign.pilots, campaign.source, once=True)
    elsewhere = campaign.folder / "elsewhere"
    elsewhere.mkdir()
    settings = yaml.safe_load((campaign.folder / f"{NAME}.yaml").read_text())
    (elsewhere / f"{NAME}.yaml").write_text(yaml.safe_dump({**settings, "work_folder": str(elsewhere / "work")}))
    second = start("up", elsewhere / f"{NAME}.yaml", "--interval", "1", "--time-out", "6", cwd=elsewhere)
    try:
        line = second.stderr.readline()  # it has looked
        assert "1 run" in line
        assert len(campaign.queue_jobs()) == 1
        campaign.finish()
        out, err = second.communicate(timeout=SOON)
    finally:
        second.kill()
    assert (second.returncode, out) == (0, "No work is left.\n"), err
    assert [cluster_jobs.runs(campaign.folder, name) for name in ("long", "last")] == [1, 1]
