"""Volume, thermal expansion and Gibbs energy of a solid from its static energy and vibrations at several volumes.

    G(T, p) = min over V of [E(V) + F(V, T) + p V]

The vibrations at each volume are harmonic; that they soften as it grows is what expands the solid. At each T and p
Vinet's form is fitted to E + F + p V over the volumes, as phonopy does. A minimum outside the computed volumes is
refused: it would be that of the form alone. So are energies that lie on no curve: a potential whose second derivatives
jump with the volume has frequencies that do, and their slope, which is the expansion, means nothing.
"""

from __future__ import annotations

import functools
import math
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
_DERIVATIVES = (1.01, 15.0)
"""Of the bulk modulus with the pressure, as for equations of state. Beyond them the form bends to points far from its
minimum: Mg3CrH8 at 973 K and 5 GPa came out with 20, and stiffer than at 298 K (a cubic polynomial: softer by 15 %)."""
_NEAR = 0.25
"""Of the range of volumes, by which a minimum may lie outside and be named."""
_MOST_STEPS = 200
"""Of a fit: some 30 find a minimum between the volumes; where there is none the form runs away."""
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
    bulk_modulus: float | None
    """Isothermal, GPa; None where its derivative with the pressure comes out as that of no solid."""
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
        return self._found(float(temperature), float(pressure))

    def static(self, pressure: float = 0.0) -> Equilibrium:
        """The same without any vibrations, nuclei at rest; raises as `at`."""
        check_pressure(pressure)
        return self._found(None, float(pressure))

    def thermal_expansion(self, temperature: float, pressure: float = 0.0) -> float:
        """Of the volume, 1/K, by the difference over 2 K; raises as `at`."""
        low, high = max(0.0, temperature - _TEMPERATURE_STEP), temperature + _TEMPERATURE_STEP
        change = self.at(high, pressure).volume_per_atom - self.at(low, pressure).volume_per_atom
        return change / (high - low) / self.at(temperature, pressure).volume_per_atom

    def _found(self, temperature: float | None, pressure: float) -> Equilibrium:
        found = self._minimum(temperature, pressure)
        if isinstance(found, str):
            raise QuasiHarmonicError(found)
        return found

    @functools.lru_cache(maxsize=64)  # noqa: B019 - as many solids as a store holds, a few temperatures each
    def _free_energies(self, temperature: float) -> np.ndarray:
        """Shape (n,), E + F, eV/atom."""
        return np.array(self.energies) + [modes.free_energy(temperature) for modes in self.vibrations]

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - likewise; what is refused is asked for as often
    def _minimum(self, temperature: float | None, pressure: float) -> Equilibrium | str:
        """The equilibrium, or why there is none; at no temperature without vibrations."""
        volumes = np.array(self.volumes)
        energies = np.array(self.energies) if temperature is None else self._free_energies(temperature)
        where = "static" if temperature is None else f"{temperature:g} K"
        fitted = vinet(volumes, energies + pressure * EV_PER_GPA_A3 * volumes)
        low, high = self.volumes[0], self.volumes[-1]
        if fitted is None or not low <= fitted[3] <= high:
            beyond = math.inf if fitted is None else max(low - fitted[3], fitted[3] - high)
            # farther away it would be a number of the form alone
            is_near = fitted is not None and beyond <= _NEAR * (high - low)
            told = f"the minimum at {fitted[3]:.2f} Å³/atom" if fitted is not None and is_near else "every minimum"
            return (
                f"{where}, {pressure:g} GPa: {told} lies outside the computed volumes, {low:.2f} to {high:.2f} Å³/atom"
            )
        energy, modulus, derivative, volume, misfit = fitted
        if misfit > LARGEST_MISFIT:
            return (
                f"{where}, {pressure:g} GPa: free energies are {1000 * misfit:.1f} meV/atom (root mean square) off one "
                f"curve, more than {1000 * LARGEST_MISFIT:g}: frequencies do not change smoothly with the volume"
            )
        is_solid = _DERIVATIVES[0] <= derivative <= _DERIVATIVES[1]
        return Equilibrium(volume, energy, modulus / EV_PER_GPA_A3 if is_solid else None, misfit)


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
    from scipy.optimize import leastsq

    V = np.asarray(volumes, dtype=float)
    curvature, slope, _ = np.polyfit(V, energies, 2)
    if curvature <= 0:
        return None
    start = float(np.clip(-slope / (2 * curvature), V[0], V[-1]))
    mean = float(np.mean(energies))
    heights = energies - mean

    def modulus_at(well: np.ndarray) -> float:
        """The best bulk modulus for a derivative and a volume: energy and modulus are linear in the form."""
        return float(well @ heights / (well @ well))

    def residuals(values: np.ndarray) -> np.ndarray:
        well = _well(V, *values)
        well = well - well.mean()
        return modulus_at(well) * well - heights

    with np.errstate(all="ignore"):
        found, *_ = leastsq(residuals, [4.0, start], xtol=1e-14, ftol=1e-14, maxfev=_MOST_STEPS, full_output=True)
        misfit = float(np.sqrt(np.mean(residuals(found) ** 2)))
        well = _well(V, *found)
    derivative, volume = (float(value) for value in found)
    modulus = modulus_at(well - well.mean())
    is_solid = np.isfinite([*found, misfit, modulus]).all() and modulus > 0 and volume > 0
    return (mean - modulus * float(well.mean()), modulus, derivative, volume, misfit) if is_solid else None


def _well(V: np.ndarray, derivative: float, volume: float) -> np.ndarray:
    """Vinet's energy above its minimum for a bulk modulus of 1, Å³.

    Args:
        V: shape (n,), Å³.
        derivative: Of the bulk modulus with the pressure.
        volume: Of the minimum, Å³.

    Returns:
        shape (n,).
    """
    xi = 1.5 * (derivative - 1)
    u = xi * (1 - np.cbrt(V / volume))
    return np.asarray(9 * volume / xi**2 * (1 + (u - 1) * np.exp(u)))
