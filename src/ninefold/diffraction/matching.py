"""Which mixture of phases explains a measured pattern.

From an empty mixture on, the phase that explains most of what is left is added, its cell free within some percent; a
few of the best partial mixtures are carried along. Shares are not negative. A phase stays only if leaving it out makes
the fit worse by a set fraction, and if most of what it should scatter is there. Of structures of one composition that
fit equally well, the lowest in energy is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from ninefold.diffraction.background import Reduced, peak_places
from ninefold.diffraction.library import LOG_STEP, LogGrid, PhaseGroup, tilts
from ninefold.diffraction.match_results import FoundPhase, Match, UnexplainedPeak
from ninefold.diffraction.mixture import Fitter, Mixture, Part
from ninefold.diffraction.profile import Profile
from ninefold.diffraction.radiation import Radiation, d_of
from ninefold.diffraction.ties import Rival, rivals_of, settled

PENALTY = 0.06
"""Of the weighted sum of squares: what one more phase has to take away of it for the search to go on."""
NEEDED = 0.15
"""Of the weighted sum of squares without a phase: what the phase has to take away of it to stay. In simulated mixtures
phases that were not there took up to 0.19, visible ones that were there 0.36 and more (docs/diffraction.md)."""
FOUND_SHARE = 0.65
"""Of a phase's own calculated intensity: what must be in the pattern, else the phase is no part of it."""
EXPLAINED = 0.5
"""Of the pattern's intensity: a mixture that explains less explains nothing."""
WELL_EXPLAINED = 0.65
"""From here on, without a strong peak left, the mixture is the whole sample as far as the pattern tells."""
STRONG_LEFT = 0.1
"""Of the strongest peak: an unexplained peak of this height is a phase that is missing."""
_POINTS = 4
"""Of a fit per width of a peak."""
WEAK = 0.25
"""Of the weighted sum of squares without a phase: one that takes less of it is told as weakly supported. The two phases
of 60 simulated mixtures that were not there took 0.17 and 0.19."""
FEW_PEAKS = 6
"""A phase that rests on fewer peaks may be another one with such a lattice: five peaks of gold fit CrH2."""
_BEAM = 2
_TRIED = 8
"""Phases whose cells are fitted at each step."""
_REFINED = 3
"""Of these, how many are fitted sharply."""
_ROUGH = 3.0
"""Typical widths by which pattern and model are blurred for the first fit of a cell."""


def match(
    pattern: Reduced,
    groups: Sequence[PhaseGroup],
    radiation: Radiation,
    *,
    width: float,
    most_strain: float = 0.03,
    most_phases: int = 4,
    progress: Callable[[str], None] | None = None,
) -> Match:
    """The mixture of phases that explains a pattern, or that none does.

    Args:
        pattern: Without background.
        groups: Phases that may be in it, as `library.grouped` gives them.
        radiation: Of the measurement.
        width: Typical FWHM of its peaks, degrees.
        most_strain: By how much the lengths of a cell may change.
        most_phases: Of the mixture.
        progress: Is told what goes on.
    """
    pattern = pattern.bunched(width / _POINTS)
    search = _Search(pattern, groups, radiation, width, most_strain, progress or (lambda text: None))
    best = search.run(most_phases)
    if best is None:
        return search.result(None, ())
    return search.result(*search.found(search.without_superfluous(best)))


class _Search:
    def __init__(
        self, pattern: Reduced, groups: Sequence[PhaseGroup], radiation: Radiation, width: float, most_strain: float,
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.pattern, self.groups, self.radiation, self.width = pattern, list(groups), radiation, width
        self.progress = progress
        self.fitter = Fitter(pattern, radiation, width, most_strain)
        self.shape = Profile(w=width**2, eta=0.5)
        ends = float(pattern.two_theta[0]), float(pattern.two_theta[-1])
        self.grid = LogGrid(radiation, ends, most_strain + 0.01)
        self.allowed = round(most_strain / LOG_STEP)
        # both ends are empty by more than a shift: nothing comes round from the other one
        self.size = next_fast_len(len(self.grid.log_d), real=True)
        self._templates = [
            (place, tilt, *self._spectra(group, tilt))
            for place, group in enumerate(self.groups)
            for tilt in tilts(group)
        ]

    def run(self, most_phases: int) -> Mixture | None:
        """The best mixture, phase by phase."""
        beam: list[Mixture | None] = [None]
        best: Mixture | None = None
        for count in range(1, most_phases + 1):
            tried: list[Mixture] = []
            for mixture in beam:
                tried += self._extended(mixture)
            tried = _distinct(sorted(tried, key=lambda each: each.cost))[:_BEAM]
            # peaks of the right width tell one phase from another, so it is fitted once there is one
            whole = [self.refine(each, shapes=True) for each in tried]
            whole.sort(key=lambda each: each.cost)
            before = self.fitter.empty_cost if best is None else best.cost
            if not whole or whole[0].cost > (1 - PENALTY) * before:
                break
            best = whole[0]
            self.shape = best.shape
            beam = list(whole)
            self.progress(f"{count} phase(s): {', '.join(part.group.first.name for part in best.parts)}")
        return best

    def refine(self, mixture: Mixture, *, shapes: bool = False) -> Mixture:
        """All cells, the zero shift, and the widths of peaks together."""
        return self.fitter.refined(mixture.parts, mixture.zero_shift, mixture.shape, blurs=(1.5, 0.0), shapes=shapes)

    def _extended(self, mixture: Mixture | None) -> list[Mixture]:
        """A mixture with one phase more, each of the most promising in turn."""
        parts = () if mixture is None else mixture.parts
        zero = 0.0 if mixture is None else mixture.zero_shift
        shape = self.shape if mixture is None else mixture.shape
        has = {id(part.group) for part in parts}
        return [
            self.fitter.refined(each.parts, zero, shape, free=[len(parts)], blurs=(1.0, 0.0), steps=6)
            for each in self._roughly(parts, zero, shape, self.fitter.residual(mixture), has)[:_REFINED]
        ]

    def _roughly(
        self, parts: Sequence[Part], zero: float, shape: Profile, residual: NDArray[np.float64], has: set[int]
    ) -> list[Mixture]:
        """Mixtures with one of the most promising phases more, its cell roughly fitted; best first."""
        rough = [
            self.fitter.refined(
                [*parts, Part(self.groups[place], strain)], zero, shape, free=[len(parts)], blurs=(_ROUGH,), steps=5,
                blurred=True,
            )
            for place, strain in self._promising(residual, has)
        ]  # fmt: skip
        return sorted(rough, key=lambda each: each.cost)

    def _promising(self, residual: NDArray[np.float64], without: set[int]) -> list[tuple[int, NDArray[np.float64]]]:
        """Phases, and scales of their cells, that take most off the weighted squares of a residual."""
        values, weights = self._on_grid(residual)
        data = np.fft.rfft(values * weights, self.size)
        weight = np.fft.rfft(weights, self.size)
        best: dict[int, tuple[float, NDArray[np.float64]]] = {}
        for place, strain, pattern, square in self._templates:
            if id(self.groups[place]) in without:
                continue
            overlap = np.fft.irfft(data * pattern.conj(), self.size)
            power = np.fft.irfft(weight * square.conj(), self.size)
            shifts = np.arange(-self.allowed, self.allowed + 1)
            gain = np.maximum(overlap[shifts], 0.0) ** 2 / np.maximum(power[shifts], 1e-12 * power.max())
            at = int(gain.argmax())
            if place not in best or gain[at] > best[place][0]:
                moved = strain.copy()
                moved[0] = shifts[at] * LOG_STEP
                best[place] = (float(gain[at]), moved)
        ordered = sorted(best.items(), key=lambda item: -item[1][0])[:_TRIED]
        return [(place, strain) for place, (_, strain) in ordered]

    def _on_grid(self, residual: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A residual and the weights of its squares on the grid of ln d, zero outside of what was measured."""
        grid = self.grid
        values, weights = np.zeros(len(grid.log_d)), np.zeros(len(grid.log_d))
        angles = grid.two_theta[grid.inside]
        values[grid.inside] = np.interp(angles, self.pattern.two_theta, residual)
        # points of the pattern per point of the grid
        dense = 2 * np.tan(np.radians(angles) / 2) * LOG_STEP / np.radians(self.pattern.step)
        weights[grid.inside] = np.interp(angles, self.pattern.two_theta, self.fitter.weights) ** 2 * dense
        return values, weights

    def _spectra(
        self, group: PhaseGroup, tilt: NDArray[np.float64]
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        drawn = self.grid.drawn(group.reflections, self.shape, tilt)
        return np.fft.rfft(drawn, self.size), np.fft.rfft(drawn**2, self.size)

    def without_superfluous(self, mixture: Mixture) -> Mixture:
        """The mixture without phases that it does not need, or whose peaks are not there."""
        while len(mixture.parts):
            reasons = [
                (self._gain(mixture, place)[0], self._found_share(mixture, place))
                for place in range(len(mixture.parts))
            ]
            bad = [
                (gain, place)
                for place, (gain, share) in enumerate(reasons)
                if gain < NEEDED or share < FOUND_SHARE or mixture.parts[place].scale <= 0
            ]
            if not bad:
                break
            place = min(bad)[1]
            rest = [part for other, part in enumerate(mixture.parts) if other != place]
            mixture = self.fitter.refined(rest, mixture.zero_shift, mixture.shape, blurs=(0.0,))
        return mixture

    def _gain(self, mixture: Mixture, place: int) -> tuple[float, Mixture]:
        rest = [part for other, part in enumerate(mixture.parts) if other != place]
        without = self.fitter.evaluated(rest, mixture.zero_shift, mixture.shape)
        return 1 - mixture.cost / without.cost, without

    def _found_share(self, mixture: Mixture, place: int) -> float:
        """Of a phase's calculated intensity, point by point: what the pattern less the other phases has of it."""
        curve = mixture.curves[place]
        others = mixture.calculated - curve
        there = np.clip(self.pattern.net - others, 0.0, curve)
        return float(there.sum() / max(curve.sum(), 1e-300))

    def found(self, mixture: Mixture) -> tuple[Mixture, tuple[FoundPhase, ...]]:
        """The mixture that is named, and its phases with their shares, cells and alternatives."""
        if not mixture.parts:
            return mixture, ()
        rivals = []
        for place in range(len(mixture.parts)):
            mixture, others = self._settled(mixture, place)
            rivals.append(others)
        masses = np.array([part.scale * part.group.density for part in mixture.parts])
        light = mixture.curves.sum(axis=1)
        places = peak_places(self.pattern, self.pattern.net, self.width)
        largest = mixture.curves[:, places].argmax(axis=0)
        has_half = mixture.calculated[places] >= 0.5 * self.pattern.net[places]
        phases = []
        for place, part in enumerate(mixture.parts):
            gain, _ = self._gain(mixture, place)
            old, new = part.group.reflections.lattice, part.group.reflections.strained_lattice(part.strain)
            phases.append(
                FoundPhase(
                    part.group, float(masses[place] / masses.sum()), float(light[place] / light.sum()),
                    self._found_share(mixture, place), gain, new,
                    np.linalg.norm(new, axis=1) / np.linalg.norm(old, axis=1) - 1,
                    float(np.linalg.det(new) / np.linalg.det(old) - 1), int(np.sum((largest == place) & has_half)),
                    tuple(each.group for each in rivals[place]),
                    tuple(each.group for each in rivals[place] if each.is_undecided),
                )
            )  # fmt: skip
        return mixture, tuple(sorted(phases, key=lambda each: -each.intensity_share))

    def _settled(self, mixture: Mixture, place: int) -> tuple[Mixture, list[Rival]]:
        without = self._gain(mixture, place)[1]
        rough = self._roughly(
            without.parts, mixture.zero_shift, mixture.shape, self.fitter.residual(without),
            {id(part.group) for part in mixture.parts},
        )  # fmt: skip
        return settled(mixture, place, rivals_of(self.fitter, mixture, place, rough, _REFINED))

    def result(self, mixture: Mixture | None, phases: tuple[FoundPhase, ...]) -> Match:
        """With what is left over, and the verdict."""
        net, step = self.pattern.net, self.pattern
        places = peak_places(step, net, self.width)
        model = None if not phases else mixture
        calculated = np.zeros(len(net)) if model is None else model.calculated
        seen = np.maximum(net, 0) > 3 * step.noise
        seen |= calculated > 3 * step.noise
        total = float(np.maximum(net, 0)[seen].sum())
        explained = max(0.0, 1 - float(np.abs(net - calculated)[seen].sum()) / max(total, 1e-300)) if phases else 0.0
        left = self._unexplained(model, places)
        if not phases or explained < EXPLAINED:
            verdict = "not explained"
        elif explained >= WELL_EXPLAINED and not any(peak.height >= STRONG_LEFT for peak in left):
            verdict = "explained"
        else:
            verdict = "partly explained"
        middle = np.array(float(np.median(step.two_theta)))
        width = self.width if model is None else float(model.shape.fwhm(middle))
        zero = 0.0 if model is None else model.zero_shift
        return Match(
            phases, explained, zero, width, len(places), left, verdict, model, step, self.radiation.lines[0][0]
        )

    def _unexplained(self, mixture: Mixture | None, places: Sequence[int]) -> tuple[UnexplainedPeak, ...]:
        net, grid = self.pattern.net, self.pattern.two_theta
        zero = 0.0 if mixture is None else mixture.zero_shift
        near = max(1, round(self.width / 2 / self.pattern.step))
        top = float(net.max())
        left = []
        for place in places:
            around = slice(max(0, place - near), place + near + 1)
            calculated = 0.0 if mixture is None else float(mixture.calculated[around].sum())
            if calculated < 0.5 * float(net[around].sum()):
                d = float(d_of(grid[place] - zero, self.radiation.wavelength))
                left.append(UnexplainedPeak(float(grid[place]), d, float(net[place] / top)))
        return tuple(sorted(left, key=lambda peak: -peak.height))


def _distinct(mixtures: Sequence[Mixture]) -> list[Mixture]:
    """The first of those that hold the same phases."""
    kept: dict[frozenset[int], Mixture] = {}
    for mixture in mixtures:
        kept.setdefault(frozenset(id(part.group) for part in mixture.parts), mixture)
    return list(kept.values())
