"""One thread in every process: a seed gives one result whatever the environment says of threads."""

import os
import subprocess
import sys

import pytest

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
COUNT = """
import scipy.linalg
import torch
from threadpoolctl import threadpool_info

print(max(pool["num_threads"] for pool in threadpool_info()), torch.get_num_threads(), len(threadpool_info()))
"""
CAMPAIGN = {"name": "w", "space": [{"centres": ["Re"], "cations": ["K"]}], "engine": {"name": "lj"}}
WORKERS = f"""
from ninefold.run.workers import Workers

list(Workers(1).run(lambda place: None, [()], {CAMPAIGN!r}, "s.db"))
"""


def with_threads(number):
    return dict.fromkeys(NAMES, str(number))


@pytest.mark.parametrize(
    "program",
    [
        "import ninefold.cli.main" + COUNT,
        "import numpy, torch" + WORKERS + COUNT,
        "import numpy, torch; from ninefold.machine import use_one_thread; use_one_thread()" + COUNT,
    ],
    ids=["command line", "campaign from a script, one worker", "libraries loaded before"],
)
def test_every_numerical_library_has_one_thread(tmp_path, program):
    environment = {**os.environ, **with_threads(2)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    most, torch_threads, libraries = map(int, done.stdout.split())
    assert (most, torch_threads) == (1, 1)
    assert libraries >= 2


SEARCH = """
import ninefold.cli.main  # as a command starts
from ninefold.engines import EngineSettings, make_engine
from ninefold.rules import assignments
from ninefold.search import search_composition
from ninefold.search.budget import SearchBudget

[assignment] = [found for found in assignments("Li5MoH11", (18,)) if found.m == 2]
budget = SearchBudget(
    sources=("rigid_units", "hosts"), pool=30, single_points=6, coarse_relaxations=2, refinements=1, relaxations=3
)
found = search_composition(assignment, budget, make_engine(EngineSettings(name="lj")))
print(found.counts["pool"])
print(found.counts, found.reasons, found.history)
for each in found.found:
    print(each.energy_per_atom.hex(), each.structure.lattice.matrix.tolist(), each.structure.frac_coords.tolist())
"""


def test_a_search_is_the_same_with_one_thread_and_with_two(tmp_path):
    told = [
        subprocess.run(
            [sys.executable, "-c", SEARCH], env={**os.environ, **with_threads(number), "PYTHONHASHSEED": str(number)},
            cwd=tmp_path, capture_output=True, text=True, check=True,
        ).stdout
        for number in (1, 2)
    ]  # fmt: skip
    assert int(told[0].splitlines()[0]) > 20
    assert told[0] == told[1]
