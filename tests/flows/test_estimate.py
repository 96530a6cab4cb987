"""Rates of a store count for a campaign whose engine is the same."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.flows import estimate
from ninefold.models.campaign import CampaignRecord
from ninefold.models.search import PoolRecord, SearchRecord
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
