"""A launchpad in a database of the tests' server: jobs without a campaign's stages, submitted and looked at."""

import time
import uuid

import pytest
from jobflow import Flow

import mongo_server
from campaign_run import QUICK
from ninefold.campaign import parse_campaign
from ninefold.flows.runner import Run
from ninefold.run import submission, submitted_runs

CAMPAIGN = parse_campaign(QUICK)
"""Whose jobs are submitted."""
_EMPTIED = ("fireworks", "workflows", "launches", "submissions", "faults", "recovery", "leases")


@pytest.fixture(scope="module")
def address():
    """Of a database that no other module of tests uses."""
    mongo_server.server()
    return mongo_server.address_of(mongo_server.unused_database())


@pytest.fixture
def place(address):
    """Store and empty launchpad."""
    with submitted_runs.launchpad_of(address) as (store, launchpad):
        for collection in _EMPTIED:
            launchpad.db[collection].delete_many({})
        yield store, launchpad


def submit(place, *jobs, kinds=("cpu",), cluster="here", previous=None, has_spool=False):
    """Put jobs into the launchpad as a submission of the campaign."""
    run, flow = Run(uuid.uuid4().hex, "screen", ""), Flow(list(jobs), name="test")
    return submission._submit(
        *place, CAMPAIGN, flow, run, cluster, kinds, previous, what="test", has_spool=has_spool
    )  # fmt: skip


def database(address):
    """What the server holds of a store, as pymongo gives it."""
    return mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]


def wait_until(condition, seconds=100.0, pause=0.02):
    """What a condition gives as soon as that is true."""
    last = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < last, "waited for too long"
        time.sleep(pause)
    return found
