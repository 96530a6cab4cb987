"""The scheduler's programs: Slurm's real ones, and stand-ins that print what PBS' and SGE's print."""

import getpass
import os
import subprocess
import time
from pathlib import Path

import pytest

from ninefold.clusters import Cluster
from ninefold.clusters.scripts import queue_script
from ninefold.errors import InputError
from ninefold.run import queue as queue_module
from ninefold.run.queue import QueueError, QueueJob, QueueLimitError, queue_of
from slurm_server import PARTITION
from slurm_server import slurm as slurm

NAME = f"ninefold-test{os.getpid()}-cpu"


def cluster(scheduler="slurm", cpu=(), **changes):
    return Cluster.model_validate(
        {
            "name": f"test{os.getpid()}", "scheduler": scheduler, "work_folder": "/w", "spool": "/s",
            "resources": {"cpu": {"cores": 1, "memory_GB": 0.5, "wall_time": "00:10:00", **dict(cpu)}},
            **({"queue": PARTITION} if scheduler == "slurm" else {}), **changes,
        }
    )  # fmt: skip


def written(folder, one, *command, tasks=1):
    script = folder / "job.sh"
    script.write_text(queue_script(one, one.of("cpu"), command, name=NAME, folder=folder, tasks=tasks))
    return script


def until(condition, seconds=30):
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError("not within the time")


def test_a_job_is_submitted_listed_and_gone(slurm, tmp_path):
    queue = queue_of(one := cluster())
    job = queue.submit(written(tmp_path, one, "sh", "-c", "echo it ran"))
    assert [(found.id, found.name) for found in queue.jobs([NAME, "ninefold-other-cpu"])] in ([(job, NAME)], [])
    until(lambda: not queue.jobs([NAME]))
    assert (tmp_path / f"{NAME}-{job}.log").read_text() == "it ran\n"


def test_tasks_of_an_array_are_listed_one_by_one_and_cancelled(slurm, tmp_path):
    queue = queue_of(one := cluster())
    job = queue.submit(written(tmp_path, one, "sleep", "100", tasks=6))
    # two nodes of two cores: four run
    jobs = until(lambda: sum(found.state == "running" for found in queue.jobs([NAME])) == 4 and queue.jobs([NAME]))
    assert {found.id for found in jobs} == {f"{job}_{task}" for task in range(6)}
    # Slurm gives the reason when it has next looked at the job
    assert {found.reason for found in jobs if found.state == "waiting"} <= {"", "Resources", "Priority"}
    assert queue.jobs(["ninefold-other-cpu"]) == []
    queue.cancel([f"{job}_0", f"{job}_5"])
    assert {found.id for found in queue.jobs([NAME]) if found.state == "waiting"} <= {f"{job}_4"}
    queue.cancel([job])
    until(lambda: not queue.jobs([NAME]))
    queue.cancel([job])  # gone already
    queue.cancel([])


def test_a_job_that_will_never_start_is_held_with_the_reason(slurm, tmp_path):
    queue = queue_of(one := cluster(cpu={"wall_time": "9-00:00:00"}))
    job = queue.submit(written(tmp_path, one, "true"))
    held = QueueJob(job, NAME, "held", "PartitionTimeLimit")
    assert until(lambda: queue.jobs([NAME]) == [held] and held) == held


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account": "nobody"}, r"account: 'nobody' is refused by sbatch: .*Invalid account or account/partition"),
        ({"queue": "nowhere"}, r"queue: 'nowhere' is refused by sbatch: invalid partition specified: nowhere"),
        (
            {"cpu": {"memory_GB": 90}},
            r"resources is refused by sbatch: Memory specification can not be satisfied",
        ),
        ({"scheduler_lines": ["--bogus"]}, r"is refused by sbatch: unrecognized option '--bogus'"),
    ],
)
def test_what_slurm_refuses_is_one_line_with_its_own_words(slurm, tmp_path, changes, message):
    queue = queue_of(one := cluster(**changes))
    script = written(tmp_path, one, "true")
    with pytest.raises(InputError, match=message) as caught:
        queue.submit(script)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert queue.refusal(script) is not None
    assert queue.jobs([NAME]) == []


def test_a_script_that_would_be_accepted_is_not_submitted_by_asking(slurm, tmp_path):
    queue = queue_of(one := cluster(account="paid"))
    assert queue.refusal(written(tmp_path, one, "true")) is None
    assert queue.jobs([NAME]) == []


def stand_in(folder, name, body):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Only what the test puts there is on the path."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    return lambda name, body: stand_in(tmp_path, name, body)


@pytest.mark.parametrize(("scheduler", "program"), [("slurm", "sbatch"), ("pbs", "qsub"), ("sge", "qsub")])
def test_a_missing_scheduler_is_one_line(programs, scheduler, program):
    one = cluster(scheduler)
    with pytest.raises(
        InputError, match=rf"scheduler: '{scheduler}' needs the program '{program}', which .* login node"
    ):
        queue_of(one).submit(Path("x.sh"))


def test_a_scheduler_that_does_not_answer_is_not_waited_for_without_end(programs, monkeypatch):
    monkeypatch.setattr(queue_module, "TIMEOUT", 0.2)
    programs("squeue", "exec /bin/sleep 60")
    with pytest.raises(QueueError, match=r"squeue did not answer within 0.2 s; try again"):
        queue_of(cluster()).jobs([NAME])


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("sbatch: error: Unable to contact slurm controller (connect failure)", QueueError),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", QueueError),
        ("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
         "size and/or time limits)", QueueLimitError),
        ("qsub: would exceed queue generic's per-user limit; max_queued", QueueLimitError),
    ],
)  # fmt: skip
def test_what_can_be_tried_again_is_told_from_what_cannot(programs, said, error):
    programs("sbatch", f'echo "{said}" >&2; exit 1')
    with pytest.raises(error):
        queue_of(cluster()).submit(Path("x.sh"))


def test_a_controller_that_is_gone_is_no_mistake_of_the_user_s(programs):
    programs("squeue", 'echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1')
    with pytest.raises(QueueError, match=r"squeue failed: slurm_load_jobs error: Unable to contact slurm controller"):
        queue_of(cluster()).jobs([NAME])


def test_pbs(programs, tmp_path):
    programs("qsub", f'echo "$@" > {tmp_path}/qsub; echo "1234[].head.example.org"')
    programs("qdel", f'echo "$@" > {tmp_path}/qdel; echo "qdel: Job has finished 12.head" >&2; exit 35')
    programs(
        "qselect",
        f'test "$1 $2 $3 $4 $5 $6" = "-T -u {getpass.getuser()} -N {NAME} -s" || exit 2; '
        'case $7 in QWT) echo "1234[1].head"; echo "1234[2].head";; RES) echo "1234[0].head";; esac',
    )
    queue = queue_of(cluster("pbs"))
    assert queue.submit(Path("x.sh")) == "1234[].head.example.org"
    assert queue.jobs([NAME]) == [
        QueueJob("1234[1].head", NAME, "waiting"),
        QueueJob("1234[2].head", NAME, "waiting"),
        QueueJob("1234[0].head", NAME, "running"),
    ]
    queue.cancel(["1234[].head"])
    assert (tmp_path / "qdel").read_text() == "1234[].head\n"
    programs("qsub", 'echo "qsub: Invalid account" >&2; exit 1')
    with pytest.raises(InputError, match=r"account: 'x' is refused by qsub: Invalid account"):
        queue_of(cluster("pbs", account="x")).submit(Path("x.sh"))


QSTAT = """<?xml version='1.0'?>
<job_info xmlns:xsd="http://www.w3.org/2001/XMLSchema"><queue_info>
<job_list state="running"><JB_job_number>7</JB_job_number><JAT_prio>0.5</JAT_prio><JB_name>{name}</JB_name>
<JB_owner>me</JB_owner><state>r</state><queue_name>all.q@n1</queue_name><slots>1</slots><tasks>1</tasks></job_list>
</queue_info><job_info>
<job_list state="pending"><JB_job_number>7</JB_job_number><JB_name>{name}</JB_name><state>qw</state>
<tasks>2</tasks></job_list>
<job_list state="pending"><JB_job_number>8</JB_job_number><JB_name>{name}</JB_name><state>Eqw</state></job_list>
<job_list state="pending"><JB_job_number>9</JB_job_number><JB_name>another</JB_name><state>qw</state></job_list>
</job_info></job_info>
"""


def test_sge(programs, tmp_path):
    (tmp_path / "xml").write_text(QSTAT.format(name=NAME))
    programs("qsub", f'echo "$@" > {tmp_path}/qsub; echo "7.1-2:1"')
    programs("qstat", f'test "$*" = "-xml -g d -u {getpass.getuser()}" || exit 2; exec /bin/cat {tmp_path}/xml')
    programs("qdel", f'echo "$@" >> {tmp_path}/qdel')
    queue = queue_of(cluster("sge"))
    assert queue.submit(Path("x.sh")) == "7"
    assert (tmp_path / "qsub").read_text() == "-terse x.sh\n"
    assert queue.jobs([NAME]) == [
        QueueJob("7.1", NAME, "running"),
        QueueJob("7.2", NAME, "waiting"),
        QueueJob("8", NAME, "held", "its state is an error"),
    ]
    queue.cancel(["7.2", "8"])
    assert (tmp_path / "qdel").read_text() == "7 -t 2\n8\n"
    programs("qstat", "echo error")
    with pytest.raises(QueueError, match="printed no XML"):
        queue.jobs([NAME])


def test_submitted_without_a_number(programs):
    programs("sbatch", "echo hello")
    with pytest.raises(QueueError, match="sbatch named no job: hello"):
        queue_of(cluster()).submit(Path("x.sh"))


def test_slurm_runs_what_the_script_says(slurm, tmp_path):
    """Wall time, name, nodes: as Slurm understood the directives."""
    one = cluster(cpu={"wall_time": "01:02:03", "cores": 2}, account="paid")
    job = queue_of(one).submit(written(tmp_path, one, "sleep", "20"))
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    for part in (
        "TimeLimit=01:03:00",
        "NumNodes=1",
        "NumCPUs=2",
        f"JobName={NAME}",
        "Account=paid",
        "MinMemoryNode=500M",
    ):
        assert part in shown
