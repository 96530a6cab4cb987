"""Least squares of a mixture of phases against a pattern: cells, zero shift and widths free, shares not negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares, nnls

from ninefold.diffraction.background import Reduced
from ninefold.diffraction.library import PhaseGroup
from ninefold.diffraction.pattern import scattered, scattered_with_slopes
from ninefold.diffraction.profile import Profile
from ninefold.diffraction.radiation import Radiation

MODEL_ERROR = 0.15
"""By how much intensities differ though the phase is right: preferred orientation, hydrogens, thermal motion."""
FLOOR = 0.004
"""Of the strongest peak: what a background may be wrong by."""
MOST_ZERO = 0.25
"""Degrees of 2θ."""
REACH = 6.0
"""FWHM on either side over which a peak is drawn in a fit."""
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
        line = np.vstack([np.ones(len(smooth)), np.linspace(-1, 1, len(smooth))])
        basis, triangle = np.linalg.qr((line * self.weights).T)
        self.basis = basis.T
        """shape (2, n): a straight line under the pattern, weighted and orthonormal."""
        self._line, self._triangle = line, triangle
        self.empty_cost = self.solved(np.zeros((0, len(smooth))), pattern.net)[1]

    def residual(self, mixture: Mixture | None) -> NDArray[np.float64]:
        """What a mixture leaves of the pattern, shape (n,)."""
        return self.pattern.net if mixture is None else self.pattern.net - mixture.calculated

    def evaluated(self, parts: Sequence[Part], zero_shift: float, shape: Profile) -> Mixture:
        """The best shares of phases with given cells."""
        curves = np.zeros((len(parts), len(self.pattern.net)))
        for place, part in enumerate(parts):
            curves[place] = self.curve(part, zero_shift, shape)
        scales, cost, rest = self.solved(curves, self.pattern.net)
        kept = tuple(replace(part, scale=float(scale)) for part, scale in zip(parts, scales, strict=True))
        return Mixture(kept, zero_shift, shape, cost, scales @ curves + rest, curves * scales[:, None])

    def refined(
        self,
        parts: Sequence[Part],
        zero_shift: float,
        shape: Profile,
        *,
        free: Sequence[int] | None = None,
        blurs: Sequence[float] = (1.5, 0.0),
        shapes: bool = False,
        steps: int = 10,
        blurred: bool = False,
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
            blurred: Whether `cost` is that of the last blur; else of the pattern as it is.
        """
        moving = list(range(len(parts))) if free is None else list(free)
        cost = 0.0
        for blur in blurs if parts else ():
            problem = _Problem(
                self, parts, moving, zero_shift, shape, moves_zero=free is None,
                widens=shapes and blur == blurs[-1], blur=blur * self.width,
            )  # fmt: skip
            x, cost = problem.solution(steps)
            parts, zero_shift, shape = problem.unpacked(x)
        mixture = self.evaluated(parts, zero_shift, shape)
        return replace(mixture, cost=cost) if blurred else mixture

    def curve(self, part: Part, zero_shift: float, shape: Profile) -> NDArray[np.float64]:
        """Of one unit of volume of a phase, shape (n,)."""
        return scattered(
            part.group.reflections, self.radiation, self.pattern.two_theta, shape, part.strain, zero_shift, REACH
        )  # fmt: skip

    def solved(
        self, curves: NDArray[np.float64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        """Shares that are not negative, weighted sum of squares, and a straight line under the pattern."""
        target = values * self.weights
        onto = self.basis @ target
        flat = target - onto @ self.basis
        if not len(curves):
            return np.zeros(0), float(flat @ flat), np.linalg.solve(self._triangle, onto) @ self._line
        weighted = curves * self.weights
        along = weighted @ self.basis.T
        columns = weighted - along @ self.basis
        products = columns @ columns.T
        lengths = np.sqrt(np.maximum(np.diag(products), 1e-60))
        normal = products / np.outer(lengths, lengths) + 1e-10 * np.eye(len(curves))
        triangle = np.linalg.cholesky(normal)
        scales = nnls(triangle.T, np.linalg.solve(triangle, columns @ flat / lengths))[0] / lengths
        left = flat - scales @ columns
        rest = np.linalg.solve(self._triangle, onto - scales @ along) @ self._line
        return scales, float(left @ left), rest


class _Problem:
    """Weighted residuals as a function of strains, zero shift and widths, the shares being the best for each."""

    def __init__(
        self, fitter: Fitter, parts: Sequence[Part], moving: Sequence[int], zero_shift: float, shape: Profile, *,
        moves_zero: bool, widens: bool, blur: float,
    ) -> None:  # fmt: skip
        self.fitter, self.parts, self.moving = fitter, list(parts), moving
        self.zero_shift, self.shape, self.moves_zero, self.widens = zero_shift, shape, moves_zero, widens
        self.blur = blur
        net = fitter.pattern.net
        self.values = gaussian_filter1d(net, blur / fitter.pattern.step * _SIGMA) if blur else net
        self._still = {
            place: fitter.curve(part, zero_shift, self._seen(shape))
            for place, part in enumerate(parts)
            if place not in moving and not moves_zero and not widens
        }

    def solution(self, steps: int) -> tuple[NDArray[np.float64], float]:
        """The best vector, and its weighted sum of squares."""
        width, most = self.fitter.width, self.fitter.most_strain
        start = [self.parts[place].strain for place in self.moving]
        upper = [np.array([most, *[most * 0.8] * (len(each) - 1)]) for each in start]
        lower = [-each for each in upper]
        if self.moves_zero:
            start.append(np.array([self.zero_shift]))
            upper.append(np.array([MOST_ZERO]))
            lower.append(np.array([-MOST_ZERO]))
        scale = [np.full(len(each), 1e-3) for each in start]
        if self.widens:
            start.append(np.array([np.sqrt(self.shape.w), np.sqrt(max(self.shape.u, 0.0)) + 0.01 * width]))
            upper.append(np.array([6 * width, 6 * width]))
            lower.append(np.array([0.3 * width, 0.0]))
            scale.append(np.full(2, 0.2 * width))
        if not start:
            x = np.zeros(0)
            return x, float(np.sum(self.residuals(x) ** 2))
        low, high = np.concatenate(lower), np.concatenate(upper)
        x = np.clip(np.concatenate(start), low + 1e-9, high - 1e-9)
        found = least_squares(
            self.residuals, x, jac=self.jacobian, bounds=(low, high), x_scale=np.concatenate(scale), max_nfev=steps,
            xtol=1e-5, ftol=1e-4,
        )  # fmt: skip
        return found.x, 2 * float(found.cost)

    def unpacked(self, x: NDArray[np.float64]) -> tuple[list[Part], float, Profile]:
        """Parts, zero shift and shape of a vector."""
        parts, zero_shift, shape, place = list(self.parts), self.zero_shift, self.shape, 0
        for index in self.moving:
            size = len(parts[index].strain)
            parts[index] = replace(parts[index], strain=x[place : place + size])
            place += size
        if self.moves_zero:
            zero_shift = float(x[place])
            place += 1
        if self.widens:
            shape = replace(shape, w=float(x[place] ** 2), u=float(x[place + 1] ** 2))
        return parts, zero_shift, shape

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted, shape (n,)."""
        curves = self._curves(x)
        scales, _, rest = self.fitter.solved(curves, self.values)
        return np.asarray((scales @ curves + rest - self.values) * self.fitter.weights)

    def jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (n, parameters); what the shares and the line take up is taken off (Kaufman's approximation)."""
        parts, zero_shift, shape = self.unpacked(x)
        seen = self._seen(shape)
        fitter = self.fitter
        curves = np.empty((len(parts), len(self.values)))
        slopes = {}
        for place, part in enumerate(parts):
            if place in self._still:
                curves[place] = self._still[place]
                continue
            curves[place], slopes[place] = scattered_with_slopes(
                part.group.reflections, fitter.radiation, fitter.pattern.two_theta, seen, part.strain, zero_shift,
                REACH,
            )  # fmt: skip
        scales, _, _ = fitter.solved(curves, self.values)
        rows = [scales[place] * slope for place in self.moving for slope in slopes[place][:-1]]
        if self.moves_zero:
            rows.append(sum(scales[place] * slope[-1] for place, slope in slopes.items()))
        if self.widens:
            base = scales @ curves
            for place in (len(x) - 2, len(x) - 1):
                moved = x.copy()
                moved[place] += 0.01 * fitter.width
                rows.append((scales @ self._curves(moved) - base) / (0.01 * fitter.width))
        weighted = np.array(rows) * fitter.weights
        active = np.vstack([fitter.basis, curves[scales > 0] * fitter.weights])
        span = np.linalg.qr(active.T)[0]
        return np.asarray((weighted - (weighted @ span) @ span.T).T)

    def _seen(self, shape: Profile) -> Profile:
        return replace(shape, w=shape.w + self.blur**2)

    def _curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        parts, zero_shift, shape = self.unpacked(x)
        seen = self._seen(shape)
        curves = np.empty((len(parts), len(self.values)))
        for place, part in enumerate(parts):
            still = self._still.get(place)
            curves[place] = self.fitter.curve(part, zero_shift, seen) if still is None else still
        return curves
