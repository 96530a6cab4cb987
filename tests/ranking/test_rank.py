import dataclasses
import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES
from ninefold.ranking import Quantities, Rankable, RankingSettings, rank
from ninefold.ranking.settings import DEFAULT_WEIGHTS
from ninefold.ranking.terms import TERMS, try_terms
from ninefold.rules.results import OF_RANKING

PARTS = st.sampled_from([0.0, 0.25, 0.5, 1.0])  # few values, so that ties and domination happen
ITEMS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([-0.1, 0.0, 0.01, 0.05, 0.5]), PARTS, PARTS, st.integers(3, 10), st.booleans()
    ),
    max_size=8,
).map(lambda rows: [Rankable(f"{k}", *row) for k, row in enumerate(rows)])
OURS = list(TERMS.shipped)
WEIGHTS = st.dictionaries(st.sampled_from(OURS), st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=1).filter(
    lambda weights: sum(weights.values()) > 0
)


def item(id="a", hull=0.0, prior=0.5, hydrogen=0.5, group=7, is_converged=True, **more):
    return Rankable(id, hull, prior, hydrogen, group, is_converged, **more)


def ranks(items, weights=None):
    settings = RankingSettings(weights=weights) if weights else RankingSettings()
    return {result.id: result.rank for result in rank(items, settings)}


TERM_VALUES = [
    # term, candidate, value
    ("stability", item(hull=0.0), 1.0),
    ("stability", item(hull=-0.3), 1.0),
    ("stability", item(hull=0.05), 0.36787944117144233),
    ("stability", item(hull=0.1), 0.1353352832366127),
    ("prior", item(prior=0.3), 0.3),
    ("hydrogen", item(hydrogen=0.75), 0.75),
    ("convergence", item(is_converged=True), 1.0),
    ("convergence", item(is_converged=False), 0.0),
    ("novelty", item(group=3), 1.0),
    ("novelty", item(group=4), 1.0),
    ("novelty", item(group=5), 0.5),
    ("novelty", item(group=6), 0.5),
    ("novelty", item(group=7), 0.0),
    ("novelty", item(group=10), 0.0),
    ("free_energy", item(ambient_separation=-0.2), 1.0),
    ("free_energy", item(ambient_separation=0.05), 0.36787944117144233),
    ("free_energy", item(ambient_separation=None), 0.0),
    ("window", item(window_width=2.5), 0.25),
    ("window", item(window_width=12.0), 1.0),
    ("window", item(window_width=0.0), 0.0),
    ("window", item(window_width=None), 0.0),
    ("survival", item(survives_ambient=True), 1.0),
    ("survival", item(survives_ambient=False), 0.0),
    ("survival", item(survives_ambient=None), 0.0),
    ("pseudorotation", item(pseudorotation_barrier=100.0), 0.36787944117144233),
    ("pseudorotation", item(pseudorotation_barrier=-3.0), 1.0),
    ("pseudorotation", item(pseudorotation_barrier=None), 0.0),
]


@pytest.mark.parametrize(("term", "candidate", "value"), TERM_VALUES)
def test_term(term, candidate, value):
    [result] = rank([candidate], RankingSettings(weights={term: 2.0}))
    assert result.terms == {term: {"value": pytest.approx(value), "weight": 1.0, "contribution": pytest.approx(value)}}
    assert result.score == pytest.approx(value)


def test_default_weights_sum_to_one():
    assert sum(DEFAULT_WEIGHTS.values()) == pytest.approx(1)


@settings(deadline=None)
@given(ITEMS, WEIGHTS)
def test_score_is_the_sum_of_what_is_shown(items, weights):
    results = rank(items, RankingSettings(weights=weights))
    assert [result.id for result in results] == [item.id for item in items]
    for result in results:
        if result.rank is None:
            assert result.terms == {}
            continue
        assert set(result.terms) == {name for name, weight in weights.items() if weight}
        assert sum(term["weight"] for term in result.terms.values()) == pytest.approx(1)
        assert sum(term["contribution"] for term in result.terms.values()) == pytest.approx(result.score)
        assert all(0 <= term["value"] <= 1 for term in result.terms.values())
        assert 0 <= result.score <= 1 + 1e-12


@settings(deadline=None)
@given(ITEMS, WEIGHTS)
def test_ranks_count_from_one_by_falling_score(items, weights):
    ranked = [result for result in rank(items, RankingSettings(weights=weights)) if result.rank is not None]
    ranked.sort(key=lambda result: result.rank)
    assert [result.rank for result in ranked] == list(range(1, len(ranked) + 1))
    assert all(better.score >= worse.score - 1e-9 for better, worse in itertools.pairwise(ranked))


@settings(deadline=None)
@given(ITEMS, WEIGHTS)
def test_pareto_against_brute_force(items, weights):
    config = RankingSettings(weights=weights)
    chosen = [name for name, weight in weights.items() if weight]
    points = {
        item.id: tuple(TERMS.load(name)(item, config) for name in chosen)
        for item in items
        if item.phase_separation_energy is not None
    }
    expected = {
        id: not any(
            other != point and all(theirs >= ours for theirs, ours in zip(other, point, strict=True))
            for other in points.values()
        )
        for id, point in points.items()
    }
    assert {result.id: result.is_pareto for result in rank(items, config) if result.rank is not None} == expected


@settings(deadline=None)
@given(ITEMS, WEIGHTS)
def test_the_best_is_on_the_pareto_front(items, weights):
    results = rank(items, RankingSettings(weights=weights))
    best = [result for result in results if result.rank == 1]
    assert all(result.is_pareto for result in best)


@settings(deadline=None)
@given(ITEMS, WEIGHTS, st.floats(0.001, 1), st.integers(0, 7))
def test_closer_to_the_hull_is_never_worse(items, weights, closer, which):
    known = [item for item in items if item.phase_separation_energy is not None]
    if not known:
        return
    one = known[which % len(known)]
    moved = Rankable(one.id, one.phase_separation_energy - closer, *list(vars(one).values())[2:])
    after = [moved if item.id == one.id else item for item in items]
    assert ranks(after, weights)[one.id] <= ranks(items, weights)[one.id]


@settings(deadline=None)
@given(ITEMS, WEIGHTS, st.integers(-10, 10))
def test_only_ratios_of_weights_count(items, weights, power):
    scaled = {name: weight * 2.0**power for name, weight in weights.items()}
    assert rank(items, RankingSettings(weights=scaled)) == rank(items, RankingSettings(weights=weights))


@settings(deadline=None)
@given(ITEMS, WEIGHTS, st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(items, weights, random):
    mixed = random.sample(items, len(items))
    by_id = {result.id: result for result in rank(items, RankingSettings(weights=weights))}
    assert {result.id: result for result in rank(mixed, RankingSettings(weights=weights))} == by_id


def test_ties_by_hull_distance_then_id():
    items = [item("d", 0.0), item("b", -0.2), item("c", 0.0), item("a", 0.0)]
    assert ranks(items) == {"b": 1, "a": 2, "c": 3, "d": 4}


def test_rounding_noise_does_not_break_a_tie():
    items = [item("b", prior=0.1 + 0.2), item("a", prior=0.3)]
    assert ranks(items) == {"a": 1, "b": 2}


def test_without_a_hull_distance_no_rank():
    first, second = rank([item("a", None), item("b", 5.0)], RankingSettings())
    assert (first.rank, first.score, first.is_pareto, first.terms) == (None, None, None, {})
    assert second.rank == 1
    assert rank([], RankingSettings()) == []


def test_a_negative_hull_distance_earns_no_more_than_the_hull():
    # the depth below a hull of other compositions is not a reason to prefer: see docs/ranking.md
    deep, shallow = rank([item("a", -0.2), item("b", 0.0)], RankingSettings())
    assert deep.score == shallow.score


REFUSED = [
    (
        {"stabilty": 1},
        f"'stabilty' is not a ranking term; allowed: {', '.join(OURS)}, FILE.py:NAME, module:NAME",
    ),
    ({"stability": -0.1}, "the weight -0.1 of 'stability' must be a number from 0 on"),
    ({"stability": float("nan")}, "finite number"),
    ({"stability": float("inf")}, "finite number"),
    ({"stability": 0, "prior": 0}, "all weights are 0; at least one must count"),
    ({"stability": "much"}, "valid number"),
    ({}, "at least 1 item"),
]


@pytest.mark.parametrize(("weights", "words"), REFUSED)
def test_bad_weights(weights, words):
    with pytest.raises(ValidationError, match=re.escape(words)):
        RankingSettings(weights=weights)


@pytest.mark.parametrize("scale", [0, -0.05, 1.5, "wide"])
def test_bad_scale(scale):
    with pytest.raises(ValidationError, match="stability_scale_eV_per_atom"):
        RankingSettings(stability_scale_eV_per_atom=scale)


def test_example_of_the_documentation():
    # the counter-example in docs/ranking.md
    items = [
        item("A", 0.000, prior=0.20, hydrogen=0.75),
        item("B", 0.020, prior=0.90, hydrogen=0.75),
        item("C", 0.019, prior=0.20, hydrogen=0.60),
    ]
    results = {result.id: result for result in rank(items, RankingSettings())}
    assert {id: (round(result.score, 3), result.rank) for id, result in results.items()} == {
        "A": (0.815, 1), "B": (0.757, 2), "C": (0.610, 3),
    }  # fmt: skip
    assert ranks(items, {"stability": 0.4, "prior": 0.4, "hydrogen": 0.1, "convergence": 0.1}) == {
        "B": 1,
        "A": 2,
        "C": 3,
    }
    assert [results[id].is_pareto for id in "ABC"] == [True, True, False]
    noisy = {result.id: (result.rank_best, result.rank_worst) for result in rank(items, RankingSettings(), 0.020)}
    assert noisy == {"A": (1, 2), "B": (1, 3), "C": (2, 3)}


@settings(deadline=None)
@given(ITEMS, WEIGHTS, st.sampled_from([0.0, 0.001, 0.02, 0.3]))
def test_open_ranks_against_brute_force(items, weights, noise):
    config = RankingSettings(weights=weights)
    total = sum(weights.values())

    def score(item, energy):
        moved = dataclasses.replace(item, phase_separation_energy=item.phase_separation_energy + energy)
        return round(sum(weight / total * TERMS.load(name)(moved, config) for name, weight in weights.items()), 9)

    known = [item for item in items if item.phase_separation_energy is not None]
    for one, result in zip(items, rank(items, config, noise), strict=True):
        if one.phase_separation_energy is None:
            continue
        others = [other for other in known if other.id != one.id]
        ahead = [other for other in others if score(other, noise / 2) > score(one, -noise / 2)]
        behind = [other for other in others if score(other, -noise / 2) < score(one, noise / 2)]
        assert (result.rank_best, result.rank_worst) == (1 + len(ahead), len(known) - len(behind))
        assert result.rank_best <= result.rank <= result.rank_worst


@settings(deadline=None)
@given(ITEMS, WEIGHTS)
def test_more_noise_leaves_more_open(items, weights):
    config = RankingSettings(weights=weights)
    for less, more in zip(rank(items, config, 0.01), rank(items, config, 0.03), strict=True):
        if less.rank is not None:
            assert more.rank_best <= less.rank_best <= less.rank_worst <= more.rank_worst


def test_why_there_is_no_rank():
    ligand = dataclasses.replace(item("b"), anion_class="h2_ligand")
    results = rank([item("a", None), ligand, item("c")], RankingSettings())
    assert [(result.rank, result.reason) for result in results] == [(None, "no_hull"), (None, "h2_ligand"), (1, None)]


def test_a_structure_above_a_lower_one_of_its_own_composition_is_not_what_forms():
    lower, higher = (
        item("lower", hull=-0.5),
        dataclasses.replace(item("higher", hull=-0.1), e_above_same_composition=0.4),
    )
    results = {result.id: result for result in rank([higher, lower], RankingSettings())}
    assert results["lower"].rank == 1
    assert results["lower"].terms["stability"]["value"] == 1
    assert results["higher"].terms["stability"]["value"] == pytest.approx(math.exp(-0.4 / 0.05))


def test_what_a_rule_rejects_has_no_rank():
    [result] = rank([dataclasses.replace(item(), is_rejected=True)], RankingSettings())
    assert result.rank is None
    assert result.reason == "rejected"


def test_weights_whose_sum_is_not_finite_are_refused():
    with pytest.raises(ValueError, match="sum must be finite"):
        RankingSettings(weights={"stability": 1e308, "prior": 1e308})


# terms of a user's


def with_term(folder, body, weights=None):
    """Settings with a term `mine` of a file, which gives what the body says."""
    file = folder / "terms.py"
    file.write_text(f"import math\nimport numpy as np\n\ndef mine(item, settings):\n    return {body}\n")
    return RankingSettings(weights={**(weights or {"stability": 0.5}), f"{file}:mine": 0.5})


@pytest.mark.parametrize(
    "body",
    ["0", "1", "0.25", "True", "np.float32(0.5)", "np.float64(1)", "np.bool_(True)", "np.int64(1)", "np.array(0.5)"],
)
def test_a_term_may_give_any_number_from_0_to_1(tmp_path, body):
    settings = with_term(tmp_path, body)
    try_terms(settings)
    [result] = rank([item()], settings)
    value = float(eval(body, {"np": np}))
    assert list(result.terms) == ["stability", "mine"]
    assert result.terms["mine"] == {"value": value, "weight": 0.5, "contribution": value / 2}
    assert type(result.terms["mine"]["value"]) is float
    assert result.score == 0.5 + value / 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("1.0001", "1.0001"), ("-1e-9", "-1e-09"), ("math.nan", "nan"), ("math.inf", "inf"),
        ("np.float64('nan')", "nan"),
        ("None", "NoneType"), ("'0.5'", "'0.5'"), ("0.5 + 0j", "complex"),
        ("np.array([0.5])", "ndarray"), ("[0.5]", "list"),
    ],
)  # fmt: skip
def test_a_term_that_gives_something_else_is_refused(tmp_path, body, told):
    settings = with_term(tmp_path, body)
    with pytest.raises(InputError, match=r"ranking\.weights: '.*terms\.py:mine' gives ") as caught:
        try_terms(settings)
    assert told in str(caught.value)
    candidate = dataclasses.replace(item("c7"), quantities=Quantities({"label": "K2ReH9 = [ReH9]2-"}))
    with pytest.raises(InputError, match=r"for K2ReH9 = \[ReH9\]2-; allowed: a number from 0 to 1"):
        rank([candidate], settings)
    with pytest.raises(InputError, match="for c7; allowed"):
        rank([item("c7")], settings)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("1 / 0", ["terms.py:mine", "ZeroDivisionError"]),
        ("exit(3)", ["terms.py:mine", "ends the program"]),
        (
            "item.quantities['e_above_hul']",
            ["e_above_hul", "not a field", "did you mean 'e_above_hull'?", "volume_ratio"],
        ),
        ("item.quantities.get('e_above_hul', 0)", ["e_above_hul", "did you mean"]),
        ("item.quantities['rank']", ["rank", "filled by the ranking itself"]),
        ("item.hull", ["AttributeError", "hull"]),
    ],
)
def test_a_term_that_cannot_be_used_is_told_before_anything_is_computed(tmp_path, body, words):
    with pytest.raises(InputError) as caught:
        try_terms(with_term(tmp_path, body))
    for word in words:
        assert word in str(caught.value)


def test_a_term_reads_every_quantity_and_changes_none(tmp_path):
    known = Quantities({"volume_ratio": 1.5, "centre": "Re", "rank": 3, "colour": "red"}, {"colour": "string"})
    assert (known["volume_ratio"], known["centre"], known["colour"], known["n"]) == (1.5, "Re", "red", None)
    assert set(known) == (set(QUANTITIES) - OF_RANKING) | {"colour"}
    with pytest.raises(TypeError):
        known["n"] = 3
    [result] = rank(
        [dataclasses.replace(item(), quantities=known)], with_term(tmp_path, "2 - item.quantities['volume_ratio']")
    )
    assert result.terms["mine"]["value"] == 0.5


def test_the_noise_moves_the_hull_distances_of_a_term_too(tmp_path):
    """A term that is `stability` by another way leaves the same ranks open."""
    body = "math.exp(-max(item.quantities['phase_separation_energy'], 0) / settings.stability_scale_eV_per_atom)"
    hulls = {"a": 0.0, "b": 0.01, "c": 0.015, "d": 0.1}
    keys = ("phase_separation_energy", "e_above_hull")
    items = [
        dataclasses.replace(item(id, hull), quantities=Quantities(dict.fromkeys(keys, hull)))
        for id, hull in hulls.items()
    ]
    own, ours = with_term(tmp_path, body, {"prior": 0.5}), RankingSettings(weights={"prior": 0.5, "stability": 0.5})

    def opened(settings):
        return [(result.rank, result.rank_best, result.rank_worst) for result in rank(items, settings, 0.02)]

    assert opened(own) == opened(ours) == [(1, 1, 3), (2, 1, 3), (3, 1, 3), (4, 4, 4)]
    assert opened(with_term(tmp_path, body.replace("phase_separation_energy", "e_above_hull"), {"prior": 0.5}))[3] == (
        4,
        4,
        4,
    )


def test_two_terms_of_one_name_are_told_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.py").write_text("def prior(item, settings):\n    return 0.5\n")
    first, second = f"{tmp_path}/a/t.py:prior", f"{tmp_path}/b/t.py:prior"
    [result] = rank([item()], RankingSettings(weights={second: 1, "stability": 1, first: 2}))
    assert {name: term["weight"] for name, term in result.terms.items()} == {
        "stability": 0.25,
        first: 0.5,
        second: 0.25,
    }
    [alone] = rank([item()], RankingSettings(weights={first: 1}))
    assert list(alone.terms) == ["prior"]


def test_a_ranking_at_a_condition_goes_by_the_distance_there():
    """The static hull prefers a, the press b; a lower structure of b's composition is part of its distance there."""
    first = item("a", hull=-0.1, synthesis_separation=0.1)
    second = item("b", hull=0.1, synthesis_separation=-0.1, e_above_same_composition=0.2)
    nowhere = item("c", hull=0.0)
    pressed = RankingSettings(weights={"stability": 1}, at={"temperature_K": 973, "pressure_GPa": 5})
    found = {result.id: result for result in rank([first, second, nowhere], pressed)}
    assert [found[id].rank for id in "abc"] == [2, 1, None]
    assert found["c"].reason == "no_hull"
    assert found["b"].score == 1.0
    assert ranks([first, second, nowhere], {"stability": 1}) == {"a": 1, "c": 2, "b": 3}


def test_a_ranking_without_a_condition_is_the_one_that_it_was():
    """What decides is unchanged, so that campaigns of an earlier version keep their fingerprints."""
    assert "at" not in RankingSettings().content()
    assert RankingSettings(at={"temperature_K": 973, "pressure_GPa": 5}).content()["at"]["pressure_GPa"] == 5


@pytest.mark.parametrize("at", [{"temperature_K": 50, "pressure_GPa": 5}, {"temperature_K": 973, "pressure_GPa": 11}])
def test_a_condition_out_of_range_is_refused(at):
    with pytest.raises(ValidationError, match="at"):
        RankingSettings(at=at)
