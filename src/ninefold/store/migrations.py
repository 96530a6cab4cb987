"""From the documents of an older ninefold to today's, one step for each schema version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _from_1(document: dict[str, Any], collection: str) -> dict[str, Any]:
    """`e_above_hull` was the signed distance to the hull of other compositions, its uncertainty a setting.

    What only a new assessment can say is left as it was under the name that fits its meaning (conditions), or
    taken out where it was wrong (reactions did not balance); `ninefold run --update` assesses anew.
    """
    if collection != "candidates":
        return document
    signed = document.get("e_above_hull")
    same = document.get("e_above_same_composition")
    return {
        **document,
        "is_competitor": False,
        "phase_separation_energy": signed,
        "e_above_hull": None if signed is None else max(signed, same or 0.0, 0.0),
        "e_above_hull_uncertainty": document.get("search_spread"),
        "reaction_energy_per_h2": None,
        "provenance": {key: value for key, value in (document.get("provenance") or {}).items() if key != "reaction"},
        "conditions": [
            {
                **condition,
                "phase_separation_energy": condition.get("e_above_hull"),
                "e_above_hull": None if condition.get("e_above_hull") is None else max(condition["e_above_hull"], 0.0),
            }
            for condition in document.get("conditions") or []
        ],
    }


MIGRATIONS: dict[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {1: _from_1}
"""Schema version -> what makes a document of it (and its collection's name) one of the next version."""
