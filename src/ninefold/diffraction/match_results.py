"""What a match of a measured pattern says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.background import Reduced
from ninefold.diffraction.library import PhaseGroup
from ninefold.diffraction.mixture import Mixture


@dataclass(frozen=True)
class FoundPhase:
    """A phase of the mixture that explains the pattern."""

    group: PhaseGroup
    weight_share: float
    """Of the mixture's mass, 0 to 1; absorption and preferred orientation neglected."""
    intensity_share: float
    """Of the intensity that the mixture explains."""
    found_share: float
    """Of the phase's calculated intensity: what is in the pattern."""
    gain: float
    """By how much the weighted sum of squares grows without the phase, over what it is then."""
    lattice: NDArray[np.float64]
    """shape (3, 3), Å, fitted conventional cell; rows are vectors."""
    length_changes: NDArray[np.float64]
    """shape (3,), relative changes of a, b, c from the phase's own cell."""
    volume_change: float
    """Relative."""
    peaks: int
    """Of the pattern, to which the phase gives more than any other: what it rests on."""
    alternatives: tuple[PhaseGroup, ...] = ()
    """Groups that explain the pattern nearly as well in its place, the best first."""
    undecided: tuple[PhaseGroup, ...] = ()
    """Of these, the ones that the pattern does not tell from it. Of one composition, among those that fit equally well
    the lowest in energy is named."""


@dataclass(frozen=True)
class UnexplainedPeak:
    """A peak of which the mixture explains less than half."""

    two_theta: float
    """Degrees, as measured."""
    d: float
    """Å, corrected for the zero shift."""
    height: float
    """Of the strongest peak of the pattern, 0 to 1."""


@dataclass(frozen=True)
class Match:
    """What a pattern comes to."""

    phases: tuple[FoundPhase, ...]
    """Largest share of intensity first."""
    explained: float
    """Of the intensity above the background, 0 to 1: 1 less the sum of differences over the sum of intensities."""
    zero_shift: float
    """Degrees."""
    fwhm: float
    """Degrees, fitted, in the middle of the pattern."""
    peaks: int
    """In the pattern."""
    unexplained: tuple[UnexplainedPeak, ...]
    """By falling height."""
    verdict: str
    """explained | partly explained | not explained."""
    mixture: Mixture | None
    pattern: Reduced
    wavelength: float
    """Å, of the first line."""
