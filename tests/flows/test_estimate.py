"""Rates of a store count for a campaign whose engine is the same."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.flows import estimate


class Stored:
    """A repository with one campaign and its calculations, ten core-seconds for each pool and search."""

    location = "a store"

    def __init__(self, engine):
        self._engine = engine

    def find(self, collection, filter=None, *, equal=None, limit=None):
        if collection == "campaigns":
            return [{"name": "earlier", "settings": {"engine": self._engine}}]
        return [{"value": {"core_seconds": 10.0, "relaxations": 5, "count_in": 100}}] * estimate.FEWEST


@pytest.mark.parametrize(
    ("engine", "counts"),
    [
        ({"name": "chgnet", "model": None}, True),  # stored before engines had a choice of kernels
        ({"name": "chgnet", "model": None, "kernels": "default"}, True),
        ({"name": "sevennet", "model": None}, False),
        ({"name": "chgnet", "model": "0.2.0", "kernels": "default"}, False),
    ],
)
def test_rates_are_those_of_the_same_engine(engine, counts):
    space = [{"centres": ["Re"], "cations": ["K"], "n": [9, 9], "m": [0, 0]}]
    rates = estimate._rates_of(Stored(engine), parse_campaign({"name": "a", "space": space}))
    assert (rates is not None) == counts
    if rates is not None:
        assert rates.per_relaxation.middle == pytest.approx(2.0)
        assert rates.per_structure.middle == pytest.approx(0.1)
