"""From a campaign file to ranked candidates, on the real engine; killed and resumed."""

import json
import os
import random
import shutil
import signal
import time

import pytest
import yaml

from campaign_run import QUICK, ninefold, results, start, wait_for_results, what_matters
from ninefold.campaign import read_campaign
from ninefold.store import open_store


def documents(folder, collection, **options):
    with open_store(folder / "ninefold.db") as store:
        return store.find(collection, **options)


def candidates(folder):
    return documents(folder, "candidates", sort=[("rank", "asc")])


def test_ranked_table_and_report(finished):
    text = (finished / "run.txt").read_text()
    assert "K2ReH9" in text
    assert "tiny-report.html" in text
    assert "repeated searches" in text or "searched twice" in text
    page = (finished / "tiny-report.html").read_text()
    assert "K2ReH9" in page


def test_candidates_are_whole(finished):
    rows = candidates(finished)
    assert {row["formula"] for row in rows if not row["is_competitor"]} == {"K2ReH9", "K3ReH10"}
    [competitor] = [row for row in rows if row["formula"] == "K3ReH6"]
    assert (competitor["is_competitor"], competitor["status"], competitor["rank"]) == (True, "competitor", None)
    assert competitor["energy_per_atom"] is not None, "searched as the candidates are"
    assert all("cryolite" not in part["name"] for row in rows for part in row["decomposition"]), "refuted"
    best = rows[0]
    assert best["rank"] == 1
    assert best["status"] == "ranked"
    assert best["evidence"] == "ML"
    assert best["engine"] == "CHGNet 0.3.0"
    assert set(best["minima"][0]["coordination_numbers"]) == {9}
    [method] = documents(finished, "methods")
    assert method["hydrogen_reference"].startswith("H2 molecule")
    assert {row["method"] for row in rows} == {method["id"]}
    assert len(best["conditions"]) == 2
    assert all(competitor["formula"] != best["formula"] for competitor in best["decomposition"])
    known = next(row for row in rows if row["formula"] == "K2ReH9")
    assert known["is_known"]
    # the literature structure stands beside the result, not in the hull
    [published] = known["known"]
    assert published["energy_per_atom"] == pytest.approx(-4.129, abs=0.003)
    assert published["space_group_symbol"] == "P-62m"
    assert (published["found_space_group_symbol"] is None) == (published["found_above_lowest"] is None)
    assert known["reaction"] == "2 KH + Re + 7/2 H2 -> K2ReH9"


def test_show_tells_where_the_structure_comes_from(finished):
    [candidate] = json.loads(ninefold("show", "K2ReH9", "--json", cwd=finished).stdout)
    told = candidate["history"]
    assert [step["made_by"] for step in told["steps"]][:2] == ["pool", "relaxation"]
    assert (told["label"], told["source"]) == (candidate["label"], candidate["source"])
    shown = ninefold("show", "K2ReH9", cwd=finished).stdout
    assert f"{told['source']}: structure {told['line']} of {told['lines']} in pool {told['pool'][:12]}" in shown
    assert "relaxed by CHGNet" in shown


def test_funnel_has_every_stage(finished):
    from ninefold.flows.funnel import total
    from ninefold.stages.order import SHIPPED

    stages = total(documents(finished, "funnel"))
    again = ["choose 2", "build 2", "prescreen 2"]
    assert [stage["stage"] for stage in stages] == [
        "enumerate", "select", "competitors", "build", "prescreen", "references", *again, "stability", "rank",
    ]  # fmt: skip
    beside = {"energies", "verify", "vibrations", "compress", "dynamics"}
    assert {stage["stage"].split()[0] for stage in stages} | beside == set(SHIPPED)
    assert all(stage["count_in"] >= stage["count_out"] for stage in stages)
    assert all(stage["hardware"] for stage in stages)
    assert sum(stage["core_seconds"] for stage in stages) > 1


def test_second_run_finds_it_finished(finished):
    start = time.monotonic()
    again = ninefold("run", "campaign.yaml", cwd=finished)
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert time.monotonic() - start < 20


def copy_store(folder, target):
    shutil.copy(folder / "ninefold.db", target / "ninefold.db")
    shutil.copytree(folder / "ninefold.db.files", target / "ninefold.db.files")


def test_same_name_other_settings_is_refused_and_update_reuses(quick, tmp_path, pairs):
    copy_store(quick, tmp_path)
    changed = {**QUICK, "ranking": {"weights": {"prior": 1}}}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(changed))
    refused = ninefold("run", "campaign.yaml", cwd=tmp_path, env=pairs)
    assert refused.returncode == 2
    assert "other settings (ranking)" in refused.stderr
    before = results(tmp_path)
    updated = ninefold("run", "campaign.yaml", "--update", "--workers", "1", cwd=tmp_path, env=pairs)
    assert updated.returncode == 0, updated.stderr
    assert results(tmp_path) == before, "a change of weights computes nothing again"
    assert candidates(tmp_path)[0]["terms"].keys() == {"prior"}


# several processes that share the tests must collect the same ones
_THIS_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or random.SystemRandom().random()
KILL_SEED = int(os.environ.get("KILL_SEED") or random.Random(_THIS_RUN).randrange(10**6))
"""Printed with every kill point; KILL_SEED=... repeats them."""


def kill_points(number):
    """Fractions of a run at random, one in each of so many equal parts of it."""
    rng = random.Random(KILL_SEED + number)
    return [
        pytest.param((place + rng.random()) / number, id=f"seed {KILL_SEED}, part {place + 1} of {number}")
        for place in range(number)
    ]


def kill_and_resume(fraction, quick, folder, pairs):
    whole = results(quick)
    wanted = 1 + int(fraction * (len(whole) - 1))
    (folder / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    process = start("run", "campaign.yaml", cwd=folder, env=pairs)
    wait_for_results(process, folder, wanted)
    if wanted % 2:
        os.killpg(process.pid, signal.SIGKILL)  # as at a power cut
    else:
        process.kill()  # the workers find out that their parent is gone
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    acknowledged = results(folder)
    assert wanted <= len(acknowledged) <= len(whole), f"killed at {wanted} of {len(whole)}"

    state = json.loads(ninefold("status", "--json", cwd=folder, env=pairs).stdout)
    assert state["status"] == "interrupted"
    if wanted % 2 == 0:
        time.sleep(1.5)  # orphaned workers end themselves within this
    settled = results(folder)
    assert acknowledged.items() <= settled.items()

    resumed = ninefold("resume", cwd=folder, env=pairs)
    assert resumed.returncode == 0, resumed.stderr
    after = results(folder)
    assert settled.items() <= after.items(), "nothing finished is lost or computed again"
    assert after.keys() == whole.keys()
    assert what_matters(folder / "ninefold.db") == what_matters(quick / "ninefold.db")
    assert [row["rank"] for row in candidates(folder) if not row["is_competitor"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("fraction", kill_points(2))
def test_kill_and_resume(quick, tmp_path, pairs, fraction):
    kill_and_resume(fraction, quick, tmp_path, pairs)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", kill_points(20))
def test_kill_and_resume_in_many_places(quick, tmp_path, pairs, fraction):
    kill_and_resume(fraction, quick, tmp_path, pairs)


def test_two_runs_at_once_are_refused(tmp_path, pairs):
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(QUICK))
    first = start("run", "campaign.yaml", cwd=tmp_path, env=pairs)
    try:
        wait_for_results(first, tmp_path, 1)
        second = ninefold("run", "campaign.yaml", cwd=tmp_path, env=pairs)
        assert second.returncode == 2
        assert str(first.pid) in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()


def stopped_at_the_end(folder):
    """Make a finished campaign one that was killed with its last searches undone."""
    from ninefold.models.campaign import CampaignRecord

    with open_store(folder / "ninefold.db", mode="write") as store:
        [campaign] = store.find("campaigns")
        for collection in ("searches", "minima"):
            store.delete(collection, equal={"campaign": campaign["name"]})
        store.put("campaigns", [CampaignRecord(**{**campaign, "status": "running", "finished": None})])


def truncate(blob):
    blob.write_bytes(blob.read_bytes()[:-20] + b"x" * 20)


@pytest.mark.parametrize("damage", [truncate, lambda blob: blob.unlink()], ids=["truncated", "deleted"])
def test_what_is_lost_between_jobs_is_made_again(quick, tmp_path, pairs, damage):
    copy_store(quick, tmp_path)
    stopped_at_the_end(tmp_path)
    blobs = list((tmp_path / "ninefold.db.files").rglob("*.gz"))
    assert blobs
    for blob in blobs:
        damage(blob)
    resumed = ninefold("resume", "--workers", "1", cwd=tmp_path, env=pairs)
    assert resumed.returncode == 0, resumed.stderr
    assert what_matters(tmp_path / "ninefold.db") == what_matters(quick / "ninefold.db")


def test_a_blob_that_is_lost_in_the_middle_of_a_run_is_named(quick, tmp_path):
    """What a job is handed and cannot read ends the run; a resumed one makes it again."""
    from ninefold.flows import search_jobs
    from ninefold.flows.shards import shard_of
    from ninefold.store import BlobError

    with open_store(tmp_path / "s.db", mode="write") as store:
        shard = shard_of(store, [], 1)
        truncate(store.blobs.file(shard["blob"]))
    settings = read_campaign(str(quick / "campaign.yaml")).to_dict() | {"engine": {"name": "lj"}}
    with pytest.raises(BlobError, match="is corrupted"):
        search_jobs.build_structures.original(settings, str(tmp_path / "s.db"), shard, 1)


def test_screen_flow_goes_to_fireworks(finished):
    """The same flow runs from a queue: each job of the FireWorks workflow has the store's address."""
    pytest.importorskip("fireworks", reason="the extra 'cluster' is not installed")
    from jobflow import JobStore
    from jobflow.managers.fireworks import flow_to_workflow
    from maggma.stores import MemoryStore

    from ninefold.flows import ScreenMaker

    address = str(finished / "ninefold.db")
    flow = ScreenMaker().make(read_campaign(str(finished / "campaign.yaml")).to_dict(), address)
    workflow = flow_to_workflow(flow, store=JobStore(MemoryStore()))
    names = {each.name: each for each in workflow.fws}
    assert set(names) == {
        "register campaign", "select compositions", "relax reference phases", "search structures",
        "choose compositions", "assess stability", "rank candidates", "finish campaign",
    }  # fmt: skip
    assert len(workflow.fws) == 10, "the second round searches and assesses once more"
    for each in workflow.fws:
        [task] = each.tasks
        assert address in task["job"].function_args, "a launch folder of its own must not open a store of its own"
    [first] = workflow.root_fw_ids
    assert workflow.id_fw[first].name == "register campaign"


def test_the_second_round_adds_to_the_first(finished):
    rows = {row["formula"]: row for row in candidates(finished)}
    chosen = [row for row in rows.values() if row["search_rounds"] == 2]
    # half of the two candidates, and the competitor as often
    [row] = [row for row in chosen if not row["is_competitor"]]
    assert {other["formula"] for other in chosen if other is not row} == {"K3ReH6"}
    found = [energy for energy in row["lowest_by_round"] if energy is not None]
    assert row["search_spread"] == (pytest.approx(max(found) - min(found)) if len(found) > 1 else None)
    energies = [item["energy_per_atom"] for item in row["minima"] if item["is_valid"]]
    assert min(energies) == pytest.approx(min(found))
    others = [other for other in rows.values() if other not in chosen]
    assert all(other["search_rounds"] == 1 and other["search_spread"] is None for other in others)


def test_run_says_how_a_host_was_read(tmp_path, pairs):
    structures = {**QUICK["structures"], "sources": ["host.vasp"], "rounds": 1}
    campaign = {**QUICK, "structures": structures, "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]}
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(campaign))
    (tmp_path / "host.vasp").write_text(
        "K2Te with Te for the anion\n5.8\n1 0 0\n0 1 0\n0 0 1\nK Te\n2 1\nSelective\nDirect\n"
        ".25 .25 .25 F F F\n.75 .75 .75 T T T\n0 0 0 T T T\n"
    )
    done = ninefold("run", "campaign.yaml", "--workers", "1", cwd=tmp_path, env=pairs)
    assert done.returncode == 0, done.stderr
    assert "host.vasp: selective dynamics: 1 of 3 atoms are marked as fixed; a relaxation moves them too" in done.stderr
