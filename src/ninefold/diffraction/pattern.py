"""The powder pattern of a structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.profile import REACH, Profile, drawn, drawn_with_slopes
from ninefold.diffraction.radiation import Radiation, d_of, two_theta_of
from ninefold.diffraction.reflections import Reflections, reflections
from ninefold.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_ATOMS = 2000
"""Of a cell: a larger one has millions of reflections."""
SHORTEST_D = 0.3
"""Å; reflections of shorter spacing are not computed."""


class Peak(NamedTuple):
    """One reflection in a list."""

    two_theta: float
    """Degrees, of the first line."""
    d: float
    """Å."""
    intensity: float
    """Of the strongest: 100."""
    hkl: tuple[int, int, int]
    multiplicity: int


@dataclass(frozen=True)
class PowderPattern:
    """Reflections of a structure within a range of angles, with integrated intensities."""

    radiation: Radiation
    reflections: Reflections
    two_theta_range: tuple[float, float]

    def peaks(self, weakest: float = 0.0) -> list[Peak]:
        """Reflections within the range at the first line's angle, by rising angle.

        Args:
            weakest: Of intensity, the strongest being 100.
        """
        d = self.reflections.spacings()
        angles = two_theta_of(d, self.radiation.lines[0][0])
        with np.errstate(invalid="ignore"):
            inside = (angles >= self.two_theta_range[0]) & (angles <= self.two_theta_range[1])
        places = np.flatnonzero(inside)
        areas = self.reflections.strength[places] * self.radiation.lorentz_polarisation(angles[places])
        scale = 100 / areas.max(initial=1e-300)
        return [
            Peak(
                float(angles[place]), float(d[place]), float(area * scale),
                (int(hkl[0]), int(hkl[1]), int(hkl[2])), int(self.reflections.multiplicity[place]),
            )
            for place, area, hkl in zip(places, areas, self.reflections.hkl[places], strict=True)
            if area * scale >= weakest
        ]  # fmt: skip

    def profile(self, grid: NDArray[np.float64], shape: Profile) -> NDArray[np.float64]:
        """Intensity on a grid of angles, shape (n,), of one unit of volume of the phase."""
        return scattered(self.reflections, self.radiation, grid, shape)


def powder_pattern(
    structure: Structure,
    radiation: Radiation,
    two_theta_range: tuple[float, float] = (5.0, 90.0),
    b_iso: float = 1.0,
) -> PowderPattern:
    """The pattern of a structure.

    Args:
        structure: Ordered; any cell.
        radiation: See there.
        two_theta_range: Degrees.
        b_iso: Å², B of the Debye-Waller factor, one for all atoms.

    Raises:
        InputError: for an impossible range, a negative B, or a cell too large.
    """
    check_range(two_theta_range)
    if not 0 <= b_iso <= 20:
        raise InputError("--b-iso", b_iso, allowed="0 to 20 Å²")
    if len(structure) > MOST_ATOMS:
        raise InputError("structure", len(structure), problem="atoms are too many", allowed=f"up to {MOST_ATOMS}")
    shortest = max(SHORTEST_D, min(wavelength for wavelength, _ in radiation.lines) / 2 * 1.0001)
    d_min = max(shortest, float(d_of(np.array(two_theta_range[1]), radiation.wavelength)) * 0.99)
    return PowderPattern(radiation, reflections(structure, radiation, d_min, b_iso), two_theta_range)


def check_range(two_theta_range: tuple[float, float], field: str = "--range") -> None:
    """Refuse a range of angles that is none.

    Raises:
        InputError: if the range is not rising within 0 to 180 degrees.
    """
    low, high = two_theta_range
    if not 0 < low < high < 180:
        raise InputError(field, f"{low:g},{high:g}", allowed="two rising angles between 0 and 180 degrees")


def scattered(
    found: Reflections,
    radiation: Radiation,
    grid: NDArray[np.float64],
    shape: Profile,
    strain: NDArray[np.float64] | None = None,
    zero_shift: float = 0.0,
    reach: float = REACH,
) -> NDArray[np.float64]:
    """Intensity on a grid of angles, shape (n,), of one unit of volume of a phase.

    Args:
        found: Of the phase.
        radiation: See there.
        grid: shape (n,), rising, degrees.
        shape: Of peaks.
        strain: As in `Reflections.spacings`.
        zero_shift: Degrees, added to every angle.
        reach: FWHM on either side over which a peak is drawn.
    """
    total = np.zeros(len(grid))
    for seen, at, areas in _sticks(found, radiation, found.spacings(strain)):
        del seen
        total += drawn(grid, at + zero_shift, areas, shape.fwhm(at), shape.eta, reach)
    return total


def scattered_with_slopes(
    found: Reflections,
    radiation: Radiation,
    grid: NDArray[np.float64],
    shape: Profile,
    strain: NDArray[np.float64],
    zero_shift: float,
    reach: float = REACH,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `scattered`, and its derivatives by the strains and the zero shift, shape (m + 1, n).

    Intensities are taken as constant where peaks move.
    """
    total, slopes = np.zeros(len(grid)), np.zeros((len(found.strains) + 1, len(grid)))
    for seen, at, areas in _sticks(found, radiation, found.spacings(strain)):
        moves = np.empty((len(seen), len(found.strains) + 1))
        moves[:, :-1] = -np.degrees(2 * np.tan(np.radians(at) / 2))[:, None] * found.changes[seen]
        moves[:, -1] = 1.0
        value, slope = drawn_with_slopes(grid, at + zero_shift, areas, shape.fwhm(at), shape.eta, moves, reach)
        total += value
        slopes += slope
    return total, slopes


def _sticks(
    found: Reflections, radiation: Radiation, d: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """For each line of the radiation: reflections in reach, their angles in degrees, integrated intensities."""
    for wavelength, weight in radiation.lines:
        angles = two_theta_of(d, wavelength)
        seen = np.flatnonzero(np.isfinite(angles) & (angles < 179))
        at = angles[seen]
        yield seen, at, weight * found.strength[seen] * radiation.lorentz_polarisation(at)


def at_volume(structure: Structure, ratio: float) -> Structure:
    """The structure with its cell scaled alike in all directions to a multiple of its volume.

    Positions in the cell stay: a real cell under pressure changes its shape, too.

    Args:
        structure: Any.
        ratio: New volume over old.

    Raises:
        InputError: for a ratio that no pressure of a press reaches.
    """
    if not 0.5 <= ratio <= 1.5:
        raise InputError("--volume-ratio", ratio, allowed="0.5 to 1.5")
    changed = structure.copy()
    changed.scale_lattice(structure.volume * ratio)
    return changed


def murnaghan_ratio(pressure_GPa: float, bulk_modulus_GPa: float, derivative: float = 4.0) -> float:
    """V/V0 at a pressure (Murnaghan, Proc. Natl. Acad. Sci. 30, 244 (1944), doi:10.1073/pnas.30.9.244).

    Raises:
        InputError: for a bulk modulus that is not positive, or a pressure out of range.
    """
    if not 0 <= pressure_GPa <= 300:
        raise InputError("--pressure", pressure_GPa, allowed="0 to 300 GPa")
    if not 1 <= bulk_modulus_GPa <= 1000:
        raise InputError("--bulk-modulus", bulk_modulus_GPa, allowed="1 to 1000 GPa")
    return float((1 + derivative * pressure_GPa / bulk_modulus_GPa) ** (-1 / derivative))
