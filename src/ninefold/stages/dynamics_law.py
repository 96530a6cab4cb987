"""What rates and diffusion coefficients at several temperatures say together: barriers, and values at 300 K."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.statistics.rates import (
    ROOM_K,
    SLOW_ATTEMPTS,
    Rate,
    are_enough,
    barrier_bound,
    fit_arrhenius,
    rate_at,
)
from ninefold.dynamics.statistics.slopes import Interval
from ninefold.dynamics.transport.extrapolation import Resolved, arrhenius
from ninefold.models.dynamics import AtTemperature, IonDiffusion, StoredInterval

if TYPE_CHECKING:
    from ninefold.dynamics.anions.correlation import Stretched
    from ninefold.dynamics.transport.diffusion import Transport

SAME_K = 1.0
"""A run within this of 300 K is one there."""
MILLI = 1000.0


def rate_interval(rate: Rate) -> StoredInterval:
    """Of events, per anion and ps; an upper bound where there is none."""
    if not rate.events:
        return StoredInterval(high=rate.high if np.isfinite(rate.high) else None)
    return StoredInterval(value=rate.per_ps, low=rate.low, high=rate.high)


def tau_of(fits: Sequence[Stretched | None]) -> float | None:
    """Mean relaxation time of replicas, ps, where all of them are resolved."""
    resolved = [fit.mean_tau_ps for fit in fits if fit is not None and fit.is_resolved]
    return float(np.mean(resolved)) if resolved and len(resolved) == len(fits) else None


def order_parameter_of(fits: Sequence[Stretched | None]) -> float | None:
    """Mean share of its start to which C2 of replicas falls, where all of them are resolved."""
    shares = [fit.plateau / (fit.plateau + fit.amplitude) for fit in fits if fit is not None and fit.is_resolved]
    return float(np.mean(shares)) if shares and len(shares) == len(fits) else None


def diffusion_interval(found: Transport) -> StoredInterval:
    """Coefficient, cm2/s; an upper bound where it is not resolved."""
    one = found.diffusion
    if not one.is_resolved:
        return StoredInterval(high=one.coefficient.high)
    return StoredInterval(value=one.coefficient.value, low=one.coefficient.low, high=one.coefficient.high)


def barrier_of(
    rates: Mapping[float, Rate], attempts_per_ps: float | None = SLOW_ATTEMPTS
) -> tuple[StoredInterval | None, bool]:
    """In meV; and whether the runs are too short to tell it.

    Args:
        rates: By temperature.
        attempts_per_ps: For the lower bound where no event was seen; None or 0: there is none.
    """
    if are_enough(list(rates), list(rates.values())):
        fit = fit_arrhenius(list(rates), list(rates.values()))
        return StoredInterval(
            value=fit.barrier_eV * MILLI, low=fit.low_eV * MILLI, high=fit.high_eV * MILLI
        ), False  # fmt: skip
    if not attempts_per_ps:
        return None, True
    bound = barrier_bound(list(rates), list(rates.values()), attempts_per_ps)
    return None if bound is None else StoredInterval(low=bound * MILLI), True


def rate_300(rates: Mapping[float, Rate]) -> StoredInterval | None:
    """Permutations per anion and ps at 300 K."""
    there = [rate for kelvin, rate in rates.items() if abs(kelvin - ROOM_K) <= SAME_K]
    if there and there[0].events:
        return rate_interval(there[0])
    if are_enough(list(rates), list(rates.values())):
        value, low, high = rate_at(ROOM_K, list(rates), list(rates.values()))
        return StoredInterval(value=value, low=low, high=high)
    # a rate falls with the temperature: what bounds a hotter run's bounds that at 300 K
    bounds = [rate.high for kelvin, rate in rates.items() if kelvin >= ROOM_K - SAME_K and np.isfinite(rate.high)]
    return StoredInterval(high=min(bounds)) if bounds else None


def ion_of(ion: str, temperatures: Sequence[AtTemperature]) -> IonDiffusion:
    """A cation at 300 K and its barrier of diffusion."""
    by_kelvin = {one.temperature_K: one.diffusion[ion] for one in temperatures if ion in one.diffusion}
    resolved = [
        Resolved(kelvin, Interval(one.value, one.low, one.high))
        for kelvin, one in by_kelvin.items()
        if one.value is not None and one.low is not None and one.high is not None
    ]
    barrier, law = None, None
    if len(resolved) >= 2:
        law = arrhenius(resolved, ROOM_K)
        value, low, high = (one * MILLI for one in law.barrier_eV)
        barrier = StoredInterval(value=value, low=low, high=high)
    there = next((one for kelvin, one in by_kelvin.items() if abs(kelvin - ROOM_K) <= SAME_K), None)
    if there is not None and (there.value is not None or law is None):
        return IonDiffusion(species=ion, barrier=barrier, at_300=there)
    if law is not None:
        value, low, high = law.value
        return IonDiffusion(species=ion, barrier=barrier, at_300=StoredInterval(value=value, low=low, high=high))
    bounds = [one.high for kelvin, one in by_kelvin.items() if kelvin >= ROOM_K and one.high is not None]
    return IonDiffusion(species=ion, barrier=barrier, at_300=StoredInterval(high=min(bounds, default=None)))
