"""Which minima a further method relaxes."""

from __future__ import annotations

import pytest

from ninefold.models.method import Method
from ninefold.models.search import MinimaRecord, Minimum
from ninefold.search.budget import SearchBudget
from ninefold.stages.energies import passed_on, relaxed_id, rounds_of, with_window
from ninefold.trust import uncertainty


def minimum(energy: float, is_valid: bool = True) -> Minimum:
    return Minimum(
        structure=f"s{energy}", energy_per_atom=energy, space_group_number=1, space_group_symbol="P1", nsites=9,
        volume_per_formula_unit=100.0, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.01, is_converged=True, source="test", is_valid=is_valid,
    )  # fmt: skip


def found(*minima: Minimum) -> MinimaRecord:
    return MinimaRecord(
        id="m", campaign="c", label="K2[ReH9]", method="f", searches=[], minima=list(minima), lowest_by_round=[None],
        reasons={}, relaxations=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [-4.00, -3.99, -3.98, -3.97]),
        ({"passed_on": 2}, [-4.00, -3.99]),
        ({"passed_on": 10}, [-4.00, -3.99, -3.98, -3.97, -3.96]),
        ({"passed_on": 10, "passed_on_window": 0.015}, [-4.00, -3.99]),
        ({"passed_on_window": 0.0}, [-4.00]),
    ],
)
def test_the_lowest_valid_ones_near_the_lowest(settings, expected):
    record = found(
        minimum(-3.97), minimum(-4.10, is_valid=False), minimum(-3.99), minimum(-4.00), minimum(-3.96), minimum(-3.98),
        minimum(-3.90),
    )  # fmt: skip
    budget = with_window(SearchBudget(**settings), None)
    assert [one.energy_per_atom for one in passed_on(record, budget)] == expected


def test_nothing_valid_is_nothing_to_relax():
    assert passed_on(found(minimum(-4.0, is_valid=False)), SearchBudget()) == []


def test_how_many_are_passed_on_is_part_of_the_id():
    ids = {relaxed_id("m", SearchBudget(**settings), "f") for settings in ({}, {"passed_on": 2}, {"final_fmax": 0.02})}
    assert len(ids) == 3
    assert relaxed_id("m", SearchBudget(pool=7), "f") == relaxed_id("m", SearchBudget(), "f")


def test_the_window_is_what_the_trust_table_leaves_open(monkeypatch):
    search = Method(id="f", name="chgnet", label="CHGNet 0.3.0", evidence="ML")
    other = search.model_copy(update={"label": "another"})
    values = {"shift": 0.1, "error": 0.04, "error_before": 0.1, "phases": 10**9, "groups": 9}
    entry = {"engine": "CHGNet 0.3.0", "hydrogen": {"own": {"complex": values}}}
    monkeypatch.setattr(uncertainty, "_table", lambda: {"reference": "PBE", "engines": [entry]})
    # two structures of one composition, each with the independent error of its class: 0.04 times the root of 2
    assert with_window(SearchBudget(), search).passed_on_window == pytest.approx(0.057)
    assert with_window(SearchBudget(), other).passed_on_window == 0.05
    assert with_window(SearchBudget(passed_on_window=0.2), search).passed_on_window == 0.2
    ids = {relaxed_id("m", with_window(SearchBudget(), one), "f") for one in (search, other)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("searched", "lowest", "expected"),
    [
        ([-4.0], -3.5, [-3.5]),
        ([-4.0, -4.01], -3.5, [-3.49, -3.5]),
        ([None, -4.01], -3.5, [None, -3.5]),
        ([None], -3.5, [-3.5]),
        ([-4.0, -4.01], None, [None]),
    ],
)
def test_the_noise_of_the_search_goes_along_with_its_minima(searched, lowest, expected):
    assert rounds_of(searched, lowest) == pytest.approx(expected)
