"""Rows with their uncertainty: which parts, in which row, what passes to DFT and in which order."""

from __future__ import annotations

import math

import pytest

from ninefold.errors import InputError
from ninefold.flows.rows import as_assessed
from ninefold.models.candidate import Candidate
from ninefold.models.reference import ReferenceRecord
from ninefold.models.structure import StructureRecord
from ninefold.stages import stability
from ninefold.stages.flags import flags
from ninefold.stages.uncertainty import (
    ALONE,
    Comparisons,
    by_method,
    default_window,
    disagrees,
    distance_of,
    with_uncertainty,
)
from ninefold.stages.verify import VerifySettings
from ninefold.stages.verify_plan import _chosen
from ninefold.thermo.settings import StabilitySettings
from ninefold.trust import hydrogen, uncertainty
from ninefold.trust.hydrogen import CalibratedHydrogen


def row(distance=0.05, *, method="m", evidence="ML", error=0.04, scatter=None, formula="K2ReH9", **more):
    return Candidate(
        id=f"{formula}-{method}", campaign="c", composition=formula, method=method, formula=formula, anion="[ReH9]2-",
        label=f"K2[ReH9] {formula}", chemical_system="H-K-Re", elements=["H", "K", "Re"], nelements=3, centre="Re",
        cations=["K"], cation_counts={"K": 2}, group=7, n=9, q=2, m=0, electron_count=18, oxidation_state=7,
        anion_class="classical", prior=1.0, status="searched", evidence=evidence, phase_separation_energy=distance,
        model_error=error, search_scatter=scatter, structures_found=1, **more,
    )  # fmt: skip


def test_parts_of_one_method():
    told = with_uncertainty(row(0.0, error=0.03, scatter=0.04))
    assert told.e_above_hull_uncertainty == pytest.approx(0.05)
    assert told.hull_probability == 0.5
    assert with_uncertainty(row(error=0.03)).e_above_hull_uncertainty == pytest.approx(0.03)


def test_the_scatter_of_searches_alone_says_nothing_of_the_hull():
    told = with_uncertainty(row(error=None, scatter=0.01, evidence="test"))
    assert told.e_above_hull_uncertainty == pytest.approx(0.01)
    assert told.hull_probability is None


def test_a_row_of_an_earlier_version_keeps_what_it_says():
    earlier = row(error=None, e_above_hull_uncertainty=0.007)
    assert with_uncertainty(earlier).e_above_hull_uncertainty == 0.007
    assert default_window(earlier, 0.02) == 0.05


def test_a_structure_above_another_of_its_composition_is_as_far_from_the_hull():
    told = with_uncertainty(row(-0.2, e_above_same_composition=0.1, error=0.05))
    assert distance_of(told) == 0.1
    assert told.hull_probability == pytest.approx(uncertainty.hull_probability(0.1, 0.05))


def test_methods_of_one_level_disagree_and_dft_is_not_doubted_for_a_potential():
    rows = [row(0.20, method="a", error=0.03), row(0.00, method="b", error=0.04), row(0.1, method="d", evidence="DFT")]
    beyond = math.sqrt(0.2**2 - 0.05**2)
    told = {one.method: with_uncertainty(one, Comparisons(rows).of(one)) for one in rows}
    assert [one.method_spread for one in told.values()] == [pytest.approx(0.2)] * 3
    assert [told[name].method_disagreement for name in "ab"] == [pytest.approx(beyond)] * 2
    assert told["d"].method_disagreement is None
    assert told["a"].e_above_hull_uncertainty == pytest.approx(math.hypot(0.03, beyond))
    assert told["d"].e_above_hull_uncertainty == pytest.approx(0.04)


def test_a_ranking_s_comparison_is_taken_out_again():
    rows = {"a": [row(0.4, method="a")], "b": [row(0.0, method="b")]}
    [ranked] = by_method(rows, 0.02)["a"]
    assert ranked.method_disagreement is not None
    again = as_assessed(ranked)
    assert (again.method_spread, again.method_disagreement) == (None, None)
    assert again.e_above_hull_uncertainty == pytest.approx(0.04)


def test_the_flag_of_a_disagreement_stands_until_dft_has_judged():
    pair = [row(0.25, method="a", error=0.1), row(-0.25, method="b", error=0.05)]
    [told] = by_method({"a": pair[:1], "b": pair[1:]}, 0.02)["a"]
    assert default_window(told, 0.02) == pytest.approx(1.645 * told.e_above_hull_uncertainty)
    assert default_window(told, 0.02) > 0.5, "so wide that either method's candidate is verified"
    assert disagrees(told, 0.02)
    [flag] = [text for text in told.flags if text.startswith("methods disagree")]
    assert "by 500 meV/atom, more than the window of 164" in flag
    again = by_method({"a": [told], "b": pair[1:]}, 0.02)["a"][0]
    assert again.flags == told.flags, "told once"
    verified = by_method({"a": [told], "b": pair[1:], "d": [row(0.0, method="d", evidence="DFT")]}, 0.02)
    assert verified["a"][0].flags == []


def test_what_may_lie_on_the_hull_is_verified():
    inside = with_uncertainty(row(1.64 * 0.04))
    outside = with_uncertainty(row(1.65 * 0.04, formula="K3ReH10"))
    assert inside.hull_probability > 0.05 > outside.hull_probability - 1e-3
    assert _chosen([inside, outside], {}, VerifySettings(), 0.02) == [inside]
    with pytest.raises(InputError, match="holds no candidate"):
        _chosen([outside], {}, VerifySettings(), 0.02)


def test_where_methods_disagree_dft_is_asked_first_and_once():
    def told(distance, spread, formula):
        one = with_uncertainty(row(distance, formula=formula))
        return one.model_copy(update={"method_spread": spread})

    lowest, torn, higher = told(-0.1, 0.01, "K2ReH9"), told(0.04, 0.3, "K3ReH10"), told(0.05, 0.02, "K4ReH7")
    rows = [higher, torn, lowest]
    assert _chosen(rows, {}, VerifySettings(), 0.02) == [torn, lowest, higher]
    assert _chosen(rows, {}, VerifySettings(top=1), 0.02) == [torn]
    # the method has answered: its own distances tell the order
    assert _chosen(rows, {"K3ReH10": 0.2, "K2ReH9": 0.0}, VerifySettings(), 0.02) == [lowest, higher, torn]


# in the hull


COMPLEX = {"shift": 0.02, "error": 0.03, "error_before": 0.04, "phases": 10**9, "groups": 5}


@pytest.fixture
def table(monkeypatch):
    both = {"own": {"complex": COMPLEX}, "calibrated": {"complex": {**COMPLEX, "error": 0.01, "shift": 0.0}}}
    entry = {"engine": "net", "title": "sevennet:net", "hessian_asymmetry": 0.09, "hydrogen": both}
    monkeypatch.setattr(uncertainty, "_table", lambda: {"reference": "PBE", "engines": [entry]})
    fitted = CalibratedHydrogen("net", -3.4, -3.3, 5, 0.01, "PBE")
    monkeypatch.setattr(hydrogen, "_table", lambda: (fitted,))


def reference(name, formula, kind, energy, engine="net"):
    cell = StructureRecord(
        id=f"s{name}", lattice=[[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]],
        species=[symbol for symbol, count in stability_amounts(formula).items() for _ in range(count)],
        positions=[[0.1 * place, 0, 0] for place in range(sum(stability_amounts(formula).values()))],
    )  # fmt: skip
    record = ReferenceRecord(
        id=name, campaign="c", method="m", engine=engine, name=name, formula=formula,
        chemical_system="", elements=sorted(stability_amounts(formula)), kind=kind, energy_per_atom=energy,
        space_group_number=None, volume_per_atom=10.0, is_converged=True, structure=cell.id, source="", provenance="",
        refuted=None, notes=[], core_seconds=0.0,
    )  # fmt: skip
    return record, cell


def stability_amounts(formula):
    from ninefold.chemistry.formula import parse_formula

    return parse_formula(formula)


@pytest.mark.parametrize(
    ("h2", "engine", "error", "source"),
    [
        (-3.3, "net", math.hypot(0.03, 0.02 * 9 / 12), "trust table against PBE"),
        (-3.4, "net", 0.01, "trust table against PBE"),  # with the calibrated hydrogen
        (-3.3, "other", 0.1, "no trust table for this method: default of 100 meV/atom for ML"),
    ],
)
def test_a_hull_s_distances_have_the_error_of_their_method(table, h2, engine, error, source):
    pairs = [
        reference("K", "K", "element", -1.0, engine), reference("Re", "Re", "element", -12.0, engine),
        reference("H2", "H2", "molecule", h2, engine), reference("KH", "KH", "binary", -3.0, engine),
    ]  # fmt: skip
    hulls = stability.Hulls([one for one, _ in pairs], {cell.id: cell for _, cell in pairs}, StabilitySettings())
    candidate = row(None, error=None, engine=engine, energy_per_atom=-4.0, minima=[minimum(-4.0)])
    hulls.add(candidate)
    [assessed], _ = hulls.assess([candidate], {})
    assert {part["formula"] for part in assessed.decomposition} == {"KH", "Re", "H2"}
    assert assessed.model_error == pytest.approx(error)
    assert assessed.model_error_source == source
    assert assessed.e_above_hull_uncertainty == pytest.approx(error)
    assert assessed.hull_probability == pytest.approx(
        uncertainty.hull_probability(assessed.phase_separation_energy, error)
    )
    assert any("9.0 % asymmetric (limit 2 %)" in text for text in assessed.flags) == (engine == "net")


def minimum(energy):
    from ninefold.models.search import Minimum

    return Minimum(
        structure="s", energy_per_atom=energy, space_group_number=1, space_group_symbol="P1", nsites=12,
        volume_per_formula_unit=140.0, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.01, is_converged=True, source="test", is_valid=True,
    )  # fmt: skip


def test_a_potential_without_chemistry_has_no_model_error(table):
    pairs = [reference("K", "K", "element", -1.0), reference("H2", "H2", "molecule", -3.3)]
    pairs.append(reference("Re", "Re", "element", -12.0))
    hulls = stability.Hulls([one for one, _ in pairs], {cell.id: cell for _, cell in pairs}, StabilitySettings())
    candidate = row(None, error=None, evidence="test", energy_per_atom=-4.0, minima=[minimum(-4.0)])
    hulls.add(candidate)
    [assessed], _ = hulls.assess([candidate], {})
    assert (assessed.model_error, assessed.hull_probability) == (None, None)
    assert assessed.model_error_source.startswith("none")


def test_whose_engine_relaxes_the_final_structures_is_said(table):
    assert "9.0 % asymmetric" in uncertainty.roughness_note(["chgnet", "sevennet:net"])
    assert uncertainty.roughness_note(["sevennet:net"]).startswith("engine: sevennet:net relaxes the final structures")
    assert uncertainty.roughness_note(["sevennet:net", "another"]) is None, "it searches alone"
    assert flags(row(engine="another")) == []


def test_alone_is_no_comparison():
    assert (ALONE.spread, ALONE.disagreement, ALONE.is_verified) == (None, None, False)


def test_flags_are_by_the_label_of_a_measured_engine():
    assert any("asymmetric" in text for text in flags(row(engine="CHGNet 0.3.0")))
    assert not any("asymmetric" in text for text in flags(row(engine="SevenNet 7net-0")))
