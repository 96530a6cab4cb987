"""A campaign with a budget through the launchpad: what is released, a killed worker, going on with a larger one."""

import json
import time

import pytest
import yaml

pytest.importorskip("fireworks")

import mongo_server
from campaign_run import QUICK, ninefold, start, with_pairs
from launchpad_place import address as address
from ninefold.run.submitted_runs import incomplete_campaigns
from ninefold.store import open_store, public_address

pytestmark = pytest.mark.cluster

SMALL = {
    **QUICK, "name": "part", "space": [{"centres": ["Re"], "cations": ["K"], "n": [7, 9], "m": [0, 1]}],
    "structures": {**QUICK["structures"], "pool": 4, "single_points": 2, "coarse_relaxations": 1, "rounds": 1,
                   "sources": ["symmetric_units", "rigid_units"]},
    "execution": {"compositions_per_job": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, address):
    folder = tmp_path_factory.mktemp("budget")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    cluster = {
        "scheduler": "slurm", "work_folder": str(folder), "database": public_address(address), "max_queue_jobs": 2,
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (folder / "here.yaml").write_text(yaml.safe_dump(cluster))
    return folder


@pytest.fixture(scope="module")
def environment(folder, address):
    return {**with_pairs(folder / "plugin"), "NINEFOLD_STORE": address}


def command(*arguments, folder, environment, code=0):
    done = ninefold(*arguments, cwd=folder, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def standing(address):
    with open_store(address) as store:
        rows = store.find("candidates", equal={"is_competitor": False}, fields=["label", "status", "rank"], limit=None)
        status = store.get("campaigns", "part")["status"]
    return status, {row["label"] for row in rows if row["status"] != "selected"}, len(rows)


@pytest.fixture(scope="module")
def finished(folder, environment, address):
    """Two candidates; the worker is killed while it searches the first; then the others."""
    done = {"refused": command(
        "submit", "campaign.yaml", "--cluster", "./here.yaml", "--budget", "hours=3", folder=folder,
        environment=environment, code=2,
    )}  # fmt: skip
    submit = ("submit", "campaign.yaml", "--cluster", "./here.yaml", "--budget", "candidates=2")
    command(*submit, folder=folder, environment=environment)
    work = ("work", "--cluster", "./here.yaml", "--idle-seconds", "75")
    worker = start(*work, cwd=folder, env=environment)
    database = mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]
    last = time.monotonic() + 100
    while not database["fireworks"].count_documents({"name": "release compositions", "state": "COMPLETED"}):
        assert time.monotonic() < last
        time.sleep(0.02)
    worker.kill()
    worker.communicate()
    done["running"] = command("status", "--json", folder=folder, environment=environment)
    done["work"] = command(*work, folder=folder, environment=environment)
    done["part"] = standing(address)
    done["jobs"] = [row["state"] for row in database["fireworks"].find({}, {"state": 1})]
    done["status"] = command("status", folder=folder, environment=environment)
    done["json"] = command("status", "--json", folder=folder, environment=environment)
    done["elsewhere"] = command("status", "--cluster", "./here.yaml", folder=folder, environment=environment)
    done["failures"] = command("failures", folder=folder, environment=environment)
    done["incomplete"] = incomplete_campaigns(address, "here")
    with open_store(address) as store:
        done["searches"] = {row["id"] for row in store.iterate("searches", fields=[])}
    command("retry", "part", "--budget", "none", folder=folder, environment=environment)
    command(*work, folder=folder, environment=environment)
    local = {**environment, "NINEFOLD_STORE": "ninefold.db"}
    command("run", "campaign.yaml", folder=folder, environment=local)
    return done


def test_as_many_are_searched_as_the_budget_says(finished):
    status, searched, number = finished["part"]
    assert (status, len(searched), number) == ("incomplete", 2, 6)
    assert set(finished["jobs"]) == {"COMPLETED"}


def test_status_says_what_is_left_and_how_to_go_on(finished):
    told = json.loads(finished["running"].stdout)["budget"]
    assert (told["candidates"], told["left_out"]) == (2, 0)
    [line] = [line for line in finished["status"].stdout.splitlines() if "were not computed" in line]
    assert line.startswith("4 compositions were not computed: the budget is spent (2 candidates; ")
    assert line.endswith("'ninefold retry part --budget core-hours=NUMBER' computes more.")
    elsewhere = [line for line in finished["elsewhere"].stdout.splitlines() if "were not computed" in line]
    assert elsewhere[0].endswith(
        "'ninefold retry part --budget core-hours=NUMBER --cluster ./here.yaml' computes more."
    )
    after = json.loads(finished["json"].stdout)["budget"]
    assert (after["left_out"], after["candidates_searched"]) == (4, 2)
    assert 0 < after["core_hours_of_searches"] < after["core_hours_spent"]  # references come on top


def test_a_budget_that_is_spent_is_no_failure(finished):
    assert finished["incomplete"] == [("part", 0, 4)]
    assert finished["failures"].stdout == (
        "Campaign part: nothing failed. 4 compositions were not computed, as its budget is spent.\n"
    )
    reasons = {row["stage"]: row["reasons"] for row in json.loads(finished["json"].stdout)["funnel"]}
    assert reasons["stability"]["not searched"] == reasons["rank"]["not searched"] == 4


def test_a_budget_that_is_nonsense_is_refused_before_anything_is_written(finished):
    assert finished["refused"].stderr.startswith("ninefold: error: --budget: 'hours=3' is no limit; allowed: ")
    assert len(finished["refused"].stderr.strip().splitlines()) == 1


def test_what_is_submitted_next_gives_the_ranking_of_a_run_and_computes_nothing_twice(finished, address, folder):
    """Document by document, but for the campaign's settings, its funnel's shards and what tells of the run."""
    from campaign_run import what_matters

    assert standing(address)[0] == "finished"
    with open_store(address) as store:
        assert finished["searches"] <= {row["id"] for row in store.iterate("searches", fields=[])}
    there, here = what_matters(address), what_matters(folder / "ninefold.db")
    for name in here.keys() - {"campaigns", "funnel"}:
        assert there[name] == here[name], name


def test_a_date_that_is_over_is_refused_before_the_database_is_asked():
    from ninefold.campaign import parse_campaign
    from ninefold.errors import InputError
    from ninefold.run.submission import submit_campaign

    budget = {"until": "2020-01-01"}
    campaign = parse_campaign({**SMALL, "engine": {"name": "lj"}, "execution": {"budget": budget}})
    with pytest.raises(InputError, match=r"budget: '2020-01-02T00:00:00\+00:00' is over; '--budget until=DATE'"):
        submit_campaign(campaign, "mongodb://127.0.0.1:9/x", "here", ("cpu",))
