"""What a campaign in the store has to do with one that is to run: the same, changed, by another workflow."""

from __future__ import annotations

import pytest

from campaign_run import QUICK
from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.flows import campaign_jobs
from ninefold.flows.register import finish, register
from ninefold.flows.runner import Run, registered_as
from ninefold.models.campaign import CampaignRecord
from ninefold.store import open_store

SETTINGS = {**QUICK, "engine": {"name": "lj"}}
CAMPAIGN = parse_campaign(SETTINGS)
SCREEN = ("screen", "")


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "s.db", mode="write") as store:
        yield store


def record(store) -> CampaignRecord:
    return CampaignRecord.model_validate(store.get("campaigns", CAMPAIGN.name))


def test_the_flow_s_own_registering_is_the_executor_s(store, tmp_path):
    run = Run("a", "/x/mine.py:make_flow", "f00")
    assert register(store, CAMPAIGN, run) == 1
    with registered_as(run):
        job = campaign_jobs.register_campaign.original
        assert job(CAMPAIGN.to_dict(), str(tmp_path / "s.db"), "screen", "b") == {"attempt": 1}
    assert record(store).workflow == "/x/mine.py:make_flow"
    assert len(record(store).attempts) == 1


def test_a_flow_alone_registers_itself(store, tmp_path):
    job = campaign_jobs.register_campaign.original
    assert job(CAMPAIGN.to_dict(), str(tmp_path / "s.db"), "screen", "b") == {"attempt": 1}
    assert job(CAMPAIGN.to_dict(), str(tmp_path / "s.db"), "screen", "b") == {"attempt": 1}  # the job run twice
    assert job(CAMPAIGN.to_dict(), str(tmp_path / "s.db"), "screen", "c") == {"attempt": 2}


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (SCREEN, SCREEN, None),
        (SCREEN, ("/x/mine.py:f", "aa"), "the results of another workflow ('screen')"),
        (("/x/mine.py:f", "aa"), SCREEN, "the results of another workflow ('/x/mine.py:f')"),
        (("/x/mine.py:f", "aa"), ("/moved/mine.py:f", "aa"), None),
        (("/x/mine.py:f", "aa"), ("/x/mine.py:f", "bb"), "the results of '/x/mine.py:f' before that file was changed"),
    ],
)
def test_another_workflow_needs_update(store, first, second, words):
    register(store, CAMPAIGN, Run("a", *first))
    finish(store, CAMPAIGN.name)
    if words is None:
        assert register(store, CAMPAIGN, Run("b", *second)) == 2
        return
    with pytest.raises(InputError) as error:
        register(store, CAMPAIGN, Run("b", *second))
    assert words in str(error.value)
    assert "--update" in str(error.value)
    assert register(store, CAMPAIGN, Run("b", *second), accept_changes=True) == 2


def test_a_mended_workflow_goes_on_with_what_it_did_not_finish(store):
    register(store, CAMPAIGN, Run("a", "/x/mine.py:f", "aa"))
    assert register(store, CAMPAIGN, Run("b", "/x/mine.py:f", "bb")) == 2


def test_settings_that_an_earlier_version_did_not_know_are_no_change(store):
    register(store, CAMPAIGN, Run("a", *SCREEN))
    old = record(store)
    settings = {key: value for key, value in old.settings.items() if key not in ("energies", "stages")}
    settings["stability"] = {key: value for key, value in settings["stability"].items() if key != "hydrogen"}
    store.put("campaigns", [old.model_copy(update={"settings": settings, "fingerprint": "of an earlier version"})])
    assert register(store, CAMPAIGN, Run("b", *SCREEN)) == 2


def test_other_settings_are_named(store):
    register(store, CAMPAIGN, Run("a", *SCREEN))
    with pytest.raises(InputError, match=r"other settings \(seed\)"):
        register(store, parse_campaign({**SETTINGS, "seed": 99}), Run("b", *SCREEN))


def test_files_with_other_content_are_told(store, tmp_path, monkeypatch):
    rules = tmp_path / "rules.py"
    rules.write_text("# none\n")
    named = {**SETTINGS, "rules": {"files": [str(rules)]}}
    register(store, parse_campaign(named), Run("a", *SCREEN))
    rules.write_text("# none at all\n")
    with pytest.raises(InputError, match="other content of the files that it names"):
        register(store, parse_campaign(named), Run("b", *SCREEN))
