"""What a verification will cost, from times that were measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.engines.settings import EngineSettings

MEASURED = (
    (16, 1.8), (46, 2.3), (61, 10.1), (104, 23.2), (187, 31.6), (228, 110), (376, 127), (445, 233), (549, 260),
    (578, 355),
)  # fmt: skip
"""Volume of the cell, Å³, and CPU seconds, one thread, of one energy with forces and stress with GPAW's preset
`draft`: LiH, KH, MgH2, Li5MoH7, Li3MoH9, Li4MoH10, K3ReH8, K2ReH9, K3ReH10, K5ReH10. Plane waves fill the cell, so
that its volume says more than the number of atoms: 34 phases scatter about a line by a factor of 1.6, not 1.9."""
_PRESETS = {"draft": 1.0, "standard": 2.7, "production": 8.0}
"""Times the cost of `draft`: the number of k-points, as the cube of their density; not measured."""
_ENGINES = {"gpaw": 1.0, "abinit": 2.6}
"""Times the cost of GPAW: Mg2FeH6 takes ABINIT 20 and GPAW 7 to 8 s for an energy."""
MOLECULE_SECONDS = 7.0
"""One energy of H2 in its box, at one k-point."""
MOLECULE_STEPS = 4
"""Steps that a diatomic molecule needs at most."""
SPIN = 5.0
"""Times the cost with spin, of which 2.2 is the second density and the rest slower convergence: CrH 5.6, CrH2 4.4,
Mg3CrH10 4.1, Mg3CrH8 7.5."""


def core_seconds(
    method: EngineSettings, volume: float | None, *, steps: int = 0, is_polarised: bool = False
) -> float | None:
    """Estimated cost of one phase; None where nothing is known of the engine.

    Args:
        method: What computes.
        volume: Of the cell, Å³; None for a molecule in its box, which is empty for the most part.
        steps: Of a relaxation, each of which costs an energy, as does its end.
        is_polarised: Whether it will be computed with spin.
    """
    if method.name not in _ENGINES:
        return None
    energy = MOLECULE_SECONDS if volume is None else _one_energy(volume)
    one = _ENGINES[method.name] * energy * _PRESETS.get(method.model or "standard", _PRESETS["standard"])
    return one * (SPIN if is_polarised else 1.0) * (steps + 2 if steps else 1)


def total(seconds: Iterable[float | None]) -> float | None:
    """The sum; None where one is not known, or there are none."""
    values = list(seconds)
    return None if not values or None in values else sum(value for value in values if value is not None)


def _one_energy(volume: float) -> float:
    """A line through the logarithms of what was measured."""
    x, y = [math.log(size) for size, _ in MEASURED], [math.log(time) for _, time in MEASURED]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    return math.exp(mean_y + slope * (math.log(volume) - mean_x))
