"""`ninefold status` tells the time spent running, without the pauses between runs."""

import json
import sys

import pytest

from campaign_run import QUICK
from ninefold import clock
from ninefold.campaign import parse_campaign
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.flows import kept, register
from ninefold.flows.runner import Run
from ninefold.models.calculation import Calculation
from ninefold.models.campaign import CampaignRecord
from ninefold.store import open_store

CAMPAIGN = parse_campaign({**QUICK, "engine": {"name": "lj"}})


def at(minute):
    return f"2026-11-26T10:{minute:02d}:00+00:00"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("NINEFOLD_STORE", str(tmp_path / "s.db"))
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    with open_store(tmp_path / "s.db", mode="write") as store:
        yield store


@pytest.fixture
def when(monkeypatch):
    def when(minute):
        monkeypatch.setattr(register, "now", lambda: at(minute))

    return when


def start(store, run):
    register.register(store, CAMPAIGN, Run(run, "screen", ""))


def calculated(store, minute):
    store.insert("calculations", [Calculation(id=f"c{minute}", campaign="quick", kind="evaluate", method="m",
                                              energy_per_atom=-1.0, core_seconds=1.0, created=at(minute))])  # fmt: skip


def status(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ninefold", "status", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    return capsys.readouterr().out


def test_pauses_are_not_counted(store, when, monkeypatch, capsys):
    when(0)
    start(store, "first")
    start(store, "first")  # the job of the flow, by the same run
    calculated(store, 3)
    assert json.loads(status(monkeypatch, capsys, "--json"))["running_seconds"] == 180, "interrupted: until it stored"
    when(20)
    start(store, "second")
    calculated(store, 25)
    when(26)
    register.finish(store, "quick")
    told = json.loads(status(monkeypatch, capsys, "--json"))
    assert (told["runs"], told["running_seconds"]) == (2, (3 + 6) * 60)
    assert "running time 9 min 0 s in 2 runs" in " ".join(status(monkeypatch, capsys).split())
    register.start_afresh(store, "quick")
    when(40)
    start(store, "third")
    when(41)
    register.finish(store, "quick")
    assert json.loads(status(monkeypatch, capsys, "--json"))["running_seconds"] == 60, "less what was discarded"


def test_a_store_that_did_not_record_its_runs_says_no_running_time(store, when, monkeypatch, capsys):
    when(0)
    start(store, "first")
    record = CampaignRecord.model_validate(store.get("campaigns", "quick"))
    store.put("campaigns", [record.model_copy(update={"attempts": []})])
    when(10)
    start(store, "second")
    register.finish(store, "quick")
    told = json.loads(status(monkeypatch, capsys, "--json"))
    assert (told["runs"], told["running_seconds"]) == (None, None)
    assert "elapsed 10 min 0 s from first start to end" in " ".join(status(monkeypatch, capsys).split())


def test_what_an_interrupted_run_did_is_dated_by_what_it_stored(store, when):
    when(0)
    start(store, "first")
    attempt = CampaignRecord.model_validate(store.get("campaigns", "quick")).attempts[0]
    assert kept.last_stored(store, "quick", attempt) == at(0)
    calculated(store, 7)
    assert kept.last_stored(store, "quick", attempt) == at(7)
    assert clock.seconds_between(at(0), at(7)) == 420
