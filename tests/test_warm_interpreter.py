"""A command of a warm interpreter is what a started interpreter gives; where it would not be, one is started."""

import importlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from campaign_run import QUICK, WARM, ninefold
from warm_interpreter import FEW


@pytest.fixture
def warm(monkeypatch):
    """The one of the other tests, as after a few commands."""
    monkeypatch.setattr(WARM, "_asked", FEW)
    return WARM


def run(warm, *arguments, cwd, timeout=100, **changes):
    return warm.run([*map(str, arguments)], cwd, {**os.environ, "COLUMNS": "120", **changes}, timeout)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["explain", "K2ReH9"], 0), (["search", "K2ReH8"], 2), ([], 0), (["run", "b.yaml"], 2)]
)
def test_streams_and_exit_code_are_those_of_a_process(warm, tmp_path, arguments, code):
    (tmp_path / "b.yaml").write_text("name: [")
    done, expected = run(warm, *arguments, cwd=tmp_path), ninefold(*arguments, cwd=tmp_path, fresh=True)
    assert (done.returncode, done.stdout, done.stderr) == (expected.returncode, expected.stdout, expected.stderr)
    assert done.returncode == code


def test_a_plug_in_is_found_and_workers_are_started(warm, tmp_path, pairs):
    space = [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]
    structures = {**QUICK["structures"], "rounds": 1, "sources": ["known_types"]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**QUICK, "space": space, "structures": structures}))
    done = run(warm, "run", "c.yaml", "--json", cwd=tmp_path, **pairs)
    assert done.returncode == 0, done.stderr
    assert "K2ReH9" in done.stdout
    assert run(warm, "run", "c.yaml", cwd=tmp_path).returncode == 2, "without the plug-in there is no such engine"


def test_what_takes_too_long_is_ended(warm, tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        run(warm, "search", "K2ReH9", "--engine", "lj", "--relaxations", "1000", cwd=tmp_path, timeout=1)
    assert run(warm, "--version", cwd=tmp_path).returncode == 0


SHOW = """
import json, os, sys, threading
import numpy, torch

def make_flow(campaign, store):
    told = {"numpy": numpy.random.random(), "torch": torch.rand(1).item(), "threads": threading.active_count(),
            "main": sys.modules["__main__"].__spec__.name, "arguments": sys.argv, "cwd": os.getcwd(),
            "environment": dict(os.environ), "path": sys.path[:2], "open": sorted(os.listdir("/proc/self/fd"))}
    print(json.dumps(told), end="\\n\\n")
    os.kill(os.getpid(), 9) if "KILL" in os.environ else os.write(2, b"told ")
"""
"""A workflow that tells what process it is in."""


def test_a_command_is_in_a_process_of_its_own(warm, tmp_path, pairs):
    (tmp_path / "show.py").write_text(SHOW)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(QUICK))
    words = ("run", "c.yaml", "--workflow", "show.py")
    every = [run(warm, *words, cwd=tmp_path, ONE=str(number), **pairs) for number in range(2)]
    every.append(ninefold(*words, cwd=tmp_path, env={"ONE": "2", **pairs}, fresh=True))
    assert [(each.returncode, each.stderr) for each in every] == [(2, every[-1].stderr)] * 3
    assert every[-1].stderr.startswith("told ninefold: error: --workflow")
    told = [json.loads(each.stdout) for each in every]
    for library in ("numpy", "torch"):
        assert len({each.pop(library) for each in told}) == 3, f"random numbers of {library} that nothing seeds"
    assert [each["environment"].pop("ONE") for each in told] == ["0", "1", "2"]
    assert "HOME" in told[0]["environment"]
    assert told[0] == told[1] == told[2]
    killed = run(warm, *words, cwd=tmp_path, KILL="1", **pairs)
    assert killed.returncode == -9
    assert run(warm, "--version", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_has_started_a_thread(warm, tmp_path):
    """A child has the forking thread alone, and waits for ever on a lock that another held."""
    run(warm, "--version", cwd=tmp_path)
    assert warm.threads() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_answer_that_came_before_it_was_waited_for(warm, tmp_path, monkeypatch):
    """The processors are busy: a command has ended when its number is read."""
    run(warm, "--version", cwd=tmp_path)
    number, pipe, read = warm._process.pid, warm._process.stdout, warm._answer
    children = Path(f"/proc/{number}/task/{number}/children")

    def late():
        while not select.select([pipe], [], [], 0)[0] or children.read_text():
            time.sleep(0.01)
        return read()

    monkeypatch.setattr(warm, "_answer", late)
    assert run(warm, "--version", cwd=tmp_path, timeout=10).returncode == 0


def test_modules_that_would_be_imported_instead_start_an_interpreter(warm, tmp_path):
    for name in ("sitecustomize.py", "numpy.py", "jobflow/__init__.py"):
        top = tmp_path / name.partition(".")[0].partition("/")[0]
        for folder in ("here", "plugin"):
            file = top / folder / name
            file.parent.mkdir(parents=True)
            file.touch()
        assert run(warm, "--version", cwd=top / "here") is None, name
        assert run(warm, "--version", cwd=tmp_path, PYTHONPATH=before(warm, top / "plugin")) is None, name
    assert run(warm, "--version", cwd=tmp_path, PYTHONPATH=before(warm, tmp_path)) is not None


def test_folders_of_modules_that_are_gone_or_last_start_an_interpreter(warm, tmp_path, monkeypatch):
    monkeypatch.setitem(warm.environment, "PYTHONPATH", "/a:/b")
    cases = {
        "": False,
        "/b": False,
        "/b:/a": False,
        f"/a:/b:{tmp_path}": False,
        "/a:/b:": True,
        f"{tmp_path}:/a:/b": True,
    }
    for path, is_forked in cases.items():
        assert warm._is_as_started(tmp_path, {**warm.environment, "PYTHONPATH": path}) == is_forked, path


def before(warm, folder):
    return os.pathsep.join(filter(None, [str(folder), warm.environment.get("PYTHONPATH")]))


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "OMP_NUM_THREADS", "HOME", "PMG_VASP_PSP_DIR", "TZ"])
def test_what_is_read_once_starts_an_interpreter(warm, tmp_path, name):
    assert run(warm, "--version", cwd=tmp_path, **{name: "7"}) is None
    assert run(warm, "--version", cwd=tmp_path, ANOTHER="7") is not None


def test_what_torch_sets_itself_starts_none(warm, tmp_path):
    """Else every command after a test that compiles a model in its own process would import everything anew."""
    assert run(warm, "--version", cwd=tmp_path, TORCHINDUCTOR_CACHE_DIR=str(tmp_path)) is not None


def test_commands_of_the_tests_are_forked(warm, tmp_path, monkeypatch):
    """Also after a module of the command line has set the environment of this process."""
    importlib.import_module("ninefold.cli.main")
    monkeypatch.setattr("campaign_run.subprocess.run", None)
    assert ninefold("--version", cwd=tmp_path).returncode == 0
