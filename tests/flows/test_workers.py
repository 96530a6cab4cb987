"""A worker that dies takes down only its task; a structure that cannot be computed is recorded."""

import os
import subprocess
import sys
import time

import pytest
from ninefold.flows.workers import Failure, _pool, close_pools, run_tasks

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, NinefoldError
from ninefold.run.pool import OUT_OF_MEMORY

CAMPAIGN = parse_campaign(
    {"name": "w", "space": [{"centres": ["Re"], "cations": ["K"]}], "engine": {"name": "lj"}}
).to_dict()


def square(context, number):
    return number**2


def worker_id(seconds):
    time.sleep(seconds)
    return os.getpid()


def die_on_three(context, number):
    if number == 3:
        os.kill(os.getpid(), 9)
    return number**2


def die(context, number):
    os.kill(os.getpid(), 9)


def complain(context, number):
    raise InputError("number", number)


def exhaust(context, number):
    if number == 1:
        raise MemoryError
    return number**2


@pytest.fixture(autouse=True)
def _ended():
    yield
    close_pools()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_comes_back(tmp_path, workers):
    done = dict(run_tasks(square, [(n,) for n in range(7)], CAMPAIGN, str(tmp_path / "s.db"), workers))
    assert done == {n: n**2 for n in range(7)}


def test_death_of_a_worker_costs_only_its_task(tmp_path):
    done = dict(run_tasks(die_on_three, [(n,) for n in range(5)], CAMPAIGN, str(tmp_path / "s.db"), 2))
    assert isinstance(done.pop(3), Failure)
    assert done == {n: n**2 for n in (0, 1, 2, 4)}


@pytest.mark.parametrize("workers", [1, 2])
def test_out_of_memory_costs_only_its_task_and_is_no_result(tmp_path, workers):
    done = dict(run_tasks(exhaust, [(n,) for n in range(3)], CAMPAIGN, str(tmp_path / "s.db"), workers))
    assert done == {0: 0, 1: Failure(OUT_OF_MEMORY), 2: 4}


def test_workers_are_kept_for_fewer_tasks_and_are_never_more_than_asked():
    def processes(tasks, workers):
        return {process for _, process in _pool(workers, tasks).map(worker_id, [(0.2,)] * tasks)}

    three = processes(3, 3)
    assert len(three) == 3
    assert processes(2, 2) < three
    assert len(processes(3, 2)) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_cross_the_process_border_whole(tmp_path, workers):
    with pytest.raises(InputError, match="number: 5 is not allowed"):
        list(run_tasks(complain, [(5,)], CAMPAIGN, str(tmp_path / "s.db"), workers))


def test_workers_that_always_die_end_the_campaign(tmp_path):
    with pytest.raises(NinefoldError, match="3 worker processes in a row died"):
        list(run_tasks(die, [(n,) for n in range(6)], CAMPAIGN, str(tmp_path / "s.db"), 2))


SCRIPT = """
from pathlib import Path

from ninefold.campaign import parse_campaign
from ninefold.flows.execute import run_campaign

CAMPAIGN = parse_campaign({settings})


def start():
    run_campaign(CAMPAIGN, Path("s.db"))


{call}
"""


def run_script(folder, call, workers):
    from campaign_run import QUICK, with_pairs

    environment = with_pairs(folder)
    structures = {**QUICK["structures"], "rounds": 1}
    settings = {**QUICK, "structures": structures, "execution": {"workers": workers}}
    (folder / "script.py").write_text(SCRIPT.format(settings=settings, call=call))
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


def test_a_script_without_the_main_guard_is_told_once(tmp_path):
    done = run_script(tmp_path, "start()", 2)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    last = done.stderr.strip().splitlines()[-1]
    for word in ("script.py", "in line 14 outside the main guard", 'if __name__ == "__main__":', "workers to 1"):
        assert word in last


@pytest.mark.parametrize(
    ("call", "workers"),
    [('if __name__ == "__main__":\n    start()', 2), ("start()", 1)],
    ids=["guarded", "one process"],
)
def test_a_script_with_the_main_guard_or_without_processes_runs(tmp_path, call, workers):
    done = run_script(tmp_path, call, workers)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_tasks_start_no_process(tmp_path):
    assert list(run_tasks(square, [], CAMPAIGN, str(tmp_path / "s.db"), 2)) == []
