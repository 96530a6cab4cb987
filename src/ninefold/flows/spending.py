"""What a campaign has spent of its budget, and what the budget has left out; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.campaign.budget import Budget
from ninefold.clock import now
from ninefold.stages.stage import split_name

if TYPE_CHECKING:
    from ninefold.store import Store

FIRST_STAGES = ("build", "prescreen")
"""Stages of the first round, whose core time decides what else is released."""
SEARCHING = ("build", "prescreen", "energies")
"""Stages that compute what a budget releases, in every round."""


class LeftOut(NamedTuple):
    """Compositions that a budget has kept from being computed."""

    number: int
    budget: Budget
    core_hours: float
    """That the campaign has spent."""


def budget_of(settings: Mapping[str, Any]) -> Budget | None:
    """The budget in the stored settings of a campaign."""
    found = (settings.get("execution") or {}).get("budget")
    return None if found is None else Budget.model_validate(found)


def core_hours_of(store: Store, campaign: str) -> float:
    """Core time of the facts that a campaign rests on, as its funnel counts it."""
    rows = store.iterate("funnel", equal={"campaign": campaign}, fields=["core_seconds"])
    return sum(row["core_seconds"] or 0.0 for row in rows) / 3600


def released_hours_of(store: Store, campaign: str) -> float:
    """The part of it that counts against a budget: searches and what follows them, without the reference phases."""
    rows = store.iterate("funnel", equal={"campaign": campaign}, fields=["stage", "core_seconds"])
    return sum(row["core_seconds"] or 0.0 for row in rows if split_name(row["stage"])[0] in SEARCHING) / 3600


def unreleased(store: Store, campaign: str) -> int:
    """Compositions that no search has ended for."""
    return store.count("candidates", equal={"campaign": campaign, "is_competitor": False, "status": "selected"})


def left_out(store: Store, document: Mapping[str, Any]) -> LeftOut | None:
    """What the budget of a campaign that has come to its end has left out; None if nothing, or where it goes on.

    Args:
        store: Where the campaign is.
        document: Its record.
    """
    budget = budget_of(document["settings"])
    if budget is None or document["status"] != "incomplete":
        return None
    number = unreleased(store, document["name"])
    return LeftOut(number, budget, core_hours_of(store, document["name"])) if number else None


def is_over(budget: Budget) -> bool:
    """Whether the date of a budget has passed."""
    return budget.until is not None and now() >= budget.until
