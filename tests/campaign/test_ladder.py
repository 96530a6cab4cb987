"""Which methods a campaign has that names none, one or several, and how roughly its search then refines."""

import json

import pytest

from ninefold.campaign import parse_campaign
from ninefold.campaign.model import DEFAULT_ENERGIES
from ninefold.engines.settings import EngineSettings
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

MINIMAL = {"name": "a", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]}


def with_(**settings):
    return parse_campaign({**MINIMAL, **settings})


@pytest.mark.parametrize(
    ("settings", "titles"),
    [
        ({}, ["chgnet", "sevennet:7net-0"]),
        ({"engine": {"name": "chgnet"}}, ["chgnet"]),
        ({"engine": {"name": "lj"}}, ["lj"]),
        ({"search": {"name": "lj"}}, ["lj"]),
        ({"engine": {}}, ["chgnet"]),
        ({"energies": []}, ["chgnet"]),
        ({"energies": [{"name": "lj"}]}, ["chgnet", "lj"]),
        ({"search": {"name": "emt"}, "energies": [{"name": "lj"}]}, ["emt", "lj"]),
    ],
)
def test_methods_are_those_that_are_named_else_the_ladder(settings, titles):
    campaign = with_(**settings)
    assert [method.title for method in campaign.methods] == titles
    again = parse_campaign(json.loads(json.dumps(campaign.to_dict())))
    assert again.methods == campaign.methods


def test_the_demo_names_the_default_ladder_and_a_new_campaign_too():
    for name in ("quickstart.yaml", "templates/campaign.yaml"):
        given = {**read_yaml(config_path(name), "campaign"), "name": "a"}
        assert parse_campaign(given).methods == (EngineSettings(name="chgnet"), *DEFAULT_ENERGIES)


ONE, LADDER = {"engine": {"name": "lj"}}, {"energies": [{"name": "lj"}]}


@pytest.mark.parametrize(
    ("settings", "fmax"),
    [
        (ONE, 0.01),
        ({**ONE, "structures": {"search_fmax": 0.05}}, 0.01),  # it is the end
        (LADDER, 0.01),  # as it was before there was a choice
        ({**LADDER, "structures": {"search_fmax": 0.02}}, 0.02),
        ({**LADDER, "structures": {"search_fmax": 0.05, "final_fmax": 0.06}}, 0.06),
        ({}, 0.05),
        ({"structures": {"pool": 7}}, 0.05),
        ({"structures": {"search_fmax": 0.02}}, 0.02),
    ],
)
def test_how_far_a_search_refines_where_a_further_method_relaxes_to_the_end(settings, fmax):
    campaign = with_(**settings)
    assert campaign.search_budget_of(is_low=False).final_fmax == fmax
    assert campaign.structures.final_fmax == settings.get("structures", {}).get("final_fmax", 0.01)
    again = parse_campaign(json.loads(json.dumps(campaign.to_dict())))
    assert (again, again.fingerprint()) == (campaign, campaign.fingerprint())


def test_how_roughly_changes_no_campaign_of_one_method():
    rougher = {"structures": {"search_fmax": 0.08}}
    assert with_(**ONE, **rougher).fingerprint() == with_(**ONE).fingerprint()
    assert with_(**LADDER, **rougher).fingerprint() != with_(**LADDER).fingerprint()


def test_a_campaign_stored_before_there_was_a_choice_has_the_fingerprint_that_it_had():
    """Computed with the version before `search_fmax`."""
    assert with_(engine={"name": "lj"}).fingerprint()[:12] == "40ce28500c43"
    assert with_(**LADDER).fingerprint()[:12] == "ca32dc907e9e"
