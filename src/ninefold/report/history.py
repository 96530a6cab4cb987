"""Where a structure comes from, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ninefold.report.text import with_unit

_SHORT = 12
"""Digits of an id that are shown: enough to tell the pools of a store apart."""


def history_lines(history: Mapping[str, Any]) -> list[str]:
    """A line for each step, the first start first.

    Args:
        history: A `ninefold.store.provenance.History` as plain values.
    """
    return [_line(history, step) for step in history["steps"]]


def _line(history: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    made_by = step["made_by"]
    if made_by == "pool":
        place = "" if history["line"] is None else f"structure {history['line']} of {history['lines']} in "
        return f"{history['source']}: {place}pool {history['pool'][:_SHORT]}, round {history['round']}"
    if made_by == "reference":
        return f"published structure of {history['source']}"
    if made_by == "relaxation":
        return _relaxation(step)
    if made_by == "symmetry":
        return "atoms moved onto their symmetry"
    source = f"{history['source']}: " if history["source"] else ""
    return f"{source}made before the store recorded where a structure comes from"


def _relaxation(step: Mapping[str, Any]) -> str:
    settings = step["settings"] or {}
    told = [f"to {settings['fmax']:g} eV/Å"] if "fmax" in settings else []
    if settings.get("pressure"):
        told.append(f"at {settings['pressure']:g} GPa")
    if settings.get("keep_symmetry"):
        told.append("symmetry kept")
    if step["steps"] is not None:
        told.append(f"{step['steps']} steps")
    if not step["is_converged"]:
        told.append("not converged")
    energy = with_unit("energy_per_atom", step["energy_per_atom"])
    return f"relaxed by {step['method'] or 'an engine'} ({', '.join(told)}): {energy}"
