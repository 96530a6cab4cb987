"""What the launchpad costs: one campaign run on this machine, and submitted to two workers beside its database.

Needs a MongoDB server, as the tests do (`make services`), and FireWorks; with `--slurm` the workers are two places of a
queue job of the tests' Slurm, which `ninefold up` submits. Both runs have two processes on the same cores; the engine
is a pair potential, so that jobs are short and the overhead is large beside them. Prints wall and core seconds, and
what a Firework for each structure would add: from `--single` jobs that do nothing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import yaml

import mongo_server
import slurm_server
from campaign_run import QUICK, what_matters, with_pairs
from ninefold.store import open_store, public_address


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=int, default=50, help="structures for each composition")
    parser.add_argument("--size", type=int, default=4, help="compositions in a job")
    parser.add_argument("--slurm", action="store_true", help="by a queue job")
    parser.add_argument("--single", type=int, default=100, help="jobs that do nothing; 0 for none")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    address = mongo_server.address_of(mongo_server.unused_database())
    environment = {**os.environ, **with_pairs(folder / "plugin")}
    campaign = {
        **QUICK,
        "space": [{"centres": ["Re", "Tc"], "cations": ["K", "Na"], "n": [8, 9], "m": [0, 1]}],
        "structures": {**QUICK["structures"], "pool": options.pool, "rounds": 1},
        "execution": {"workers": 2, "compositions_per_job": options.size},
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(campaign))
    cluster = {
        "scheduler": "slurm", "work_folder": str(folder), "database": public_address(address),
        "resources": {"cpu": {"cores": 2, "memory_GB": 4, "wall_time": "04:00:00"}},
    }  # fmt: skip
    if options.slurm:
        environment |= {"SLURM_CONF": str(slurm_server.configuration()), "HOME": str(folder)}
        cluster |= {"queue": slurm_server.PARTITION, "python": sys.executable, "max_queue_jobs": 1}
        cluster["resources"]["cpu"] |= {"memory_GB": 2, "jobs_at_once": 2}
    (folder / "here.yaml").write_text(yaml.safe_dump(cluster))

    def ninefold(store, *arguments):
        command = [sys.executable, "-m", "ninefold", *arguments]
        subprocess.run(
            command, cwd=folder, env={**environment, "NINEFOLD_STORE": store}, check=True, capture_output=True
        )

    found = {}
    for name in ("local", "submitted"):
        wall, cpu = time.monotonic(), _children()
        if name == "local":
            ninefold("ninefold.db", "run", "campaign.yaml")
        else:
            ninefold(address, "submit", "campaign.yaml", "--cluster", "./here.yaml")
            if options.slurm:
                ninefold(address, "up", "./here.yaml", "--interval", "1")
            else:
                ninefold(address, "work", "--cluster", "./here.yaml", "--processes", "2")
        found[name] = {"wall_s": round(time.monotonic() - wall, 1), "core_s": round(_children() - cpu, 1)}
    with open_store(address) as store:
        pools = [row["count_in"] for row in store.find("pools", fields=["count_in"], limit=None)]
    jobs = mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]["fireworks"].count_documents({})
    if options.single:
        found["a job that does nothing"] = {"wall_s": round(_single(folder, address, options.single), 3)}
    same = what_matters(address) == what_matters(folder / "ninefold.db")
    print(
        json.dumps(
            {**found, "compositions": len(pools), "structures": sum(pools), "jobs": jobs, "same": same}, indent=2
        )
    )
    mongo_server.drop_databases()


def _single(folder, address, number):
    """Seconds of a job that does nothing, by one worker: what a job costs without what it computes."""
    from jobflow import Flow

    import cluster_jobs
    from ninefold.campaign import parse_campaign
    from ninefold.flows.runner import Run
    from ninefold.run import submission, submitted_runs
    from ninefold.run.cluster_worker import work

    other = mongo_server.address_of(mongo_server.unused_database())
    flow = Flow([cluster_jobs.count(str(folder), f"single{place}") for place in range(number)])
    campaign = parse_campaign({**QUICK, "engine": {"name": "lj"}})
    with submitted_runs.launchpad_of(other) as (store, launchpad):
        submission._submit(
            store, launchpad, campaign, flow, Run("single", "screen", ""), "here", ("cpu",), None, what="screen"
        )
    begin = time.monotonic()
    assert work(other, "here", ["cpu"]).jobs == number
    return (time.monotonic() - begin) / number


def _children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
