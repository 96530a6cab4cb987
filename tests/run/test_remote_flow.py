"""Our flow by jobflow-remote, in an environment of its own with its pymongo: `make test-jobflow-remote`."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import mongo_server

TOOL = Path(__file__).parents[2] / "tools" / "remote_flow.py"
pytestmark = pytest.mark.remote


@pytest.fixture(scope="module")
def told():
    import os

    environment = {**os.environ, "NINEFOLD_TEST_MONGODB_URI": mongo_server.server()}
    done = subprocess.run([sys.executable, TOOL, "run"], env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_flow_is_accepted_and_every_job_ends(told):
    assert tuple(map(int, told["pymongo"].split(".")[:2])) < (4, 11)
    assert {job["state"] for job in told["jobs"]} == {"COMPLETED"}, told["jobs"]
    names = Counter(job["name"] for job in told["jobs"])
    assert names["build structures"] == names["prescreen structures"] == 1, "a shard"


def test_the_store_has_the_campaign(told):
    assert told["campaign"] == "finished"
    assert told["searches"] >= 1
