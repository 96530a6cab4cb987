"""Worker processes that are killed, run out of memory, are interrupted, or lose their parent."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ninefold.errors import InputError, NinefoldError
from ninefold.run.process_pool import OUT_OF_MEMORY, Pool, SerialPool, TaskFailure, make_pool

KILLED = "worker process died by SIGKILL (out of memory?)"


def square(number):
    return number**2


def kill_on_odd(number):
    if number % 2:
        kill(number)
    time.sleep(0.01)
    return number**2


def square_slowly(number):
    time.sleep(0.002 * (7 * number % 5))
    return number**2


def kill_on_three(number, folder, times):
    """Kill the worker that is given a three, the first times that it is tried; say who ran what, and when."""
    begin = time.monotonic()
    if number == 3 and len(list(folder.glob("death-*"))) < times:
        (folder / f"death-{time.monotonic()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    return os.getpid(), begin, time.monotonic()


def kill(number):
    os.kill(os.getpid(), signal.SIGKILL)


class KillsItsWriter:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)


def kill_while_sending(number):
    return KillsItsWriter() if number == 3 else number**2


def exhaust(folder, times):
    """Ask for more memory than the process may have, the first times that it is tried."""
    if len(list(folder.glob("try-*"))) >= times:
        return os.getpid()
    (folder / f"try-{time.monotonic()}").write_text(str(os.getpid()))
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**30, limits[1]))
    try:
        return len(bytearray(2**31))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def refuse(number):
    raise InputError("number", number)


def refuse_odd(number):
    return refuse(number) if number % 2 else number**2


def wait_after_the_first(number):
    if number:
        time.sleep(60)
    return number


def fail_on_disk(number):
    raise OSError(28, "No space left on device")


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(one)


def fail_oddly(number):
    raise OddError("odd", number)


def leave(number):
    sys.exit(number)


def give_lambda(number):
    return lambda: number


class Unreadable:
    def __reduce__(self):
        return (int, ("no number",))


def give_unreadable(number):
    return Unreadable()


def set_environment(value):
    os.environ["OF_THE_INITIALIZER"] = value


def environment(number):
    return os.environ.get("OF_THE_INITIALIZER")


def raise_at_start(number):
    raise InputError("start", number)


@pytest.fixture(scope="module")
def pool():
    with Pool(2) as pool:
        yield pool


def workers_of(process):
    """Ids of the worker processes that a process has."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return {int(child) for child in children if "spawn_main" in command(child)}


def command(process):
    """Empty where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def wait_until_gone(workers, seconds):
    last = time.monotonic() + seconds
    while any("spawn_main" in command(worker) for worker in workers):
        assert time.monotonic() < last, "workers go on"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_do_not_depend_on_the_order_in_which_they_come(workers):
    with make_pool(workers) as pool:
        pairs = list(pool.map(square_slowly, ((n,) for n in range(40))))
    assert sorted(pairs) == [(n, n**2) for n in range(40)]
    assert (pairs == sorted(pairs)) == (workers == 1)


def test_one_worker_is_this_process():
    with make_pool(1) as pool:
        assert isinstance(pool, SerialPool)
        assert dict(pool.map(os.getpid, [()])) == {0: os.getpid()}


def test_processes_are_started_for_tasks_and_kept():
    before = workers_of(os.getpid())
    with Pool(3) as pool:
        assert list(pool.map(square, [])) == []
        assert workers_of(os.getpid()) == before
        [(_, process)] = pool.map(os.getpid, [()])
        assert workers_of(os.getpid()) - before == {process}
        assert dict(pool.map(os.getpid, [()])) == {0: process}
    wait_until_gone({process}, 1)


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_worker_costs_only_its_task(tmp_path, times):
    with Pool(2) as pool:
        done = dict(pool.map(kill_on_three, [(n, tmp_path, times) for n in range(10)]))
    deaths = [float(path.name.removeprefix("death-")) for path in tmp_path.iterdir()]
    assert len(deaths) == times, "a task is tried twice, and no other one more than once"
    if times == 2:
        assert done.pop(3) == TaskFailure(KILLED, "died", 2)
    assert not [result for result in done.values() if isinstance(result, TaskFailure)]
    assert len(done) == (10 if times == 1 else 9)
    after = [(process, begin, end) for process, begin, end in done.values() if begin > min(deaths)]
    assert any(one[0] != two[0] and one[1] < two[1] < one[2] for one in after for two in after), "not in parallel"
    assert len({process for process, _, _ in done.values()}) == 3, "the dead one is replaced, the other one kept"


def test_a_worker_that_is_killed_while_it_sends_a_result_costs_only_its_task(pool):
    done = dict(pool.map(kill_while_sending, [(n,) for n in range(6)]))
    assert done.pop(3) == TaskFailure(KILLED, "died", 2)
    assert done == {n: n**2 for n in (0, 1, 2, 4, 5)}


def test_a_worker_that_is_killed_while_idle_costs_nothing(pool):
    [(_, process)] = pool.map(os.getpid, [()])
    os.kill(process, signal.SIGKILL)
    assert dict(pool.map(square, [(n,) for n in range(4)])) == {n: n**2 for n in range(4)}


def test_workers_that_always_die_end_the_map(pool):
    taken = []
    with pytest.raises(NinefoldError, match=r"3 worker processes in a row died \(worker process died by SIGKILL"):
        list(pool.map(kill, ((taken.append(n) or n,) for n in range(1000))))
    assert len(taken) <= 5
    assert dict(pool.map(square, [(2,)])) == {0: 4}, "the pool goes on"


def test_deaths_with_finished_tasks_in_between_do_not_end_the_map():
    with Pool(1) as pool:  # one process, so that the order is known; the tasks that died are tried again at the end
        done = dict(pool.map(kill_on_odd, [(n,) for n in (1, 0, 3, 2, 5, 4)]))
    assert [index for index, result in done.items() if isinstance(result, TaskFailure)] == [0, 2, 4]
    assert {index: done[index] for index in (1, 3, 5)} == {1: 0, 3: 4, 5: 16}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("times", [1, 2])
def test_out_of_memory_is_tried_again_and_is_never_a_result(tmp_path, workers, times):
    with make_pool(workers) as pool:
        [(index, result)] = pool.map(exhaust, [(tmp_path, times)])
    assert index == 0
    tries = [path.read_text() for path in tmp_path.iterdir()]
    assert len(tries) == times
    assert len(set(tries)) == (1 if workers == 1 else times), "a process is not used again"
    if times == 2:
        assert result == TaskFailure(OUT_OF_MEMORY, "memory", 2)
    else:
        assert (result == os.getpid()) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (refuse, InputError, "number: 5 is not allowed"), (fail_on_disk, OSError, "No space left on device"),
        (fail_oddly, Exception, "odd"), (raise_at_start, InputError, "start: 5 is not allowed"),
    ],
)  # fmt: skip
def test_what_a_task_raises_comes_to_the_caller(workers, function, error, words):
    with make_pool(workers) as pool:
        with pytest.raises(error, match=words):
            list(pool.map(function, [(5,)]))
        assert dict(pool.map(square, [(2,)])) == {0: 4}, "the pool goes on"


@pytest.mark.parametrize(
    ("function", "words"),
    [(leave, "SystemExit: 5"), (give_lambda, "local object.*lambda"), (give_unreadable, "invalid literal for int")],
)
def test_what_cannot_be_sent_is_an_error_of_its_task(pool, function, words):
    with pytest.raises(Exception, match=words):
        list(pool.map(function, [(5,)]))
    assert dict(pool.map(square, [(2,)])) == {0: 4}


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_are_caught_do_not_stop_the_others(workers):
    with make_pool(workers) as pool:
        done = dict(pool.map(refuse_odd, [(n,) for n in range(4)], caught=(InputError,)))
    failures = {n: TaskFailure(f"InputError: number: {n} is not allowed", "raised", 1) for n in (1, 3)}
    assert done == {0: 0, 2: 4, **failures}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_initializer_is_called_before_the_tasks_of_each_process(monkeypatch, workers):
    monkeypatch.setenv("OF_THE_INITIALIZER", "not called")
    with make_pool(workers, set_environment, ("called",)) as pool:
        assert dict(pool.map(environment, [(n,) for n in range(4)])) == dict.fromkeys(range(4), "called")


def test_what_the_initializer_raises_comes_to_the_caller():
    with Pool(2, raise_at_start, (1,)) as pool, pytest.raises(InputError, match="start: 1 is not allowed"):
        list(pool.map(square, [(1,)]))


def test_arguments_are_taken_when_a_worker_is_free_for_them(pool):
    taken = 0

    def arguments():
        nonlocal taken
        for number in range(60):
            taken += 1
            yield (number,)

    ahead = [taken - given for given, _ in enumerate(pool.map(square, arguments()), start=1)]
    assert max(ahead) <= 2 * pool.workers
    assert taken == 60


def test_a_map_that_is_left_ends_its_tasks(pool):
    running = pool.map(wait_after_the_first, [(n,) for n in range(3)])
    assert next(running) == (0, 0)
    with pytest.raises(RuntimeError, match="one map at a time"):
        list(pool.map(square, [(1,)]))
    workers = workers_of(os.getpid())
    running.close()
    begin = time.monotonic()
    assert dict(pool.map(square, [(2,)])) == {0: 4}
    assert time.monotonic() - begin < 2
    wait_until_gone(workers - workers_of(os.getpid()), 1)


SCRIPT = """
import sys, time
from pathlib import Path
from ninefold.run.process_pool import Pool

def work(number):
    Path(f"started-{number}").touch()
    while True:
        sum(range(10_000))

if __name__ == "__main__":
    with Pool(2) as pool:
        list(pool.map(work, [(1,), (2,)]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_workers_end_with_their_parent(tmp_path, number):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(list(tmp_path.glob("started-*"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to every process of the group
    else:
        process.send_signal(number)
    try:
        wait_until_gone(workers, 1)
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == -number
    assert errors.count("Traceback") == (number == signal.SIGINT), "the script's own, and none of a worker"
    assert "resource_tracker" not in errors
