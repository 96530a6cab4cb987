"""How strongly atoms scatter: form factors with anomalous dispersion for X-rays, scattering lengths for neutrons.

Four Gaussians and a constant for the form factor (International Tables for Crystallography C, 1992, table 6.1.1.4),
f' and f'' by Cromer and Liberman, coherent lengths of neutrons (Neutron News 3, 1992): all three from gemmi. pymatgen's
calculator has no dispersion, which under copper radiation takes 1.1 of iron's 26
electrons away, 2.3 of cobalt's 27 and 6 of rhenium's 75.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.radiation import KEV_ANGSTROM, Radiation


def amplitudes(
    symbols: list[str], inverse_d: NDArray[np.float64], radiation: Radiation, b_iso: float
) -> NDArray[np.complex128]:
    """Scattering amplitude of one atom of each element, thermal motion included.

    Args:
        symbols: n element symbols.
        inverse_d: shape (m,), 1/Å.
        radiation: See there.
        b_iso: Å², B of the Debye-Waller factor exp(-B / (4 d²)), one for all atoms.

    Returns:
        shape (n, m); electrons for X-rays, 1e-15 m for neutrons.
    """
    import gemmi

    squared = (inverse_d / 2) ** 2  # (sin θ / λ)²
    motion = np.exp(-b_iso * squared)
    rows = []
    for symbol in symbols:
        if radiation.kind == "neutron":
            isotope = "D" if symbol == "H" and radiation.is_deuterated else symbol
            rows.append(np.full(len(squared), gemmi.Element(isotope).neutron92.get_coefs()[0], dtype=complex))
            continue
        element = gemmi.Element(symbol)
        coefficients = np.array(element.it92.get_coefs())
        gaussians = coefficients[:4, None] * np.exp(-coefficients[4:8, None] * squared[None, :])
        rows.append(gaussians.sum(axis=0) + coefficients[8] + _dispersion(element.atomic_number, radiation.wavelength))
    return np.array(rows, dtype=complex).reshape(len(symbols), len(squared)) * motion


def _dispersion(atomic_number: int, wavelength: float) -> complex:
    """F' + i f'', electrons; hydrogen and helium have none worth the name."""
    import gemmi

    if atomic_number < 3:
        return 0j
    real, imaginary = gemmi.cromer_liberman(z=atomic_number, energy=KEV_ANGSTROM / wavelength * 1000)
    return complex(real, imaginary)
