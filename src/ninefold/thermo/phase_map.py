"""Which phases are stable over temperature and hydrogen pressure: the map of a composition, or of a chemical system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninefold.errors import InputError
from ninefold.thermo.phase import Phase
from ninefold.thermo.settings import PRESSURE_RANGE, TEMPERATURE_RANGE
from ninefold.thermo.system import ChemicalSystem

GRID_TEMPERATURES = np.linspace(300, 1200, 19)
"""K."""
GRID_PRESSURES = np.logspace(-4, 1, 26)
"""GPa."""
COARSE_TEMPERATURES, COARSE_PRESSURES = np.linspace(300, 1200, 10), np.logspace(-4, 1, 14)
"""From the same ends to the same ends, K and GPa."""
NONE = "no phase of all elements"


@dataclass(frozen=True)
class PhaseMap:
    """Stable assemblages on a grid."""

    title: str
    """Formula of the composition, or the chemical system."""
    temperatures: NDArray[np.float64]
    """shape (n_temperatures,), K."""
    pressures: NDArray[np.float64]
    """shape (n_pressures,), GPa of hydrogen and on the solids."""
    assemblages: tuple[str, ...]
    """Formulas of the solids, joined by plus signs, in the order in which they come up."""
    indices: NDArray[np.int_]
    """shape (n_temperatures, n_pressures), of the assemblage."""
    distances: NDArray[np.float64] | None = None
    """shape as `indices`, of the composition to the hull of others, eV/atom, negative where it is stable; None for a
    system."""

    def at(self, temperature: float, pressure: float) -> str:
        """The assemblage of the grid point nearest to a condition."""
        row = int(np.abs(self.temperatures - temperature).argmin())
        column = int(np.abs(np.log(self.pressures / pressure)).argmin())
        return self.assemblages[self.indices[row, column]]


def composition_map(
    system: ChemicalSystem,
    candidate: Phase,
    temperatures: Sequence[float] | NDArray[np.float64] = GRID_TEMPERATURES,
    pressures: Sequence[float] | NDArray[np.float64] = GRID_PRESSURES,
) -> PhaseMap:
    """What a candidate's metals form with hydrogen at each condition: itself where it is stable.

    Args:
        system: Its chemical system.
        candidate: Among the competing phases of the system.
        temperatures: K, within 100 to 1200.
        pressures: GPa, within 1e-9 to 10.

    Raises:
        InputError: outside these ranges.
    """
    Ts, ps = _grid(temperatures, pressures)
    distances = np.empty((len(Ts), len(ps)))
    names: dict[str, int] = {}
    indices = np.empty((len(Ts), len(ps)), dtype=int)
    for row, temperature in enumerate(Ts):
        for column, pressure in enumerate(ps):
            distance = system.separation(candidate, float(temperature), float(pressure))
            if distance <= 0:
                name = candidate.formula
            else:
                ensemble = system.ensemble(float(temperature), float(pressure))
                taken = system.lowest_minimum(candidate, ensemble)
                assert taken is not None
                products = system.hull_without(candidate, ensemble).competitors(taken)
                solids = [product.formula for product in products if product.formula != "H2"]
                # a lower structure of the same composition, of another assignment, is on no hull of others
                lower = system.hull_without(candidate, ensemble).distance(taken) <= 0
                name = f"{candidate.formula}, another structure" if lower else " + ".join(sorted(set(solids)))
            indices[row, column] = names.setdefault(name, len(names))
            distances[row, column] = distance
        system.forget()
    return PhaseMap(candidate.formula, Ts, ps, tuple(names), indices, distances)


def system_map(
    system: ChemicalSystem,
    temperatures: Sequence[float] | NDArray[np.float64] = GRID_TEMPERATURES,
    pressures: Sequence[float] | NDArray[np.float64] = GRID_PRESSURES,
) -> PhaseMap:
    """Which phases that hold every element of a system are stable at each condition; arguments as above."""
    Ts, ps = _grid(temperatures, pressures)
    names: dict[str, int] = {}
    indices = np.empty((len(Ts), len(ps)), dtype=int)
    whole = set(system.elements)
    for row, temperature in enumerate(Ts):
        for column, pressure in enumerate(ps):
            hull = system.hull(system.ensemble(float(temperature), float(pressure)))
            stable = sorted({phase.formula for phase in hull.stable if set(phase.amounts) == whole})
            indices[row, column] = names.setdefault(" + ".join(stable) or NONE, len(names))
        system.forget()
    return PhaseMap("-".join(system.elements), Ts, ps, tuple(names), indices)


def coarse_system_map(system: ChemicalSystem) -> PhaseMap:
    """As `system_map`, on a grid half as fine: a second where that takes four."""
    return system_map(system, COARSE_TEMPERATURES, COARSE_PRESSURES)


def _grid(
    temperatures: Sequence[float] | NDArray[np.float64], pressures: Sequence[float] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    grids = []
    for field, values, (low, high) in (
        ("temperature_K", temperatures, TEMPERATURE_RANGE), ("pressure_GPa", pressures, PRESSURE_RANGE),
    ):  # fmt: skip
        grid = np.asarray(values, dtype=float)
        outside = [float(value) for value in grid if not low <= value <= high]
        if outside or not len(grid):
            raise InputError(
                field, outside[0] if outside else "", problem="is outside the range of hydrogen's equation of state",
                allowed=f"{low:g} to {high:g}",
            )  # fmt: skip
        grids.append(np.unique(grid))
    return grids[0], grids[1]
