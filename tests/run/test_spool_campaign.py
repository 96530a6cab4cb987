"""Jobs by a spool folder: nodes that reach no database give the store of a run on one machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

pytest.importorskip("fireworks")


import cluster_jobs
import launchpad_place
import mongo_server
from campaign_run import QUICK, ninefold, start, what_matters, with_pairs
from launchpad_place import CAMPAIGN, wait_until
from launchpad_place import address as address
from launchpad_place import place as place
from ninefold.errors import InputError
from ninefold.run import spool_server, submitted_runs
from ninefold.run.spool_jobs import JobName, names_in
from ninefold.run.spool_server import serve
from ninefold.run.spool_worker import work_from_spool

pytestmark = pytest.mark.cluster

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1}, "execution": {"compositions_per_job": 1},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def launchpad(place):
    return place[1]


def submit(address, *jobs):
    with submitted_runs.launchpad_of(address) as place:
        launchpad_place.submit(place, *jobs, has_spool=True)


def start_node(folder, idle_seconds=5):
    text = (
        "import sys; from pathlib import Path; from ninefold.run.spool_worker import work_from_spool\n"
        "print(work_from_spool(Path(sys.argv[1]), ['cpu'], idle_seconds=float(sys.argv[2])))"
    )
    path = os.pathsep.join([os.path.dirname(cluster_jobs.__file__), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", text, str(folder), str(idle_seconds)], env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_names_sort_by_priority_and_are_read_again():
    names = [JobName(5, 12, 3), JobName(10**6, 1, 1), JobName(999, 7, 70)]
    assert [JobName.of(text) for text in sorted(map(str, names))] == [names[1], names[2], names[0]]


def test_what_a_job_replaces_itself_by_comes_back_from_a_node(launchpad, address, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    fan = cluster_jobs.fan_out(str(tmp_path), 3)
    failing = cluster_jobs.fail(str(tmp_path), "failing")
    last = cluster_jobs.gather(str(tmp_path), "last", [fan.output, failing.output])
    submit(address, fan, failing, last)
    node = start_node(folder, 20)
    ended = serve(folder, address, "here", ["cpu"], until_done=True)
    node.send_signal(signal.SIGTERM)
    out, err = node.communicate(timeout=30)
    assert node.returncode == 0, err
    assert ended == 6  # the outputs of the fan are gathered here
    assert "jobs=6, given_back=0, failed=1" in out
    from ninefold.run.launchpad import outputs_in

    assert outputs_in(launchpad).get_output(last.uuid, load=True) == [["part0", "part1", "part2"], None]
    [fault] = launchpad.db["faults"].find()
    assert fault["reason"] == "KeyError: 'failing /tmp/x 17'"
    assert [name for name in ("done", "records", "blobs", "jobs/cpu") if names_in(folder / name)] == []


def test_a_node_that_is_gone_gives_its_job_to_another(launchpad, address, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(spool_server, "LOST_SECONDS", 2.0)
    submit(address, cluster_jobs.wait_for(str(tmp_path), "long"))
    node = start_node(folder, 20)

    def kill():
        wait_until(lambda: cluster_jobs.runs(tmp_path, "long") == 1)
        node.kill()
        node.communicate()
        (tmp_path / "go").touch()
        other.append(start_node(folder, 20))

    other = []
    thread = threading.Thread(target=kill)
    thread.start()
    assert serve(folder, address, "here", ["cpu"], until_done=True) == 1
    thread.join()
    other[0].send_signal(signal.SIGTERM)
    other[0].communicate(timeout=30)
    assert cluster_jobs.runs(tmp_path, "long") == 2
    [job] = launchpad.fireworks.find()
    assert (job["state"], job["spec"]["ninefold"]["lost"], len(job["launches"])) == ("COMPLETED", 1, 1)


def test_a_node_gives_its_job_back_at_the_end_of_its_time(launchpad, address, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    submit(address, cluster_jobs.wait_for(str(tmp_path), "long"))
    serve(folder, address, "here", ["cpu"], max_seconds=2.0)
    [name] = names_in(folder / "jobs" / "cpu")
    done = work_from_spool(folder, ["cpu"], max_seconds=1.0)
    assert (done.given_back, done.reason) == (1, "its time is over")
    # by way of the server, which adds what the node has stored
    assert (names_in(folder / "done"), names_in(folder / "jobs" / "cpu")) == ([name], [])
    assert names_in(folder / "workers") == []
    submitted_runs.set_state(launchpad, CAMPAIGN.name, "paused", ("submitted",))
    serve(folder, address, "here", ["cpu"], max_seconds=2.0)
    for name in ("done", "jobs/cpu"):  # of a paused run nothing is given out
        assert names_in(folder / name) == []
    [job] = launchpad.fireworks.find()
    assert (job["state"], job["spec"]["ninefold"].get("lost", 0)) == ("READY", 0)


def test_a_server_that_was_killed_gives_back_what_it_had_in_hand_and_leaves_the_rest(
    launchpad, address, folder, tmp_path, monkeypatch
):
    from ninefold.run.fireworks import fireworker
    from ninefold.run.spool_jobs import IN_FOLDER
    from ninefold.run.spool_lost import give_back_unwritten

    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    submit(address, *(cluster_jobs.count(str(tmp_path), name) for name in ("on a node", "taken", "own")))
    server = fireworker("spool-here", "here", ["cpu", "login"], [])
    launches = [launchpad.take(server, "", host)[1] for host in (IN_FOLDER, IN_FOLDER, "login")]
    [job] = launchpad.fireworks.find({"launches": launches[0]})
    there = folder / "running" / "node-1" / str(JobName(1, job["fw_id"], launches[0]))
    there.parent.mkdir(parents=True)
    there.touch()
    give_back_unwritten(folder, ["cpu"], launchpad, "spool-here")
    left = {launch for row in launchpad.fireworks.find({}) for launch in row["launches"]}
    assert left == {launches[0]}
    assert launchpad.fireworks.count_documents({"state": "READY"}) == 2
    assert all(not row["spec"]["ninefold"].get("lost") for row in launchpad.fireworks.find({}))


def test_a_job_that_another_submission_has_removed_is_withdrawn(launchpad, address, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    submit(address, cluster_jobs.wait_for(str(tmp_path), "old"))
    serve(folder, address, "here", ["cpu"], max_seconds=2.0)
    [name] = names_in(folder / "jobs" / "cpu")
    before = submitted_runs.submission_of(launchpad, CAMPAIGN.name)
    submitted_runs.remove_run(launchpad, before["run"])
    serve(folder, address, "here", ["cpu"], max_seconds=2.0)
    assert names_in(folder / "jobs" / "cpu") == []
    running = folder / "running" / "node"
    running.mkdir(parents=True, exist_ok=True)
    (running / name).touch()
    serve(folder, address, "here", ["cpu"], max_seconds=2.0)
    assert names_in(folder / "cancelled") == [name]  # its worker stops at this file


def test_a_result_that_a_disk_has_torn_is_set_apart_and_its_job_runs_again(launchpad, address, folder, tmp_path):
    submit(address, cluster_jobs.count(str(tmp_path), "one"))
    serve(folder, address, "here", ["cpu"], max_seconds=1.0)
    [name] = names_in(folder / "jobs" / "cpu")
    (folder / "done" / name).write_bytes(b"\x1f\x8b torn")
    (folder / "jobs" / "cpu" / name).unlink()
    told = []
    serve(folder, address, "here", ["cpu"], max_seconds=1.0, tell=told.append)
    assert "is damaged" in told[0]
    assert names_in(folder / "damaged") == [name]
    [again] = names_in(folder / "jobs" / "cpu")
    assert JobName.of(again).launch != JobName.of(name).launch
    assert work_from_spool(folder, ["cpu"], idle_seconds=0.0).jobs == 1


def test_jobs_whose_files_were_deleted_are_handed_out_again_by_the_second_look(
    launchpad, address, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(spool_server, "LOOK_SECONDS", 0.5)
    submit(address, *(cluster_jobs.count(str(tmp_path), name) for name in ("kept", "deleted")))
    before = []

    def delete():
        wait_until(lambda: len(names_in(folder / "jobs" / "cpu")) == 2)
        before.extend(names_in(folder / "jobs" / "cpu"))
        (folder / "jobs" / "cpu" / before[1]).unlink()

    thread = threading.Thread(target=delete)
    thread.start()
    serve(folder, address, "here", ["cpu"], max_seconds=5.0)
    thread.join()
    kept, again = names_in(folder / "jobs" / "cpu")
    assert kept == before[0]
    assert JobName.of(again).job == JobName.of(before[1]).job
    assert JobName.of(again).launch > JobName.of(before[1]).launch
    assert not any(row["spec"]["ninefold"].get("lost") for row in launchpad.fireworks.find({}))


def test_files_of_others_in_the_folder_are_left_alone(launchpad, address, folder, tmp_path):
    submit(address, cluster_jobs.count(str(tmp_path), "one"))
    serve(folder, address, "here", ["cpu"], max_seconds=1.0)
    for part in ("jobs/cpu", "running/node", "done"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / "core.4711").touch()
    assert work_from_spool(folder, ["cpu"], idle_seconds=0.0).jobs == 1
    assert serve(folder, address, "here", ["cpu"], until_done=True) == 1
    assert names_in(folder / "done") == ["core.4711"]


def test_a_node_that_does_not_see_the_folder_makes_none(tmp_path):
    with pytest.raises(InputError, match=r"spool: '.*/away' does not exist on this node; 'ninefold serve-spool' makes"):
        work_from_spool(tmp_path / "away", ["cpu"], idle_seconds=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_one_line(address, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"spool: '.*/file' cannot be written to: "):
        serve(tmp_path / "file", address, "here", ["cpu"])


def test_status_counts_the_nodes_of_the_folder_and_what_was_handed_out(
    launchpad, address, folder, tmp_path, monkeypatch
):
    from ninefold.run.launchpad_demand import LaunchpadDemand
    from ninefold.run.watch import standing_of
    from ninefold.store import open_store

    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    submit(address, *(cluster_jobs.wait_for(str(tmp_path), "long") for _ in range(3)))
    source = LaunchpadDemand(address, "here", folder)
    assert source.demand()["cpu"].waiting == 3
    assert source.hindrances() == [f"nobody serves {folder}: start 'ninefold serve-spool' beside this"]
    node, seen = start_node(folder, 20), []

    def look():
        wait_until(lambda: cluster_jobs.runs(tmp_path, "long") == 1 and names_in(folder / "workers"))
        time.sleep(0.5)
        with open_store(address) as store:
            seen.append(standing_of(store, CAMPAIGN.name))
        source.demand()
        seen.append(source.hindrances())
        (tmp_path / "go").touch()

    thread = threading.Thread(target=look)
    thread.start()
    serve(folder, address, "here", ["cpu"], until_done=True)
    thread.join()
    node.send_signal(signal.SIGTERM)
    node.communicate(timeout=30)
    standing, hindrances = seen
    assert (standing.states["RUNNING"], standing.in_folder, standing.workers) == (3, 3, 1)
    assert hindrances == []


@pytest.mark.slow
def test_a_campaign_by_a_spool_folder_is_that_of_one_machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spooled")
    address = mongo_server.address_of(mongo_server.unused_database())
    environment = with_pairs(folder / "plugin")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    text = {
        "scheduler": "slurm", "work_folder": str(folder), "spool": str(folder / "spool"),
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (folder / "there.yaml").write_text(yaml.safe_dump(text))
    on_login = {**environment, "NINEFOLD_STORE": address}
    local = ninefold("run", "campaign.yaml", "--json", cwd=folder, env={**environment, "NINEFOLD_STORE": "ninefold.db"})
    assert local.returncode == 0, local.stderr
    done = ninefold("submit", "campaign.yaml", "--cluster", "./there.yaml", cwd=folder, env=on_login)
    assert done.returncode == 0, done.stderr
    nodes = [start("work", "--cluster", "./there.yaml", "--idle-seconds", "60", cwd=folder, env=environment)]
    served = ninefold("serve-spool", "--cluster", "./there.yaml", "--until-done", cwd=folder, env=on_login)
    assert served.returncode == 0, served.stderr
    for node in nodes:
        node.send_signal(signal.SIGTERM)
        out, err = node.communicate(timeout=60)
        assert node.returncode == 0, out + err
    assert what_matters(address) == what_matters(folder / "ninefold.db")
    assert json.loads(local.stdout)["candidates"][0]["rank"] == 1
