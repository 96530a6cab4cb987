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
    from ninefold.thermo.phase import Phase
    from ninefold.thermo.references import MissingPhase, ReferencePhase, missing_phases, reference_phases
    from ninefold.thermo.results import Competitor, ConditionStability, KnownPhase, Stability
    from ninefold.thermo.stability import assess

__all__ = [
    "Competitor", "Condition", "ConditionStability", "KnownPhase", "MissingPhase", "Phase", "ReferencePhase",
    "Stability", "StabilitySettings", "assess", "chemical_potential", "chemical_potential_per_atom",
    "missing_phases", "reference_phases",
]  # fmt: skip

_LAZY_IMPORTS = {
    **dict.fromkeys(("chemical_potential", "chemical_potential_per_atom"), "hydrogen"),
    "Phase": "phase",
    **dict.fromkeys(("MissingPhase", "ReferencePhase", "missing_phases", "reference_phases"), "references"),
    **dict.fromkeys(("Competitor", "ConditionStability", "KnownPhase", "Stability"), "results"),
    "assess": "stability",
}
"""Name -> the module of this package that defines it."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)
