"""Where a candidate forms: pressures at which it is stable at a temperature, whether it survives, when it decomposes.

All of it follows from one signed distance, that to the hull of other compositions under hydrogen: roots are bracketed
on a grid and found between its points (Brent), and more than one range of stability is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ninefold.chemistry.equations import formation
from ninefold.thermo.hydrogen import is_solid
from ninefold.thermo.phase import Phase
from ninefold.thermo.results import Competitor, Formation
from ninefold.thermo.settings import PRESSURE_RANGE, TEMPERATURE_RANGE, Condition
from ninefold.thermo.system import ChemicalSystem

AMBIENT = (300.0, 1e-4)
"""K and GPa: where a product of the press ends."""
BAR = 1e-4
"""GPa: below it sentences give a pressure in bar."""
QUENCH_LIMIT = 0.067
"""eV/atom above the hull at 300 K and 1 bar up to which a compound is taken to survive: 90 % of the metastable phases
that were made lie no higher (Sun et al., Sci. Adv. 2, e1600225 (2016), doi:10.1126/sciadv.1600225; from memory)."""
PRESSURES = np.concatenate([np.logspace(-9, -1, 9), np.logspace(-1, 1, 11)[1:]])
"""GPa, between which roots are looked for."""
TEMPERATURES = np.linspace(*TEMPERATURE_RANGE, 12)
"""K, likewise."""
_ROOT = 1e-4
"""Relative, to which a root is found."""
CONFIDENCE = 1.645
"""Standard deviations to either side that a pressure lies within with a probability of 90 %."""
_LINEAR = 0.1
"""Of the half width of an interval, by which its ends may differ from those of a straight line: else they are said."""
_STEP = 0.02
"""Relative, by which a slope with the pressure is taken."""


@dataclass(frozen=True)
class Crossing:
    """Where a function of one variable changes its sign, from the first value of a grid on."""

    at: float
    rises: bool
    """Whether it is above 0 beyond."""


def formation_of(system: ChemicalSystem, candidate: Phase, synthesis: Condition) -> Formation:
    """Where a candidate forms at the temperature of a synthesis, and what becomes of it at ambient conditions.

    Args:
        system: Its chemical system, with every element and hydrogen.
        candidate: With a volume.
        synthesis: Where it is to be made.
    """
    temperature = synthesis.temperature_K

    def at_pressure(pressure: float) -> float:
        return system.separation(candidate, temperature, pressure)

    crossings, first = crossings_of(at_pressure, PRESSURES)
    lowest, highest = next(iter(_ranges(crossings, first)), (None, None))
    ambient = system.separation(candidate, *AMBIENT)
    slope = None
    products: list[Competitor] = []
    if lowest is not None and lowest > PRESSURE_RANGE[0]:
        above, below = lowest * (1 + _STEP), lowest * (1 - _STEP)
        above = min(above, PRESSURE_RANGE[1])
        slope = (at_pressure(above) - at_pressure(below)) / (above - below)
        products = _products(system, candidate, temperature, below)
    equation = formation(candidate.formula, [*(item.formula for item in products if item.formula != "H2"), "H2"])
    return Formation(
        temperature_K=temperature,
        synthesis_separation=at_pressure(synthesis.pressure_GPa),
        lowest_pressure_GPa=lowest,
        highest_pressure_GPa=highest,
        pressure_slope=slope,
        is_monotone=len(crossings) <= 1,
        ambient_separation=ambient,
        survives_ambient=ambient <= QUENCH_LIMIT,
        decomposition_temperature_K=decomposition_temperature(system, candidate),
        formed_from=[item.formula for item in products if item.formula != "H2"],
        reaction=None if equation is None or not products else str(equation),
    )


def stable_ranges(system: ChemicalSystem, candidate: Phase, temperature: float) -> list[tuple[float, float]]:
    """Every range of pressures in which a candidate is stable at a temperature.

    Args:
        system: Its chemical system, with every element and hydrogen.
        candidate: With a volume.
        temperature: K.

    Returns:
        From where to where, GPa, rising; 1e-9 and 10 where the range of pressures ends.
    """
    return _ranges(*crossings_of(lambda pressure: system.separation(candidate, temperature, pressure), PRESSURES))


def _ranges(crossings: Sequence[Crossing], first: float) -> list[tuple[float, float]]:
    """Of pressures with a function that is not above 0, from its changes of sign and its value at the lowest."""
    ends = [crossing.at for crossing in crossings]
    if first <= 0:
        ends.insert(0, PRESSURE_RANGE[0])
    if len(ends) % 2:
        ends.append(PRESSURE_RANGE[1])
    return list(zip(ends[::2], ends[1::2], strict=True))


def melting_note(temperatures: Iterable[float]) -> str | None:
    """From which pressure on hydrogen is solid, as the conditions of rows say it; None where it is nowhere to 10 GPa.

    Args:
        temperatures: K, those that are shown.
    """
    places = []
    for temperature in sorted(set(temperatures)):

        def fluid(pressure: float, temperature: float = temperature) -> float:
            return -1.0 if is_solid(temperature, pressure) else 1.0

        found, _ = crossings_of(fluid, PRESSURES)
        if found:
            places.append(f"{pressure_text(found[0].at)} GPa at {temperature:g} K")
    if not places:
        return None
    return f"hydrogen is solid above {', '.join(places)}: there the potential is that of the undercooled fluid"


def decomposition_temperature(system: ChemicalSystem, candidate: Phase, pressure: float = AMBIENT[1]) -> float | None:
    """The highest temperature, K, at which a candidate is stable at a pressure in GPa.

    Returns:
        None where it is stable at none from 100 to 1200 K; 1200 where it is stable there.
    """
    crossings, first = crossings_of(
        lambda temperature: system.separation(candidate, temperature, pressure), TEMPERATURES
    )
    is_stable_at_end = (first <= 0) == (len(crossings) % 2 == 0)
    if is_stable_at_end:
        return TEMPERATURE_RANGE[1]
    rises = [crossing.at for crossing in crossings if crossing.rises]
    return rises[-1] if rises else None


def lowest_pressures(
    system: ChemicalSystem, candidate: Phase, temperature: float, uncertainty: float
) -> tuple[float | None, float | None]:
    """Between which values the lowest pressure lies where the distance to the hull is moved to either side.

    The same as of the hull with the candidate's energy moved by as much. Near 1 bar a distance goes with the logarithm
    of the pressure, it bends where the decomposition products change, and the range ends: its uncertainty over the
    slope at one pressure tells none of that.

    Args:
        system: The candidate's.
        candidate: With a volume.
        temperature: K.
        uncertainty: By which the distance is moved, eV/atom.

    Returns:
        GPa, of the lower and of the higher energy; 1e-9 where it is stable there already; None where it is not to 10.
    """

    def reached(level: float) -> float | None:
        crossings, first = crossings_of(
            lambda pressure: system.separation(candidate, temperature, pressure) - level, PRESSURES
        )
        if first <= 0:
            return PRESSURE_RANGE[0]
        return next((crossing.at for crossing in crossings if not crossing.rises), None)

    return reached(uncertainty), reached(-uncertainty)


def with_interval(formation: Formation, system: ChemicalSystem, candidate: Phase, uncertainty: float) -> Formation:
    """Where a candidate forms, with the interval of the lowest pressure.

    Args:
        formation: As `formation_of` gives it.
        system: The candidate's.
        candidate: With a volume.
        uncertainty: Of its distance to the hull, one standard deviation, eV/atom.
    """
    between = lowest_pressures(system, candidate, formation.temperature_K, CONFIDENCE * uncertainty)
    return replace(formation, lowest_between_GPa=between, between_uncertainty=uncertainty)


def known_interval(formation: Mapping[str, Any], uncertainty: float | None) -> tuple[float | None, float | None] | None:
    """The interval that a stored `Formation` holds.

    Args:
        formation: As plain values.
        uncertainty: Of the distance to the hull, eV/atom.

    Returns:
        See `lowest_pressures`; None where it holds none, or one of another uncertainty.
    """
    between = formation.get("lowest_between_GPa")
    if between is None or formation.get("between_uncertainty") != uncertainty:
        return None
    return between[0], between[1]


def crossings_of(
    function: Callable[[float], float], grid: Sequence[float] | np.ndarray
) -> tuple[list[Crossing], float]:
    """Every change of sign between neighbours of a grid, each found between them.

    Args:
        function: Of one variable above 0; 0 counts as below.
        grid: Rising values, all above 0.

    Returns:
        The changes in rising order; and the function at the grid's first value.
    """
    values = [function(float(place)) for place in grid]
    found = []
    for left, right, low, high in zip(grid[:-1], grid[1:], values[:-1], values[1:], strict=True):
        if (low > 0) != (high > 0):
            found.append(Crossing(_root(function, float(left), float(right)), high > 0))
    return found, values[0]


def _root(function: Callable[[float], float], left: float, right: float) -> float:
    """Between a value above 0 and one that is not; by the logarithm, since pressures span ten decades."""
    from scipy.optimize import brentq

    def at(place: float) -> float:
        return min(max(math.exp(place), left), right)  # rounding must not lead out of a range

    return at(brentq(lambda place: function(at(place)), math.log(left), math.log(right), xtol=_ROOT))


def _products(system: ChemicalSystem, candidate: Phase, temperature: float, pressure: float) -> list[Competitor]:
    ensemble = system.ensemble(temperature, pressure)
    taken = system.lowest_minimum(candidate, ensemble)
    assert taken is not None
    return system.hull_without(candidate, ensemble).competitors(taken)


def sentence(
    formation: Formation,
    formula: str,
    uncertainty_GPa: float | None = None,
    between: tuple[float | None, float | None] | None = None,
    predicted: Container[str] = (),
) -> str:
    """What a chemist asks first, in one sentence.

    Args:
        formation: Of the candidate.
        formula: Its.
        uncertainty_GPa: Standard deviation of the lowest pressure, by the slope at it.
        between: See `lowest_pressures`, with `CONFIDENCE` standard deviations; said in place of the standard deviation
            where they are not those of a straight line, or where there is no such pressure.
        predicted: Formulas that nobody has made: they are marked.
    """
    temperature, lowest = formation.temperature_K, formation.lowest_pressure_GPa
    is_straight = between is None or _is_straight(lowest, uncertainty_GPa, between)
    width = "" if between is None or is_straight else f" (90 %: {range_with_unit(between)})"
    if lowest is None:
        first = f"{formula} is stable at no pressure to {PRESSURE_RANGE[1]:g} GPa at {temperature:g} K"
        if width and between is not None and between[0] is not None:
            start = "0 GPa" if between[0] <= PRESSURE_RANGE[0] else pressure_with_unit(between[0])
            first += f" (within its uncertainty, 90 %, from {start} on)"
    elif lowest <= PRESSURE_RANGE[0]:
        first = f"{formula} is stable at {temperature:g} K from {pressure_with_unit(lowest)} of hydrogen on{width}"
    else:
        above = pressure_with_unit(lowest)
        if uncertainty_GPa is not None and is_straight:
            above = _with_deviation(lowest, uncertainty_GPa)
        beside = f" from {phases_text(formation.formed_from, predicted)} + H2" if formation.formed_from else ""
        first = f"{formula} forms{beside} above {above} at {temperature:g} K{width}"
    highest = formation.highest_pressure_GPa
    if highest is not None and highest < PRESSURE_RANGE[1]:
        first += f", up to {pressure_with_unit(highest)}"
    ambient = formation.ambient_separation
    if ambient <= 0:
        second = f"stable at {AMBIENT[0]:g} K and 1 bar, by {-ambient:.3f} eV/atom"
    elif formation.survives_ambient:
        second = f"metastable at {AMBIENT[0]:g} K and 1 bar by {ambient:.3f} eV/atom"
    else:
        second = f"not expected to survive at {AMBIENT[0]:g} K and 1 bar, {ambient:.3f} eV/atom above its products"
    third = ""
    decomposes = formation.decomposition_temperature_K
    if ambient <= 0 and decomposes is not None:
        is_end = decomposes >= TEMPERATURE_RANGE[1]
        third = f"; decomposes above {decomposes:.0f} K at 1 bar" if not is_end else "; stable to 1200 K at 1 bar"
    return f"{first}; {second}{third}"


def _is_straight(
    lowest: float | None, uncertainty_GPa: float | None, between: tuple[float | None, float | None]
) -> bool:
    """Whether the ends of an interval are those that the slope at the lowest pressure gives; or none is to be said."""
    low, high = between
    if lowest is None or lowest <= PRESSURE_RANGE[0]:  # the same at both ends: nothing within the uncertainty
        return low == high
    if low is None or low <= PRESSURE_RANGE[0] or high is None or uncertainty_GPa is None:
        return False
    half = CONFIDENCE * uncertainty_GPa
    return max(abs(lowest - half - low), abs(lowest + half - high)) <= _LINEAR * half


def phases_text(formulas: Iterable[str], predicted: Container[str]) -> str:
    """`K3ReH10 (predicted) + Re`: phases in a sentence, with a mark on those that nobody has made."""
    return " + ".join(marked(formula, predicted) for formula in formulas)


def marked(formula: str, predicted: Container[str]) -> str:
    """A formula, with a mark where nobody has made it."""
    return f"{formula} (predicted)" if formula in predicted else formula


def range_text(between: tuple[float | None, float | None]) -> str:
    """`0.02 to 4.4`; `below 0 to more than 10` where it is stable without pressure, and not within the range.

    Where both ends are beyond the same end of the range, `more than 10` or `below 0` once.
    """
    words = {PRESSURE_RANGE[0]: "below 0", None: f"more than {PRESSURE_RANGE[1]:g}"}
    ends = between[:1] if between[0] == between[1] and between[0] in words else between
    return " to ".join(words.get(value) or pressure_text(value or 0.0) for value in ends)


def range_with_unit(between: tuple[float | None, float | None]) -> str:
    """The same with a unit: `0.02 to 4.4 GPa`, `0.045 bar to 0.3 GPa`."""
    low, high = between
    ends = [value for value in between if value is not None and value > PRESSURE_RANGE[0]]
    if all(value >= BAR for value in ends):
        return f"{range_text(between)} GPa"
    first, second = (
        pressure_with_unit(value) if value in ends else f"{word} GPa"
        for value, word in zip((low, high), range_text(between).split(" to "), strict=True)
    )
    return f"{first} to {second}"


def pressure_with_unit(pressure: float) -> str:
    """A pressure in GPa as a sentence says it: 3.1 GPa, and below 1 bar 0.045 bar."""
    return f"{pressure / BAR:.2g} bar" if pressure < BAR else f"{pressure_text(pressure)} GPa"


def _with_deviation(pressure: float, deviation: float) -> str:
    """`0.64 ± 0.12 GPa`: both in the unit of the pressure."""
    if deviation > PRESSURE_RANGE[1]:
        return f"{pressure_with_unit(pressure).removesuffix(' GPa')} ± more than {PRESSURE_RANGE[1]:g} GPa"
    if pressure < BAR:
        return f"{pressure / BAR:.2g} ± {deviation / BAR:.2g} bar"
    return f"{pressure_text(pressure)} ± {pressure_text(deviation)} GPa"


def pressure_text(pressure: float) -> str:
    """A pressure in GPa with two significant digits: 3.1, 0.012, 2e-05."""
    return f"{pressure:.1f}" if pressure >= 1 else f"{pressure:.2g}"
