"""Vibrations of solids in the harmonic approximation: displacements, force constants, soft modes, free energies.

Forces come from an engine that is handed in; phonopy reduces displacements by symmetry and makes the force constants.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ninefold.vibrations.settings import PhononSettings

if TYPE_CHECKING:
    from ninefold.vibrations.course import Course, vibrations_of
    from ninefold.vibrations.displacements import Displacements, displacements_of
    from ninefold.vibrations.phonons import Phonons

__all__ = ["Course", "Displacements", "PhononSettings", "Phonons", "displacements_of", "vibrations_of"]

_LAZY_IMPORTS = {
    **dict.fromkeys(("Displacements", "displacements_of"), "displacements"),
    "Phonons": "phonons",
    **dict.fromkeys(("Course", "vibrations_of"), "course"),
}
"""Name -> the module of this package that defines it; they need pymatgen."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)
