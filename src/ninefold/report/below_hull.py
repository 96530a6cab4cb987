"""Which candidates lie below the hull, by more than their uncertainty, and under which conditions."""

from __future__ import annotations

from typing import Any

from ninefold.report.text import unit_of

SAME_STRUCTURE = 1e-3
"""eV/atom that two relaxations of one structure may differ by."""


def is_counted(candidate: dict[str, Any]) -> bool:
    """Whether the headline speaks of a candidate at all.

    H2-ligand complexes, neighbours outside the electron count, made compounds that are searched as competitors
    and what a rule rejects are not counted.
    """
    return (
        candidate.get("phase_separation_energy") is not None
        and candidate.get("anion_class") != "h2_ligand"
        and candidate.get("status") != "rejected"
        and not candidate.get("is_neighbour")
        and not candidate.get("is_competitor")
    )


def is_stable(distance: float | None, uncertainty: float | None, above_same: float | None = None) -> bool | None:
    """Whether a composition lies below the hull of all others by more than its own uncertainty.

    Args:
        distance: `phase_separation_energy`, eV/atom.
        uncertainty: As measured, eV/atom; None where it was not measured.
        above_same: `e_above_same_composition`, eV/atom: the structure at hand is not the lowest by as much.

    Returns:
        None where the numbers leave it open: within the uncertainty, below the hull by an unmeasured margin, or
        with a structure that is not the composition's lowest.
    """
    if distance is None or distance > (uncertainty or 0.0):
        return False
    if uncertainty is None or distance >= -uncertainty or (above_same or 0.0) > max(uncertainty, SAME_STRUCTURE):
        return None
    return True


def stability_of(candidate: dict[str, Any]) -> bool | None:
    """`is_stable` of a stored candidate, static."""
    return is_stable(
        candidate.get("phase_separation_energy"),
        candidate.get("e_above_hull_uncertainty"),
        candidate.get("e_above_same_composition"),
    )


def sorted_by_stability(candidates: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Counted candidates that are stable, and those of other formulas that are left open; lowest first."""
    counted = sorted(filter(is_counted, candidates), key=lambda c: c["phase_separation_energy"])
    stable = [c for c in counted if stability_of(c)]
    formulas = {c["formula"] for c in stable}
    return stable, [c for c in counted if stability_of(c) is None and c["formula"] not in formulas]


def lowest_pressures(candidate: dict[str, Any]) -> dict[float, float | None]:
    """Lowest hydrogen pressure at which a candidate is not surely above the hull, for each temperature computed.

    Args:
        candidate: Stored candidate.

    Returns:
        Temperature -> pressure (None where no pressure computed is enough), in the stored units; empty if it is
        above the hull at every condition.
    """
    found: dict[float, float | None] = {}
    for row in candidate.get("conditions") or []:
        temperature, pressure = row["temperature_K"], row["pressure_GPa"]
        found.setdefault(temperature, None)
        distance = row.get("phase_separation_energy")
        if distance is not None and distance <= 0:
            best = found[temperature]
            found[temperature] = pressure if best is None else min(best, pressure)
    return dict(sorted(found.items())) if any(value is not None for value in found.values()) else {}


def conditions_of(candidates: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Every (temperature, pressure) that the candidates were judged at, in the stored units; sorted."""
    return sorted(
        {(row["temperature_K"], row["pressure_GPa"]) for c in candidates for row in c.get("conditions") or []}
    )


def condition_name(temperature: float, pressure: float) -> str:
    """`973 K, 5 GPa`."""
    return f"{temperature:g} {unit_of('temperature_K')}, {pressure:g} {unit_of('pressure_GPa')}"
