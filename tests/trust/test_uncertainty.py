"""The uncertainty of a distance to the hull: signs, units, limits, and Monte Carlo as the oracle of its model."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.trust import uncertainty
from ninefold.trust.phases import trust_set
from ninefold.trust.uncertainty import (
    ClassError,
    ModelErrors,
    class_of,
    combined,
    disagreement,
    hull_probability,
    model_errors,
    window,
)

MEASURED = ClassError(shift=0.05, error=0.02, error_before=0.05, phases=10, groups=5)
MANY = ClassError(shift=0.0, error=0.03, error_before=0.03, phases=10**9, groups=50)


def errors(**classes) -> ModelErrors:
    return ModelErrors(0.1, "test", classes)


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("K", None), ("H2", None), ("LiH", "saline"), ("CaH2", "saline"), ("EuH2", "saline"), ("NbH2", "interstitial"),
        ("LaH3", "other"), ("AlH3", "other"), ("KMgH3", "ternary"), ("Mg2Ni", "intermetallic"), ("K2ReH9", "complex"),
        ("LaMg2NiH7", "complex"), ("HPd", "interstitial"), ("LiBH4", "other"), ("TiFeH2", "interstitial"),
    ],
)  # fmt: skip
def test_class_of_a_formula(formula, name):
    assert class_of(formula) == name


def test_classes_are_those_of_the_trust_set():
    for phase in trust_set().phases:
        expected = None if phase.phase_class in ("element", "molecule") else phase.phase_class
        assert class_of(phase.formula) == expected, phase.name


def test_probability_at_the_hull_and_in_the_limits():
    assert hull_probability(0.0, 0.05) == 0.5
    assert hull_probability(5.0, 0.05) == pytest.approx(0.0, abs=1e-12)
    assert hull_probability(-5.0, 0.05) == pytest.approx(1.0, abs=1e-12)
    # exact energies: a step
    assert [hull_probability(d, 0.0) for d in (-1e-9, 0.0, 1e-9)] == [1.0, 1.0, 0.0]
    # an error without limit: nothing is known
    assert hull_probability(0.1, 1e9) == pytest.approx(0.5)


@given(st.floats(-1, 1), st.floats(1e-3, 1))
def test_probability_is_the_normal_distribution(distance, error):
    assert hull_probability(distance, error) == pytest.approx(NormalDist(distance, error).cdf(0.0), abs=1e-12)
    assert hull_probability(distance, error) + hull_probability(-distance, error) == pytest.approx(1.0)


def test_at_the_edge_of_the_window_five_percent_are_left():
    assert hull_probability(window(0.04), 0.04) == pytest.approx(0.05, abs=2e-4)
    assert window(0.08) == 2 * window(0.04)
    assert window(0.0) == 0


def test_parts_add_in_quadrature():
    assert combined(0.03, 0.04) == pytest.approx(0.05)
    assert combined(0.03, None, 0.04) == pytest.approx(0.05)
    assert combined(0.03, 0.0) == pytest.approx(0.03)
    assert combined(None, None) is None


@pytest.mark.parametrize(
    ("distance", "own", "others", "expected"),
    [
        (0.10, 0.03, [], 0.0),
        (0.10, 0.03, [(0.06, 0.04)], 0.0),  # 40 meV apart, 50 explained
        (0.10, 0.03, [(0.00, 0.04)], math.sqrt(0.1**2 - 0.05**2)),
        (0.00, 0.03, [(0.10, 0.04)], math.sqrt(0.1**2 - 0.05**2)),  # whichever lies higher
        (0.10, 0.0, [(0.04, 0.0), (0.00, 0.0)], 0.1),  # of the one that differs most
    ],
)
def test_methods_disagree_by_what_their_errors_do_not_explain(distance, own, others, expected):
    assert disagreement(distance, own, others) == pytest.approx(expected)


def test_the_default_counts_as_one_phase():
    assert MEASURED.of_phase(0.1) == pytest.approx(math.sqrt((10 * 0.02**2 + 0.1**2) / 11))
    assert ClassError(0, 0.0, 0, 3, 3).of_phase(0.1) == pytest.approx(0.05)  # three that agree prove little
    assert MANY.of_phase(0.1) == pytest.approx(0.03)


def test_elements_and_gas_have_no_error():
    # the error of the reaction itself is left where a complex goes to its saline hydrides, metal and hydrogen
    found = errors(complex=MANY, saline=MANY).of_distance("K2ReH9", [("KH", 4 / 12), ("Re", 1 / 12), ("H2", 7 / 12)])
    assert found == pytest.approx(0.03)


def test_against_elements_the_saline_hydride_s_error_is_in_it():
    found = errors(complex=MANY, saline=MANY).of_distance("K2ReH9", [("K", 2 / 12), ("Re", 1 / 12), ("H2", 9 / 12)])
    assert found == pytest.approx(math.hypot(0.03, 0.03 * 4 / 12))


def test_an_unknown_class_has_the_default():
    products = [("KH", 4 / 12), ("Re", 1 / 12), ("H2", 7 / 12)]
    assert ModelErrors(0.1, "none").of_distance("K2ReH9", products) == pytest.approx(0.1)
    assert errors(complex=MANY).of_distance("Mg2NiH4", [("Mg2Ni", 3 / 7), ("H2", 4 / 7)]) > 0.05


def test_a_phase_against_itself_is_exact():
    one = errors(complex=MEASURED, saline=MEASURED)
    assert one.of_distance("K2ReH9", [("K4Re2H18", 1.0)]) == pytest.approx(0.0, abs=1e-12)


def test_what_a_class_shares_cancels_within_a_hull():
    shared = ClassError(shift=0.10, error=0.0, error_before=0.06, phases=10**9, groups=9)
    alone = errors(complex=shared).of_distance("Mg3CrH8", [("MgH2", 0.75), ("Cr", 1 / 12), ("H2", 1 / 6)])
    beside = errors(complex=shared).of_distance("Mg3CrH8", [("Mg3CrH10", 0.8), ("Mg", 0.15), ("Cr", 0.05)])
    h = 8 / 12
    assert alone == pytest.approx(0.10 * h)
    assert beside < 0.25 * alone + 0.1 * 9 / 14  # of the rest, saline hydrides carry the default of their class


def test_the_model_by_drawing_errors():
    """Sample the model as it is worded: errors of classes and phases drawn, the distance's error taken from them."""
    rng = np.random.default_rng(3)
    table = {
        "complex": ClassError(0.04, 0.03, 0.05, 20, 6),
        "saline": ClassError(-0.02, 0.01, 0.02, 5, 5),
        "interstitial": ClassError(0.03, 0.04, 0.05, 7, 7),
    }
    products = [("Mg3CrH10", 0.5), ("MgH2", 0.2), ("CrH", 0.2), ("H2", 0.1)]
    draws = 200_000
    # a class's shift of either sign, and each phase by itself
    shift = {name: one.shift * rng.standard_normal(draws) for name, one in table.items()}
    own = {
        formula: table[name].of_phase(0.1) * rng.standard_normal(draws)
        for formula, name in [
            ("Mg3CrH8", "complex"),
            ("Mg3CrH10", "complex"),
            ("MgH2", "saline"),
            ("CrH", "interstitial"),
        ]
    }
    hydride = shift["saline"] * 2 / 3 + own["MgH2"]
    formation = {
        "MgH2": hydride, "CrH": shift["interstitial"] / 2 + own["CrH"], "H2": 0.0,
        "Mg3CrH8": shift["complex"] * 8 / 12 + own["Mg3CrH8"] + 9 / 12 * hydride,
        "Mg3CrH10": shift["complex"] * 10 / 14 + own["Mg3CrH10"] + 9 / 14 * hydride,
    }  # fmt: skip
    drawn = formation["Mg3CrH8"] - sum(share * formation[formula] for formula, share in products)
    assert errors(**table).of_distance("Mg3CrH8", products) == pytest.approx(np.std(drawn), rel=0.01)


@pytest.fixture
def table(monkeypatch):
    complexes = {"shift": 0.02, "error": 0.03, "error_before": 0.04, "phases": 9, "groups": 5}
    entry = {
        "engine": "SevenNet 7net-0", "hessian_asymmetry": 0.004,
        "hydrogen": {"calibrated": {"complex": complexes}, "own": {"saline": complexes}},
    }  # fmt: skip
    monkeypatch.setattr(uncertainty, "_table", lambda: {"reference": "GPAW PBE", "engines": [entry]})


def test_a_method_with_a_table(table):
    found = model_errors("SevenNet 7net-0", "ML", "calibrated")
    assert found.is_measured
    assert found.describe() == "trust table against GPAW PBE"
    assert found.by_class["complex"].error == 0.03
    assert found.of_minima() == pytest.approx(math.sqrt(2) * found.by_class["complex"].of_phase(0.1))
    assert uncertainty.hessian_asymmetry("SevenNet 7net-0") == 0.004


def test_a_table_without_complexes_says_so(table):
    found = model_errors("SevenNet 7net-0", "ML", "own")
    assert found.describe() == "trust table against GPAW PBE; complex hydrides: default"
    assert found.of_minima() is None


@pytest.mark.parametrize(("evidence", "default"), [("ML", 100), ("DFT", 50)])
def test_a_method_without_a_table_has_a_marked_default(table, evidence, default):
    found = model_errors("another", evidence)
    assert found.describe() == f"no trust table for this method: default of {default} meV/atom for {evidence}"
    assert 1000 * found.of_distance("K2ReH9", [("KH", 4 / 12), ("Re", 1 / 12), ("H2", 7 / 12)]) == default
    assert uncertainty.hessian_asymmetry("another") is None


@pytest.mark.parametrize("evidence", ["test", "force field", "rule"])
def test_energies_without_chemistry_have_no_uncertainty(evidence):
    assert model_errors("Lennard-Jones", evidence) is None


def test_the_shipped_table_is_whole():
    for entry in uncertainty._table()["engines"]:
        for classes in entry["hydrogen"].values():
            for values in classes.values():
                one = ClassError(**values)
                assert one.error >= 0
                assert one.phases >= 3
                assert 2 <= one.groups <= one.phases
                assert abs(one.shift) < 1


# laws


FORMULAS = ("K2ReH9", "K3ReH10", "K4ReH7", "KH", "ReH", "K", "H2", "Re")
CLASSES = st.builds(
    ClassError, shift=st.floats(-0.2, 0.2), error=st.floats(0, 0.1), error_before=st.just(0.1),
    phases=st.integers(3, 40), groups=st.just(2),
)  # fmt: skip
TABLES = st.fixed_dictionaries({"complex": CLASSES, "saline": CLASSES, "interstitial": CLASSES})
PRODUCTS = st.lists(st.tuples(st.sampled_from(FORMULAS[1:]), st.floats(0, 1)), max_size=4)


def times(formula: str, units: int) -> str:
    """The same compound, written with more formula units."""
    from ninefold.chemistry.formula import parse_formula

    return "".join(f"{symbol}{units * count}" for symbol, count in parse_formula(formula).items())


@given(TABLES, PRODUCTS, st.integers(2, 6))
def test_errors_are_per_atom_however_the_formulas_are_written(table, products, units):
    one = errors(**table)
    found = one.of_distance("K2ReH9", products)
    assert one.of_distance(times("K2ReH9", units), [(times(f, units), share) for f, share in products]) == (
        pytest.approx(found, abs=1e-12)
    )
    assert one.of_distance("K2ReH9", reversed(products)) == pytest.approx(found, abs=1e-12)


@given(TABLES, PRODUCTS, st.floats(0.1, 10))
def test_errors_scale_with_what_was_measured(table, products, factor):
    larger = {
        name: ClassError(factor * one.shift, factor * one.error, factor * one.error_before, one.phases, one.groups)
        for name, one in table.items()
    }
    found = ModelErrors(0.1, "test", table).of_distance("K2ReH9", products)
    scaled = ModelErrors(0.1 * factor, "test", larger).of_distance("K2ReH9", products)
    assert scaled == pytest.approx(factor * found, rel=1e-9, abs=1e-12)


@given(TABLES, st.sampled_from([-1.0, 1.0]))
def test_the_sign_of_the_engine_s_errors_makes_no_difference(table, sign):
    products = [("K3ReH10", 0.5), ("KH", 0.2), ("Re", 0.1), ("H2", 0.2)]
    other = {name: ClassError(-one.shift, *_rest(one)) for name, one in table.items()}
    assert errors(**other).of_distance("K2ReH9", products) == errors(**table).of_distance("K2ReH9", products)


def _rest(one: ClassError):
    return one.error, one.error_before, one.phases, one.groups


@given(CLASSES, CLASSES)
def test_a_reaction_within_a_class_has_less_error_than_its_phases_apart(complexes, saline):
    """Of two complex hydrides the shared parts differ by the hydrogen content alone, whatever their size."""
    one = errors(complex=complexes, saline=saline)
    own = complexes.of_phase(0.1)
    # K3ReH10 -> K2ReH9 + KH, by atoms 12 and 2 of 14
    found = one.of_distance("K3ReH10", [("K2ReH9", 12 / 14), ("KH", 2 / 14)])
    hydrogens = 10 / 14 - 12 / 14 * 9 / 12
    # the potassium hydride of both sides is one phase: 6/14 of K3ReH10, 12/14 * 4/12 of K2ReH9, 2/14 by itself
    independent = math.hypot(own, 12 / 14 * own)
    assert found == pytest.approx(math.hypot(independent, complexes.shift * hydrogens), abs=1e-12)
    assert abs(hydrogens) < 0.1


@given(st.floats(0, 0.2), st.integers(3, 50), st.floats(0.01, 0.2))
def test_few_phases_are_believed_less_and_none_beyond_what_is_known_of_no_phase(error, phases, default):
    """Between what was measured and the default: nearer to the first, the more phases it rests on."""
    few, more = (ClassError(0, error, error, count, 2).of_phase(default) for count in (phases, phases + 1))
    assert min(error, default) - 1e-12 <= few <= max(error, default) + 1e-12
    assert abs(more - error) <= abs(few - error) + 1e-12


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.001, 0.3), st.floats(0.001, 0.3))
def test_the_nearer_to_the_hull_the_likelier_and_the_less_certain_the_nearer_to_one_half(one, other, sharp, blunt):
    low, high = sorted((one, other))
    assert hull_probability(low, sharp) >= hull_probability(high, sharp)
    sharp, blunt = sorted((sharp, blunt))
    assert abs(hull_probability(one, blunt) - 0.5) <= abs(hull_probability(one, sharp) - 0.5) + 1e-12


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.3))
def test_inside_the_window_is_five_percent_and_more(distance, error):
    if abs(distance - window(error)) > 1e-9:
        assert (distance < window(error)) == (hull_probability(distance, error) > NormalDist().cdf(-1.645))
