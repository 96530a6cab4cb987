"""How fast ions diffuse and carry charge: coefficients with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ninefold.dynamics.statistics.rates import poisson_rate
from ninefold.dynamics.statistics.slopes import (
    NORMAL_QUANTILE,
    Interval,
    Slope,
    interval_of,
    mean_interval,
    slope_of,
    squared_displacements,
)
from ninefold.dynamics.trajectories.displacements import Displacements, unwrap
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError
from ninefold.plain_values import plain_values

FEWEST_FRAMES = 100
END_SHARE, START_SHARE = 10, 50
"""Lags of the slope by default: the run's length by these. A tenth leaves ten windows that do not overlap."""
JUMP_LENGTH = 3.0
"""Å. The displacement by which jumps are counted: between sites of cations in hydrides (2.5-4 Å)."""
FEWEST_JUMPS = 10
"""Net jumps in a run, all ions together, below which a coefficient is an upper bound: 10 events are known to 30 %."""
BOUNDED_SHARE, BOUNDED_ERRORS = 0.3, 2.6
"""Motion is bounded where the displacement grows by less than this share of what its slope says, from the last lag of
the slope to half of the run, and by so many standard errors of a random walk less."""
CM2_PER_S = 1e-4
"""One Å2/ps."""
CHARGE, BOLTZMANN_J = 1.602176634e-19, 1.380649e-23
"""C, J/K: exact by definition of the SI (2019)."""
Method = Literal["windows", "kinisi"]


@dataclass(frozen=True)
class Diffusion:
    """Tracer diffusion of one species."""

    species: str
    n_ions: int
    coefficient: Interval
    """cm2/s, a third of the tensor's trace. Where it is not resolved, low is 0 and high an upper bound."""
    directions: tuple[Interval, Interval, Interval]
    """cm2/s, along x, y, z."""
    tensor: list[list[float]]
    """cm2/s, shape (3, 3), Cartesian."""
    jumps: float
    """Net jumps of 3 Å that the coefficient amounts to, all ions together."""
    is_resolved: bool
    """At least FEWEST_JUMPS jumps."""
    method: Method
    """Of the coefficient; directions, tensor and collective motion are always by windows."""


@dataclass(frozen=True)
class Conductivity:
    """Of the mobile species alone, mS/cm."""

    charge: float
    """Formal, e."""
    nernst_einstein: Interval
    """As if ions moved independently of each other."""
    collective: Interval | None
    """From the displacement of the total charge; None where its slope is not above zero."""
    haven_ratio: Interval | None
    """Nernst-Einstein over collective; its interval takes the errors of both for independent, which is too wide."""


@dataclass(frozen=True)
class Transport:
    """One trajectory."""

    source: str
    temperature_K: float | None
    duration_ps: float
    start_ps: float
    """Shortest lag of the slope."""
    end_ps: float
    """Longest lag of the slope; kinisi goes on to the whole run."""
    diffusion: Diffusion
    conductivity: Conductivity | None
    displacements: dict[str, float]
    """Species -> mean squared displacement at `end_ps`, Å2."""
    notes: tuple[str, ...]
    width: float = math.nan
    """Narrowest width of the cell, Å: an ion meets its images there."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        values: dict[str, Any] = plain_values(self)
        return values | {"width": None if math.isnan(self.width) else self.width}


def transport(
    trajectory: Trajectory,
    mobile: str,
    charge: float | None = None,
    start_ps: float | None = None,
    method: Method = "windows",
    seed: int = 0,
) -> Transport:
    """Diffusion of a species, and the conductivity that it makes.

    Args:
        trajectory: Any; with a temperature for a conductivity.
        mobile: Symbol of the species.
        charge: Formal charge of its ions, e; None: no conductivity.
        start_ps: Shortest lag of the slope; default: a fiftieth of the run.
        method: Of the coefficient and its interval, and with it of the Nernst-Einstein conductivity.
        seed: Of kinisi's sampling.

    Raises:
        InputError: if the species is absent, the run too short, or the temperature of a conductivity not known.
    """
    if charge is not None and trajectory.temperature_K is None:
        raise InputError(
            "--temperature", None, problem="is needed for a conductivity", allowed="K, once for each file",
            hint="without --charge, diffusion alone is given",
        )  # fmt: skip
    if charge is not None and not (math.isfinite(charge) and charge):
        raise InputError("--charge", charge, allowed="formal charge of a mobile ion, not 0, e.g. 1")
    moved = unwrap(trajectory, mobile)
    paths, step = moved.paths, moved.time_step_ps
    start, end = _lags(len(paths), step, start_ps, trajectory.source)
    slope = slope_of(paths, step, start, end)
    diffusion = _diffusion(moved, slope)
    late = _bounded_growth(paths, slope, end, step) if diffusion.is_resolved else None
    if late is not None:
        diffusion = _upper_bound(diffusion, late)
    if method == "kinisi" and diffusion.is_resolved:
        from ninefold.dynamics.transport.kinisi_fit import coefficient

        value = coefficient(paths, step, start * step, seed)
        diffusion = Diffusion(**{**diffusion.__dict__, "coefficient": value, "method": "kinisi"})
    conductivity = None
    if charge is not None and trajectory.temperature_K is not None:
        # by windows in any case: of one path kinisi's intervals are too narrow (docs/dynamics.md)
        total = mean_interval(slope_of(paths.sum(axis=1, keepdims=True), step, start, end))
        conductivity = _conductivity(diffusion, total.scaled(CM2_PER_S), charge, moved.volume, trajectory.temperature_K)
    displacements = {
        name: float(squared_displacements(moved.positions[:, moved.symbols == name], end).mean(axis=(0, 1)).sum())
        for name in dict.fromkeys(moved.symbols.tolist())
    }
    squared, is_bounded = displacements[moved.mobile], late is not None
    notes = _notes(moved, slope, diffusion, squared, (start, end), method, is_bounded=is_bounded)
    if trajectory.forces is not None:
        notes = (f"forces: {trajectory.forces.sentence}", *trajectory.warnings, *notes)
    else:
        notes = (*trajectory.notes, *notes)
    return Transport(
        trajectory.source, trajectory.temperature_K, (len(paths) - 1) * step, start * step, end * step, diffusion,
        conductivity, displacements, notes, float(1 / np.linalg.norm(np.linalg.inv(moved.cell), axis=0).max()),
    )  # fmt: skip


def _lags(frames: int, step: float, start_ps: float | None, source: str) -> tuple[int, int]:
    """Frames of the slope's two lags."""
    if frames < FEWEST_FRAMES:
        raise InputError(
            source or "trajectory", f"{frames} frames", problem="are too few for a diffusion coefficient",
            allowed=f"{FEWEST_FRAMES} and more",
        )  # fmt: skip
    end = frames // END_SHARE
    if start_ps is None:
        return max(1, frames // START_SHARE), end
    start = max(1, round(start_ps / step)) if math.isfinite(start_ps) and start_ps > 0 else 0
    if not 0 < 2 * start <= end:
        raise InputError(
            "--start", start_ps, problem=f"does not fit a run of {frames * step:g} ps",
            allowed=f"above 0, up to {end // 2 * step:g} ps: a twentieth of the run",
        )  # fmt: skip
    return start, end


def nernst_einstein(coefficient: float, n_ions: int, charge: float, volume: float, temperature_K: float) -> float:
    """Conductivity of ions that move independently, mS/cm.

    Args:
        coefficient: cm2/s.
        n_ions: In the volume.
        charge: e.
        volume: Å3.
        temperature_K: K.
    """
    per_metre = n_ions * (charge * CHARGE) ** 2 * coefficient * 1e-4 / (volume * 1e-30 * BOLTZMANN_J * temperature_K)
    return 10 * per_metre


def _diffusion(moved: Displacements, slope: Slope) -> Diffusion:
    paths = moved.paths
    n, duration = paths.shape[1], (len(paths) - 1) * moved.time_step_ps
    coefficient, jumps = _bounded(mean_interval(slope), n, duration, 3)
    directions = [
        _bounded(interval_of(float(value), slope.direction_variance), n, duration, 1)[0]
        for value in np.diag(slope.tensor)
    ]
    return Diffusion(
        moved.mobile, n, coefficient.scaled(CM2_PER_S),
        (directions[0].scaled(CM2_PER_S), directions[1].scaled(CM2_PER_S), directions[2].scaled(CM2_PER_S)),
        (slope.tensor * CM2_PER_S).tolist(), jumps, jumps >= FEWEST_JUMPS, "windows",
    )  # fmt: skip


def _bounded_growth(paths: np.ndarray, slope: Slope, end: int, step: float) -> float | None:
    """Upper bound of the coefficient, Å2/ps, where the displacement stops growing; None where it goes on.

    Ligands that turn about a centre and ions that rattle are displaced, for a while as if they diffused.

    Args:
        paths: shape (f, n, 3), Å.
        slope: Between two shorter lags.
        end: The longer of these, frames.
        step: ps between two frames.
    """
    half = len(paths) // 2
    at_end, at_half = (float(squared_displacements(paths, lag).mean(axis=(0, 1)).sum()) for lag in (end, half))
    grown = at_half - at_end
    walked = 2 * step * float(np.trace(slope.tensor))
    said = (half - end) * walked
    # of a random walk, whose windows of half its length overlap: about one and a half of them are independent. What is
    # bounded besides has been averaged over many
    error = (half * walked + 0.1 * max(0.0, at_end - end * walked)) * math.sqrt(2 / (3 * 1.5 * paths.shape[1]))
    if said <= 0 or grown > BOUNDED_SHARE * said or said - grown < BOUNDED_ERRORS * error:
        return None
    return (max(0.0, grown) + NORMAL_QUANTILE * error) / (6 * (half - end) * step)


def _upper_bound(diffusion: Diffusion, high: float) -> Diffusion:
    """A coefficient that is not resolved, in cm2/s, below a bound in Å2/ps."""
    bound = Interval(0.0, 0.0, high * CM2_PER_S)
    return replace(diffusion, coefficient=bound, directions=(bound, bound, bound), is_resolved=False)


def _conductivity(diffusion: Diffusion, total: Interval, charge: float, volume: float, kelvin: float) -> Conductivity:
    independent = Interval(
        *(nernst_einstein(value, diffusion.n_ions, charge, volume, kelvin) for value in diffusion.coefficient)
    )
    if not diffusion.is_resolved or total.value <= 0:
        return Conductivity(charge, independent, None, None)
    # the total displacement is the path of one particle that carries the charge of one ion
    collective = Interval(*(nernst_einstein(value, 1, charge, volume, kelvin) for value in total))
    ratio = independent.value / collective.value
    upper = math.hypot(math.log(independent.high / independent.value), math.log(collective.value / collective.low))
    lower = math.hypot(math.log(independent.value / independent.low), math.log(collective.high / collective.value))
    return Conductivity(
        charge, independent, collective, Interval(ratio, ratio * math.exp(-lower), ratio * math.exp(upper))
    )


def _bounded(found: Interval, n: int, duration: float, dimensions: int) -> tuple[Interval, float]:
    """A coefficient, an upper bound in place of its interval where too few jumps make it; and their number."""
    per_jump = JUMP_LENGTH**2 / (2 * dimensions * n * duration)
    jumps = max(0.0, found.value / per_jump)
    if jumps >= FEWEST_JUMPS:
        return found, jumps
    return Interval(max(0.0, found.value), 0.0, poisson_rate(math.ceil(jumps), 1.0).high * per_jump), jumps


def _notes(
    moved: Displacements, slope: Slope, diffusion: Diffusion, squared: float, lags: tuple[int, int], method: Method,
    *, is_bounded: bool,
) -> tuple[str, ...]:  # fmt: skip
    notes = []
    step = moved.time_step_ps
    if (moved.symbols == moved.mobile).all():
        notes.append("all atoms are mobile: no drift is taken out")
    if is_bounded:
        notes.append(
            f"not resolved: the motion is bounded, the mean squared displacement does not grow beyond {squared:.2g} Å2 "
            "from a tenth to half of the run: turns about a centre, or rattling; the coefficient is an upper bound"
        )
        return tuple(notes)
    if not diffusion.is_resolved:
        notes.append(
            f"not resolved: {diffusion.jumps:.1f} net jumps of {JUMP_LENGTH:g} Å in the run, {FEWEST_JUMPS} are "
            "needed; the coefficient is an upper bound"
        )
        if method == "kinisi":
            notes.append("kinisi is not asked where the coefficient is not resolved")
        return tuple(notes)
    grown = 2 * lags[1] * step * float(np.trace(slope.tensor))
    if grown < 0.5 * squared:
        notes.append(
            f"{1 - grown / squared:.0%} of the mean squared displacement at {lags[1] * step:g} ps are vibration or "
            "jumps back and forth"
        )
    paths = moved.paths
    later = slope_of(paths, step, lags[1], 2 * lags[1])
    ratio = float(np.trace(later.tensor)) / float(np.trace(slope.tensor))
    if abs(ratio - 1) > 2 * NORMAL_QUANTILE * math.sqrt(later.variance):
        notes.append(
            f"not diffusive yet: the slope between {lags[1] * step:g} and {2 * lags[1] * step:g} ps is {ratio:.2f} "
            "times that used; a longer run, or --start"
        )
    return tuple(notes)
