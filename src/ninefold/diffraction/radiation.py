"""What a powder is irradiated with: X-ray lines of an anode, a synchrotron's wavelength, neutrons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ninefold.errors import InputError

X_RAY_RANGE = (0.1, 3.0)
"""Å; shorter ones scatter within a degree, longer ones do not leave the sample."""
NEUTRON_RANGE = (0.3, 6.0)
"""Å."""
KEV_ANGSTROM = 12.398419843320026
"""Photon energy in keV times wavelength in Å: h c / e, exact in the SI of 2019."""

# Kα1 and Kα2 in Å. Cr, Fe, Co, Cu: Hölzer et al., Phys. Rev. A 56, 4554 (1997), doi:10.1103/PhysRevA.56.4554. Mo, Ag:
# Deslattes et al., Rev. Mod. Phys. 75, 35 (2003), doi:10.1103/RevModPhys.75.35. From memory; a test holds them against
# pymatgen's table, which agrees within 3e-5 Å.
_K_ALPHA = {
    "Cr": (2.289726, 2.293651),
    "Fe": (1.936041, 1.939973),
    "Co": (1.788996, 1.792835),
    "Cu": (1.540593, 1.544427),
    "Mo": (0.709317, 0.713607),
    "Ag": (0.559422, 0.563813),
}
_ALPHA_2 = 0.5
"""Kα2 over Kα1, from the occupations of the 2p levels; measured ratios are 0.50 to 0.52."""


@dataclass(frozen=True)
class Radiation:
    """Wavelengths with their weights, and how the beam scatters."""

    lines: tuple[tuple[float, float], ...]
    """(wavelength in Å, weight); the weights sum to 1."""
    kind: str = "x-ray"
    """x-ray | neutron."""
    polarisation: float = 1.0
    """Share of the component in the scattering plane over that perpendicular to it: 1 for an X-ray tube, 0 for a
    synchrotron's beam that is scattered at right angles to its polarisation. No meaning for neutrons."""
    is_deuterated: bool = False
    """For neutrons: every hydrogen is deuterium."""
    name: str = ""

    @property
    def wavelength(self) -> float:
        """Mean of the lines, Å."""
        return sum(wavelength * weight for wavelength, weight in self.lines)

    def lorentz_polarisation(self, two_theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lorentz and polarisation factor of powder rings in Bragg-Brentano or Debye-Scherrer geometry.

        Args:
            two_theta: Any shape, degrees, above 0 and below 180.
        """
        theta = np.radians(two_theta) / 2
        lorentz = 1 / (np.sin(theta) ** 2 * np.cos(theta))
        if self.kind == "neutron":
            return np.asarray(lorentz)
        share = self.polarisation
        return np.asarray(lorentz * (1 + share * np.cos(2 * theta) ** 2) / (1 + share))


def radiation(
    wavelength: str,
    *,
    polarised: bool | None = None,
    neutrons: bool = False,
    deuterated: bool = False,
    field: str = "--wavelength",
) -> Radiation:
    """Radiation by the name of a line or a wavelength in Å.

    Args:
        wavelength: `CuKa` (the doublet), `CuKa1`, or a number.
        polarised: Whether the beam is polarised at right angles to the plane of scattering; default: a number is a
            synchrotron's wavelength and polarised, an anode's line is not.
        neutrons: Whether the number is a wavelength of neutrons.
        deuterated: Whether hydrogen is deuterium.
        field: The option, for errors.

    Raises:
        InputError: for a name that is not known, or a wavelength out of range.
    """
    if deuterated and not neutrons:
        raise InputError("--deuterium", True, problem="says nothing without --neutrons")
    text = wavelength.strip()
    number = _number(text)
    if number is not None:
        low, high = NEUTRON_RANGE if neutrons else X_RAY_RANGE
        if not low <= number <= high:
            what = "neutrons" if neutrons else "X-rays"
            raise InputError(field, wavelength, problem="is out of range", allowed=f"{low:g} to {high:g} Å for {what}")
        share = 0.0 if polarised or polarised is None else 1.0
        kind = "neutron" if neutrons else "x-ray"
        beam = " neutrons" if neutrons else ""
        name = f"{number:g} Å{beam}{', hydrogen is deuterium' if deuterated else ''}"
        return Radiation(((number, 1.0),), kind, share, deuterated and neutrons, name)
    names = {f"{anode}Ka": lines for anode, lines in _K_ALPHA.items()}
    found = next((name for name in names if text.lower().removesuffix("1") == name.lower()), None)
    if neutrons:
        problem = "is no wavelength" if found is None else "is a line of X-rays, and --neutrons is given"
        raise InputError(field, wavelength, problem=problem, allowed="a number in Å, e.g. 1.54")
    if found is None:
        allowed = f"{', '.join(names)} (with 1 behind: Kα1 alone), or a number in Å"
        raise InputError(field, wavelength, problem="is no wavelength", allowed=allowed)
    first, second = names[found]
    share = 0.0 if polarised else 1.0
    if text.endswith("1"):
        return Radiation(((first, 1.0),), polarisation=share, name=f"{found}1")
    whole = 1 + _ALPHA_2
    return Radiation(((first, 1 / whole), (second, _ALPHA_2 / whole)), polarisation=share, name=found)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else math.inf


def two_theta_of(d: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """Bragg angles in degrees of spacings in Å; NaN where the wavelength is too long for a spacing.

    Args:
        d: Any shape, Å.
        wavelength: Å.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * np.degrees(np.arcsin(wavelength / (2 * d))))


def d_of(two_theta: NDArray[np.float64], wavelength: float) -> NDArray[np.float64]:
    """Spacings in Å of Bragg angles in degrees."""
    return np.asarray(wavelength / (2 * np.sin(np.radians(two_theta) / 2)))
