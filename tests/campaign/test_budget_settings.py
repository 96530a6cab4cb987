"""What a user writes as a budget, and what is said of one that makes no sense."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.campaign.budget import Budget
from ninefold.errors import InputError


@pytest.mark.parametrize(
    ("texts", "budget"),
    [
        (["core-hours=500"], {"core_hours": 500}),
        (["candidates=10", "core-hours=0.5"], {"candidates": 10, "core_hours": 0.5}),
        (["until=2026-12-24"], {"until": "2026-12-25T00:00:00+00:00"}),  # to the end of the day
        (["until=2026-12-24T12:30"], {"until": "2026-12-24T12:30:00+00:00"}),
        (["until=2026-12-24T12:30+02:00"], {"until": "2026-12-24T10:30:00+00:00"}),
    ],
)
def test_a_budget_as_it_is_written(texts, budget):
    found = Budget.parse(texts)
    assert found.model_dump(exclude_none=True) == budget
    assert Budget.model_validate(found.model_dump()) == found  # as it comes back from a store


def test_none_is_no_budget():
    assert Budget.parse(["none"]) is None


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["500"], "'500' is no limit; allowed: core-hours=NUMBER, candidates=NUMBER, until=DATE, or none"),
        (["hours=500"], "'hours=500' is no limit"),
        (["core-hours="], "'core-hours=' is no limit"),
        (["none", "candidates=3"], "'none' is no limit"),
        (["core-hours=-1"], "core_hours: '-1' is not allowed: input should be greater than 0"),
        (["core-hours=nan"], "core_hours: 'nan' is not allowed"),
        (["core-hours=inf"], "core_hours: 'inf' is not allowed"),
        (["core-hours=many"], "core_hours: 'many' is not allowed: input should be a valid number"),
        (["candidates=2.5"], "candidates: '2.5' is not allowed"),
        (["candidates=0"], "candidates: '0' is not allowed: input should be greater than or equal to 1"),
        (["until=tomorrow"], "until: 'tomorrow' is not allowed: is no date; allowed: YYYY-MM-DD"),
        (["until=2026-02-30"], "is no date"),
        (["candidates=1", "candidates=2"], "'candidates=2' names candidates a second time"),
    ],
)
def test_nonsense_is_told_in_one_line(texts, words):
    with pytest.raises(InputError) as error:
        Budget.parse(texts)
    assert words in str(error.value)
    assert str(error.value).startswith("--budget")
    assert "\n" not in str(error.value)


SMALL = {"name": "x", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}], "engine": {"name": "lj"}}


def test_a_campaign_file_may_have_one_and_its_results_do_not_depend_on_it():
    with_one = parse_campaign({**SMALL, "execution": {"budget": {"core_hours": 5}}})
    assert with_one.execution.budget == Budget(core_hours=5)
    assert with_one.fingerprint() == parse_campaign(SMALL).fingerprint()


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({}, "names no limit; allowed: core_hours, candidates, until"),
        ({"cores": 3}, "cores"),
        ({"core_hours": 0}, "core_hours"),
    ],
)
def test_nonsense_in_a_campaign_file(budget, words):
    with pytest.raises(InputError, match=r"execution\.budget") as error:
        parse_campaign({**SMALL, "execution": {"budget": budget}})
    assert words in str(error.value)
