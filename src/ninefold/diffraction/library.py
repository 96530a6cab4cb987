"""The phases that a pattern is compared with, those of one metal lattice together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from ninefold.diffraction.profile import Profile, drawn
from ninefold.diffraction.radiation import Radiation, two_theta_of
from ninefold.diffraction.reflections import Reflections, reflections

if TYPE_CHECKING:
    from pymatgen.core import Structure

LOG_STEP = 8e-4
"""Of the grid of ln d on which patterns are shifted against each other; a shift is a change of all lengths."""
BLUR = 4e-3
"""FWHM in ln d by which patterns are blurred there: cells that differ by half of it in one direction still overlap."""
ALIKE = 0.97
"""Cosine of two blurred patterns, at the best scale of the cells, from which no pattern of a mixture tells them apart.

Minima of one metal lattice have 0.98 to 1; another metal lattice of the same composition comes to 0.5 to 0.9."""

_TILT = 0.009
"""Change of shape with which a cell is tried besides its own, where the metal lattice allows one."""
_REACH = 6.0
_SHARE = 0.997
"""Of a phase's intensity: the reflections that hold it are drawn, in cells without symmetry some tenth of all."""


@dataclass(frozen=True)
class MatchPhase:
    """A phase that may be in the sample."""

    id: str
    name: str
    formula: str
    structure: Structure
    kind: str = "candidate"
    """candidate | reference | file."""
    energy_per_atom: float | None = None
    """eV, of one method; the lowest of a group stands for it. None: after all others."""
    compression: str | None = None
    """By what its cell was brought to the measurement's pressure; empty: it is that of 0 GPa; None: no pressure."""
    method: str | None = None
    """Of the energy; those of two methods are not compared where the pattern leaves a choice."""
    engine: str | None = None
    """Label of the method that the cell is by; None of a file."""


@dataclass(frozen=True)
class PhaseGroup:
    """Phases whose patterns cannot be told apart, one of which stands for them."""

    members: tuple[MatchPhase, ...]
    """The one that stands for the group first."""
    reflections: Reflections
    """Of the first."""

    @property
    def first(self) -> MatchPhase:
        """The phase that stands for the group."""
        return self.members[0]

    @property
    def density(self) -> float:
        """Of the first, g/cm³."""
        return float(self.first.structure.density)


class LogGrid:
    """An even grid of ln d, and patterns on it."""

    def __init__(self, radiation: Radiation, two_theta_range: tuple[float, float], margin: float) -> None:
        """`margin` in ln d on either side, for phases whose cells are scaled."""
        self._radiation = radiation
        low, high = (radiation.wavelength / (2 * np.sin(np.radians(angle) / 2)) for angle in two_theta_range[::-1])
        self.padding = round(margin / LOG_STEP)
        count = round((np.log(high) - np.log(low)) / LOG_STEP) + 1
        self.log_d = np.log(low) + LOG_STEP * np.arange(-self.padding, count + self.padding)
        self.inside = slice(self.padding, self.padding + count)
        with np.errstate(invalid="ignore"):
            self.two_theta = two_theta_of(np.exp(self.log_d), radiation.wavelength)

    def drawn(
        self, found: Reflections, shape: Profile, strain: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Intensity per degree on the whole grid, blurred; shape (n,)."""
        log_d = np.log(found.spacings(strain))
        angles = two_theta_of(np.exp(log_d), self._radiation.wavelength)
        seen = np.isfinite(angles) & (angles < 175) & (log_d > self.log_d[0]) & (log_d < self.log_d[-1])
        angles, log_d = angles[seen], log_d[seen]
        per_degree = np.radians(1) / (2 * np.tan(np.radians(angles) / 2))  # d ln d / d 2θ
        areas = found.strength[seen] * self._radiation.lorentz_polarisation(angles) * per_degree
        widths = np.hypot(shape.fwhm(angles) * per_degree, BLUR)
        # 1 / per_degree: from intensity per ln d to intensity per degree, so that heights are those of the pattern
        return drawn(self.log_d, log_d, areas, widths, shape.eta, _REACH)


def grouped(
    phases: Sequence[MatchPhase],
    radiation: Radiation,
    two_theta_range: tuple[float, float],
    *,
    shape: Profile,
    d_min: float,
    most_strain: float,
    b_iso: float = 1.0,
) -> list[PhaseGroup]:
    """Phases by pattern, the lowest in energy first.

    Args:
        phases: Any number.
        radiation: Of the measurement.
        two_theta_range: Degrees, of the measurement.
        shape: Of its peaks.
        d_min: Å, the shortest spacing that is needed.
        most_strain: By how much all lengths of a cell may change; two patterns are compared at the best such scale.
        b_iso: Å².
    """
    grid = LogGrid(radiation, two_theta_range, most_strain)
    ordered = sorted(
        phases, key=lambda each: (each.energy_per_atom is None, each.energy_per_atom or 0.0, each.name, each.id)
    )
    leaders: list[tuple[NDArray[np.complex128], list[MatchPhase], Reflections]] = []
    size = next_fast_len(2 * len(grid.log_d), real=True)
    allowed = round(most_strain / LOG_STEP)
    for phase in ordered:
        found = reflections(phase.structure, radiation, d_min, b_iso).strongest(radiation, _SHARE)
        drawn_pattern = np.sqrt(np.maximum(grid.drawn(found, shape), 0.0))  # a root: weak peaks count, too
        norm = float(np.linalg.norm(drawn_pattern))
        if norm == 0:
            continue
        spectrum = np.fft.rfft(drawn_pattern / norm, size)
        for other, members, _ in leaders:
            overlap = np.fft.irfft(spectrum * other.conj(), size)
            if max(overlap[: allowed + 1].max(), overlap[-allowed:].max(initial=0.0)) >= ALIKE:
                members.append(phase)
                break
        else:
            leaders.append((spectrum, [phase], found))
    return [PhaseGroup(tuple(members), found) for _, members, found in leaders]


def tilts(group: PhaseGroup) -> list[NDArray[np.float64]]:
    """No strain, and for up to two changes of shape one in either direction."""
    size = len(group.reflections.strains)
    tilts = [np.zeros(size)]
    for place in range(1, min(size, 3)):
        for sign in (-1, 1):
            tilt = np.zeros(size)
            tilt[place] = sign * _TILT
            tilts.append(tilt)
    return tilts
