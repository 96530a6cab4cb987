"""A campaign small enough for a test and real all the same: CHGNet, its reference phases, a hull."""

import os
import sqlite3
import subprocess
import sys
import time

from warm_interpreter import WarmInterpreter

CAMPAIGN = {
    "name": "tiny",
    "seed": 3,
    "engine": {"name": "chgnet"},
    "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1]}],
    "structures": {
        "pool": 8, "single_points": 4, "coarse_relaxations": 2, "refinements": 1, "formula_units": [1],
        "coarse_steps": 15, "final_steps": 25, "withhold_types": ["K2ReH9"], "rounds": 2,
    },
    "execution": {"workers": 2, "compositions_per_job": 1},
}  # fmt: skip


QUICK = {
    "name": "quick",
    "seed": 3,
    "engine": {"name": "pairs"},
    "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": [0, 1]}],
    "structures": {
        "pool": 8, "single_points": 4, "coarse_relaxations": 2, "refinements": 1, "formula_units": [1],
        "coarse_steps": 8, "final_steps": 12, "rounds": 2,
        "sources": ["known_types", "hosts", "symmetric_units", "rigid_units"],
    },
    "execution": {"workers": 2, "compositions_per_job": 2},
}  # fmt: skip
"""Every stage, two rounds and four ranked candidates in seconds: on a pair potential, without the slow import of the
prototypes."""

_PAIRS = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

# short-ranged and weak: hydrogen molecules hold, and structures move without losing their shells
PARAMETERS = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True}


def engine(settings):
    return ASEEngine("pairs", "weak Lennard-Jones", LennardJones(**PARAMETERS), (PARAMETERS,), evidence="test")
"""


def with_pairs(folder):
    """The environment in which the engine of `QUICK` is installed, as a plug-in whose files lie in the folder."""
    about = folder / "ninefold_pairs-0.dist-info"
    about.mkdir(parents=True)
    (folder / "ninefold_pairs.py").write_text(_PAIRS)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ninefold-pairs\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[ninefold.engines]\npairs = ninefold_pairs:engine\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


COMPUTED = ("pools", "searches", "minima", "calculations", "properties", "vibrations", "trajectories", "dynamics")
"""Collections of what is computed once."""


def results(folder):
    """Every finished calculation of a store, as it is stored; read from outside, while a run may write."""
    if not (folder / "ninefold.db").exists():
        return {}
    connection = sqlite3.connect(f"file:{folder / 'ninefold.db'}?mode=ro", uri=True)
    try:
        return {
            (name, identifier): document
            for name in COMPUTED
            for identifier, document in connection.execute(f"SELECT id, doc FROM {name}")
        }
    except sqlite3.OperationalError:  # the tables are not made yet
        return {}
    finally:
        connection.close()


OF_A_RUN = frozenset({"hardware", "machine", "created", "run", "attempt", "revision", "finished", "attempts"})
"""Fields that differ between two runs that compute the same; those of times end in `seconds`."""


def what_matters(store):
    """Every document of every collection of a store by its id, without what only tells of the run.

    The number of worker processes is of the run, too: no result depends on it.

    Args:
        store: The file.
    """
    from ninefold.models.collections import MODELS
    from ninefold.store import open_store

    with open_store(store) as opened:
        return {
            name: {document["id"]: _lasting(document) for document in opened.iterate(name)}
            for name in MODELS
        }  # fmt: skip


def _lasting(document):
    lasting = {key: value for key, value in document.items() if key not in OF_A_RUN and not key.endswith("seconds")}
    if "execution" in (settings := lasting.get("settings") or {}):
        lasting["settings"] = {**settings, "execution": {**settings["execution"], "workers": None}}
    return lasting


def start(*arguments, cwd, env=None):
    """Start the command line in a process group of its own, as a shell does; returns the running process."""
    return subprocess.Popen(
        [sys.executable, "-m", "ninefold.cli.main", *map(str, arguments)], cwd=cwd, env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for_results(process, folder, count):
    """Wait until a store holds so many calculations."""
    while len(results(folder)) < count:
        assert process.poll() is None, f"ended before {count} calculations: {process.stderr.read()}"
        time.sleep(0.005)


WARM = WarmInterpreter()


def ninefold(*arguments, cwd, fresh=False, **options):
    """Run the command line as a user would; returns the finished process.

    Args:
        arguments: Of the command line.
        cwd: Its working folder.
        fresh: Start an interpreter, for what depends on how one starts or imports; else fork one that has imported.
        options: `env`, changes of the environment, and what `subprocess.run` takes.
    """
    environment = {**os.environ, "COLUMNS": "120"}
    environment.pop("NINEFOLD_STORE", None)
    environment.update(options.pop("env", None) or {})
    words = [*map(str, arguments)]
    options = {"timeout": 300, **options}
    if not fresh and options.keys() == {"timeout"} and not os.environ.get("NINEFOLD_TEST_FRESH"):
        done = WARM.run(words, cwd, environment, options["timeout"])
        if done is not None:
            return done
    return subprocess.run(
        [sys.executable, "-m", "ninefold.cli.main", *words], cwd=cwd, env=environment, capture_output=True, text=True,
        **options,
    )  # fmt: skip
