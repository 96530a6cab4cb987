"""Peaks with a width: pseudo-Voigt, with the widths of Caglioti."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninefold.errors import InputError

REACH = 12.0
"""FWHM on either side over which a peak is drawn; beyond it a Lorentzian has 0.2 % of its height."""
WIDEST = 5.0
"""Degrees."""
NARROWEST = 0.002
"""Degrees; narrower peaks are drawn so wide."""


@dataclass(frozen=True)
class Profile:
    """Width and shape of peaks.

    FWHM² = U tan²θ + V tan θ + W (Caglioti, Paoletti & Ricci, Nucl. Instrum. 3, 223 (1958),
    doi:10.1016/0369-643X(58)90029-X), in degrees of 2θ.
    """

    w: float = 0.01
    """W, degrees²."""
    v: float = 0.0
    u: float = 0.0
    eta: float = 0.5
    """Share of the Lorentzian, 0 to 1."""

    def fwhm(self, two_theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Full width at half maximum, degrees; any shape."""
        tangent = np.tan(np.radians(two_theta) / 2)
        squared = self.u * tangent**2 + self.v * tangent + self.w
        return np.asarray(np.sqrt(np.clip(squared, NARROWEST**2, None)))


def profile(fwhm: float = 0.1, u: float = 0.0, v: float = 0.0, eta: float = 0.5, field: str = "--fwhm") -> Profile:
    """A profile from a width and Caglioti's other two terms.

    Raises:
        InputError: for a width that is not above 0 and at most `WIDEST`, or a share out of range.
    """
    if not 0 < fwhm <= WIDEST:
        raise InputError(field, fwhm, allowed=f"above 0, at most {WIDEST:g} degrees")
    if not 0 <= eta <= 1:
        raise InputError("--eta", eta, allowed="0 (Gaussian) to 1 (Lorentzian)")
    return Profile(fwhm**2, v, u, eta)


def check_widths(shape: Profile, two_theta_range: tuple[float, float]) -> None:
    """Refuse widths whose square is negative somewhere within a range of angles.

    Args:
        shape: From options.
        two_theta_range: Degrees.

    Raises:
        InputError: with the angles between which FWHM² is negative.
    """
    ends = np.tan(np.radians(two_theta_range) / 2)
    terms = [shape.u, shape.v, shape.w]
    roots = np.roots(terms)
    between = np.sort(roots[np.isreal(roots)].real)
    edges = np.array([ends[0], *between[(between > ends[0]) & (between < ends[1])], ends[1]])
    is_negative = np.polyval(terms, (edges[:-1] + edges[1:]) / 2) < 0
    if is_negative.any():
        low, high = np.degrees(2 * np.arctan([edges[:-1][is_negative][0], edges[1:][is_negative][-1]]))
        field = "--caglioti-u" if shape.u < 0 <= shape.v else "--caglioti-v"
        raise InputError(
            field, shape.u if field == "--caglioti-u" else shape.v,
            problem=f"gives a negative FWHM² from {low:.2f} to {high:.2f} degrees",
            allowed="U tan²θ + V tan θ + W above 0 throughout --range; W is the square of --fwhm",
        )  # fmt: skip


def drawn(
    grid: NDArray[np.float64],
    centres: NDArray[np.float64],
    areas: NDArray[np.float64],
    widths: NDArray[np.float64],
    eta: float,
    reach: float = REACH,
) -> NDArray[np.float64]:
    """The sum of peaks on a grid.

    Args:
        grid: shape (n,), rising, degrees.
        centres: shape (m,), degrees; likewise the next two.
        areas: Integrated intensities.
        widths: FWHM.
        eta: Share of the Lorentzian.
        reach: FWHM on either side over which a peak is drawn.

    Returns:
        shape (n,), intensity per degree.
    """
    from ninefold.diffraction.profile_kernel import summed  # compiled code, which lists of peaks do not need

    if not len(grid) or not len(centres):
        return np.zeros(len(grid))
    first = np.searchsorted(grid, centres - reach * widths)
    last = np.searchsorted(grid, centres + reach * widths)
    return np.asarray(summed(grid, centres, areas, widths, eta, first, last))


def drawn_with_slopes(
    grid: NDArray[np.float64],
    centres: NDArray[np.float64],
    areas: NDArray[np.float64],
    widths: NDArray[np.float64],
    eta: float,
    moves: NDArray[np.float64],
    reach: float = REACH,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As `drawn`, and its derivatives by parameters that move the peaks.

    Args:
        grid: As in `drawn`; likewise the next four, and `reach`.
        centres: See there.
        areas: See there.
        widths: See there.
        eta: See there.
        moves: shape (m, parameters), derivative of each centre.
        reach: See there.

    Returns:
        shape (n,), and shape (parameters, n).
    """
    from ninefold.diffraction.profile_kernel import summed_with_slopes

    if not len(grid) or not len(centres):
        return np.zeros(len(grid)), np.zeros((moves.shape[1], len(grid)))
    first = np.searchsorted(grid, centres - reach * widths)
    last = np.searchsorted(grid, centres + reach * widths)
    total, slopes = summed_with_slopes(grid, centres, areas, widths, eta, first, last, np.ascontiguousarray(moves))
    return np.asarray(total), np.asarray(slopes)
