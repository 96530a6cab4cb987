"""Thermodynamics: competing phases, hulls, hydrogen gas.

Names are imported when first used: the settings are part of a campaign file, which is read in an
instant; the phases need pymatgen.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ninefold.thermo.settings import Condition, StabilitySettings

if TYPE_CHECKING:
    from ninefold.thermo.hydrogen import chemical_potential, chemical_potential_per_atom
    from ninefold.thermo.references import (
        MissingPhase,
        ReferencePhase,
        RelaxedPhase,
        missing_phases,
        reference_phases,
        relax_references,
    )
    from ninefold.thermo.stability import Competitor, ConditionStability, KnownPhase, Phase, Stability, assess

__all__ = [
    "Competitor", "Condition", "ConditionStability", "KnownPhase", "MissingPhase", "Phase", "ReferencePhase",
    "RelaxedPhase", "Stability", "StabilitySettings", "assess", "chemical_potential", "chemical_potential_per_atom",
    "missing_phases", "reference_phases", "relax_references",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("Competitor", "ConditionStability", "KnownPhase", "Phase", "Stability", "assess"), "stability"),
    **dict.fromkeys(("chemical_potential", "chemical_potential_per_atom"), "hydrogen"),
    **dict.fromkeys(
        (
            "MissingPhase", "ReferencePhase", "RelaxedPhase", "missing_phases", "reference_phases",
            "relax_references",
        ),
        "references",
    ),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(home, name)
