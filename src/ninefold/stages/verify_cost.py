"""What a verification will cost, from times that were measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.engines.settings import EngineSettings

MEASURED = ((2, 7.0), (12, 49.0), (13, 24.0), (17, 35.0), (36, 113.0))
"""Atoms and CPU seconds, one thread, of one energy with forces and stress with GPAW's preset `draft`: binary hydrides
(4 to 11 s), Mg3CrH8, Li5MoH7, Li5MoH11, K2ReH9."""
_PRESETS = {"draft": 1.0, "standard": 2.7, "production": 8.0}
"""Times the cost of `draft`: the number of k-points, as the cube of their density; not measured."""
_ENGINES = {"gpaw": 1.0, "abinit": 2.6}
"""Times the cost of GPAW: Mg2FeH6 takes ABINIT 20 and GPAW 7 to 8 s for an energy."""
MOLECULE_STEPS = 4
"""Steps that a diatomic molecule needs at most."""
SPIN = 2.2
"""Times the cost with spin: Mg3CrH8 takes 49 s without and 108 s with it."""


def core_seconds(method: EngineSettings, atoms: int, *, steps: int = 0, is_polarised: bool = False) -> float | None:
    """Estimated cost of one phase; None where nothing is known of the engine.

    Args:
        method: What computes.
        atoms: In the cell.
        steps: Of a relaxation, each of which costs an energy, as does its end.
        is_polarised: Whether it will be computed with spin.
    """
    if method.name not in _ENGINES:
        return None
    one = _ENGINES[method.name] * _one_energy(atoms) * _PRESETS.get(method.model or "standard", _PRESETS["standard"])
    return one * (SPIN if is_polarised else 1.0) * (steps + 2 if steps else 1)


def total(seconds: Iterable[float | None]) -> float | None:
    """The sum; None where one is not known, or there are none."""
    values = list(seconds)
    return None if not values or None in values else sum(value for value in values if value is not None)


def _one_energy(atoms: int) -> float:
    """A line through the logarithms of what was measured."""
    x, y = [math.log(size) for size, _ in MEASURED], [math.log(time) for _, time in MEASURED]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    return math.exp(mean_y + slope * (math.log(atoms) - mean_x))
