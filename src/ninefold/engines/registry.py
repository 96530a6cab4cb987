"""Engines by name: ours, and those that an installed package announces."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points

from ninefold.engines.base import Engine
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError, MissingDependencyError

GROUP = "ninefold.engines"
_OURS = {
    "chgnet": "ninefold.engines.chgnet:CHGNetEngine",
    **{name: f"ninefold.engines.foundation:{name}" for name in ("sevennet", "mace", "orb", "mattersim", "grace")},
    "torchsim": "ninefold.engines.torchsim:make",
    "emt": "ninefold.engines.ase_engine:emt",
    "lj": "ninefold.engines.ase_engine:lennard_jones",
}


def engine_names() -> list[str]:
    """Names that `engine.name` may take here."""
    return sorted({*_OURS, *(point.name for point in entry_points(group=GROUP))})


def make_engine(settings: EngineSettings) -> Engine:
    """An engine by name.

    Raises:
        InputError: if there is no engine of this name, or it has no such model.
        MissingDependencyError: if its package is not installed.
    """
    points = {name: EntryPoint(name, value, GROUP) for name, value in _OURS.items()}
    points |= {point.name: point for point in entry_points(group=GROUP) if point.name not in points}
    if settings.name not in points:
        raise InputError("engine.name", settings.name, problem="is not an engine", allowed=", ".join(sorted(points)))
    point = points[settings.name]
    module, _, attribute = point.value.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
        engine: Engine = factory(settings)
    except ModuleNotFoundError as error:
        raise MissingDependencyError("engine.name", settings.name, error.name or "unknown") from error
    return engine
