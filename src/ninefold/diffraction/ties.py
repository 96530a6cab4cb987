"""Whether a pattern tells two fits apart, and which of those that it does not tell apart is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.library import MatchPhase, PhaseGroup
from ninefold.diffraction.mixture import Fitter, Mixture

ALTERNATIVE = 1.25
"""Weighted sum of squares over the best one's, up to which another phase in the place of one is told."""
EQUAL = 1.0
"""Standard errors of the difference of two fits, below which the lower one in energy is named."""
RESOLVED = 2.0
"""Standard errors, from which the pattern tells two fits apart."""
_DECISIVE = 3.0
"""Errors of intensity, as the weights have them: a peak that only one fit gets wrong by more than this is no error that
a right model makes, and counts as evidence alone."""
_BLOCK = 2.0
"""Typical widths of a peak; what a model gets wrong of a peak, it gets wrong of the whole peak."""


@dataclass(frozen=True)
class Rival:
    """What stands in the place of a phase of a mixture, and how well the whole then fits."""

    group: PhaseGroup
    mixture: Mixture
    """All else as it was, all cells fitted again."""
    worse_by: float
    """Standard errors of the difference of the two fits; negative: it fits better."""

    @property
    def is_undecided(self) -> bool:
        """Whether the pattern does not tell it from the phase."""
        return self.worse_by < RESOLVED


def worse_by(first: NDArray[np.float64], second: NDArray[np.float64], width: float) -> float:
    """By how many standard errors one fit is worse than another one.

    Fits of models neither of which holds the other are compared by the sum of the differences of their terms, over
    the root of the sum of their squares (Vuong, Econometrica 57, 307 (1989), doi:10.2307/1912557). Terms are those of
    blocks as wide as a peak, since neighbouring points are not independent. What one block adds to the spread is
    limited, so that one peak that is in the pattern and not in the model decides.

    Args:
        first: shape (n,), weighted residuals.
        second: shape (n,), of the other fit.
        width: Points of the pattern per typical width of a peak.
    """
    difference = first**2 - second**2
    size = max(1, round(_BLOCK * width))
    blocks = np.add.reduceat(difference, np.arange(0, len(difference), size))
    spread = float(np.sqrt(np.sum(np.minimum(np.abs(blocks), _DECISIVE**2 * size) ** 2)))
    return float(blocks.sum()) / spread if spread > 0 else 0.0


def is_lower(phase: MatchPhase, other: MatchPhase) -> bool:
    """Whether a phase is the lower one in energy of two of one composition, by one method; False where unknown."""
    if phase.formula != other.formula or phase.method != other.method:
        return False
    if phase.energy_per_atom is None or other.energy_per_atom is None:
        return False
    return phase.energy_per_atom < other.energy_per_atom


def rivals_of(fitter: Fitter, mixture: Mixture, place: int, rough: Sequence[Mixture], most: int) -> list[Rival]:
    """Groups that fit nearly as well in the place of a phase, the best first.

    Args:
        fitter: Of the pattern.
        mixture: The phases that explain it.
        place: Of the phase.
        rough: Mixtures without the phase and with another one as the last, its cell roughly fitted; the best first.
        most: How many of them are fitted sharply, beside those that are lower in energy.
    """
    own, fitted = mixture.parts[place].group.first, []
    for number, each in enumerate(rough):
        last = len(each.parts) - 1
        if number >= most and not is_lower(each.parts[last].group.first, own):
            continue
        sharp = fitter.refined(
            each.parts, mixture.zero_shift, mixture.shape, free=[last], blurs=(1.0, 0.0), steps=6
        )  # fmt: skip
        if sharp.cost <= ALTERNATIVE * mixture.cost:
            parts = list(mixture.parts)
            parts[place] = sharp.parts[last]
            fitted.append(_freed(fitter, replace(sharp, parts=tuple(parts))))
    if not fitted:
        return []
    width = fitter.width / fitter.pattern.step
    best = _weighted(fitter, _freed(fitter, mixture))
    rivals = [Rival(each.parts[place].group, each, worse_by(_weighted(fitter, each), best, width)) for each in fitted]
    return sorted(rivals, key=lambda each: each.mixture.cost)


def settled(mixture: Mixture, place: int, rivals: Sequence[Rival]) -> tuple[Mixture, list[Rival]]:
    """A mixture with the lowest in energy of what fits equally well in one place, and what else could stand there.

    Args:
        mixture: The one that fits best.
        place: Of one of its phases.
        rivals: Of that phase.
    """
    own = mixture.parts[place].group
    lower = [each for each in rivals if each.worse_by < EQUAL and is_lower(each.group.first, own.first)]
    if not lower:
        return mixture, list(rivals)
    chosen = min(lower, key=lambda each: each.group.first.energy_per_atom or 0.0)
    rest = [Rival(own, mixture, 0.0), *(each for each in rivals if each is not chosen)]
    return chosen.mixture, sorted(rest, key=lambda each: each.mixture.cost)


def _freed(fitter: Fitter, mixture: Mixture) -> Mixture:
    """All that is free in a mixture fitted again, from where it is."""
    return fitter.refined(mixture.parts, mixture.zero_shift, mixture.shape, blurs=(0.0,), shapes=True)


def _weighted(fitter: Fitter, mixture: Mixture) -> NDArray[np.float64]:
    return fitter.residual(mixture) * fitter.weights
