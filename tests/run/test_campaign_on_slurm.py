"""A campaign through FireWorks on the real Slurm gives the results of a run on one machine."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fireworks")

import mongo_server
from campaign_run import QUICK, ninefold, start, what_matters, with_pairs
from ninefold.store import public_address
from slurm_server import PARTITION, alone, configuration

pytestmark = pytest.mark.cluster

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
    "execution": {"compositions_per_job": 1},
}  # fmt: skip
NAME = f"campaign{os.getpid()}"


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command line in one folder, with the engine of the campaign; the campaign has run on this machine."""
    slurm, _ = str(configuration()), mongo_server.server()
    folder, home = tmp_path_factory.mktemp("slurm"), tmp_path_factory.mktemp("home")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    environment = {**with_pairs(folder / "plugin"), "SLURM_CONF": slurm, "HOME": str(home)}

    def run(*arguments, store):
        done = ninefold(*arguments, cwd=folder, env={**environment, "NINEFOLD_STORE": store})
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run.folder, run.environment = folder, environment
    run("run", "campaign.yaml", store="ninefold.db")
    return run


def submitted(command, mode):
    """Submit the campaign, keep queue jobs alive until it has ended; gives the store's address and what `up` told."""
    folder, address = command.folder / mode, mongo_server.address_of(mongo_server.unused_database())
    folder.mkdir()
    cluster = {
        "scheduler": "slurm", "queue": PARTITION, "work_folder": str(folder / "work"), "max_queue_jobs": 2,
        "python": sys.executable, "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "00:30:00"}},
        "scratch": str(folder / "scratch"),
        **({"database": public_address(address)} if mode == "database" else {"spool": str(folder / "spool")}),
        # the nodes of a spool folder know no database
        **({"environment": ["unset NINEFOLD_STORE"]} if mode == "spool" else {}),
    }  # fmt: skip
    file = folder / f"{NAME}-{mode}.yaml"
    file.write_text(yaml.safe_dump(cluster))
    command("submit", "campaign.yaml", "--cluster", file, store=address)
    server = None
    if mode == "spool":
        environment = {**command.environment, "NINEFOLD_STORE": address}
        server = start("serve-spool", "--cluster", file, "--until-done", cwd=command.folder, env=environment)
    try:
        up = command("up", file, "--interval", "1", "--time-out", "4", store=address)
        if server is not None:
            out, err = server.communicate(timeout=60)
            assert server.returncode == 0, out + err
            assert "jobs came back from the nodes" in out
    finally:
        if server is not None:
            server.kill()
    return address, up


@pytest.mark.parametrize("mode", ["database", "spool"])
def test_the_store_is_that_of_a_run_on_one_machine(command, mode):
    with alone():
        address, up = submitted(command, mode)
    assert up.stdout == "No work is left.\n"
    assert what_matters(address) == what_matters(command.folder / "ninefold.db")
    ranks = [row["rank"] for row in json.loads(command("query", "--json", store=address).stdout)]
    assert ranks.count(1) == 1
    # few queue jobs, each with its log
    assert "submitted for cpu: " in up.stderr
    logs = [path.read_text() for path in Path(command.folder, mode, "work/logs").glob("*.log")]
    assert 1 <= len(logs) <= 8
    assert any("ended: " in log for log in logs)
