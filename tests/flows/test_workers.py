"""A worker that dies takes down only its task; a structure that cannot be computed is recorded."""

import os

import pytest

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, NinefoldError
from ninefold.flows.workers import Failure, close_pools, run_tasks

CAMPAIGN = parse_campaign(
    {"name": "w", "space": [{"centres": ["Re"], "cations": ["K"]}], "engine": {"name": "lj"}}
).to_dict()


def square(context, number):
    return number**2


def die_on_three(context, number):
    if number == 3:
        os.kill(os.getpid(), 9)
    return number**2


def die(context, number):
    os.kill(os.getpid(), 9)


def complain(context, number):
    raise InputError("number", number)


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
def test_errors_cross_the_process_border_whole(tmp_path, workers):
    with pytest.raises(InputError, match="number: 5 is not allowed"):
        list(run_tasks(complain, [(5,)], CAMPAIGN, str(tmp_path / "s.db"), workers))


def test_workers_that_always_die_end_the_campaign(tmp_path):
    with pytest.raises(NinefoldError, match="3 worker processes in a row died"):
        list(run_tasks(die, [(n,) for n in range(6)], CAMPAIGN, str(tmp_path / "s.db"), 2))


def test_no_tasks_start_no_process(tmp_path):
    assert list(run_tasks(square, [], CAMPAIGN, str(tmp_path / "s.db"), 2)) == []
