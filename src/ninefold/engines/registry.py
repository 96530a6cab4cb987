"""Engines by name: ours, and those that an installed package announces."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ninefold.engines.base import Engine
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError, MissingDependencyError
from ninefold.user_code import calling

GROUP = "ninefold.engines"
_OURS = {
    "chgnet": "ninefold.engines.chgnet:CHGNetEngine",
    **{name: f"ninefold.engines.foundation:{name}" for name in ("sevennet", "mace", "orb", "mattersim", "grace")},
    "torchsim": "ninefold.engines.torchsim:make",
    "emt": "ninefold.engines.ase_engine:emt",
    "lj": "ninefold.engines.ase_engine:lennard_jones",
}

_PICKLE = "weights, unpickled by their package: they can run code"
_WEIGHTS = {
    "sevennet": "weights; refused if they hold more than tensors and plain values",
    "mace": _PICKLE,
    "orb": _PICKLE,
    "mattersim": _PICKLE,
    "grace": "TensorFlow model: a graph of operations, some of which read and write files",
}
"""Engine -> what its package does with a weight file of the user's; the others take none."""


def engine_names() -> list[str]:
    """Names that `engine.name` may take here."""
    return sorted({*_OURS, *(point.name for point in entry_points(group=GROUP))})


def check_engine_name(name: str) -> None:
    """Refuse a name that is no engine, without importing any.

    Raises:
        InputError: with the names that are.
    """
    if name not in engine_names():
        raise InputError("engine.name", name, problem="is not an engine", allowed=", ".join(engine_names()))


def is_ours(name: str) -> bool:
    """Whether an engine's code is ninefold's own."""
    return name in _OURS


def weights_that_run(name: str, model: str) -> str | None:
    """How the package behind one of our engines reads a user's weights, as far as it may run code; None if it does not.

    Args:
        name: The engine; another package's is not known here.
        model: `engine.model`: a model inside the package, or a file.
    """
    if not is_ours(name):
        return "read by that package"
    family, _, file = model.rpartition(":") if name == "torchsim" else (name, "", model)
    if name in ("sevennet", "torchsim") and Path(file).suffix not in (".pth", ".pt", ".model"):
        return None  # a model inside the package
    return _WEIGHTS.get(family)


def make_engine(settings: EngineSettings) -> Engine:
    """An engine by name.

    Raises:
        InputError: if there is no engine of this name, or it has no such model.
        MissingDependencyError: if its package is not installed.
    """
    check_engine_name(settings.name)
    points = {name: EntryPoint(name, value, GROUP) for name, value in _OURS.items()}
    points |= {point.name: point for point in entry_points(group=GROUP) if point.name not in points}
    point = points[settings.name]
    module, _, attribute = point.value.partition(":")
    try:
        if settings.name in _OURS:
            factory = getattr(importlib.import_module(module), attribute)
            engine: Engine = factory(settings)
        else:
            with _calling(point.value):
                engine = getattr(importlib.import_module(module), attribute)(settings)
    except ModuleNotFoundError as error:
        raise MissingDependencyError("engine.name", settings.name, error.name or "unknown") from error
    return engine


@contextmanager
def _calling(origin: str) -> Iterator[None]:
    """As `user_code.calling`; a package that is missing is told as such."""
    missing: ModuleNotFoundError | None = None
    with calling("engine.name", origin, is_loading=True):
        try:
            yield
        except ModuleNotFoundError as error:
            missing = error
    if missing is not None:
        raise missing
