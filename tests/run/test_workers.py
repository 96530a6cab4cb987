"""A worker that dies takes down only its task; a structure that cannot be computed is recorded."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, NinefoldError
from ninefold.flows.runner import run_tasks, running_with
from ninefold.flows.workplace import Failure
from ninefold.models.method import Method
from ninefold.run.process_pool import OUT_OF_MEMORY
from ninefold.run.workers import Workers
from ninefold.store import open_store

CAMPAIGN = parse_campaign(
    {"name": "w", "space": [{"centres": ["Re"], "cations": ["K"]}], "engine": {"name": "lj"}}
).to_dict()


def square(place, number):
    return number**2


def die_on_three(place, number):
    if number == 3:
        os.kill(os.getpid(), 9)
    return number**2


def die(place, number):
    os.kill(os.getpid(), 9)


def complain(place, number):
    raise InputError("number", number)


def store_method(place, name):
    place.store.put("methods", [Method(id=name, name=name, label=name, evidence="test")])


def exhaust(place, number):
    if number == 1:
        raise MemoryError
    return number**2


def identity(place, number):
    return id(place), os.getpid()


@pytest.fixture
def run(tmp_path):
    """Results of a task by index, computed by so many workers."""

    def run(task, arguments, count):
        with Workers(count) as workers:
            return dict(workers.run(task, [(each,) for each in arguments], CAMPAIGN, str(tmp_path / "s.db")))

    return run


@pytest.mark.parametrize("count", [1, 2])
def test_every_task_comes_back(run, count):
    assert run(square, range(7), count) == {n: n**2 for n in range(7)}


@pytest.mark.parametrize("count", [1, 2])
def test_store_and_engines_are_opened_once_in_each_process(run, count):
    assert len(set(run(identity, range(6), count).values())) <= count


@pytest.mark.parametrize("count", [1, 2])
def test_a_store_that_was_removed_is_made_anew_by_the_next_run(run, tmp_path, count):
    run(store_method, ["one"], count)
    for file in tmp_path.iterdir():
        file.unlink()
    run(store_method, ["two"], count)
    with open_store(tmp_path / "s.db") as store:
        assert [method["id"] for method in store.find("methods")] == ["two"]


def test_death_of_a_worker_costs_only_its_task(run):
    done = run(die_on_three, range(5), 2)
    assert isinstance(done.pop(3), Failure)
    assert done == {n: n**2 for n in (0, 1, 2, 4)}


@pytest.mark.parametrize("count", [1, 2])
def test_out_of_memory_costs_only_its_task_and_is_no_result(run, count):
    assert run(exhaust, range(3), count) == {0: 0, 1: Failure(OUT_OF_MEMORY), 2: 4}


@pytest.mark.parametrize("count", [1, 2])
def test_errors_cross_the_process_border_whole(run, count):
    with pytest.raises(InputError, match="number: 5 is not allowed"):
        run(complain, [5], count)


def test_workers_that_always_die_end_the_campaign(run):
    with pytest.raises(NinefoldError, match="3 worker processes in a row died"):
        run(die, range(6), 2)


SCRIPT = """
from ninefold.campaign import parse_campaign
from ninefold.run.local import run_campaign

CAMPAIGN = parse_campaign({settings})


def start():
    run_campaign(CAMPAIGN, "s.db")


{call}
"""


def run_script(folder, call, workers):
    from campaign_run import QUICK, with_pairs

    environment = with_pairs(folder)
    structures = {**QUICK["structures"], "rounds": 1, "sources": ["known_types"]}
    space = [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]
    settings = {**QUICK, "space": space, "structures": structures, "execution": {"workers": workers}}
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
    for word in ("script.py", "in line 12 outside the main guard", 'if __name__ == "__main__":', "workers to 1"):
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
    with Workers(2) as workers, running_with(workers):
        assert list(run_tasks(square, [], CAMPAIGN, str(tmp_path / "s.db"))) == []
        assert multiprocessing.active_children() == []


def test_without_an_executor_tasks_run_in_this_process(tmp_path):
    found = dict(run_tasks(identity, [(1,), (2,)], CAMPAIGN, str(tmp_path / "s.db")))
    assert {process for _, process in found.values()} == {os.getpid()}
    assert found[0] == found[1]
