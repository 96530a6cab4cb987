"""Engines: a batch of structures in, energies and relaxed structures out.

Names are imported when first used: the settings are part of a campaign file, which is read in an
instant; the engines need pymatgen and ASE.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ninefold.engines.settings import EngineSettings, RelaxSettings

if TYPE_CHECKING:
    from ninefold.engines.base import CalculationError, Engine, Evaluation, Relaxation
    from ninefold.engines.registry import engine_names, make_engine

__all__ = [
    "CalculationError", "Engine", "EngineSettings", "Evaluation", "RelaxSettings", "Relaxation", "engine_names",
    "make_engine",
]  # fmt: skip

_LAZY_IMPORTS = {
    **dict.fromkeys(("CalculationError", "Engine", "Evaluation", "Relaxation"), "base"),
    **dict.fromkeys(("engine_names", "make_engine"), "registry"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)
