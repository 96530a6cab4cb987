"""What is told of a submitted campaign: that it has ended, who works, how to go on; and what is refused beside it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("fireworks")

from typer.testing import CliRunner

import mongo_server
from campaign_run import QUICK
from ninefold.campaign import parse_campaign
from ninefold.cli import status as status_command
from ninefold.cli.main import command_line
from ninefold.errors import InputError
from ninefold.flows.kept import lease_purpose
from ninefold.run import submission, submitted_runs
from ninefold.run.submitted_runs import launchpad_of, set_state
from ninefold.run.watch import RUNS_JOBS, standing_of
from ninefold.store.store import EXECUTOR

CAMPAIGN = parse_campaign({**QUICK, "name": "shown", "engine": {"name": "lj"}})


@pytest.fixture
def address(monkeypatch, tmp_path):
    """A database into which the campaign is submitted; no job of it ever runs."""
    mongo_server.server()
    address = mongo_server.address_of(mongo_server.unused_database())
    monkeypatch.setenv("NINEFOLD_STORE", address)
    submission.submit_campaign(CAMPAIGN, address, "here", ("cpu",))
    return address


def test_watch_ends_when_the_campaign_is_cancelled_and_says_how_to_go_on(address, tmp_path):
    with launchpad_of(address) as (_, launchpad):
        set_state(launchpad, "shown", "cancelled", ("submitted",))
    done = CliRunner().invoke(command_line(), ["status", "--watch", "-c", "shown"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.exception
    assert done.stdout.startswith("Campaign shown: cancelled, ")
    assert "'ninefold retry shown' computes what is missing." in done.stdout
    assert "workers" not in done.stdout


def test_watch_goes_on_when_the_database_is_away_for_a_while(address, monkeypatch):
    looks = iter([True, InputError("store", "mongodb://x", problem="cannot be reached"), False])

    def look(*_):
        now = next(looks)
        if isinstance(now, Exception):
            raise now
        return now

    monkeypatch.setattr(status_command, "_tell", look)
    done = CliRunner().invoke(command_line(), ["status", "--watch", "--every", "0.1"])
    assert done.exit_code == 0, done.exception
    assert "The database is away, and is asked again: " in done.output
    assert next(looks, None) is None
    looks = iter([InputError("store", "mongodb://x", problem="cannot be reached")])
    assert (
        CliRunner().invoke(command_line(), ["status", "--watch"]).exception is not None
    )  # at the first look it may be a mistake


def test_hints_name_the_cluster_as_the_user_did(address):
    on = " --cluster ./here.yaml"
    with pytest.raises(InputError, match=rf"status --watch -c shown{on}' follows it, 'ninefold cancel shown{on}' ends"):
        submission.submit_campaign(CAMPAIGN, address, "here", ("cpu",), option=on)
    with launchpad_of(address) as (_, launchpad):
        set_state(launchpad, "shown", "paused", ("submitted",))
        found = submitted_runs.submission_of(launchpad, "shown")
    assert f"'ninefold pause shown --end{on}' goes on with it" in str(submitted_runs.already_submitted(found, on))


def hold(launchpad, name, cluster, note="{}"):
    expires = datetime.now(UTC) + timedelta(seconds=60)
    launchpad.db["leases"].insert_one(
        {"_id": f"worker {name}", "owner": name, "token": 1, "expires": expires, "process": None, "progress": note,
         "holder": f"process 1 on h ({RUNS_JOBS} {cluster} (cpu))"}
    )  # fmt: skip


def test_workers_of_other_clusters_and_jobs_that_have_ended_do_not_count(address):
    with launchpad_of(address) as (store, launchpad):
        [job] = launchpad.fireworks.find({"state": "READY"})
        note = f'{{"job": {job["fw_id"]}, "name": "{job["name"]}", "campaign": "shown", "since": {time.time()}}}'
        hold(launchpad, "a", "here", note)
        hold(launchpad, "b", "hereafter")
        found = standing_of(store, "shown")
        assert (found.workers, found.running) == (1, [])  # what it has noted has ended
        launchpad.fireworks.update_one({"fw_id": job["fw_id"]}, {"$set": {"state": "RUNNING"}})
        assert [each.job for each in standing_of(store, "shown").running] == [job["fw_id"]]


def test_a_worker_between_two_jobs_is_at_work(address):
    with launchpad_of(address) as (store, launchpad):
        launchpad.launches.insert_one(
            {"launch_id": 10**6, "fw_id": launchpad.fireworks.find_one()["fw_id"], "state": "COMPLETED",
             "action": {"stored_data": {"core_seconds": 3600.0, "wall_seconds": 1.0}}}
        )  # fmt: skip
        assert standing_of(store, "shown").hours_left is None
        hold(launchpad, "a", "here")
        found = standing_of(store, "shown")
        assert found.hours_left == found.core_hours_left > 0


def test_what_runs_on_another_machine_is_not_submitted(address):
    with launchpad_of(address) as (store, launchpad):
        set_state(launchpad, "shown", "cancelled", ("submitted",))
        before = submitted_runs.submission_of(launchpad, "shown")
        with store.lease(EXECUTOR, lease_purpose("shown")):
            with pytest.raises(InputError, match=r"campaign: 'shown' is being run by process .*; end it there first"):
                submission.submit_campaign(CAMPAIGN, address, "here", ("cpu",))
            assert submitted_runs.submission_of(launchpad, "shown") == before
        submission.submit_campaign(CAMPAIGN, address, "here", ("cpu",))


def test_a_mistyped_database_is_not_made():
    mongo_server.server()
    name = mongo_server.unused_database()
    for command in ("cancel", "pause", "retry"):
        done = CliRunner().invoke(command_line(), [command, "shown", "--store", mongo_server.address_of(name)])
        assert isinstance(done.exception, InputError)
    assert name not in mongo_server.client().list_database_names()


def test_a_submission_tried_again_keeps_the_size_of_its_shards(address, monkeypatch):
    asked = []
    monkeypatch.setattr(
        submission, "with_shards", lambda campaign, store, seconds, places: asked.append(seconds) or campaign
    )
    for shard_seconds in (300.0, None):
        with launchpad_of(address) as (_, launchpad):
            set_state(launchpad, "shown", "cancelled", ("submitted",))
        if shard_seconds:
            submission.submit_campaign(CAMPAIGN, address, "here", ("cpu",), shard_seconds=shard_seconds)
        else:
            assert CliRunner().invoke(command_line(), ["retry", "shown"]).exit_code == 0
    assert asked == [300.0, 300.0]
