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
