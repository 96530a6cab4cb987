"""Volume, thermal expansion and Gibbs energy of a solid from its static energy and vibrations at several volumes.

    G(T, p) = min over V of [E(V) + F(V, T) + p V]

The vibrations at each volume are harmonic; that they soften as it grows is what expands the solid. At each T and p
Vinet's form is fitted to E + F + p V over the volumes, as phonopy does. A minimum outside the computed volumes is
refused: it would be that of the form alone. So are energies that lie on no curve: a potential whose second derivatives
jump with the volume has frequencies that do, and their slope, which is the expansion, means nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ninefold.errors import InputError
from ninefold.thermo.equation_of_state import EV_PER_GPA_A3, check_pressure
from ninefold.thermo.harmonic import HarmonicVibrations

LEAST_VOLUMES = 5
"""Vinet's form has four parameters."""
LARGEST_MISFIT = 0.001
"""eV/atom, root mean square. Our choice: smooth energies (EMT copper, an Einstein solid) are off by less than 0.05 meV;
with 1.4 meV the thermal expansion of LiH by SevenNet 7net-0 came out at a tenth of the measured one."""
_TEMPERATURE_STEP = 1.0
"""K, to either side, of the derivative with the temperature."""


class QuasiHarmonicError(Exception):
    """A condition at which no volume is known: the reason, for people."""


@dataclass(frozen=True)
class Equilibrium:
    """A solid at a temperature and a pressure."""

    volume_per_atom: float
    """Å³/atom."""
    gibbs_energy: float
    """E + F + p V, eV/atom."""
    bulk_modulus: float
    """Isothermal, GPa."""
    misfit: float
    """Of the energies, root mean square, eV/atom."""


@dataclass(frozen=True, eq=False)
class QuasiHarmonic:
    """A solid at several volumes.

    Attributes:
        volumes: shape (n,), rising, Å³/atom; five at least.
        energies: shape (n,), static, eV/atom.
        vibrations: n, all modes real.
    """

    volumes: tuple[float, ...]
    energies: tuple[float, ...]
    vibrations: tuple[HarmonicVibrations, ...]

    def __post_init__(self) -> None:
        n = len(self.volumes)
        if not n == len(self.energies) == len(self.vibrations):
            raise InputError("volumes", n, problem="must be as many as energies and vibrations")
        if n < LEAST_VOLUMES:
            raise InputError("volumes", n, problem="are too few", allowed=f"{LEAST_VOLUMES} or more")
        if not (np.diff(self.volumes) > 0).all() or not self.volumes[0] > 0:
            raise InputError("volumes", list(self.volumes), problem="must rise, and be above 0")
        if soft := [V for V, modes in zip(self.volumes, self.vibrations, strict=True) if modes.n_imaginary]:
            raise InputError("volumes", soft[0], problem="has imaginary modes, and no free energy")

    def at(self, temperature: float, pressure: float = 0.0) -> Equilibrium:
        """The equilibrium at a temperature in K and a pressure in GPa.

        Raises:
            InputError: outside the ranges of vibrations or of equations of state.
            QuasiHarmonicError: if its volume is none of those between the smallest and the largest computed one, or the
                energies lie on no curve.
        """
        check_pressure(pressure)
        return self._at(float(temperature), float(pressure))

    def static(self, pressure: float = 0.0) -> Equilibrium:
        """The same without any vibrations, nuclei at rest; raises as `at`."""
        check_pressure(pressure)
        return self._minimum(np.array(self.energies), float(pressure), "static")

    def thermal_expansion(self, temperature: float, pressure: float = 0.0) -> float:
        """Of the volume, 1/K, by the difference over 2 K; raises as `at`."""
        low, high = max(0.0, temperature - _TEMPERATURE_STEP), temperature + _TEMPERATURE_STEP
        change = self.at(high, pressure).volume_per_atom - self.at(low, pressure).volume_per_atom
        return change / (high - low) / self.at(temperature, pressure).volume_per_atom

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - as many solids as a store holds, a few conditions each
    def _at(self, temperature: float, pressure: float) -> Equilibrium:
        free = np.array([modes.free_energy(temperature) for modes in self.vibrations])
        return self._minimum(np.array(self.energies) + free, pressure, f"{temperature:g} K")

    def _minimum(self, energies: np.ndarray, pressure: float, where: str) -> Equilibrium:
        volumes = np.array(self.volumes)
        fitted = vinet(volumes, energies + pressure * EV_PER_GPA_A3 * volumes)
        low, high = self.volumes[0], self.volumes[-1]
        if fitted is None or not low <= fitted[3] <= high:
            told = "no minimum" if fitted is None else f"the minimum at {fitted[3]:.2f} Å³/atom"
            raise QuasiHarmonicError(
                f"{where}, {pressure:g} GPa: {told} lies outside the computed volumes, {low:.2f} to {high:.2f} Å³/atom"
            )
        energy, modulus, _, volume, misfit = fitted
        if misfit > LARGEST_MISFIT:
            raise QuasiHarmonicError(
                f"{where}, {pressure:g} GPa: free energies are {1000 * misfit:.1f} meV/atom (root mean square) off one "
                f"curve, more than {1000 * LARGEST_MISFIT:g}: frequencies do not change smoothly with the volume"
            )
        return Equilibrium(volume, energy, modulus / EV_PER_GPA_A3, misfit)


def vinet(
    volumes: Sequence[float] | np.ndarray, energies: np.ndarray
) -> tuple[float, float, float, float, float] | None:
    """Vinet's form fitted to energies without weights: energy, bulk modulus, its derivative, volume, misfit.

    Args:
        volumes: shape (n,), Å³.
        energies: shape (n,), eV.

    Returns:
        In eV, eV/Å³, 1, Å³ and eV (root mean square); None where the energies have no minimum that the form can take.
    """
    from scipy.optimize import least_squares

    V = np.asarray(volumes, dtype=float)
    curvature, slope, _ = np.polyfit(V, energies, 2)
    if curvature <= 0:
        return None
    start = float(np.clip(-slope / (2 * curvature), V[0], V[-1]))

    def residuals(values: np.ndarray) -> np.ndarray:
        energy, modulus, derivative, volume = values
        x = np.cbrt(V / volume)
        xi = 1.5 * (derivative - 1)
        return np.asarray(
            energy + 9 * modulus * volume / xi**2 * (1 + (xi * (1 - x) - 1) * np.exp(xi * (1 - x))) - energies
        )

    first = [float(energies.min()), max(2 * curvature * start, 1e-6), 4.0, start]
    with np.errstate(all="ignore"):
        found = least_squares(residuals, first, method="lm", x_scale=[0.01, 0.1, 1.0, 1.0], xtol=1e-14, ftol=1e-14)
    energy, modulus, derivative, volume = (float(value) for value in found.x)
    is_solid = np.isfinite(found.x).all() and modulus > 0 and volume > 0
    misfit = float(np.sqrt(np.mean(found.fun**2)))
    return (energy, modulus, derivative, volume, misfit) if is_solid else None
