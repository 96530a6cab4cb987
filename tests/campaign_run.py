"""A campaign small enough for a test and real all the same: CHGNet, its reference phases, a hull."""

import os
import subprocess
import sys

CAMPAIGN = {
    "name": "tiny",
    "seed": 3,
    "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1]}],
    "structures": {
        "pool": 8, "single_points": 4, "coarse_relaxations": 2, "refinements": 1, "formula_units": [1],
        "coarse_steps": 15, "final_steps": 25, "withhold_types": ["K2ReH9"], "rounds": 2,
    },
    "execution": {"workers": 2, "compositions_per_job": 1},
}  # fmt: skip


def ninefold(*arguments, cwd, **options):
    """Run the command line as a user would; returns the finished process."""
    environment = {**os.environ, "COLUMNS": "120"}
    environment.pop("NINEFOLD_STORE", None)
    environment.update(options.pop("env", {}))
    return subprocess.run(
        [sys.executable, "-m", "ninefold.cli.main", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, **options,
    )  # fmt: skip
