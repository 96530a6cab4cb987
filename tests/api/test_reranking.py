"""A ranking from stored rows is the ranking that the campaign made, and with other weights the one it would make."""

import random

import numpy as np
import pytest
import results_sample
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.api.reranking import Axis, axes_of, pareto, rerank, weights_of
from ninefold.errors import InputError
from ninefold.models.candidate import Candidate
from ninefold.ranking.settings import DEFAULT_WEIGHTS, RankingSettings
from ninefold.ranking.stored import rankables
from ninefold.rules import RuleSettings, load_rule_set
from ninefold.stages.rank import Ranking
from ninefold.store import open_store
from ninefold.thermo import Condition

TERM = """
def dense(item, settings):
    return min(1.0, item.quantities["density"] / 6) * (1.0 if item.phase_separation_energy < 0.02 else 0.9)
"""
KINDS = {key: column.kind for key, column in results_sample.COLUMNS.items()}


@pytest.fixture(scope="module")
def records():
    return results_sample.records()


@pytest.fixture(scope="module")
def store(tmp_path_factory, records):
    with open_store(tmp_path_factory.mktemp("ranking") / "s.db", mode="write") as store:
        for record in records:
            store.put(record.collection, [record])
        yield store


@pytest.fixture(scope="module")
def term(tmp_path_factory):
    file = tmp_path_factory.mktemp("term") / "mine.py"
    file.write_text(TERM)
    return f"{file}:dense"


def by_stage(records, settings):
    """As the rank stage ranks the rows that stand for their candidates: id -> its place."""
    rows = [record for record in records if isinstance(record, Candidate) and record.is_best]
    ranking = Ranking(load_rule_set(RuleSettings(), extra_columns=KINDS), settings, 0.02, KINDS)
    ranking.rank(rows)
    return ranking._places


def by_rows(store, settings):
    reranking = rerank(store, store.get("campaigns", "quickstart"), settings)
    return {key: reranking.of(key)[0] for key in reranking.scores.ids}


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, place in expected.items():
        other = found[key]
        assert (other.rank, other.rank_best, other.rank_worst) == (place.rank, place.rank_best, place.rank_worst)
        assert (other.is_pareto, other.reason) == (place.is_pareto, place.reason)
        assert other.score == place.score
        assert other.terms == place.terms


def test_the_campaigns_weights_give_its_ranks(store):
    reranking = rerank(store, store.get("campaigns", "quickstart"), RankingSettings())
    found = list(reranking.ranked())
    assert len(found) > 15
    assert [ranked.rank for ranked, _ in found] == [before for _, before in found] == list(range(1, len(found) + 1))
    stored = {row["id"]: row for row in store.find("candidates", equal={"is_best": True})}
    for ranked, _ in found:
        row = stored[ranked.id]
        assert (ranked.score, ranked.rank_best, ranked.rank_worst, ranked.is_pareto, ranked.terms) == tuple(
            row[key] for key in ("score", "rank_best", "rank_worst", "is_pareto", "terms")
        )
    assert any(ranked.rank_best < ranked.rank < ranked.rank_worst for ranked, _ in found)


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.sampled_from([*DEFAULT_WEIGHTS, "novelty"]), st.sampled_from([0.0, 0.5, 1, 3]), min_size=1))
def test_other_weights_give_what_the_stage_would(store, records, weights):
    if any(weights.values()):
        chosen = RankingSettings(weights=weights)
        same(by_rows(store, chosen), by_stage(records, chosen))


def test_a_term_of_the_users_reads_what_a_stage_has_stored(store, records, term):
    chosen = RankingSettings(weights={"stability": 1, term: 2})
    found = by_rows(store, chosen)
    same(found, by_stage(records, chosen))
    assert {frozenset(place.terms) for place in found.values() if place.rank} == {frozenset({"stability", "dense"})}
    assert any(place.rank_best != place.rank_worst for place in found.values())


def test_those_without_a_rank_say_why(store):
    reasons = {}
    found = by_rows(store, RankingSettings())
    for row in store.find("candidates", equal={"is_best": True}, fields=["id", "formula"]):
        if found[row["id"]].reason:
            reasons[row["formula"]] = found[row["id"]].reason
    assert reasons.pop(results_sample.REJECTED) == "rejected"
    assert list(reasons.values()) == ["no_hull"], "the one that no structure was found of"


def test_rules_on_results_judge_all_as_one(records):
    """Digit for digit as the verdicts of one row."""
    draw = random.Random(4)
    rule_set = load_rule_set(RuleSettings(overrides={"hull_distance": {"mode": "score"}}))
    rows = []
    for record in records:
        if isinstance(record, Candidate):
            keys = ("shortest_m_h", "shortest_h_h", "shortest_m_m", "shortest_m_interstitial", "e_above_hull")
            changes = {key: draw.choice([None, draw.uniform(0.5, 6)]) for key in keys}
            rows.append({**dict(record), **changes})
    items = rankables(rows, rule_set, None, with_quantities=False)
    for row, item in zip(rows, items, strict=True):
        verdicts = rule_set.judge(row)
        assert item.prior == row["prior"] * float(np.prod([v.score for v in verdicts if v.mode == "score"]))
        assert item.is_rejected == any(v.mode == "gate" and v.passed is False for v in verdicts)
        hydrogen = row["n"] + row["m"]
        assert item.hydrogen_fraction == hydrogen / (sum(row["cation_counts"].values()) + 1 + hydrogen)
    assert {item.is_rejected for item in items} == {True, False}


def test_memory_does_not_hold_rows(store, monkeypatch):
    monkeypatch.setattr("ninefold.api.reranking._AT_ONCE", 3)
    pages = []
    made = rankables

    def counted(rows, *some, **named):
        pages.append(len(rows))
        return made(rows, *some, **named)

    monkeypatch.setattr("ninefold.ranking.stored.rankables", counted)
    assert len(list(rerank(store, store.get("campaigns", "quickstart"), RankingSettings()).ranked())) > 15
    assert max(pages) == 3


def test_pareto_of_terms_and_fields(store):
    axes = axes_of("stability,e_above_hull:min,n:max", {}, DEFAULT_WEIGHTS)
    assert axes == [Axis("stability"), Axis("e_above_hull", -1.0, False), Axis("n", 1.0, False)]
    document = store.get("campaigns", "quickstart")
    reranking = rerank(store, document, RankingSettings(weights={"stability": 1}), ["e_above_hull", "n"])
    places, without = pareto(reranking, axes_of("e_above_hull:min,n:max", {}, DEFAULT_WEIGHTS))
    rows = {row["id"]: row for row in store.find("candidates", "rank IS KNOWN", equal={"is_best": True})}
    points = {key: (-row["e_above_hull"], row["n"]) for key, row in rows.items()}
    expected = {
        key for key, point in points.items()
        if not any(
            other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in points.values()
        )
    }  # fmt: skip
    assert {reranking.scores.ids[place] for place in places} == expected
    assert without == 0
    values = [-reranking.fields["e_above_hull"][place] for place in places]
    assert values == sorted(values, reverse=True), "the best of the first axis first"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stability=-1", "'stability=-1' is no weight; allowed: a number from 0 on"),
        ("stability=nan", "is no weight"),
        ("stability=inf", "is no weight"),
        ("stability=two", "is no weight"),
        ("stability", "allowed: TERM=NUMBER"),
        ("=2", "allowed: TERM=NUMBER"),
        ("", "allowed: TERM=NUMBER"),
        ("stability=1,", "allowed: TERM=NUMBER"),
        ("stabilty=1", "did you mean 'stability'?"),
        (
            "hull_distance=1",
            "is not a ranking term; allowed: stability, prior, hydrogen, convergence, novelty, free_energy",
        ),
        ("prior=1,prior=2", "'prior' is named twice"),
        ("prior=0", "are all 0"),
        ("prior=1e308,stability=1e308", "are too large"),
        ("nofile.py:term=1", "does not exist"),
    ],
)
def test_weights_that_are_none_are_one_line(text, words):
    with pytest.raises(InputError) as error:
        weights_of(text, {**DEFAULT_WEIGHTS, "/gone/mine.py:dense": 1})
    assert words in str(error.value)


def test_a_term_of_the_campaigns_is_named_without_its_path():
    own = {"stability": 1.0, "/somewhere/mine.py:dense": 1.0}
    assert weights_of("dense=2, stability = 1", own) == {"/somewhere/mine.py:dense": 2.0, "stability": 1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("e_above_hull", "allowed: e_above_hull:min or e_above_hull:max"),
        ("engine:max", "is of kind string"),
        ("stabilty,prior", "did you mean 'stability'?"),
        ("e_above_hul:min", "'e_above_hul' is not a field; did you mean 'e_above_hull'?"),
        ("prior,prior", "names one thing twice"),
        ("", "is not a ranking term"),
    ],
)
def test_axes_that_are_none_are_one_line(text, words):
    with pytest.raises(InputError) as error:
        axes_of(text, {}, DEFAULT_WEIGHTS)
    assert words in str(error.value)


def test_rows_of_a_campaign_without_a_condition_are_those_of_a_press(store):
    """They were assessed at 973 K and 5 GPa: a ranking there needs no run, one elsewhere does."""
    [campaign] = store.find("campaigns", limit=None)
    campaign = store.get("campaigns", campaign["id"])
    at = rerank(store, campaign, RankingSettings(at=Condition(temperature_K=973, pressure_GPa=5)))
    assert at.settings.at is not None
    with pytest.raises(InputError, match=r"is not where the stored rows were assessed"):
        rerank(store, campaign, RankingSettings(at=Condition(temperature_K=973, pressure_GPa=4)))
