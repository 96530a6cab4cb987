"""A command on a finished campaign, in this process, with engines of the module's own beside it."""

import os
import shutil
import sys
from typing import NamedTuple

import pytest

from ninefold.cli import signals
from ninefold.cli.main import main


@pytest.fixture
def folder(request, quick, tmp_path):
    """The finished quick campaign, and the files that the module has in `OWN_FILES`: name -> text."""
    shutil.copytree(quick, tmp_path / "here")
    for name, text in getattr(request.module, "OWN_FILES", {}).items():
        (tmp_path / "here" / name).write_text(text)
    return tmp_path / "here"


class Done(NamedTuple):
    """What a command has printed."""

    stdout: str
    stderr: str


@pytest.fixture
def command(folder, pairs, monkeypatch, capfd):
    """The command line in this process: nothing is started, so that a test takes a second."""
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(pairs["PYTHONPATH"].split(os.pathsep)[0])

    def command(*arguments, code=0, env=None):
        monkeypatch.setattr(sys, "argv", ["ninefold", *map(str, arguments)])
        with pytest.MonkeyPatch.context() as patch:
            for key, value in (env or {}).items():
                patch.setenv(key, value)
            with pytest.raises(SystemExit) as end:
                main()
        done = Done(*capfd.readouterr())
        assert end.value.code == code, done.stderr + done.stdout
        return done

    return command
