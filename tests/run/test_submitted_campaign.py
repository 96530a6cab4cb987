"""A campaign through the launchpad: the ranking of a run on one machine, and submissions that are whole or nothing."""

import json
import time

import pytest
import yaml

pytest.importorskip("fireworks")

import bson

from campaign_run import QUICK, ninefold, start, what_matters, with_pairs
from launchpad_place import address as address
from launchpad_place import database
from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.run import submission, submitted_runs

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
    "execution": {"compositions_per_job": 1},
}  # fmt: skip


def cluster_file(folder, database):
    text = {
        "scheduler": "slurm", "work_folder": str(folder), "database": database,
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (folder / "here.yaml").write_text(yaml.safe_dump(text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, address):
    from ninefold.store import public_address

    folder = tmp_path_factory.mktemp("submitted")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    cluster_file(folder, public_address(address))
    return folder


@pytest.fixture(scope="module")
def environment(folder, address):
    return {**with_pairs(folder / "plugin"), "NINEFOLD_STORE": address}


def command(*arguments, folder, environment, code=0):
    done = ninefold(*arguments, cwd=folder, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def finished(folder, environment, address):
    """Run on this machine, and submitted; one of two workers is killed in the middle of a job."""
    local = {**environment, "NINEFOLD_STORE": "ninefold.db"}
    told = command("run", "campaign.yaml", "--workers", 1, "--json", folder=folder, environment=local)
    done = {"local": json.loads(told.stdout)}
    done["submit"] = command(
        "submit", "campaign.yaml", "--cluster", "here.yaml", folder=folder, environment=environment
    )
    done["again"] = command(
        "submit", "campaign.yaml", "--cluster", "here.yaml", folder=folder, environment=environment, code=2
    )
    work = ("work", "--cluster", "./here.yaml", "--resources", "cpu", "--idle-seconds", "6")
    workers = [start(*work, cwd=folder, env=environment) for _ in range(2)]
    fireworks = database(address)["fireworks"]
    last = time.monotonic() + 100
    while (job := fireworks.find_one({"state": "RUNNING", "name": "build structures"})) is None:
        assert time.monotonic() < last
        time.sleep(0.02)
    launch = database(address)["launches"].find_one({"launch_id": job["launches"][-1]})
    pid = int(launch["fworker"]["name"].split("-")[-2])
    [killed] = [worker for worker in workers if worker.pid == pid]
    killed.kill()
    done["killed"] = job["fw_id"]
    done["status"] = command("status", "--json", folder=folder, environment=environment)
    done["run here"] = command("run", "campaign.yaml", folder=folder, environment=environment, code=2)
    third = start(*work, cwd=folder, env=environment)
    for worker in (*workers, third):
        out, err = worker.communicate(timeout=200)
        assert worker is killed or worker.returncode == 0, out + err
    return done


def test_the_store_is_that_of_a_run_on_one_machine(finished, folder, address):
    """Whatever was killed, every document is the same; the ranking is among them."""
    assert what_matters(address) == what_matters(folder / "ninefold.db")
    assert [row["rank"] for row in finished["local"]["candidates"]].count(1) == 1


def test_the_job_of_the_killed_worker_was_lost_once_and_ended_once(finished, address):
    jobs = list(database(address)["fireworks"].find({}))
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert {job["fw_id"]: job["spec"]["ninefold"]["lost"] for job in jobs if job["spec"]["ninefold"].get("lost")} == {
        finished["killed"]: 1
    }
    assert all(len(job["launches"]) == 1 for job in jobs)


def test_a_second_submission_is_refused_in_one_line(finished):
    assert "campaign: 'quick' is already submitted to cluster 'here'" in finished["again"].stderr
    assert len(finished["again"].stderr.strip().splitlines()) == 1
    assert "campaign: 'quick' is submitted to cluster 'here', and has jobs left" in finished["run here"].stderr


def test_commands_that_come_next_name_the_cluster_as_the_user_did(finished, folder, environment):
    """A file that lies elsewhere cannot be named otherwise, and the store is that of no variable."""
    told = finished["submit"].stdout
    assert "'ninefold up here.yaml' starts workers" in told
    assert "'ninefold status --watch -c quick --cluster here.yaml' follows it" in told
    shown = command("status", "-c", "quick", "--cluster", "here.yaml", folder=folder, environment=environment)
    assert shown.stdout.startswith("Campaign quick: ")


def test_status_tells_of_the_jobs(finished, folder, environment):
    told = json.loads(finished["status"].stdout)
    assert told["status"] == "submitted to cluster here"
    assert told["cluster"]["states"]["RUNNING"] >= 1
    after = command("status", "--watch", folder=folder, environment=environment).stdout
    assert "Campaign quick: finished" in after
    assert "core-hours spent" in after
    assert "1 lost and started again" in after


def test_no_document_holds_the_login_and_none_is_large(finished, address):
    password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for name in ("fireworks", "launches", "workflows", "submissions", "job_outputs", "leases"):
        for document in database(address)[name].find():
            assert not password or password not in str(document)
            assert len(bson.encode(document)) < 30_000


def test_a_finished_campaign_is_not_submitted_again_and_nothing_failed(finished, folder, environment):
    again = command("submit", "campaign.yaml", "--cluster", "here.yaml", folder=folder, environment=environment, code=2)
    assert "is finished" in again.stderr
    assert "nothing failed" in command("failures", folder=folder, environment=environment).stdout
    none = command("retry", "quick", "--cause", "x", folder=folder, environment=environment, code=2)
    assert "--cause: 'x' is the cause of no failure; allowed: none: nothing failed" in none.stderr
    missing = command("retry", "quick", folder=folder, environment=environment, code=2)
    assert "is finished: nothing is missing" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit", "campaign.yaml", "--cluster", "nowhere"], "cluster: 'nowhere' is not known"),
        (["work", "--cluster", "here.yaml", "--resources", "gpu"], "--resources: 'gpu' is none of cluster 'here'"),
        (["cancel", "other"], "campaign: 'other' is not in the store"),
        (["pause", "quick", "--end"], "campaign: 'quick' is submitted; allowed: a campaign that is paused"),
        (["cancel", "quick"], "campaign: 'quick' has come to its end: no job of it is left"),
        (
            ["submit", "campaign.yaml", "--cluster", "here.yaml", "--store", "other.db"],
            "--store: 'other.db' is not the database of cluster 'here'",
        ),
        (["status", "--cluster", "here.yaml", "--store", "other.db"], "--store: 'other.db' is not the database"),
        (["submit", "away.yaml", "--cluster", "away.yaml"], "cannot be reached"),
        (["work", "--cluster", "away.yaml"], "cannot be reached"),
    ],
)
def test_bad_input_is_one_line(finished, folder, environment, arguments, words):
    if "away.yaml" in arguments and not (folder / "away.yaml").exists():
        text = yaml.safe_load((folder / "here.yaml").read_text())
        text["database"] = "mongodb://127.0.0.1:9/x?serverSelectionTimeoutMS=200"
        (folder / "away.yaml").write_text(yaml.safe_dump(text))
    if arguments[0] == "submit":
        arguments = ["submit", "campaign.yaml", *arguments[2:]]
    done = command(*arguments, folder=folder, environment=environment, code=2)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_retry_tries_one_class_of_failures_and_leaves_the_others(finished, folder, environment, address):
    from ninefold.models.campaign import CampaignRecord
    from ninefold.models.fault import Fault
    from ninefold.store import open_store

    with open_store(address, "write") as store:
        labels = [row["label"] for row in store.find("compositions", limit=2)]
        reasons = ["OSError: [Errno 28] No space left on device", "engine raised ValueError: shape (3, 4)"]
        for label, reason in zip(labels, reasons, strict=True):
            fault = {"campaign": "quick", "stage": "prescreen", "what": label, "reason": reason, "attempt": 1}
            store.put("faults", [Fault(id=f"quick:prescreen:{label}", created="2026-01-01T00:00:00+00:00", **fault)])
        record = store.get("campaigns", "quick")
        store.put("campaigns", [CampaignRecord.model_validate({**record, "status": "incomplete"})])
    told = json.loads(command("failures", "--json", folder=folder, environment=environment).stdout)
    assert [group["cause"] for group in told] == [
        "engine raised ValueError: shape (# #)", "machine: OSError: [Errno #] No space left on device",
    ]  # fmt: skip
    assert told[1]["retry"] == "ninefold retry quick --cause 'machine: OSError: [Errno #] No space left on device'"
    for options, left in ((("--cause", told[1]["cause"]), [labels[1]]), ((), [])):
        command("retry", "quick", *options, folder=folder, environment=environment)
        command("work", "--cluster", "./here.yaml", folder=folder, environment=environment)
        with open_store(address) as store:
            assert [row["what"] for row in store.find("faults", equal={"campaign": "quick"})] == left
            assert store.get("campaigns", "quick")["status"] == ("incomplete" if left else "finished")
    with open_store(address) as store:
        ranks = [row["rank"] for row in store.find("candidates", equal={"is_best": True}, fields=["rank"])]
    assert sorted(filter(None, ranks)) == sorted(filter(None, (row["rank"] for row in finished["local"]["candidates"])))


DEAR = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

PARAMETERS = {"sigma": 1.16, "epsilon": 0.02, "rc": 5.0, "smooth": True}


def engine(settings):
    return ASEEngine("dear", "Dear LJ", LennardJones(**PARAMETERS), (PARAMETERS,), evidence="DFT")
"""


@pytest.mark.slow
def test_a_verification_by_dft_jobs_is_that_of_one_machine(finished, folder, environment, address):
    (folder / "dear.py").write_text(DEAR)
    text = yaml.safe_load((folder / "here.yaml").read_text())
    text["resources"]["dft"] = {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}
    (folder / "dft.yaml").write_text(yaml.safe_dump(text))
    asked = ("verify", "quick", "--method", "dear.py:engine", "--window", "5")
    refused = command(*asked, "--cluster", "./here.yaml", folder=folder, environment=environment, code=2)
    assert "has no resources of the kind 'dft'" in refused.stderr
    command(*asked, "--cluster", "./dft.yaml", folder=folder, environment=environment)
    kinds = {}
    for kind in ("cpu", "dft", "cpu"):  # planned; computed, each by itself in a folder; judged
        work = ("work", "--cluster", "./dft.yaml", "--resources", kind, "--idle-seconds", "1")
        command(*work, folder=folder, environment=environment)
        for job in database(address)["fireworks"].find({}):
            kinds.setdefault(job["spec"]["_category"], set()).add(job["name"])
    assert kinds["dft"] == {"compute a phase"}
    again = command("retry", "quick", folder=folder, environment=environment, code=2)
    assert "was submitted last by 'ninefold verify'" in again.stderr
    command(*asked, folder=folder, environment={**environment, "NINEFOLD_STORE": "ninefold.db"})
    here, there = without_times(what_matters(folder / "ninefold.db")), without_times(what_matters(address))
    differing = {
        (name, id, key): (value, there[name][id][key])
        for name, documents in here.items()
        for id, document in documents.items()
        for key, value in document.items()
        if value != there[name][id][key]
    }
    assert differing == {}
    assert {name: documents.keys() for name, documents in here.items()} == {
        name: documents.keys() for name, documents in there.items()
    }


def without_times(value):
    """A value without what it took to compute it, at any depth."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if not key.endswith("seconds")}
    return [without_times(each) for each in value] if isinstance(value, list) else value


# submissions that are cut short


LJ = parse_campaign({**SMALL, "name": "cut", "engine": {"name": "lj"}})


def leftovers(launchpad):
    names = ("fireworks", "workflows", "submissions")
    return {name: number for name in names if (number := launchpad.db[name].count_documents({"$or": [
        {"spec.ninefold.campaign": "cut"}, {"metadata.campaign": "cut"}, {"_id": "cut"}]}))}  # fmt: skip


def test_nothing_is_left_of_a_submission_that_fails(finished, address, monkeypatch):
    from ninefold.flows import register

    monkeypatch.setattr(register, "register", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        submission.submit_campaign(LJ, address, "here", ("cpu",))
    with submitted_runs.launchpad_of(address) as (store, launchpad):
        assert leftovers(launchpad) == {}
        assert store.get("campaigns", "cut") is None


def test_what_a_killed_submission_has_left_is_replaced(finished, address, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(submission, "_undo", lambda *_: None)
        patch.setattr(submission, "_insert", lambda launchpad, workflow: _half(launchpad, workflow))
        with pytest.raises(KeyboardInterrupt):
            submission.submit_campaign(LJ, address, "here", ("cpu",))
    with submitted_runs.launchpad_of(address) as (_, launchpad):
        assert leftovers(launchpad) == {"workflows": 1, "submissions": 1}
        done = submission.submit_campaign(LJ, address, "here", ("cpu",))
        assert leftovers(launchpad) == {"fireworks": done.jobs, "workflows": 1, "submissions": 1}


def _half(launchpad, workflow):
    launchpad.workflows.insert_one(workflow.to_db_dict())
    raise KeyboardInterrupt


def test_a_submission_that_was_killed_at_its_last_step_is_completed_by_recovery(finished, address, monkeypatch):
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.run.recovery import recover

    with submitted_runs.launchpad_of(address) as (store, launchpad):
        submitted_runs.set_state(launchpad, "cut", "cancelled", ("submitted",))
        with monkeypatch.context() as patch:
            patch.setattr(CampaignLaunchPad, "resume_fw", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                submission.submit_campaign(LJ, address, "here", ("cpu",))
        assert launchpad.fireworks.count_documents({"spec.ninefold.campaign": "cut", "state": "READY"}) == 0
        assert recover(store, launchpad).completed == 1
        assert launchpad.fireworks.count_documents({"spec.ninefold.campaign": "cut", "state": "READY"}) == 1
        with pytest.raises(InputError, match="already submitted"):
            submission.submit_campaign(LJ, address, "here", ("cpu",))


def test_dft_is_not_submitted_where_no_node_runs_it(finished, address):
    from ninefold.run.submission import check_kind

    with pytest.raises(InputError, match="has no resources of the kind 'dft', which gpaw:draft needs"):
        check_kind("dft", ("cpu", "gpu"), "here", "gpaw:draft")
    check_kind("gpu", ("cpu",), "here", "torchsim")
