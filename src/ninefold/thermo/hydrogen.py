"""The chemical potential of hydrogen gas, from vacuum to 10 GPa.

Ideal part: partition function of the molecule, its rotations and vibrations summed level by level
(equilibrium of ortho and para). Real part: the integral of the volume over the pressure,
V = RT/p + b(T) below 0.1 GPa and the equation of Tkacz and Litwiniuk above, b(T) such that the
volume is continuous. Their constants are from memory, as are Datchi's of the melting line; the
equation of Hemmes et al. (J. Phys. C 19, 3571 (1986)), likewise, gives potentials within 2.5 kJ/mol.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ninefold.errors import InputError
from ninefold.thermo.settings import PRESSURE_RANGE, TEMPERATURE_RANGE

GAS_CONSTANT = 8.314462618
"""J/(mol K), CODATA 2018."""
KJ_PER_MOL = 96.48533212
"""kJ/mol in one eV, CODATA 2018."""
_BAR = 0.1
"""MPa; the ideal gas's standard pressure."""
_SECOND_RADIATION_CONSTANT = 1.438776877
"""cm K, CODATA 2018: turns wavenumbers into temperatures."""

# levels of the molecule, cm^-1: Huber & Herzberg, Constants of Diatomic Molecules (1979), from memory
_OMEGA, _OMEGA_X, _B, _ALPHA, _D = 4401.21, 121.34, 60.853, 3.062, 0.0471
# ln of the translational partition function per molecule of 2.01588 u at 1 K and 1 bar: the
# Sackur-Tetrode constant of 1 u (CODATA 2018) - 5/2 + 3/2 ln(mass)
_TRANSLATION = -1.15170753706 - 2.5 + 1.5 * math.log(2.01588)

# V = A p^-1/3 + B p^-2/3 + C p^-4/3 + (D + E T)/p, cm^3/mol, MPa, K:
# Tkacz & Litwiniuk, J. Alloys Compd. 330-332, 89 (2002), doi:10.1016/S0925-8388(01)01488-8, from memory
_TKACZ = (176.330, -633.675, -304.574, 731.393, 8.59805)
_JOIN = 100.0
"""MPa, where the two equations of state meet."""


def chemical_potential(temperature: float, pressure: float) -> float:
    """Chemical potential of H2 gas relative to the molecule at rest at 0 K, zero-point energy included there.

    Args:
        temperature: K, 100 to 1200.
        pressure: GPa, 1e-9 to 10.

    Returns:
        kJ/mol H2. Below the melting line it is that of the undercooled fluid, see `is_solid`.

    Raises:
        InputError: outside the range of the equation of state.
    """
    _check(temperature, pressure)
    p = pressure * 1e3
    ideal = _ideal_potential(temperature) + GAS_CONSTANT * temperature * math.log(p / _BAR)
    return (ideal + _departure(temperature, p)) / 1e3


def chemical_potential_per_atom(temperature: float, pressure: float) -> float:
    """The same per hydrogen atom, in eV."""
    return chemical_potential(temperature, pressure) / KJ_PER_MOL / 2


def enthalpy(temperature: float) -> float:
    """Enthalpy of the gas at 1 bar above the molecule at rest at 0 K, kJ/mol H2: H(T) - H(0).

    Args:
        temperature: K, 100 to 1200.
    """
    _check(temperature, 1e-4)
    step = 1e-3 * temperature
    above, below = (_ideal_potential(value) / value for value in (temperature + step, temperature - step))
    return -(temperature**2) * (above - below) / (2 * step) / 1e3


def is_solid(temperature: float, pressure: float) -> bool:
    """Whether hydrogen is solid: Datchi, Loubeyre & LeToullec, Phys. Rev. B 61, 6535 (2000), from memory."""
    return temperature < 14.025 * (1 + pressure / 0.0286) ** 0.589 * math.exp(-4.6e-3 * pressure)


@functools.lru_cache(maxsize=1024)
def _ideal_potential(temperature: float) -> float:
    """At 1 bar, J/mol: -RT ln(q)."""
    v, j = np.meshgrid(np.arange(4), np.arange(30), indexing="ij")
    vibration = _OMEGA * v - _OMEGA_X * v * (v + 1)  # above v = 0
    rotation = (_B - _ALPHA * (v + 0.5)) * j * (j + 1) - _D * (j * (j + 1)) ** 2
    # nuclear spin: para 1/4 for even J, ortho 3/4 for odd, the convention of the thermochemical tables
    degeneracy = np.where(j % 2 == 0, 0.25, 0.75) * (2 * j + 1)
    levels = np.where((rotation >= 0) & (j <= 16), vibration + rotation, np.inf)
    internal = float(np.log(np.sum(degeneracy * np.exp(-_SECOND_RADIATION_CONSTANT * levels / temperature))))
    return -GAS_CONSTANT * temperature * (_TRANSLATION + 2.5 * math.log(temperature) + internal)


def _departure(temperature: float, p: float) -> float:
    """Real less ideal at the same pressure, J/mol (cm³/mol times MPa)."""
    low = _covolume(temperature) * min(p, _JOIN)
    if p <= _JOIN:
        return low
    return low + _tkacz_integral(temperature, p) - GAS_CONSTANT * temperature * math.log(p / _JOIN)


def _covolume(temperature: float) -> float:
    """cm³/mol; Abel-Noble's b, near 15.84 (San Marchi et al., Int. J. Hydrogen Energy 32, 100 (2007))."""
    return _tkacz_volume(temperature, _JOIN) - GAS_CONSTANT * temperature / _JOIN


def _tkacz_volume(temperature: float, p: float) -> float:
    a, b, c, d, e = _TKACZ
    return a * p ** (-1 / 3) + b * p ** (-2 / 3) + c * p ** (-4 / 3) + (d + e * temperature) / p


def _tkacz_integral(temperature: float, p: float) -> float:
    """Volume over pressure from the join to p, J/mol."""
    a, b, c, d, e = _TKACZ

    def primitive(x: float) -> float:
        return (
            1.5 * a * x ** (2 / 3) + 3 * b * x ** (1 / 3) - 3 * c * x ** (-1 / 3)
            + (d + e * temperature) * math.log(x)
        )  # fmt: skip

    return primitive(p) - primitive(_JOIN)


def _check(temperature: float, pressure: float) -> None:
    ranges = (("temperature_K", temperature, TEMPERATURE_RANGE), ("pressure_GPa", pressure, PRESSURE_RANGE))
    for field, value, (low, high) in ranges:
        if not low <= value <= high:
            raise InputError(
                field,
                value,
                problem="is outside the range of hydrogen's equation of state",
                allowed=f"{low:g} to {high:g}",
            )
