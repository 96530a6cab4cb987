"""Which minima a further method relaxes."""

from __future__ import annotations

import pytest

from ninefold.models.search import MinimaRecord, Minimum
from ninefold.search.budget import SearchBudget
from ninefold.stages.energies import passed_on, relaxed_id


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
    budget = SearchBudget(**settings)
    assert [one.energy_per_atom for one in passed_on(record, budget)] == expected


def test_nothing_valid_is_nothing_to_relax():
    assert passed_on(found(minimum(-4.0, is_valid=False)), SearchBudget()) == []


def test_how_many_are_passed_on_is_part_of_the_id():
    ids = {relaxed_id("m", SearchBudget(**settings), "f") for settings in ({}, {"passed_on": 2}, {"final_fmax": 0.02})}
    assert len(ids) == 3
    assert relaxed_id("m", SearchBudget(pool=7), "f") == relaxed_id("m", SearchBudget(), "f")
