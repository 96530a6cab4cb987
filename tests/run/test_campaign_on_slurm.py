"""A campaign through FireWorks on the real Slurm gives the results of a run on one machine."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fireworks")

import mongo_server
from campaign_run import QUICK, ninefold, what_matters, with_pairs
from ninefold.store import public_address
from slurm_server import PARTITION, alone, configuration

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
    "execution": {"compositions_per_job": 1},
}  # fmt: skip
NAME = f"campaign{os.getpid()}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a local run and of a submitted one, and what was told."""
    configuration()
    with alone():
        yield campaigns(tmp_path_factory)


def campaigns(tmp_path_factory):
    slurm, _ = {"SLURM_CONF": str(configuration())}, mongo_server.server()
    folder, home = tmp_path_factory.mktemp("slurm"), tmp_path_factory.mktemp("home")
    address = mongo_server.address_of(mongo_server.unused_database())
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    cluster = {
        "scheduler": "slurm", "queue": PARTITION, "work_folder": str(folder / "work"), "max_queue_jobs": 2,
        "database": public_address(address), "python": sys.executable,
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "00:30:00"}},
    }  # fmt: skip
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(cluster))
    environment = {**with_pairs(folder / "plugin"), **slurm, "HOME": str(home), "NINEFOLD_STORE": address}

    def command(*arguments, **changes):
        done = ninefold(*arguments, cwd=folder, env={**environment, **changes})
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    told = {"run": command("run", "campaign.yaml", "--json", NINEFOLD_STORE="ninefold.db")}
    told["submit"] = command("submit", "campaign.yaml", "--cluster", f"{NAME}.yaml")
    told["up"] = command("up", f"{NAME}.yaml", "--interval", "1", "--time-out", "4")
    return folder, address, told


def test_the_store_is_that_of_a_run_on_one_machine(finished):
    folder, address, told = finished
    assert told["up"].stdout == "No work is left.\n"
    assert what_matters(address) == what_matters(folder / "ninefold.db")
    assert [row["rank"] for row in json.loads(told["run"].stdout)["candidates"]].count(1) == 1


def test_queue_jobs_were_few_and_each_has_its_log(finished):
    folder, _, told = finished
    logs = [path.read_text() for path in Path(folder, "work/logs").glob("*.log")]
    assert 1 <= len(logs) <= 6
    assert sum(log.count("jobs") > 0 for log in logs) >= 1
    assert "submitted for cpu: " in told["up"].stderr
