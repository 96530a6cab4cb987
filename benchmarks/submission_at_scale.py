"""A hundred thousand compositions planned and submitted: time, memory, the largest document of each kind.

python benchmarks/submission_at_scale.py --compositions 100000 [--budget core-hours=1000]. Needs a MongoDB server, as
the tests do (`make services`), and FireWorks. `ninefold submit`, then one worker until the first shard is ready:
registering, enumeration, rules, a row for each composition, shards, their jobs. The engine is Lennard-Jones, none of
whose energies is computed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import bson
import yaml

import mongo_server
from ninefold.campaign import parse_campaign
from ninefold.enumeration import enumerate_assignments
from ninefold.rules import load_rule_set, selectivity
from ninefold.store import public_address

CENTRES = "Re Tc Os W Mo Mn Ru Fe Ta Nb Cr V Hf Zr Ti Ir Rh Co Pt Pd Ni La Y Sc".split()
CATIONS = "K Na Li Rb Cs Mg Ca Sr Ba Sc Y La Al".split()
MOST_BYTES = 16 * 2**20
"""Of a BSON document."""


def settings_of(compositions: int) -> dict:
    """A campaign of as many compositions, by adding centres."""
    for number in range(1, len(CENTRES) + 1):
        space = {
            "centres": CENTRES[:number], "cations": CATIONS, "n": [4, 12], "m": [0, 4], "cation_kinds": [1, 2],
            "max_cations_per_centre": 12,
        }  # fmt: skip
        settings = {
            "name": "scale", "engine": {"name": "lj"}, "space": [space], "rules": {"set": "exploratory"},
            "structures": {"rounds": 1},
        }  # fmt: skip
        campaign = parse_campaign(settings)
        tables = (table for each in campaign.space for table in enumerate_assignments(each))
        if selectivity(load_rule_set(campaign.rules), tables).kept >= compositions:
            break
    return settings


def peak_of(process: int) -> int:
    """Bytes that a process had resident at most, so far."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)


def watched(command: list[str], folder: Path, environment: dict, until=None) -> tuple[float, int]:
    """Run a command, until it ends or something holds; seconds, and its peak memory."""
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        peak = max(peak, peak_of(process.pid))
        if until is not None and until():
            seconds = time.monotonic() - began
            process.send_signal(signal.SIGTERM)
            process.wait()
            return seconds, peak
        time.sleep(0.25)
    assert process.returncode == 0, process.stderr.read().decode()[-2000:]
    return time.monotonic() - began, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compositions", type=int, default=10_000)
    parser.add_argument("--budget", default=None, help="as of 'ninefold submit'")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="submission-"))
    (folder / "campaign.yaml").write_text(yaml.safe_dump(settings_of(options.compositions)))
    address = mongo_server.address_of(mongo_server.unused_database())
    cluster = {
        "scheduler": "slurm", "work_folder": str(folder), "database": public_address(address), "max_queue_jobs": 50,
        "resources": {"cpu": {"cores": 2, "memory_GB": 4, "wall_time": "04:00:00"}},
    }  # fmt: skip
    (folder / "here.yaml").write_text(yaml.safe_dump(cluster))
    environment = {**os.environ, "NINEFOLD_STORE": address}
    database = mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]
    command = [sys.executable, "-m", "ninefold"]
    submit = [*command, "submit", "campaign.yaml", "--cluster", "./here.yaml"]
    submitted = watched(submit + (["--budget", options.budget] if options.budget else []), folder, environment)
    print(f"submitted in {submitted[0]:.1f} s, {submitted[1] / 2**20:.0f} MiB", flush=True)
    planned = watched(
        [*command, "work", "--cluster", "./here.yaml"], folder, environment,
        lambda: database["fireworks"].count_documents({"name": "build structures", "state": {"$ne": "WAITING"}}) > 0,
    )  # fmt: skip
    jobs = {row["fw_id"]: row["name"] for row in database["fireworks"].find({}, {"fw_id": 1, "name": 1})}
    spent = {
        jobs[row["fw_id"]]: [row["action"]["stored_data"][f"{kind}_seconds"] for kind in ("wall", "core")]
        for row in database["launches"].find({"state": "COMPLETED"}, {"fw_id": 1, "action.stored_data": 1})
    }
    largest = {
        name: max((len(bson.encode(document)) for document in database[name].find()), default=0)
        for name in ("fireworks", "workflows", "launches", "job_outputs", "submissions", "campaigns")
    }
    print(
        json.dumps(
            {
                "compositions": database["compositions"].count_documents({}), "jobs": len(jobs),
                "submit_s": round(submitted[0], 1), "submit_MiB": submitted[1] >> 20,
                "plan_s": round(planned[0], 1), "plan_MiB": planned[1] >> 20, "of_jobs_wall_and_core_s": spent,
                "largest_document_kB": {name: round(size / 1000, 1) for name, size in largest.items()},
                "share_of_BSON_limit": round(max(largest.values()) / MOST_BYTES, 4),
            },
            indent=2,
        )
    )  # fmt: skip
    mongo_server.drop_databases()


if __name__ == "__main__":
    main()
