"""No job runs twice while its worker lives, whoever comes between two steps of whom; and none is lost."""

import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("fireworks")

from fireworks import FWAction
from fireworks.core.launchpad import LazyFirework

import cluster_jobs
from launchpad_place import address as address
from launchpad_place import place as place
from launchpad_place import submit
from ninefold.run import recovery, submitted_runs
from ninefold.run.cluster_worker import EXPIRY_SECONDS, HEARTBEAT_SECONDS
from ninefold.run.fireworks import fireworker
from ninefold.run.launchpad import CampaignLaunchPad
from ninefold.run.recovery import recover, recover_if_due
from ninefold.run.spool_jobs import IN_FOLDER
from ninefold.store import mongo_lease


def take(launchpad, *, host="h", process=None, seconds=EXPIRY_SECONDS):
    """A worker, on another machine unless its process is given, that takes its lease and then a job."""
    name = f"worker-{uuid.uuid4().hex}"
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    launchpad.db["leases"].insert_one(
        {"_id": f"worker {name}", "owner": name, "token": 1, "expires": expires, "holder": name, "process": process}
    )
    return name, *launchpad.take(fireworker(name, "here", ["cpu"], []), "/tmp", host)


def only(launchpad):
    [job] = launchpad.fireworks.find({})
    return job["state"], job["launches"]


def pass_time(launchpad, seconds):
    """As if so much time had passed at the server, in which nobody has done anything."""
    earlier = {"$subtract": ["$expires", int(seconds * 1000)]}
    launchpad.db["leases"].update_many({"expires": {"$ne": None}}, [{"$set": {"expires": earlier}}])
    before = {key: {"$subtract": [f"${key}", int(seconds * 1000)]} for key in ("done", "since")}
    launchpad.db["recovery"].update_many({}, [{"$set": before}])


def beat(launchpad, worker):
    """A heartbeat, as `MongoLease` sends it."""
    later = {"$add": ["$$NOW", int(EXPIRY_SECONDS * 1000)]}
    launchpad.db["leases"].update_one({"_id": f"worker {worker}", "owner": worker}, [{"$set": {"expires": later}}])


def test_many_that_take_at_once_take_each_job_once(place, address, tmp_path):
    number, takers = 24, 6
    submit(place, *(cluster_jobs.count(str(tmp_path), str(each)) for each in range(number)))
    taken, errors = [], []

    def take_all():
        try:
            with submitted_runs.launchpad_of(address) as (_, launchpad):
                while (got := take(launchpad)[1:])[0] is not None:
                    taken.append((got[0].fw_id, got[1]))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=take_all) for _ in range(takers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    jobs = {row["fw_id"]: (row["state"], row["launches"]) for row in place[1].fireworks.find({})}
    assert len(taken) == len(jobs) == number
    assert {job: ("RUNNING", [launch]) for job, launch in taken} == jobs
    assert place[1].launches.count_documents({}) == number


@pytest.mark.parametrize("when", ["before the leases are read", "after"])
def test_a_job_taken_in_the_middle_of_a_recovery_stays_with_its_worker(place, tmp_path, monkeypatch, when):
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    read, taken = recovery.all_held, []

    def meanwhile(*arguments, **options):
        if when != "after":
            taken.append(take(launchpad))
        found = read(*arguments, **options)
        if when == "after":
            taken.append(take(launchpad))
        return found

    monkeypatch.setattr(recovery, "all_held", meanwhile)
    assert recover(store, launchpad) == (0, 0, 0)
    assert only(launchpad) == ("RUNNING", [taken[0][2]])


def test_a_job_taken_while_its_workflow_is_updated_stays_with_its_worker(place, tmp_path):
    """The update has read the job as READY, and writes what it has read when another has taken it."""
    _, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    [job] = launchpad.fireworks.find({})
    seen = LazyFirework(job["fw_id"], launchpad.fireworks, launchpad.launches, None)
    assert (seen.state, seen.launches) == ("READY", [])
    _, _, launch = take(launchpad)
    launchpad._upsert_fws([seen])
    assert only(launchpad) == ("RUNNING", [launch])


def test_a_job_whose_end_is_written_is_ended_and_not_given_back(place, tmp_path, monkeypatch):
    """Its worker's lease has expired between the end of the launch and that of the job."""
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    _, job, launch = take(launchpad, seconds=-1)
    ended = CampaignLaunchPad.release

    def late(self, *arguments):
        with monkeypatch.context() as patch:  # the worker goes on, until it would update the workflow
            patch.setattr(CampaignLaunchPad, "_refresh_wf", lambda *_: None)
            self.complete_launch(launch, FWAction(), "COMPLETED")
        return ended(self, *arguments)

    monkeypatch.setattr(CampaignLaunchPad, "release", late)
    assert recover(store, launchpad).released == 0
    assert only(launchpad) == ("COMPLETED", [launch])
    assert job.fw_id in {row["fw_id"] for row in launchpad.fireworks.find({"state": "COMPLETED"})}


def test_the_end_of_a_job_that_was_given_to_another_is_not_written(place, tmp_path):
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    _, _, first = take(launchpad, seconds=-1)
    recover(store, launchpad)
    _, _, second = take(launchpad)
    launchpad.complete_launch(first, FWAction(stored_data={"failed": "late"}), "COMPLETED")
    assert only(launchpad) == ("RUNNING", [second])
    assert launchpad.launches.find_one({"launch_id": first})["state"] == "ARCHIVED"


def test_a_silent_worker_is_found_within_five_minutes_of_its_death(place, tmp_path):
    """Simulated time: somebody looks every 15 s, and the worker has just sent its last heartbeat."""
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    recover_if_due(store, launchpad)
    take(launchpad)
    seconds = 0.0
    while only(launchpad)[0] == "RUNNING":
        assert seconds < 300
        pass_time(launchpad, 15.0)
        seconds += 15.0
        recover_if_due(store, launchpad)
    assert seconds >= EXPIRY_SECONDS


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_server_that_was_away_for_longer_than_a_lease_costs_no_living_worker_its_job(place, tmp_path, is_alive):
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    recover_if_due(store, launchpad)
    worker, _, launch = take(launchpad)
    pass_time(launchpad, 2 * EXPIRY_SECONDS)
    assert recover_if_due(store, launchpad) == (0, 0, 0)  # it is the first that comes back
    seconds = 0.0
    for _ in range(30):
        pass_time(launchpad, HEARTBEAT_SECONDS)
        seconds += HEARTBEAT_SECONDS
        if is_alive:
            beat(launchpad, worker)
        recover_if_due(store, launchpad)
        if only(launchpad)[0] == "READY":
            break
    assert only(launchpad) == (("RUNNING", [launch]) if is_alive else ("READY", []))
    assert is_alive or seconds <= 120


@pytest.mark.parametrize(("user", "is_known"), [(os.getuid(), True), (os.getuid() + 1, False)])
def test_of_another_user_s_process_nothing_is_known(place, tmp_path, monkeypatch, user, is_known):
    """Under /proc's option hidepid it is not seen, and lives."""
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    process = {**mongo_lease._process(), "pid": 2**22 + 1, "user": user}  # above the highest number
    take(launchpad, process=process)
    assert recover(store, launchpad).released == is_known


def test_jobs_in_a_spool_folder_are_not_given_back_when_its_server_ends(place, tmp_path):
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    _, _, launch = take(launchpad, host=IN_FOLDER, seconds=-1)
    assert recover(store, launchpad) == (0, 0, 0)
    assert only(launchpad) == ("RUNNING", [launch])


def test_under_a_new_name_a_worker_gives_back_what_it_was_given_without_an_answer(
    place, address, tmp_path, monkeypatch
):
    from pymongo.errors import AutoReconnect

    from ninefold.run.cluster_worker import work

    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    before, names = CampaignLaunchPad.take, []

    def without_an_answer(self, taker, *arguments):
        got = before(self, taker, *arguments)
        names.append(taker.name)
        if len(names) == 1:
            raise AutoReconnect("connection closed")
        return got

    monkeypatch.setattr(CampaignLaunchPad, "take", without_an_answer)
    begun = time.monotonic()
    assert work(address, "here", ["cpu"], idle_seconds=5.0).jobs == 1
    assert time.monotonic() - begun < 60
    assert len(set(names)) == 2
    assert cluster_jobs.runs(tmp_path, "one") == 1
    [job] = place[1].fireworks.find({})
    assert job["spec"]["ninefold"].get("lost", 0) == 0
