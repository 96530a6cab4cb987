"""Rates of a store count for a campaign whose engine is the same."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.cli.preview import Preview
from ninefold.flows import estimate
from ninefold.models.campaign import CampaignRecord
from ninefold.models.search import PoolRecord, SearchRecord
from ninefold.rules import load_rule_set
from ninefold.stages.select import Selection
from ninefold.store import open_store


@pytest.fixture
def stored(tmp_path):
    """A store with one campaign of an engine and its calculations, ten core-seconds for each pool and search."""

    def of(engine):
        shared = {"campaign": "earlier", "label": "x", "round": 1, "reasons": {}, "core_seconds": 10.0, "created": "x"}
        pool = {**shared, "packings": "x", "count_in": 100, "count_out": 1}
        search = {**shared, "pool": "x", "method": "x", "minima": [], "relaxations": 5}
        campaign = CampaignRecord(
            id="earlier", name="earlier", fingerprint="x", settings={"engine": engine}, versions={}, status="finished",
            created="x",
        )  # fmt: skip
        with open_store(tmp_path / "s.db", mode="write") as store:
            store.put("campaigns", [campaign])
            store.put("pools", [PoolRecord(id=str(place), **pool) for place in range(estimate.FEWEST)])
            store.put("searches", [SearchRecord(id=str(place), **search) for place in range(estimate.FEWEST)])
        return open_store(tmp_path / "s.db")

    return of


@pytest.mark.parametrize(
    ("engine", "counts"),
    [
        ({"name": "chgnet", "model": None}, True),  # stored before engines had a choice of kernels
        ({"name": "chgnet", "model": None, "kernels": "default"}, True),
        ({"name": "sevennet", "model": None}, False),
        ({"name": "chgnet", "model": "0.2.0", "kernels": "default"}, False),
    ],
)
def test_rates_are_those_of_the_same_engine(stored, engine, counts):
    space = [{"centres": ["Re"], "cations": ["K"], "n": [9, 9], "m": [0, 0]}]
    rates = estimate._rates_of(stored(engine), parse_campaign({"name": "a", "space": space}))
    assert (rates is not None) == counts
    if rates is not None:
        assert rates.per_relaxation.middle == pytest.approx(2.0)
        assert rates.per_structure.middle == pytest.approx(0.1)


def test_further_methods_cost_what_they_relax_and_are_named_where_that_is_not_known():
    given = {
        "name": "a",
        "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}],
        "search": {"name": "chgnet"},
    }
    rates = estimate.SHIPPED["chgnet"]

    def of(*energies, **structures):
        methods = [{"name": name} for name in energies]
        settings = {**given, "energies": methods, "structures": structures, "execution": {"workers": 1}}
        return estimate.estimate(parse_campaign(settings), 10, rates)

    alone, ladder = of(), of("sevennet")
    seconds = 3600 * (ladder.hours.middle - alone.hours.middle)
    assert seconds == pytest.approx(10 * 4 * estimate.PER_MINIMUM["sevennet"].middle)
    fewer = of("sevennet", passed_on=1)
    assert 3600 * (fewer.hours.high - alone.hours.high) == pytest.approx(10 * estimate.PER_MINIMUM["sevennet"].high)
    assert ladder.searches == alone.searches
    assert "reference phases left out" in ladder.summary()
    unknown = of("gpaw")
    assert unknown.hours == alone.hours
    assert "reference phases, gpaw left out" in unknown.summary()


@pytest.mark.parametrize("stability", [{}, {"search_known_compounds": False}])
def test_a_complete_search_is_told_beforehand(stability):
    """As many searches as the selection makes compositions, each with its own budget."""
    space = [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1]}]
    plain = {"name": "a", "space": space, "engine": {"name": "chgnet"}, "execution": {"workers": 1}}
    told = {}
    for complete in (None, {"relaxations": 5}):
        campaign = parse_campaign({**plain, "stability": {**stability, "complete_search": complete}})
        rule_set = load_rule_set(campaign.rules)
        selection = Selection("a", campaign.space, rule_set, frozenset())
        assert sum(len(records) for records in selection) == 2
        made = selection.competitors(campaign.known_compounds())[0] if not stability else []
        told[complete is not None] = Preview(campaign, rule_set, None).estimate
    without, whole = told[False], told[True]
    assert (without.low_budget, whole.low_budget) == (0, len(selection.remaining(made)[0]))
    assert (without.searches, without.core_seconds_per_search) == (whole.searches, whole.core_seconds_per_search)
    rates = estimate.SHIPPED["chgnet"]
    each = 80 * rates.per_structure.middle + 5 * rates.per_relaxation.middle
    assert whole.core_seconds_per_low_budget.middle == pytest.approx(each)
    more = 3600 * (whole.hours.middle - without.hours.middle)
    assert more == pytest.approx(whole.low_budget * each)
    assert f"and {whole.low_budget} with a low budget" in whole.summary()
    assert "low budget" not in without.summary()
