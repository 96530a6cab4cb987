"""`vibrations`, `compress`, `dynamics candidates` of a finished campaign through the launchpad: jobs, order, store."""

import json
import sys
from collections import Counter

import pytest
import yaml

pytest.importorskip("fireworks")

from campaign_run import QUICK, what_matters, with_pairs
from launchpad_place import address as address
from launchpad_place import database
from ninefold.campaign import parse_campaign
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.flows.shards import lines_of
from ninefold.flows.workplace import close_workplaces
from ninefold.run import after_campaign, local
from ninefold.run.cluster_worker import work
from ninefold.run.one_process import OneProcess
from ninefold.store import open_store, public_address

pytestmark = pytest.mark.cluster

CAMPAIGN = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
    "execution": {"workers": 1},
}  # fmt: skip
VIBRATIONS = (
    "vibrations", "--method", "pairs", "--min-width", "0", "--max-steps", "4", "--follow", "0", "--top", "2",
    "--no-competitors",
)  # fmt: skip
COMPRESS = ("compress", "--window", "5", "--minima", "1", "--top", "1")
DYNAMICS = (
    "dynamics", "candidates", "--method", "pairs", "--temperature", "100", "--temperature", "300", "--top", "1",
    "--width", "1", "--save-every", "2", "--piece-frames", "10", "--picoseconds", "0.02",
)  # fmt: skip


class ThisProcess(OneProcess):
    """In place of the pool of processes: each would import everything anew."""

    def __init__(self, count):
        super().__init__({})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        close_workplaces()

    def try_engines(self, *_):
        """It is what computes."""


@pytest.fixture(scope="module")
def patched(tmp_path_factory):
    """Without processes, handlers of signals, and the store of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "Workers", ThisProcess)
        patch.setattr(after_campaign, "Workers", ThisProcess)
        patch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
        patch.setenv("COLUMNS", "200")
        patch.delenv("NINEFOLD_STORE", raising=False)
        plugin = with_pairs(tmp_path_factory.mktemp("plugin") / "pairs")["PYTHONPATH"].partition(":")[0]
        patch.syspath_prepend(plugin)
        folder = tmp_path_factory.mktemp("afterwards")
        patch.chdir(folder)
        yield folder
    close_workplaces()


def command(*arguments, code=0):
    """The command line in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ninefold", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == code


@pytest.fixture(scope="module")
def finished(patched, address):
    """A campaign in a file and in a database; each command there and here, and the jobs that it was."""
    local.run_campaign(parse_campaign(CAMPAIGN), "ninefold.db")
    command("db", "backup", "first.tar.gz")
    command("db", "restore", "first.tar.gz", "--store", address)
    cluster = {
        "scheduler": "slurm", "work_folder": str(patched), "database": public_address(address),
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (patched / "here.yaml").write_text(yaml.safe_dump(cluster))
    done = {}
    for asked in (VIBRATIONS, COMPRESS, DYNAMICS):
        command(*asked)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NINEFOLD_STORE", address)
            command(*asked, "--cluster", "./here.yaml")
            if asked is COMPRESS:
                command(*asked, code=2)  # here, while jobs are left there
                command("retry", "quick", code=2)
        worked = work(address, "here", ("cpu",), idle_seconds=0.5)
        assert worked.failed == 0
        jobs = list(database(address)["fireworks"].find({}))
        done[asked[0]] = [job for job in jobs if job["state"] == "COMPLETED"]
        assert len(done[asked[0]]) == len(jobs)
    return done


def test_the_store_is_that_of_one_machine_document_by_document(finished, address, patched):
    """The funnel alone is divided by jobs: its sums are the same."""
    here, there = what_matters(patched / "ninefold.db"), what_matters(address)
    sums = [Counter(), Counter()]
    for total, funnel in zip(sums, (here.pop("funnel"), there.pop("funnel")), strict=True):
        for row in funnel.values():
            total.update({(row["stage"], key): row[key] for key in ("count_in", "count_out")})
            total.update({(row["stage"], reason): count for reason, count in row["reasons"].items()})
    assert sums[0] == sums[1]
    for name, documents in here.items():
        assert {key: without_times(document) for key, document in documents.items()} == {
            key: without_times(document) for key, document in there[name].items()
        }, name
    kinds = Counter(row["kind"] for row in here["calculations"].values())
    assert kinds["static"] > 20, "supercells"
    assert here["vibrations"]
    assert here["dynamics"]
    assert here["properties"]


def test_each_phase_structure_and_run_is_a_job_the_largest_first(finished, address):
    sizes = {
        "vibrations": lambda line: line["supercell_atoms"] * line["displacements"],
        "compress": lambda line: line["nsites"],
        "dynamics": lambda line: line["temperature_K"],
    }
    names = {
        "vibrations": "compute vibrations of phases", "compress": "compress structures", "dynamics": "run dynamics",
    }  # fmt: skip
    with open_store(address) as store:
        for command_name, jobs in finished.items():
            parts = [job for job in jobs if job["name"] == names[command_name]]
            assert len(parts) > 1
            assert {job["spec"]["_category"] for job in parts} == {"cpu"}
            parts.sort(key=lambda job: -job["spec"]["_priority"])
            lines = [lines_of(store, shard_of(job)) for job in parts]
            assert {len(some) for some in lines} == {1}
            order = [sizes[command_name](line) for [line] in lines]
            assert order == sorted(order, reverse=True)
            assert order[0] > order[-1], "else nothing is tested"


def shard_of(firework):
    """The shard of a job as the launchpad holds it."""
    [task] = firework["spec"]["_tasks"]
    return next(value for value in json.loads(task["job"])["function_args"] if "blob" in value)


def without_times(value):
    """A value without what it took to compute it, at any depth."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if not key.endswith("seconds")}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def test_what_has_jobs_left_runs_nowhere_else_and_retry_names_the_command(patched, address, monkeypatch, capfd):
    monkeypatch.setenv("NINEFOLD_STORE", address)
    command(*COMPRESS, "--cluster", "./here.yaml")
    told = capfd.readouterr().out
    assert "Campaign 'quick' is submitted to cluster 'here': 3 jobs at first, for 'compress'." in told
    command(*COMPRESS, code=2)
    assert "campaign: 'quick' is submitted to cluster 'here', and has jobs left" in capfd.readouterr().err
    command(*VIBRATIONS, "--cluster", "./here.yaml", code=2)
    assert "campaign: 'quick' is already submitted to cluster 'here'" in capfd.readouterr().err
    command("retry", "quick", code=2)
    told = capfd.readouterr().err
    assert "campaign: 'quick' was submitted last by 'ninefold compress'" in told
    assert "the same 'ninefold compress quick ... --cluster here' computes what is missing" in told
    command("cancel", "quick")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("vibrations", "--file", "x.cif"), "--cluster: 'here.yaml' takes no --file"),
        (("vibrations", "--pictures", "drawn"), "--cluster: 'here.yaml' draws no --pictures"),
        (("compress", "--window", "-1"), "--window: -1.0 is not allowed"),
    ],
)
def test_bad_input_is_one_line(finished, patched, capfd, options, words):
    capfd.readouterr()
    command(*options, "--cluster", "here.yaml", code=2)
    told = capfd.readouterr().err.strip()
    assert words in told
    assert len(told.splitlines()) == 1
    assert not (patched / "drawn").exists()
