"""Where a candidate forms, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def formation_sentence(candidate: Mapping[str, Any]) -> str | None:
    """Where a candidate forms and whether it survives, with the reaction; None without a hull under hydrogen."""
    from ninefold.thermo.results import Formation
    from ninefold.thermo.window import known_interval, sentence

    if not candidate.get("formation"):
        return None
    formation = Formation(**candidate["formation"])
    between = candidate.get("lowest_pressure_between")
    if between is None:
        between = known_interval(candidate["formation"], candidate.get("e_above_hull_uncertainty"))
    told = sentence(
        formation, candidate["formula"], candidate.get("lowest_pressure_uncertainty"),
        None if between is None else (between[0], between[1]), candidate.get("predicted_phases") or (),
    )  # fmt: skip
    return f"{told}." + (f" {formation.reaction}." if formation.reaction else "")
