"""The limits of a search's budget, and what grows with the number of relaxations."""

import pytest

from ninefold.search.budget import SearchBudget

WHOLE = {
    "max_atoms": (8, 400), "pool": (1, 100_000), "single_points": (1, 100_000), "coarse_relaxations": (1, 10_000),
    "refinements": (1, 1_000), "relaxations": (1, 10_000), "patience": (1, 10_000), "rounds": (1, 8),
    "coarse_steps": (1, 10_000), "final_steps": (1, 100_000),
}  # fmt: skip


def test_the_usual_budget_is_the_one_that_the_documentation_measures():
    usual = SearchBudget().model_dump(exclude={"sources", "withhold_types", "relaxations"})
    assert usual == {
        "formula_units": (1, 2, 3, 4), "max_atoms": 60, "pool": 240, "single_points": 48, "coarse_relaxations": 10,
        "refinements": 3, "patience": 6, "rounds": 2, "coarse_fmax": 0.1, "coarse_steps": 40, "final_fmax": 0.01,
        "final_steps": 250, "search_fmax": None, "passed_on": 4, "passed_on_window": None,
    }  # fmt: skip


@pytest.mark.parametrize(("field", "limits"), WHOLE.items(), ids=str)
def test_counts_lie_within_their_limits(field, limits):
    low, high = limits
    for value in limits:
        assert getattr(SearchBudget(**{field: value}), field) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=field):
            SearchBudget(**{field: value})


@pytest.mark.parametrize(("field", "high"), [("coarse_fmax", 5.0), ("final_fmax", 1.0)])
def test_forces_lie_within_their_limits(field, high):
    for value in (1e-6, high):
        assert getattr(SearchBudget(**{field: value}), field) == value
    for value in (0.0, high * 1.01):
        with pytest.raises(ValueError, match=field):
            SearchBudget(**{field: value})


@pytest.mark.parametrize(
    ("relaxations", "refinements", "single_points", "pool", "patience"),
    [(1, 3, 48, 240, 6), (12, 3, 120, 432, 6), (13, 3, 130, 468, 6), (60, 10, 600, 2160, 30)],
)
def test_a_budget_of_relaxations(relaxations, refinements, single_points, pool, patience):
    budget = SearchBudget.for_relaxations(relaxations, ("K2ReH9",))
    assert budget.relaxations == budget.coarse_relaxations == relaxations
    assert (budget.refinements, budget.single_points, budget.pool, budget.patience) == (
        refinements, single_points, pool, patience
    )  # fmt: skip
    assert budget.withhold_types == ("K2ReH9",)
