"""Energy against volume: a Birch-Murnaghan curve through energies and pressures at a few volumes.

The third-order Birch-Murnaghan equation is a cubic polynomial in V^(-2/3) (Birch, Phys. Rev. 71, 809 (1947)), so a
linear least-squares fit gives it; with the pressures beside the energies three volumes are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DEGREE = 3
"""Of the polynomial in V^(-2/3)."""
MARGIN = 0.5
"""Of the range of volumes, by which a minimum may lie outside: engines put soft potassium's volume up to 15 % off."""


class NoMinimumError(ValueError):
    """The energies have no minimum between the volumes given."""


@dataclass(frozen=True)
class Curve:
    """Minimum of energy against volume."""

    volume_per_atom: float
    """Å³/atom."""
    energy_per_atom: float
    """eV/atom."""
    bulk_modulus: float
    """eV/Å³."""


def fit_curve(volumes: Sequence[float], energies: Sequence[float], pressures: Sequence[float]) -> Curve:
    """The minimum of energy against volume.

    Args:
        volumes: k volumes, Å³/atom, at least two.
        energies: k energies, eV/atom.
        pressures: k pressures, eV/Å³, positive under compression: -dE/dV.

    Raises:
        NoMinimumError: if no minimum lies within half the range of volumes beyond its ends.
    """
    v, e, p = (np.asarray(values, dtype=float) for values in (volumes, energies, pressures))
    scale = v.mean()
    x = (scale / v) ** (2 / 3)
    slope = -2 / 3 * x / v  # dx/dV
    powers = np.arange(min(DEGREE, 2 * len(v) - 1) + 1)
    by_energy = x[:, None] ** powers
    by_pressure = -powers * x[:, None] ** np.maximum(powers - 1, 0) * slope[:, None]
    # the rows of the pressures in units of energy: what the volume's range makes of them
    weight = np.ptp(v) or scale * 0.1
    matrix = np.vstack([by_energy, by_pressure * weight])
    values = np.concatenate([e, p * weight])
    polynomial = np.polynomial.Polynomial(np.linalg.lstsq(matrix, values, rcond=None)[0])
    first, second = polynomial.deriv(1), polynomial.deriv(2)
    margin = MARGIN * (weight if np.ptp(v) else 0)
    roots = np.atleast_1d(np.asarray(first.roots(), dtype=complex))
    for root in roots[np.abs(roots.imag) < 1e-9].real:
        curvature = float(np.real(second(root)))
        if root > 0 and curvature > 0:
            volume = float(scale * root**-1.5)
            if v.min() - margin <= volume <= v.max() + margin:
                stiffness = curvature * (2 / 3 * root / volume) ** 2
                return Curve(volume, float(np.real(polynomial(root))), float(volume * stiffness))
    raise NoMinimumError(f"no minimum between {v.min():.2f} and {v.max():.2f} Å³/atom")
