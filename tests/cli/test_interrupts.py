"""Ctrl-C, SIGTERM and SIGHUP: one line that says what is kept, no traceback; the second one ends at once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from campaign_run import QUICK, ninefold, results, start, wait_for_results

STRIKE = """
import os, signal, sys

target, number, times = os.environ.pop("STRIKE", ",,").split(",")  # the processes that this one starts have none


class Striker:
    @staticmethod
    def find_spec(name, path=None, target_module=None):
        if target and name == target:
            for _ in range(int(times)):
                os.kill(os.getpid(), int(number))


sys.meta_path.insert(0, Striker)
"""
"""A sitecustomize that sends a signal to its process while that imports a module."""


def strike(folder, target, number, times, *arguments, env=None):
    (folder / "strike").mkdir()
    (folder / "strike" / "sitecustomize.py").write_text(STRIKE)
    path = os.pathsep.join([str(folder / "strike"), (env or os.environ).get("PYTHONPATH", "")])
    process = start(*arguments, cwd=folder, env={"PYTHONPATH": path, "STRIKE": f"{target},{int(number)},{times}"})
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def workers_of(process):
    """How many processes of multiprocessing a process has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    count = 0
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
            count += "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
    return count


def complaints(errors):
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert "resource_tracker" not in errors
    return [line for line in errors.splitlines() if line.startswith("ninefold: error:")]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("module", ["typer", "ninefold.cli.run", "ninefold.campaign.model", "jobflow"])
def test_during_imports(tmp_path, pairs, module, times):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    code, errors = strike(tmp_path, module, signal.SIGINT, times, "run", "campaign.yaml", env=pairs)
    assert code == 130
    [line] = complaints(errors)
    assert line.startswith("ninefold: error: interrupted")


def test_kept_calculations_are_told(tmp_path, pairs):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = start("run", "campaign.yaml", "--store", "a store.db", cwd=tmp_path, env=pairs)
    (tmp_path / "ninefold.db").symlink_to("a store.db")
    wait_for_results(process, tmp_path, 20)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    [line] = complaints(errors)
    stored = sum(collection == "calculations" for collection, _ in results(tmp_path))
    assert line.startswith(f"ninefold: error: interrupted; kept: {stored} finished calculations, ")
    assert " of 4 compositions searched" in line
    assert "ninefold resume quick --store 'a store.db'" in line
    state = json.loads(ninefold("status", "--json", "--store", "a store.db", cwd=tmp_path).stdout)
    assert (state["status"], state["calculations"]) == ("interrupted", stored)


@pytest.mark.parametrize("wait", [0.0, 0.03, 0.3], ids=lambda wait: f"{wait} s apart")
def test_twice_while_workers_compute(tmp_path, pairs, wait):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = start("run", "campaign.yaml", cwd=tmp_path, env=pairs)
    wait_for_results(process, tmp_path, 3)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(wait)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - begin < 10
    lines = complaints(errors)
    assert 1 <= len(lines) <= 2
    assert all(line.startswith("ninefold: error: interrupted") for line in lines)
    assert ninefold("status", cwd=tmp_path).returncode == 0


def test_workers_that_still_import_print_nothing(tmp_path, pairs):
    """The whole group is interrupted while the workers start."""
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = start("run", "campaign.yaml", cwd=tmp_path, env=pairs)
    while workers_of(process) < 2:
        assert process.poll() is None
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(complaints(errors)) == 1


@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")])
def test_other_signals_end_the_same_way(tmp_path, pairs, number, word):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = start("run", "campaign.yaml", cwd=tmp_path, env=pairs)
    wait_for_results(process, tmp_path, 3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    [line] = complaints(errors)
    assert line.startswith(f"ninefold: error: {word}; kept: ")


def test_what_was_told_to_ignore_a_hang_up_goes_on(tmp_path, pairs):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "ninefold.cli.main", "run", "campaign.yaml"], cwd=tmp_path,
        env={**os.environ, **pairs}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for_results(process, tmp_path, 3)
    process.send_signal(signal.SIGHUP)
    wait_for_results(process, tmp_path, len(results(tmp_path)) + 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM


def test_an_interrupt_that_a_callback_swallows_comes_again():
    code = """
import os, signal, time
from ninefold.cli import signals
signals.install()

class Careless:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

try:
    Careless()
    time.sleep(20)
except signals.Interrupted as interrupt:
    raise SystemExit(interrupt.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)
    assert done.returncode == 130
    assert done.stderr == ""


def test_search_dropped_by_the_second(tmp_path):
    process = start("search", "K2ReH9", "--engine", "lj", "--relaxations", "500", cwd=tmp_path)
    lines = []
    for line in process.stderr:  # the handler is there before the first structure is
        lines.append(line)
        if line.startswith("build:"):
            break
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints("".join(lines) + errors) == ["ninefold: error: interrupted"]
