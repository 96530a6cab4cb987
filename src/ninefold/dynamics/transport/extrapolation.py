"""What is known at several temperatures and what it says of another one: Arrhenius' law with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.statistics.rates import BOLTZMANN, ROOM_K
from ninefold.dynamics.statistics.slopes import NORMAL_QUANTILE, Interval
from ninefold.dynamics.transport.diffusion import FEWEST_JUMPS, JUMP_LENGTH, Transport
from ninefold.errors import InputError


class Extrapolation(NamedTuple):
    """Prefactor * exp(-barrier / kT) of several temperatures."""

    barrier_eV: Interval
    temperature_K: float
    value: Interval
    """At that temperature, in the unit of what the law is of."""
    used_K: tuple[float, ...]
    """Temperatures at which it is resolved."""


class Resolved(NamedTuple):
    """A coefficient or a rate with its interval at a temperature."""

    temperature_K: float
    value: Interval
    """Above zero; the law keeps its unit: cm2/s of diffusion, per ps of a rate."""


class ConductivityThere(NamedTuple):
    """At a temperature that was not run, mS/cm."""

    nernst_einstein: Interval
    """Of the extrapolated diffusion coefficient, as if ions moved independently."""
    collective: Interval | None
    """Of the runs' collective conductivities times T, by Arrhenius' law; None with fewer than two."""


def extrapolate(found: Sequence[Transport], temperature_K: float = ROOM_K) -> Extrapolation:
    """The coefficient at another temperature by Arrhenius' law, errors of the coefficients taken for log-normal.

    Where the points scatter about the line by more than their errors, the interval widens accordingly.

    Args:
        found: At several temperatures.
        temperature_K: To extrapolate to.

    Raises:
        InputError: if fewer than two temperatures have a resolved coefficient.
    """
    used = [
        Resolved(one.temperature_K, one.diffusion.coefficient)
        for one in found
        if one.temperature_K is not None and one.diffusion.is_resolved
    ]
    if len({one.temperature_K for one in used}) < 2:
        raise InputError(
            "temperatures", ", ".join(f"{one.diffusion.jumps:.1f} net jumps at {one.temperature_K or math.nan:g} K"
                                      for one in found),
            problem=f"do not resolve {temperature_K:g} K",
            allowed=f"two temperatures and more with at least {FEWEST_JUMPS} net jumps of {JUMP_LENGTH:g} Å",
            hint="longer runs, or higher temperatures",
        )  # fmt: skip
    return arrhenius(used, temperature_K)


def conductivity_at(found: Sequence[Transport], diffusion: Extrapolation) -> ConductivityThere | None:
    """The conductivity at the temperature of an extrapolated diffusion coefficient.

    Args:
        found: The runs that it is of.
        diffusion: Of `extrapolate`.

    Returns:
        None where no charge was given.
    """
    charged = [
        (one.temperature_K, one.conductivity, one.diffusion.coefficient.value)
        for one in sorted(found, key=lambda one: one.temperature_K or math.inf)
        if one.temperature_K is not None and one.conductivity is not None and one.diffusion.is_resolved
    ]
    if not charged:
        return None
    there = diffusion.temperature_K
    kelvin, coldest, coefficient = charged[0]
    # n q2 / V k, of the coldest run's cell
    per_coefficient = coldest.nernst_einstein.value * kelvin / coefficient
    independent = diffusion.value.scaled(per_coefficient / there)
    together = [
        Resolved(kelvin, one.collective.scaled(kelvin))
        for kelvin, one, _ in charged
        if one.collective is not None and one.collective.low > 0
    ]
    if len({one.temperature_K for one in together}) < 2:
        return ConductivityThere(independent, None)
    return ConductivityThere(independent, arrhenius(together, there).value.scaled(1 / there))


def arrhenius(found: Sequence[Resolved], temperature_K: float) -> Extrapolation:
    """See `extrapolate`.

    Args:
        found: At two temperatures and more.
        temperature_K: To extrapolate to.
    """
    temperatures = np.array([one.temperature_K for one in found], dtype=float)
    inverse = 1 / (BOLTZMANN * temperatures)
    logs = np.log([one.value.value for one in found])
    errors = np.array(
        [math.log(one.value.high / one.value.low) / (2 * NORMAL_QUANTILE) for one in found]
    )  # fmt: skip
    design = np.column_stack([np.ones(len(found)), -inverse]) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    level, barrier = covariance @ design.T @ (logs / errors)
    if len(found) > 2:
        scatter = float((((logs - level + barrier * inverse) / errors) ** 2).sum()) / (len(found) - 2)
        covariance *= max(1.0, scatter)
    there = np.array([1.0, -1 / (BOLTZMANN * temperature_K)])
    log = float(there @ [level, barrier])
    log_error = NORMAL_QUANTILE * math.sqrt(there @ covariance @ there)
    error = NORMAL_QUANTILE * math.sqrt(covariance[1, 1])
    return Extrapolation(
        Interval(float(barrier), float(barrier) - error, float(barrier) + error), temperature_K,
        Interval(math.exp(log), math.exp(log - log_error), math.exp(log + log_error)), tuple(temperatures.tolist()),
    )  # fmt: skip
