"""Real DFT through a real queue: candidates and competitors of a campaign by GPAW, each phase a job of the kind dft."""

import os
import sys

import pytest
import yaml

pytest.importorskip("fireworks")

import gpaw_needs
import mongo_server
from campaign_run import QUICK, ninefold, with_pairs
from ninefold.store import open_store, public_address
from slurm_server import PARTITION, alone, configuration

CAMPAIGN = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
}  # fmt: skip
COARSE = {
    "functional": "PBE", "cutoff": 200.0, "relax_cutoff": 200.0, "kpoint_density": 0.5, "spin": "none",
    "energy_tolerance": 1e-3, "density_tolerance": 1e-2,
}  # fmt: skip
"""As quick as DFT can be: what is tested is where it runs, not what it says."""


@pytest.mark.cluster
def test_a_verification_by_gpaw_through_slurm(tmp_path):
    gpaw_needs.gpaw()
    slurm = str(configuration())
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    (tmp_path / "home").mkdir()
    for name, content in (("campaign", CAMPAIGN), ("coarse", COARSE)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    needs = {"cores": 1, "memory_GB": 2, "wall_time": "02:00:00"}
    cluster = {
        "scheduler": "slurm", "queue": PARTITION, "work_folder": str(tmp_path / "work"), "max_queue_jobs": 2,
        "python": sys.executable, "resources": {"cpu": needs, "dft": needs}, "database": public_address(address),
        "executables": {"gpaw": sys.executable},
    }  # fmt: skip
    name = f"gpaw{os.getpid()}"
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(cluster))
    environment = {
        **with_pairs(tmp_path / "plugin"), "SLURM_CONF": slurm, "HOME": str(tmp_path / "home"),
        "NINEFOLD_STORE": address,
    }  # fmt: skip

    def command(*arguments):
        done = ninefold(*arguments, cwd=tmp_path, env=environment, timeout=3000)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    command("run", "campaign.yaml")
    with alone():
        assert "pseudopotentials gpaw: the package gpaw_data" in command("cluster", "check", f"{name}.yaml")
        verify = ("--method", "gpaw:coarse.yaml", "--mode", "static", "--top", "1")
        command("verify", "quick", *verify, "--cluster", f"{name}.yaml")
        assert "No work is left." in command("up", f"{name}.yaml", "--interval", "2", "--time-out", "45")
    with open_store(address) as store:
        [method] = [one["id"] for one in store.find("methods", limit=None) if one["evidence"] == "DFT"]
        calculations = [one for one in store.iterate("calculations") if one["method"] == method]
        candidates = store.find("candidates", equal={"campaign": "quick", "evidence": "DFT"}, limit=None)
        faults = store.find("faults", limit=None)
    assert faults == []
    assert len(calculations) >= 6
    assert all(one["error"] is None and one["energy_per_atom"] < 0 for one in calculations)
    assert len(candidates) >= 1
    names = {path.name.split("-")[2] for path in (tmp_path / "work/logs").glob("*.log")}
    assert names == {"cpu", "dft"}
