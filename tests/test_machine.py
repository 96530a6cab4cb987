"""One thread in every process: a seed gives one result whatever the environment says of threads."""

import json
import os
import subprocess
import sys

import pytest

from campaign_run import ninefold

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


def test_a_search_is_the_same_with_one_thread_and_with_two(tmp_path):
    results = []
    for number in (1, 2):
        done = ninefold(
            "search", "Li5MoH11", "--engine", "lj", "--relaxations", 3, "--source", "rigid_units", "--source", "hosts",
            "--json", "--out", f"{number}.xyz", cwd=tmp_path, env=with_threads(number),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        del result["core_seconds"]
        for row in result["structures"]:
            del row["path"]
        results.append(result)
    assert results[0]["counts"]["pool"] > 20
    assert results[0] == results[1]
    assert (tmp_path / "1.xyz").read_text() == (tmp_path / "2.xyz").read_text()
