"""`ninefold cluster new | list | check` and `ninefold up`, as a user calls them."""

import json
import os
import sys
from typing import NamedTuple

import pytest
import yaml

import mongo_server
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.clusters import read_cluster
from ninefold.shipped import config_path
from slurm_server import PARTITION
from slurm_server import slurm as slurm

SETTINGS = {
    "scheduler": "slurm", "queue": PARTITION, "work_folder": "work", "spool": "spool",
    "resources": {"cpu": {"cores": 1, "memory_GB": 1, "wall_time": "00:30:00"}},
}  # fmt: skip


class Done(NamedTuple):
    """What a command told."""

    stdout: str
    stderr: str


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """The command line in an empty folder with an empty configuration; its exit code is checked."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.delenv("NINEFOLD_DEBUG", raising=False)

    def run(*arguments, code=0, **environment):
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with monkeypatch.context() as changed:
            for name, value in environment.items():
                changed.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                main()
        done = Done(*capsys.readouterr())
        assert end.value.code == code, done
        if code == 2:
            assert len(done.stderr.splitlines()) == 1
            assert "internal error" not in done.stderr
        return done

    return run


def write(path, **changes):
    data = {**SETTINGS, "work_folder": str(path.parent / "work"), "spool": str(path.parent / "spool"), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    return path


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "sge", "local-slurm"])
def test_new_writes_the_commented_file_which_is_found_by_name(command, tmp_path, scheduler):
    done = command("cluster", "new", "helix", "--scheduler", scheduler)
    file = tmp_path / "config/ninefold/clusters/helix.yaml"
    assert file.read_text() == config_path("clusters", f"{scheduler}.yaml").read_text()
    assert "ninefold cluster check helix" in done.stdout
    assert read_cluster("helix").name == "helix"


def test_new_replaces_nothing_without_force(command, tmp_path):
    command("cluster", "new", "helix", "--scheduler", "slurm", "--project")
    file = tmp_path / "configs/clusters/helix.yaml"
    file.write_text("mine")
    done = command("cluster", "new", "helix", "--scheduler", "slurm", "--project", code=2)
    assert "exists already; --force" in done.stderr
    assert file.read_text() == "mine"
    command("cluster", "new", "helix", "--scheduler", "slurm", "--project", "--force")
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "a/b", "--scheduler", "slurm"], "name: 'a/b' is no name of a cluster; allowed: up to 64 letters"),
        (["new", "slurm", "--scheduler", "slurm"], "name: 'slurm' is the name of a file that ninefold ships"),
        (["new", "x", "--scheduler", "lsf"], "'lsf'"),
        (["new", "x"], "Missing option '--scheduler'"),
        (["check", "helics"], "cluster: 'helics' is not known; allowed: helix; did you mean 'helix'?"),
        (["check", "none.yaml"], "cluster: 'none.yaml' does not exist"),
    ],
)
def test_mistakes_are_one_line(command, arguments, words):
    command("cluster", "new", "helix", "--scheduler", "slurm")
    assert words in command("cluster", *arguments, code=2).stderr


def test_list_shows_good_files_and_what_is_wrong_with_others(command, tmp_path):
    assert "ninefold cluster new NAME" in command("cluster", "list").stdout
    (tmp_path / "configs/clusters").mkdir(parents=True)
    write(tmp_path / "configs/clusters/good.yaml")
    write(tmp_path / "configs/clusters/bad.yaml", queue=5)
    told = command("cluster", "list").stdout
    assert "good: slurm; cpu; up to 20 queue jobs" in told
    assert "bad.yaml: queue: 5 is not allowed" in told
    rows = {row["name"]: row for row in json.loads(command("cluster", "list", "--json").stdout)}
    assert rows["good"]["resources"] == ["cpu"]
    assert rows["good"]["error"] is None
    assert "queue: 5" in rows["bad"]["error"]


def test_check_exits_with_0_where_all_is_well_and_1_where_it_is_not(slurm, command, tmp_path):
    database = mongo_server.address_of(mongo_server.unused_database())
    write(tmp_path / "good.yaml")
    told = command("cluster", "check", "good.yaml", NINEFOLD_STORE=database).stdout
    assert "FAILED" not in told
    assert "Cluster 'good' is ready: 'ninefold submit CAMPAIGN --cluster good'" in told
    write(tmp_path / "bad.yaml", account="nobody")
    told = command("cluster", "check", "bad.yaml", "--json", code=1, NINEFOLD_STORE=database).stdout
    found = json.loads(told)
    assert found["ok"] is False
    assert [one["what"] for one in found["findings"] if one["status"] == "failed"] == ["cpu: queue job"]


def test_check_and_up_without_a_scheduler(command, tmp_path):
    write(tmp_path / "c.yaml")
    told = command("cluster", "check", "c.yaml", code=1, PATH=str(tmp_path)).stdout
    assert "FAILED  scheduler: cluster c: scheduler: 'slurm' needs the program 'squeue'" in told
    address = mongo_server.address_of(mongo_server.unused_database())
    told = command("up", "c.yaml", "--once", code=2, PATH=str(tmp_path), NINEFOLD_STORE=address).stderr
    assert "cluster c: scheduler: 'slurm' needs the program 'squeue', which is not on the path" in told


def test_up_without_work_submits_nothing(slurm, command, tmp_path):
    address = mongo_server.address_of(mongo_server.unused_database())
    write(tmp_path / f"up{os.getpid()}.yaml")
    done = command("up", f"up{os.getpid()}.yaml", NINEFOLD_STORE=address)
    assert done.stdout == "No work is left.\n"
    assert "jobs: 0 wait, 0 run; queue jobs: 0 wait, 0 run" in done.stderr
    assert list((tmp_path / "work/queue").glob("*.sh")) == []


def test_up_with_an_unknown_cluster(command):
    assert "cluster: 'helics' is not known" in command("up", "helics", code=2).stderr


def test_a_folder_that_is_not_named_is_not_served(command, tmp_path):
    write(tmp_path / "c.yaml", spool=None, database="mongodb://127.0.0.1:1/x")
    told = command("serve-spool", "--cluster", "c.yaml", code=2).stderr
    assert "cluster c: spool is missing: its nodes reach the database themselves; allowed: a folder" in told


def test_a_spool_folder_is_not_served_from_a_file(command, tmp_path):
    write(tmp_path / "c.yaml")
    told = command("serve-spool", "--cluster", "c.yaml", code=2).stderr
    assert "database: 'ninefold.db' is a file" in told
    assert "'database' of the cluster's file or NINEFOLD_STORE names it" in told


def submissions(address):
    return mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]["submissions"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"account": "nobody"}, "account: 'nobody' is refused"), ({"queue": "nowhere"}, "queue: 'nowhere' is refused")],
)
def test_nothing_is_submitted_that_the_scheduler_would_refuse(slurm, command, tmp_path, changes, words):
    address = mongo_server.address_of(mongo_server.unused_database())
    write(tmp_path / "c.yaml", **changes)
    told = command("submit", "quickstart", "--cluster", "c.yaml", code=2, NINEFOLD_STORE=address).stderr
    assert f"cluster c: {words}" in told
    assert submissions(address).count_documents({}) == 0


def test_up_tells_of_a_campaign_that_ended_incomplete(slurm, command, tmp_path):
    pytest.importorskip("fireworks")
    from ninefold.run.submitted_runs import launchpad_of

    address = mongo_server.address_of(mongo_server.unused_database())
    name = f"up{os.getpid()}"
    write(tmp_path / f"{name}.yaml")
    with launchpad_of(address) as (_, launchpad):
        for campaign, status in (("whole", "finished"), ("torn", "incomplete")):
            launchpad.db["campaigns"].insert_one({"_id": campaign, "name": campaign, "status": status, "settings": {}})
            launchpad.submissions.insert_one({"_id": campaign, "run": "1", "cluster": name, "state": "submitted"})
    told = command("up", f"{name}.yaml", NINEFOLD_STORE=address).stdout
    assert told == (
        f"No work is left.\nCampaign 'torn' is incomplete: 'ninefold failures -c torn --cluster {name}.yaml' says what "
        "failed, and how to try it again.\n"
    )
