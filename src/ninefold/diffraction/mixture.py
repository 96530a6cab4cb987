"""Least squares of a mixture of phases against a pattern: cells, zero shift and widths are free, shares not negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares, nnls

from ninefold.diffraction.background import Reduced
from ninefold.diffraction.library import PhaseGroup
from ninefold.diffraction.pattern import scattered
from ninefold.diffraction.profile import Profile
from ninefold.diffraction.radiation import Radiation

MODEL_ERROR = 0.15
"""By how much intensities differ though the phase is right: preferred orientation, hydrogens, thermal motion."""
FLOOR = 0.004
"""Of the strongest peak: what a background may be wrong by."""
MOST_ZERO = 0.25
"""Degrees of 2θ."""
_SIGMA = 1 / 2.3548
"""Standard deviation over FWHM of a Gaussian."""


@dataclass(frozen=True)
class Part:
    """A phase of a mixture."""

    group: PhaseGroup
    strain: NDArray[np.float64]
    """As in `Reflections.spacings`; the first is the relative change of all lengths."""
    scale: float = 0.0
    """Volume of the phase that scatters, in the pattern's own unit."""


@dataclass(frozen=True)
class Mixture:
    """Phases with shares and cells, and how well they fit."""

    parts: tuple[Part, ...]
    zero_shift: float
    """Degrees."""
    shape: Profile
    cost: float
    """Weighted sum of squares."""
    calculated: NDArray[np.float64]
    """shape (n,), with what was left of the background."""
    curves: NDArray[np.float64]
    """shape (parts, n), of each phase."""


class Fitter:
    """A pattern to which mixtures are fitted."""

    def __init__(self, pattern: Reduced, radiation: Radiation, width: float, most_strain: float) -> None:
        """`width`: typical FWHM of the pattern, degrees; `most_strain`: limit of the change of all lengths."""
        self.pattern, self.radiation, self.most_strain = pattern, radiation, most_strain
        self.width = width
        smooth = np.maximum(gaussian_filter1d(pattern.net, max(1.0, width / pattern.step * _SIGMA / 2)), 0.0)
        variance = pattern.noise**2 + (MODEL_ERROR * smooth) ** 2 + (FLOOR * smooth.max()) ** 2
        self.weights = 1 / np.sqrt(variance)
        self.empty_cost = self._solved(np.zeros((0, len(pattern.net))), pattern.net)[1]

    def residual(self, mixture: Mixture | None) -> NDArray[np.float64]:
        """What a mixture leaves of the pattern, shape (n,)."""
        return self.pattern.net if mixture is None else self.pattern.net - mixture.calculated

    def evaluated(self, parts: Sequence[Part], zero_shift: float, shape: Profile) -> Mixture:
        """The best shares of phases with given cells."""
        curves = np.array([self._curve(part, zero_shift, shape) for part in parts]).reshape(len(parts), len(self.pattern.net))
        scales, cost, rest = self._solved(curves, self.pattern.net)
        kept = tuple(replace(part, scale=float(scale)) for part, scale in zip(parts, scales, strict=True))
        return Mixture(kept, zero_shift, shape, cost, scales @ curves + rest, curves * scales[:, None])

    def refined(
        self,
        parts: Sequence[Part],
        zero_shift: float,
        shape: Profile,
        *,
        free: Sequence[int] | None = None,
        blurs: Sequence[float] = (4.0, 0.0),
        shapes: bool = False,
        steps: int = 12,
    ) -> Mixture:
        """Cells and zero shift that fit best, from a start.

        Args:
            parts: Of the mixture, with the cells to start from.
            zero_shift: Degrees, to start from.
            shape: Of peaks.
            free: Places of the parts whose cells move; default: all. With it the zero shift stays.
            blurs: Of pattern and model in turn, in typical widths: peaks that do not overlap yet attract each other.
            shapes: Whether the width of peaks and its growth with the angle are refined, too.
            steps: Of each refinement.
        """
        moving = list(range(len(parts))) if free is None else list(free)
        sizes = [len(parts[place].strain) for place in moving]
        with_zero = free is None
        for blur in blurs:
            do_shape = shapes and blur == blurs[-1]
            start = [parts[place].strain for place in moving]
            if with_zero:
                start.append(np.array([zero_shift]))
            if do_shape:
                start.append(np.array([np.sqrt(shape.w), np.sqrt(max(shape.u, 0.0)) + 1e-3]))
            lower, upper = self._bounds(sizes, with_zero, do_shape)
            x = np.clip(np.concatenate(start), lower + 1e-9, upper - 1e-9) if start else np.zeros(0)
            problem = _Problem(self, parts, moving, sizes, zero_shift, shape, with_zero, do_shape, blur * self.width)
            if len(x):
                scale = np.where(np.arange(len(x)) < sum(sizes), 1e-3, 2e-2)
                x = least_squares(
                    problem.residuals, x, jac=problem.jacobian, bounds=(lower, upper), x_scale=scale, max_nfev=steps,
                    xtol=1e-5, ftol=1e-5,
                ).x  # fmt: skip
            parts, zero_shift, shape = problem.unpacked(x)
        return self.evaluated(parts, zero_shift, shape)

    def _bounds(
        self, sizes: Sequence[int], with_zero: bool, do_shape: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        limits = [np.array([self.most_strain, *[self.most_strain * 0.8] * (size - 1)]) for size in sizes]
        upper = np.concatenate([*limits, *([np.array([MOST_ZERO])] if with_zero else [])]) if limits else np.zeros(0)
        lower = -upper
        if do_shape:
            upper = np.append(upper, [6 * self.width, 6 * self.width])
            lower = np.append(lower, [0.3 * self.width, 0.0])
        return lower, upper

    def _curve(self, part: Part, zero_shift: float, shape: Profile) -> NDArray[np.float64]:
        return scattered(
            part.group.reflections, self.radiation, self.pattern.two_theta, shape, part.strain, zero_shift
        )  # fmt: skip

    def _solved(
        self, curves: NDArray[np.float64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        """Shares that are not negative, weighted sum of squares, and a straight line under the pattern."""
        line = np.vstack([np.ones(len(values)), np.linspace(-1, 1, len(values))])
        basis, triangle = np.linalg.qr((line * self.weights).T)
        target = values * self.weights
        flat = target - basis @ (basis.T @ target)
        if not len(curves):
            coefficients = np.linalg.solve(triangle, basis.T @ target)
            return np.zeros(0), float(flat @ flat), coefficients @ line
        weighted = (curves * self.weights).T
        columns = weighted - basis @ (basis.T @ weighted)
        lengths = np.maximum(np.linalg.norm(columns, axis=0), 1e-30)
        q, r = np.linalg.qr(columns / lengths)
        scales = nnls(r, q.T @ flat)[0] / lengths
        left = flat - columns @ scales
        coefficients = np.linalg.solve(triangle, basis.T @ (target - weighted @ scales))
        return scales, float(left @ left), coefficients @ line


class _Problem:
    """Residuals as a function of strains, zero shift and widths; curves of phases that did not move are kept."""

    def __init__(
        self, fitter: Fitter, parts: Sequence[Part], moving: Sequence[int], sizes: Sequence[int], zero_shift: float,
        shape: Profile, with_zero: bool, do_shape: bool, blur: float,
    ) -> None:  # fmt: skip
        self.fitter, self.parts, self.moving, self.sizes = fitter, list(parts), moving, sizes
        self.zero_shift, self.shape, self.with_zero, self.do_shape = zero_shift, shape, with_zero, do_shape
        self.blur = blur
        net = fitter.pattern.net
        self.values = gaussian_filter1d(net, blur / fitter.pattern.step * _SIGMA) if blur else net
        self._kept: dict[int, tuple[bytes, NDArray[np.float64]]] = {}

    def unpacked(self, x: NDArray[np.float64]) -> tuple[list[Part], float, Profile]:
        """Parts, zero shift and shape of a vector."""
        parts, zero_shift, shape, place = list(self.parts), self.zero_shift, self.shape, 0
        for index, size in zip(self.moving, self.sizes, strict=True):
            parts[index] = replace(parts[index], strain=x[place : place + size])
            place += size
        if self.with_zero:
            zero_shift = float(x[place])
            place += 1
        if self.do_shape:
            shape = replace(shape, w=float(x[place] ** 2), u=float(x[place + 1] ** 2))
        return parts, zero_shift, shape

    def residuals(self, x: NDArray[np.float64], keep: bool = True) -> NDArray[np.float64]:
        """Weighted, shape (n,), with the best shares."""
        parts, zero_shift, shape = self.unpacked(x)
        seen = replace(shape, w=shape.w + self.blur**2)
        curves = np.empty((len(parts), len(self.values)))
        for index, part in enumerate(parts):
            key = part.strain.tobytes() + np.array([zero_shift, shape.w, shape.u]).tobytes()
            kept = self._kept.get(index)
            if kept is not None and kept[0] == key:
                curves[index] = kept[1]
                continue
            curves[index] = self.fitter._curve(part, zero_shift, seen)
            if keep:
                self._kept[index] = (key, curves[index].copy())
        scales, _, rest = self.fitter._solved(curves, self.values)
        return np.asarray((scales @ curves + rest - self.values) * self.fitter.weights)

    def jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """By differences, shape (n, parameters)."""
        base = self.residuals(x)
        steps = np.concatenate([np.full(sum(self.sizes), 5e-5), np.full(len(x) - sum(self.sizes), 1e-3)])
        columns = []
        for place, step in enumerate(steps):
            moved = x.copy()
            moved[place] += step
            columns.append((self.residuals(moved, keep=False) - base) / step)
        return np.array(columns).T
