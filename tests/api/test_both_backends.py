"""The Python interface and the ranking by other weights say the same on SQLite and on MongoDB."""

import pytest
import results_sample

import mongo_server
import ninefold
from ninefold.api.reranking import rerank
from ninefold.ranking.settings import RankingSettings
from ninefold.store import open_store


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    mongo_server.server()
    name = mongo_server.empty_database()
    found = [str(tmp_path_factory.mktemp("both") / "s.db"), mongo_server.address_of(name)]
    records = results_sample.records()
    for address in found:
        with open_store(address, mode="write") as store:
            for record in records:
                store.put(record.collection, [record])
    yield found
    mongo_server.give_back(name)


@pytest.fixture
def both(addresses):
    with ninefold.open(addresses[0]) as one, ninefold.open(addresses[1]) as other:
        yield one, other


def test_candidates(both):
    for options in (
        {},
        {"filter": 'elements HAS "K" AND NOT e_above_hull > 0.02', "sort": "-n,e_above_hull"},
        {"filter": "density > 3", "sort": "-density", "limit": 7},
        {"method": "sevennet", "sort": "phase_separation_energy"},
        {"all_methods": True, "sort": ["is_known", "-rank"]},
        {"saved": "near"},
    ):
        one, other = (results.candidates(**options) for results in both)
        assert list(one) == list(other)
        assert len(one) > 1
        assert one.frame().equals(other.frame())


def test_structures_and_entries(both):
    one, other = (list(results.structures("n = 9", all_minima=True)) for results in both)
    assert one == other
    assert len(one) > 10
    for system, method in (("H-K-Re", "chgnet"), ("H-K-Re", "sevennet"), ("H-Li-Mo", "chgnet")):
        made = [
            [(entry.entry_id, entry.energy, entry.composition, entry.data) for entry in results.entries(system, method)]
            for results in both
        ]
        assert made[0] == made[1]
        assert len(made[0]) > 5
    assert one[0].candidate.campaign == "quickstart"
    assert both[0].campaigns() == both[1].campaigns()


def test_ranking(addresses):
    found = []
    for address in addresses:
        with open_store(address) as store:
            reranking = rerank(
                store, store.get("campaigns", "quickstart"), RankingSettings(weights={"hydrogen": 1, "prior": 2}), ["n"]
            )
            found.append((list(reranking.ranked()), reranking.fields))
    assert found[0] == found[1]
    assert len(found[0][0]) > 15
