"""Jobs on the launchpad: each ends once, whoever dies, and the order in which they are taken."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("fireworks")


import cluster_jobs
from campaign_run import QUICK
from launchpad_place import CAMPAIGN, submit, wait_until
from launchpad_place import address as address
from launchpad_place import place as place
from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.run import recovery, shard_size, submission, submitted_runs
from ninefold.run.children import _runs
from ninefold.run.cluster_worker import work
from ninefold.run.launchpad import CampaignLaunchPad, outputs_in
from ninefold.run.recovery import MOST_LOST, recover
from ninefold.run.watch import standing_of
from ninefold.store.mongo_connection import one_connection


def states(launchpad):
    return {row["name"]: row["state"] for row in launchpad.fireworks.find({}, {"name": 1, "state": 1})}


def run_all(address, **options):
    return work(address, "here", ["cpu"], idle_seconds=options.pop("idle_seconds", 5.0), **options)


def start_worker(address, *options):
    """A worker in a process of its own."""
    text = (
        "import sys; from ninefold.run.cluster_worker import work\n"
        "done = work(sys.argv[1], 'here', ['cpu'], idle_seconds=float(sys.argv[2]))\n"
        "print(done)"
    )
    path = os.pathsep.join([os.path.dirname(cluster_jobs.__file__), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", text, address, *(options or ("5",))], env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_flow_runs_with_what_it_replaces_itself_by(place, address, tmp_path):
    fan = cluster_jobs.fan_out(str(tmp_path), 3)
    last = cluster_jobs.gather(str(tmp_path), "last", fan.output)
    submit(place, fan, last)
    done = run_all(address)
    assert (done.jobs, done.given_back, done.failed) == (6, 0, 0)  # and the one that gathers the outputs
    assert set(states(place[1]).values()) == {"COMPLETED"}
    with one_connection():
        outputs = outputs_in(place[1])
        assert outputs.get_output(last.uuid, load=True) == ["part0", "part1", "part2"]


def test_large_outputs_are_kept_beside_the_documents(place):
    outputs = outputs_in(place[1])
    data = {"uuid": uuid.uuid4().hex, "index": 1, "output": {"large": list(range(1000))}}
    outputs.update(data, save={"data": "large"})
    stored = place[1].db["job_outputs"].find_one({"uuid": data["uuid"]})
    assert "blob_uuid" in stored["output"]["large"]
    assert outputs.get_output(data["uuid"], load=True)["large"] == list(range(1000))


def test_an_error_ends_its_job_and_what_needs_it_and_nothing_else(place, address, tmp_path):
    folder = str(tmp_path)
    failing = cluster_jobs.fail(folder, "failing")
    needs = cluster_jobs.count(folder, "needs", failing.output)
    gathers = cluster_jobs.gather(folder, "gathers", [needs.output])
    other = cluster_jobs.count(folder, "other")
    submit(place, failing, needs, gathers, other)
    done = run_all(address)
    assert done.failed == 1
    ran = [cluster_jobs.runs(folder, name) for name in ("failing", "needs", "gathers", "other")]
    assert ran == [1, 0, 1, 1]
    store, _ = place
    [fault] = store.find("faults")
    assert (fault["stage"], fault["reason"]) == ("job", "KeyError: 'failing /tmp/x 17'")
    standing = standing_of(store, CAMPAIGN.name)
    assert standing.state == "ended"
    [(cause, number)] = standing.failed.items()
    assert (cause, number) == ("raised KeyError: 'failing # #'", 1)
    assert "in fail\n" in next(iter(standing.logs.values()))


def test_two_workers_at_once_run_each_job_once(place, address, tmp_path):
    submit(place, cluster_jobs.fan_out(str(tmp_path), 12))
    workers = [start_worker(address), start_worker(address)]
    outputs = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    assert [cluster_jobs.runs(tmp_path, f"part{number}") for number in range(12)] == [1] * 12
    assert set(states(place[1]).values()) == {"COMPLETED"}
    assert place[1].db["leases"].count_documents({}) <= 1  # nothing is left but that of submissions


def test_the_job_of_a_killed_worker_is_given_back_at_once_on_its_machine(place, address, tmp_path):
    store, launchpad = place
    submit(place, cluster_jobs.wait_for(str(tmp_path), "long"))
    worker = start_worker(address)
    wait_until(lambda: cluster_jobs.runs(tmp_path, "long"))
    assert recover(store, launchpad).released == 0  # it lives
    worker.kill()
    worker.communicate()
    assert recover(store, launchpad) == (1, 0, 0)
    assert recover(store, launchpad) == (0, 0, 0)
    assert states(launchpad) == {"wait_for": "READY"}
    (tmp_path / "go").touch()
    assert run_all(address).jobs == 1
    assert states(launchpad) == {"wait_for": "COMPLETED"}
    assert standing_of(store, CAMPAIGN.name).lost == 1


def test_a_worker_that_would_end_looks_for_a_job_lost_since_the_last_look(place, address, tmp_path):
    """Sooner after that look than another is due: nobody would come for the job."""
    store, launchpad = place
    submit(place, cluster_jobs.wait_for(str(tmp_path), "long"))
    worker = start_worker(address)
    wait_until(lambda: cluster_jobs.runs(tmp_path, "long"))
    recovery.recover_if_due(store, launchpad, 0.0)
    worker.kill()
    worker.communicate()
    (tmp_path / "go").touch()
    assert run_all(address, idle_seconds=1.5).jobs == 1
    assert states(launchpad) == {"wait_for": "COMPLETED"}


def lost_job(place, tmp_path, expires):
    """A job of a worker on another machine, whose lease expires at that time."""
    submit(place, cluster_jobs.count(str(tmp_path), "one"))
    return take(place, expires)


def take(place, expires):
    from ninefold.run.fireworks import fireworker

    _, launchpad = place
    name = f"elsewhere-{uuid.uuid4().hex}"
    launchpad.db["leases"].insert_one(
        {"_id": f"worker {name}", "owner": name, "token": 1, "expires": expires, "holder": name, "process": None}
    )
    firework, launch = launchpad.take(fireworker(name, "here", ["cpu"], []), "/tmp", "h")
    return firework, launch


def test_a_worker_elsewhere_is_gone_when_its_lease_has_expired(place, tmp_path):
    store, launchpad = place
    firework, _ = lost_job(place, tmp_path, datetime.now(UTC) + timedelta(minutes=4))
    assert recover(store, launchpad) == (0, 0, 0)
    launchpad.db["leases"].update_many({}, {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=1)}})
    assert recover(store, launchpad) == (1, 0, 0)
    found = launchpad.fireworks.find_one({"fw_id": firework.fw_id})
    assert (found["state"], found["launches"], len(found["archived_launches"])) == ("READY", [], 1)


def test_a_late_end_of_a_lost_job_changes_nothing(place, address, tmp_path):
    from fireworks import FWAction

    store, launchpad = place
    _, launch = lost_job(place, tmp_path, datetime.now(UTC) - timedelta(seconds=1))
    recover(store, launchpad)
    launchpad.complete_launch(launch, FWAction(stored_data={"failed": "late"}), "COMPLETED")
    assert states(launchpad) == {"count": "READY"}
    assert run_all(address).jobs == 1
    assert standing_of(store, CAMPAIGN.name).failed == {}


def test_what_another_has_taken_meanwhile_is_not_given_back(place, tmp_path):
    _, launchpad = place
    firework, launch = lost_job(place, tmp_path, datetime.now(UTC) - timedelta(seconds=1))
    assert launchpad.release(firework.fw_id, [launch], "gone")
    _, second = take(place, datetime.now(UTC) + timedelta(minutes=4))
    assert not launchpad.release(firework.fw_id, [launch], "gone")
    assert launchpad.fireworks.find_one({"fw_id": firework.fw_id})["launches"] == [second]


def test_a_job_that_is_lost_again_and_again_fails(place, address, tmp_path):
    store, launchpad = place
    submit(
        place,
        first := cluster_jobs.count(str(tmp_path), "one"),
        cluster_jobs.gather(str(tmp_path), "end", [first.output]),
    )
    found = []
    for _ in range(MOST_LOST):
        take(place, datetime.now(UTC) - timedelta(seconds=1))
        found.append(recover(store, launchpad)[:2])
    assert found == [(1, 0)] * (MOST_LOST - 1) + [(0, 1)]
    [fault] = store.find("faults")
    assert "ended 3 times without a result" in fault["reason"]
    assert run_all(address).jobs == 1
    assert (cluster_jobs.runs(tmp_path, "one"), cluster_jobs.runs(tmp_path, "end")) == (0, 1)


def test_the_machines_error_gives_the_job_back_and_ends_the_worker(place, address, tmp_path):
    store, launchpad = place
    submit(place, cluster_jobs.full_disk(str(tmp_path), "one"))
    for _ in range(MOST_LOST):
        with pytest.raises(OSError, match="No space"):
            run_all(address)
    assert cluster_jobs.runs(tmp_path, "one") == MOST_LOST
    assert states(launchpad) == {"full_disk": "COMPLETED"}
    [fault] = store.find("faults")
    assert "No space left" in fault["reason"]


@pytest.mark.parametrize("how", ["SIGTERM", "time"])
def test_a_worker_that_ends_gives_its_job_back_at_once(place, address, tmp_path, how):
    submit(place, cluster_jobs.wait_for(str(tmp_path), "long"))
    if how == "time":
        begun = time.monotonic()
        done = run_all(address, max_seconds=2.0)
        assert time.monotonic() - begun < 10
        assert (done.given_back, done.reason) == (1, "its time is over")
    else:
        worker = start_worker(address)
        wait_until(lambda: cluster_jobs.runs(tmp_path, "long"))
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=30)
        assert worker.returncode == 0
        assert "given_back=1" in out
        assert "told to end (SIGTERM)" in out
    assert states(place[1]) == {"wait_for": "READY"}
    assert place[1].fireworks.find_one({})["spec"]["ninefold"].get("lost", 0) == 0  # it is no fault of the job


def test_an_update_that_was_cut_short_is_completed(place, address, tmp_path, monkeypatch):
    """The worker dies after the job's document says that it has ended, and before its workflow's does."""
    store, launchpad = place
    fan = cluster_jobs.fan_out(str(tmp_path), 2)
    submit(place, fan, cluster_jobs.gather(str(tmp_path), "last", fan.output))

    class Killed(BaseException):
        pass

    def killed(self, workflow, updated):
        self._upsert_fws([workflow.id_fw[key] for key in updated])
        raise Killed

    update = CampaignLaunchPad._update_wf
    calls = []

    def third_is_killed(self, workflow, updated):
        calls.append(updated)
        if len(updated) > 2:
            killed(self, workflow, updated)
        update(self, workflow, updated)

    with monkeypatch.context() as patch:
        patch.setattr(CampaignLaunchPad, "_update_wf", third_is_killed)
        with pytest.raises(Killed):
            run_all(address)
    assert launchpad.workflows.count_documents({"nodes": {"$size": 2}}) == 1  # it knows nothing of the new jobs
    assert recover(store, launchpad).completed == 1
    run_all(address)
    assert [cluster_jobs.runs(tmp_path, name) for name in ("fan_out", "part0", "part1", "last")] == [1, 1, 1, 1]
    left = {row["fw_id"] for row in launchpad.fireworks.find({}, {"fw_id": 1})}
    assert left == set(launchpad.workflows.find_one({})["nodes"])


def test_a_paused_campaign_starts_no_job_and_a_cancelled_one_stops(place, address, tmp_path, monkeypatch):
    monkeypatch.setattr("ninefold.run.running_job.WATCH_SECONDS", 0.2)
    _, launchpad = place
    submit(place, cluster_jobs.wait_for(str(tmp_path), "long"))
    submitted_runs.set_state(launchpad, CAMPAIGN.name, "paused", ("submitted",))
    assert run_all(address, idle_seconds=1.0).reason == "nothing was ready for 1 s"
    submitted_runs.set_state(launchpad, CAMPAIGN.name, "submitted", ("paused",))
    with pytest.raises(InputError, match="is submitted; allowed: a campaign that is paused"):
        submitted_runs.set_state(launchpad, CAMPAIGN.name, "submitted", ("paused",))

    def cancel():
        wait_until(lambda: cluster_jobs.runs(tmp_path, "long"))
        submitted_runs.set_state(launchpad, CAMPAIGN.name, "cancelled", ("submitted", "paused"))

    thread = threading.Thread(target=cancel)
    thread.start()
    done = run_all(address)
    thread.join()
    assert (done.jobs, done.given_back, done.reason) == (0, 1, "nothing is left to do")


def cancelled(launchpad):
    submitted_runs.set_state(launchpad, CAMPAIGN.name, "cancelled", ("submitted",))
    return submitted_runs.submission_of(launchpad, CAMPAIGN.name)


def test_jobs_of_a_cancelled_run_are_held_until_another_submission_is_whole(place, address, tmp_path, monkeypatch):
    from ninefold.run.fireworks import fireworker

    _, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "old"))
    previous = cancelled(launchpad)
    insert, remove, taken = submission._insert, submitted_runs.remove_run, []

    def take_now():
        taker = fireworker("other", "here", ["cpu"], submitted_runs.held_runs(launchpad))
        taken.append(launchpad.take(taker, "", "other")[0])

    def inserted(*arguments):
        take_now()
        return insert(*arguments)

    def removed(*arguments):
        take_now()
        remove(*arguments)

    monkeypatch.setattr(submission, "_insert", inserted)
    monkeypatch.setattr(submitted_runs, "remove_run", removed)
    submit(place, cluster_jobs.count(str(tmp_path), "new"), previous=previous)
    assert taken == [None, None]
    assert list(states(launchpad).values()) == ["READY"]
    assert submitted_runs.held_runs(launchpad) == []
    run_all(address)
    assert [cluster_jobs.runs(tmp_path, name) for name in ("old", "new")] == [0, 1]


@pytest.mark.parametrize("place_of_death", ["_insert", "remove_previous"])
def test_a_submission_killed_in_the_place_of_a_cancelled_one_runs_no_job_of_that(
    place, address, tmp_path, monkeypatch, place_of_death
):
    """The cancelled one is found again, or its jobs are removed by the next recovery."""
    store, launchpad = place
    submit(place, cluster_jobs.count(str(tmp_path), "old"))
    previous = cancelled(launchpad)
    with monkeypatch.context() as patch:
        patch.setattr(submission, "_undo", lambda *_: None)
        patch.setattr(submission, place_of_death, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            submit(place, cluster_jobs.count(str(tmp_path), "new"), previous=previous)
    recover(store, launchpad)
    run_all(address, idle_seconds=0.5)
    is_whole = place_of_death == "remove_previous"
    assert [cluster_jobs.runs(tmp_path, name) for name in ("old", "new")] == [0, int(is_whole)]
    found = submission._previous(launchpad, CAMPAIGN.name)
    assert (found["run"] == previous["run"]) != is_whole
    assert not found.get("previous")


def test_a_job_of_a_run_that_another_submission_has_removed_is_stopped(place, address, tmp_path, monkeypatch):
    monkeypatch.setattr("ninefold.run.running_job.WATCH_SECONDS", 0.2)
    _, launchpad = place
    submit(place, cluster_jobs.wait_for(str(tmp_path), "old"))
    run = submitted_runs.submission_of(launchpad, CAMPAIGN.name)["run"]

    def remove():
        wait_until(lambda: cluster_jobs.runs(tmp_path, "old"))
        submitted_runs.remove_run(launchpad, run)

    thread = threading.Thread(target=remove)
    thread.start()
    done = run_all(address)
    thread.join()
    assert (done.jobs, done.given_back) == (0, 1)
    assert states(launchpad) == {}


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_campaign_that_has_ended_is_not_paused_or_cancelled(place, address, tmp_path, state):
    submit(place, cluster_jobs.count(str(tmp_path), "only"))
    run_all(address)
    with pytest.raises(InputError, match=f"'{CAMPAIGN.name}' has come to its end: no job of it is left"):
        submitted_runs.set_state(place[1], CAMPAIGN.name, state, ("submitted", "paused"))
    assert submitted_runs.submission_of(place[1], CAMPAIGN.name)["state"] == "submitted"


def test_the_largest_shard_goes_first_and_a_shard_goes_on_before_the_next():
    from ninefold.flows.search_jobs import build_structures, prescreen_structures
    from ninefold.run.fireworks import PLANNING, _priorities

    shards = [{"blob": "b", "key": key, "count": count, "attempt": 1} for key, count in (("a", 2), ("b", 5), ("c", 5))]
    built = [build_structures({}, "", shard, 1) for shard in shards]
    searched = [prescreen_structures({}, "", each.output, 1) for each in built]
    gathering = cluster_jobs.gather("", "", [each.output for each in searched])
    found = _priorities([*built, *searched, gathering])
    order = sorted(range(3), key=lambda place: -found[built[place].uuid, 1])
    assert order == [1, 2, 0]
    assert [found[each.uuid, 1] for each in searched] == [found[each.uuid, 1] for each in built]
    assert found[gathering.uuid, 1] == PLANNING > max(found[each.uuid, 1] for each in built)


def test_the_work_of_a_cluster_is_counted_by_kind(place, address, tmp_path):
    from ninefold.run.demand import Demand
    from ninefold.run.launchpad_demand import LaunchpadDemand

    source = LaunchpadDemand(address, "here")
    assert source.demand() == {}
    folder = str(tmp_path)
    submit(place, *[cluster_jobs.count(folder, str(number)) for number in range(3)], cluster_jobs.wait_for(folder, "x"))
    assert source.demand() == {"cpu": Demand(4, 0, None)}
    take(place, datetime.now(UTC) + timedelta(minutes=4))
    assert source.demand()["cpu"][:2] == (3, 1)
    assert source.paused() == []
    submitted_runs.set_state(place[1], CAMPAIGN.name, "paused", ("submitted",))
    assert source.demand() == {}
    assert source.paused() == [CAMPAIGN.name]
    assert LaunchpadDemand(address, "elsewhere").demand() == {}


def test_workers_of_one_queue_job_end_together(place, address, tmp_path):
    folder = str(tmp_path)
    submit(place, *[cluster_jobs.wait_for(folder, str(number)) for number in range(2)])
    text = (
        "import sys; from ninefold.run.worker_group import run_workers\n"
        'one = \'import sys; from ninefold.run.cluster_worker import work; work(sys.argv[1], "here", ["cpu"])\'\n'
        "sys.exit(run_workers([sys.executable, '-c', one, sys.argv[1]], 2))"
    )
    path = os.pathsep.join([os.path.dirname(cluster_jobs.__file__), os.environ.get("PYTHONPATH", "")])
    group = subprocess.Popen([sys.executable, "-c", text, address], env={**os.environ, "PYTHONPATH": path})
    wait_until(lambda: cluster_jobs.runs(tmp_path, "0") and cluster_jobs.runs(tmp_path, "1"))
    group.send_signal(signal.SIGTERM)
    assert group.wait(timeout=60) == 0
    assert list(states(place[1]).values()) == ["READY"]  # both have one name
    assert place[1].fireworks.count_documents({"state": "READY"}) == 2


@pytest.mark.parametrize("retries", ["longer", "shorter"])
def test_a_server_that_is_away_for_a_while_costs_nothing(place, address, tmp_path, monkeypatch, retries):
    """The worker waits with what it has; after too long it gives its job back, and goes on under another name."""
    from pymongo.uri_parser import parse_uri

    import cut_connection

    monkeypatch.setattr("ninefold.run.cluster_worker.RETRY_SECONDS", 1.0 if retries == "shorter" else 20.0)
    monkeypatch.setattr("ninefold.store.mongo_connection.SELECTION_SECONDS", 1.0)
    [(host, port)] = parse_uri(address)["nodelist"]
    line = cut_connection.Cut(host, port)
    through = address.replace(f"{host}:{port}", f"127.0.0.1:{line.port}") + "&serverSelectionTimeoutMS=1000"
    last = cluster_jobs.wait_for(str(tmp_path), "long")
    submit(place, last, cluster_jobs.count(str(tmp_path), "next", last.output))

    def away():
        wait_until(lambda: cluster_jobs.runs(tmp_path, "long"))
        line.cut()
        (tmp_path / "go").touch()
        time.sleep(4)
        line.mend()

    thread = threading.Thread(target=away)
    thread.start()
    told = []
    done = run_all(through, tell=told.append)
    thread.join()
    line.close()
    assert any("waits for the database" in line for line in told) == (retries == "shorter")
    assert done.jobs == 2
    assert cluster_jobs.runs(tmp_path, "long") == (2 if retries == "shorter" else 1)
    assert cluster_jobs.runs(tmp_path, "next") == 1
    assert set(states(place[1]).values()) == {"COMPLETED"}
    assert standing_of(place[0], CAMPAIGN.name).failed == {}


@pytest.mark.parametrize("how", ["stopped", "ended"])
def test_a_program_that_a_job_leaves_behind_ends_with_it(place, address, tmp_path, how, monkeypatch):
    monkeypatch.setattr("ninefold.run.children.GRACE_SECONDS", 0.3)
    submit(place, cluster_jobs.start_program(str(tmp_path), "one"))
    if how == "ended":
        (tmp_path / "go").touch()
    done = run_all(address, max_seconds=2.0 if how == "stopped" else None)
    assert (done.given_back, done.jobs) == ((1, 0) if how == "stopped" else (0, 1))
    pid = (tmp_path / "pid").read_text()
    assert not _runs(int(pid))


@pytest.mark.parametrize(
    ("each", "most", "size"),
    # four compositions: one shard, two, four, and two at most
    [(1.0, 1000, 4), (600.0, 1000, 2), (10_000.0, 1000, 1), (10_000.0, 2, 2)],
)
def test_shards_take_an_hour_by_measured_rates_and_are_not_too_many(place, monkeypatch, each, most, size):
    from ninefold.flows import estimate

    store, _ = place
    campaign = parse_campaign({**QUICK, "engine": {"name": "lj"}})
    rates = estimate.Rates(estimate.Range(0.1, 0.1, 0.1), estimate.Range(each, each, each), "a test")
    with monkeypatch.context() as patch:
        patch.setattr(estimate, "measured_rates", lambda *_: rates)
        patch.setattr(shard_size, "MOST_SHARDS", most)
        sized = shard_size.with_shards(campaign, store, 3600.0)
    assert sized.execution.compositions_per_job == size  # a search: 8 structures of 0.1 s, 3 relaxations of each
    assert sized.fingerprint() == campaign.fingerprint()
    assert shard_size.with_shards(campaign, store, 3600.0) == campaign  # of this engine nothing is known


@pytest.mark.parametrize(
    ("each", "places", "size"),
    [(100.0, None, 4), (100.0, 1, 1), (100.0, 2, 1),
     (5.0, 320, 4), (2.0, 320, 4), (10.0, 320, 2), (10.0, 1, 2)],  # of a minute at least: four of 16 s, two of 31 s
)  # fmt: skip
def test_shards_are_made_small_enough_for_the_places_of_the_cluster(place, monkeypatch, each, places, size):
    """A search takes 3 * each + 0.8 s."""
    from ninefold.flows import estimate

    rates = estimate.Rates(estimate.Range(0.1, 0.1, 0.1), estimate.Range(each, each, each), "a test")
    monkeypatch.setattr(estimate, "measured_rates", lambda *_: rates)
    campaign = parse_campaign({**QUICK, "engine": {"name": "lj"}})
    assert shard_size.with_shards(campaign, place[0], 3600.0, places).execution.compositions_per_job == size


def test_what_is_left_is_told_from_what_jobs_of_the_same_name_have_taken(place, address, tmp_path):
    store, launchpad = place
    folder = str(tmp_path)
    first = cluster_jobs.count(folder, "first")
    submit(
        place, first, cluster_jobs.count(folder, "second", first.output), cluster_jobs.gather(folder, "x", first.output)
    )
    run_all(address)
    launchpad.fireworks.update_many({"name": "count"}, {"$set": {"state": "READY"}})
    launchpad.launches.update_many({}, {"$set": {"action.stored_data.core_seconds": 1800.0}})
    [last] = launchpad.fireworks.find({"name": "gather"})
    launchpad.launches.update_one(
        {"launch_id": last["launches"][0]}, {"$set": {"action.stored_data.core_seconds": 3600.0}}
    )
    found = standing_of(store, CAMPAIGN.name)
    assert found.states == {"READY": 2, "COMPLETED": 1}
    assert (found.core_hours, found.core_hours_left, found.hours_left) == (2.0, 1.0, None)  # nobody is at it
    assert found.jobs_per_hour > 3


def test_what_running_jobs_have_done_is_not_left():
    from ninefold.run.watch import RunningJob, _hours_left

    def job(name, seconds):
        return RunningJob(1, name, "worker", seconds, None, None, None)

    taken = {"build": [3600.0, 7200.0], "search": [1800.0]}
    assert _hours_left({}, ["build"], []) is None
    assert _hours_left(taken, [], []) is None
    assert _hours_left(taken, ["build", "build", "search"], []) == 3.5
    assert _hours_left(taken, ["build", "build", "search"], [job("build", 1800.0)]) == 3.0
    assert _hours_left(taken, ["build", "search"], [job("build", 9e9), job("other", 60.0)]) == 0.5
    assert _hours_left(taken, ["rank"], []) == pytest.approx(3.5 / 3)  # as any other
