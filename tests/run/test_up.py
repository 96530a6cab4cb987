"""Keeping queue jobs alive: against the real Slurm, and against a queue in memory for what takes long."""

import os
import time
from collections import Counter

import pytest

from ninefold.clusters import Cluster
from ninefold.errors import InputError, NinefoldError
from ninefold.run.demand import Demand
from ninefold.run.queue import QueueError, QueueJob, queue_of
from ninefold.run.up import Pilots, keep_up, pilot_command
from slurm_server import PARTITION
from slurm_server import slurm as slurm


def cluster(folder, kinds=("cpu",), **changes):
    needs = {"cores": 1, "memory_GB": 0.5, "wall_time": "00:10:00", "queue": PARTITION}
    return Cluster.model_validate(
        {
            "name": f"up{os.getpid()}", "scheduler": "slurm", "work_folder": str(folder), "spool": "/s",
            "resources": dict.fromkeys(kinds, needs), "max_queue_jobs": 3, **changes,
        }
    )  # fmt: skip


class Files:
    """Work as files of a folder: each worker takes them one by one by renaming, as long as there are any."""

    def __init__(self, folder, count):
        self.folder = folder
        for state in ("waiting", "running", "done"):
            (folder / state).mkdir(parents=True)
        for number in range(count):
            (folder / "waiting" / str(number)).touch()

    def demand(self):
        return {"cpu": Demand(*(len(list((self.folder / state).iterdir())) for state in ("waiting", "running")))}

    def paused(self):
        return ()

    def hindrances(self):
        return ()

    def worker(self):
        script = self.folder / "worker.sh"
        script.write_text(
            f"cd {self.folder}\n"
            "for job in waiting/*; do\n"
            '  name=$(basename "$job")\n'
            '  mv "waiting/$name" "running/$name" 2>/dev/null || continue\n'
            '  sleep 0.2; echo "$NINEFOLD_QUEUE_JOB" >> "running/$name"; mv "running/$name" "done/$name"\n'
            "done\n"
        )
        return ["sh", str(script)]


class Memory:
    """A queue that starts nothing."""

    def __init__(self):
        self.scripts, self.alive, self.cancelled, self.error = [], {}, [], None

    def submit(self, script):
        text = script.read_text()
        self.scripts.append(text)
        name = next(line.partition("=")[2] for line in text.splitlines() if "--job-name" in line)
        tasks = [line.rpartition("-")[2] for line in text.splitlines() if "--array" in line]
        number = str(len(self.scripts))
        for task in range(int(tasks[0]) + 1 if tasks else 1):
            self.alive[f"{number}_{task}"] = QueueJob(f"{number}_{task}", name, "waiting")
        return number

    def jobs(self, names):
        if self.error:
            raise QueueError(self.error)
        return [job for job in self.alive.values() if job.name in set(names)]

    def cancel(self, ids):
        self.cancelled += ids
        for one in ids:
            self.alive.pop(one)


class Source:
    def __init__(self, **demand):
        self.now = {kind: Demand(*numbers) for kind, numbers in demand.items()}
        self.held, self.lacking = [], []

    def demand(self):
        return self.now

    def paused(self):
        return self.held

    def hindrances(self):
        return self.lacking


def pilots(one, queue):
    return Pilots(one, queue, lambda kind: ["true", kind])


def test_all_work_is_done_on_a_real_queue_once_each_within_the_limit(slurm, tmp_path):
    one, files = cluster(tmp_path / "work"), Files(tmp_path / "jobs", 20)
    queue = queue_of(one)
    steps = []
    last = keep_up(
        Pilots(one, queue, lambda kind: files.worker()), files, seconds=60, interval=0.5, report=steps.append
    )
    assert last.work_left == 0
    jobs = [(tmp_path / "jobs/done" / str(number)).read_text().split() for number in range(20)]
    assert all(len(names) == 1 for names in jobs)  # no job was done twice
    assert max(sum(step.alive.values()) for step in steps) <= 3
    assert steps[0].submitted == {"cpu": 3}  # as one array
    assert len({names[0].partition("_")[0] for names in jobs}) <= sum(bool(step.submitted) for step in steps)


def test_a_second_process_is_refused_while_one_runs(tmp_path):
    first = pilots(cluster(tmp_path), Memory())
    second = pilots(cluster(tmp_path), Memory())

    def report(step):
        with pytest.raises(InputError, match=rf"'process {os.getpid()} on .*' keeps it up already"):
            keep_up(second, Source(), once=True)

    keep_up(first, Source(), once=True, report=report)
    keep_up(second, Source(), once=True)  # the lock goes with its holder


def test_a_paused_campaign_is_waited_for(tmp_path):
    queue, source, steps = Memory(), Source(cpu=(3,)), []

    def report(step):
        steps.append(step)
        if len(steps) == 1:
            source.now, source.held = {}, ["mine"]
            for job in queue.alive:
                queue.alive[job] = queue.alive[job]._replace(state="running")
        if len(steps) == 3:
            queue.alive.clear()  # three workers for which nothing was ready: no sign of a broken environment
        if len(steps) == 5:
            source.held = []

    step = keep_up(pilots(cluster(tmp_path), queue), source, interval=0.05, report=report)
    assert [step.paused for step in steps] == [(), *[("mine",)] * 4, ()]
    assert step.work_left == 0


def test_what_keeps_work_from_becoming_ready_is_told_while_there_is_any(tmp_path):
    from ninefold.cli.cluster import line_of

    source = Source(cpu=(0, 1))
    source.lacking = ["nobody serves /s"]
    keeper = pilots(cluster(tmp_path), Memory())
    assert line_of(keeper.step(source)).endswith("; nobody serves /s")
    source.now = {}
    assert "nobody" not in line_of(keeper.step(source))


def test_once_looks_once(tmp_path):
    queue = Memory()
    step = keep_up(pilots(cluster(tmp_path), queue), Source(cpu=(2,)), once=True)
    assert step.submitted == {"cpu": 2}
    assert len(queue.alive) == 2


def test_the_time_out_ends_it_with_work_left(tmp_path):
    start = time.monotonic()
    step = keep_up(pilots(cluster(tmp_path), Memory()), Source(cpu=(9,)), seconds=0.5, interval=0.1)
    assert 0.4 < time.monotonic() - start < 5
    assert step.work_left == 9


def test_arrays_are_no_longer_than_the_site_allows(tmp_path):
    queue = Memory()
    one = cluster(tmp_path, max_queue_jobs=7, max_array_size=3)
    pilots(one, queue).step(Source(cpu=(100,)))
    assert Counter(name.partition("_")[0] for name in queue.alive) == {"1": 3, "2": 3, "3": 1}
    assert ["--array=" in script for script in queue.scripts] == [True, True, False]


def test_kinds_have_queue_jobs_of_their_own(tmp_path):
    queue = Memory()
    one = cluster(tmp_path, kinds=("cpu", "dft"))
    step = pilots(one, queue).step(Source(cpu=(1,), dft=(1,), gpu=(5,)))
    assert step.submitted == {"cpu": 1, "dft": 1}
    assert [script.splitlines()[-1] for script in queue.scripts] == ["exec true cpu", "exec true dft"]


def test_waiting_queue_jobs_are_cancelled_when_no_work_is_left_and_running_ones_are_not(tmp_path):
    queue, source = Memory(), Source(cpu=(3,))
    keeper = pilots(cluster(tmp_path), queue)
    keeper.step(source)
    queue.alive["1_0"] = queue.alive["1_0"]._replace(state="running")
    source.now = {"cpu": Demand(0, 1)}
    assert keeper.step(source).cancelled == 0  # what runs may bring more
    source.now = {"cpu": Demand(0, 0)}
    assert keeper.step(source).cancelled == 2
    assert set(queue.alive) == {"1_0"}


def test_queue_jobs_that_end_and_take_no_work_are_not_submitted_for_ever(tmp_path):
    queue, source = Memory(), Source(cpu=(5,))
    keeper = pilots(cluster(tmp_path, max_queue_jobs=1), queue)
    (tmp_path / "logs" / f"ninefold-up{os.getpid()}-cpu-1.log").write_text("a\nbash: python: command not found\n")
    for _ in range(3):
        keeper.step(source)
        queue.alive.clear()
    with pytest.raises(NinefoldError, match=r"3 queue jobs ended and took no work; .*-1.log, ends: a / bash: python"):
        keeper.step(source)
    assert len(queue.scripts) == 3


def test_queue_jobs_that_take_work_are_replaced_for_as_long_as_there_is_any(tmp_path):
    queue, source = Memory(), Source(cpu=(50,))
    keeper = pilots(cluster(tmp_path, max_queue_jobs=1), queue)
    for left in range(40, 0, -1):
        keeper.step(source)
        queue.alive.clear()
        source.now = {"cpu": Demand(left)}
    assert len(queue.scripts) == 40


def test_a_queue_that_does_not_answer_is_asked_again(tmp_path):
    queue, source = Memory(), Source(cpu=(1,))
    keeper = pilots(cluster(tmp_path, max_queue_jobs=1), queue)
    queue.error = "squeue failed: gone"
    with pytest.raises(QueueError, match="gone"):  # at the first look it may be a mistake
        keeper.step(source)
    queue.error = None
    assert keeper.step(source).submitted == {"cpu": 1}
    queue.error = "squeue failed: gone"
    step = keeper.step(source)
    assert (step.delayed, step.submitted, step.work_left) == ("squeue failed: gone", {}, 1)
    queue.error = None
    assert keeper.step(source).submitted == {}
    assert len(queue.scripts) == 1


def test_a_database_that_is_away_for_a_while_ends_nothing(tmp_path):
    class Away(Source):
        is_away = False

        def demand(self):
            if self.is_away:
                raise InputError("store", "mongodb://x", problem="cannot be reached")
            return self.now

    queue, source = Memory(), Away(cpu=(1,))
    steps = []

    def report(step):
        steps.append(step.delayed is not None)
        source.is_away = len(steps) in (1, 2)
        if len(steps) == 4:
            source.now = {}

    last = keep_up(pilots(cluster(tmp_path), queue), source, interval=0.01, seconds=20, report=report)
    assert steps == [False, True, True, False, False]
    assert last.cancelled == 1
    source.is_away = True
    with pytest.raises(InputError, match="cannot be reached"):
        keep_up(pilots(cluster(tmp_path), queue), source, once=True)


def test_a_held_queue_job_is_told(tmp_path):
    queue = Memory()
    keeper = pilots(cluster(tmp_path), queue)
    keeper.step(Source(cpu=(1,)))
    queue.alive["1_0"] = queue.alive["1_0"]._replace(state="held", reason="PartitionTimeLimit")
    step = keeper.step(Source(cpu=(1,)))
    assert step.held == {"1_0": "PartitionTimeLimit"}
    assert step.submitted == {}


def test_a_work_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"work_folder: '.*/file/x' cannot be made: .*name a folder that all nodes share"
    ):
        pilots(cluster(tmp_path / "file" / "x"), Memory())


@pytest.mark.parametrize(
    ("name", "problem"),
    [("work", "depends on the folder that a command is started in"),
     ("$NINEFOLD_NOT_SET/work", "begins with a variable that is not set here")],
)  # fmt: skip
def test_a_folder_that_each_node_would_take_for_another_is_one_line(tmp_path, monkeypatch, name, problem):
    from ninefold.clusters import spool_folder

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"work_folder: .* {problem}; allowed: a path that begins with /, ~ or a var"):
        pilots(cluster(name), Memory())
    with pytest.raises(InputError, match=rf"spool: .* {problem}"):
        spool_folder(cluster(tmp_path, spool=name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "50%", "it's", "a\\b"])
def test_a_work_folder_that_no_script_can_name_is_one_line(tmp_path, name):
    with pytest.raises(InputError, match=r"work_folder: .* holds a blank, a quotation mark, a backslash or %"):
        pilots(cluster(tmp_path / name), Memory())
    assert list(tmp_path.iterdir()) == []


def test_the_command_of_a_queue_job(tmp_path):
    needs = {"cores": 8, "memory_GB": 1, "wall_time": "01:00:00"}
    one = cluster(tmp_path, python="~/v/python", resources={"cpu": needs, "dft": needs})
    for kind, processes in (("cpu", "8"), ("dft", "1")):
        assert pilot_command(one, tmp_path / "c.yaml", kind) == [
            "~/v/python", "-m", "ninefold", "work", "--cluster", str(tmp_path / "c.yaml"), "--resources", kind,
            "--until-wall-time", "$NINEFOLD_UNTIL", "--processes", processes,
        ]  # fmt: skip
