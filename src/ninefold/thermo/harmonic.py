"""Zero-point energy, free energy, entropy and heat capacity of independent harmonic oscillators.

    F = sum w [e/2 + kT ln(1 - exp(-e/kT))],    e = the energy of a quantum, w = modes per atom

Nothing but frequencies enters: the volume is fixed and modes do not interact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, overload

import numpy as np

from ninefold.errors import InputError

BOLTZMANN = 8.617333262e-5
"""eV/K, CODATA 2018."""
MEV_PER_THZ = 4.135667696
"""Energy of a quantum of 1 THz in meV: Planck's constant, CODATA 2018."""
HARMONIC_TEMPERATURES = (0.0, 3000.0)
"""K; far above, no hydride is a solid, least of all a harmonic one."""
MODES_PER_ATOM = 3.0


@dataclass(frozen=True, eq=False)
class HarmonicVibrations:
    """Vibrations of a solid as a list of oscillators.

    Modes without a real frequency (imaginary ones, and the three translations at Γ) are not in the list and add nothing
    to any sum: `missing_modes` is their share. Two objects of equal content are equal.

    Attributes:
        frequencies_meV: shape (k,), energies of the quanta, meV, all positive.
        weights: shape (k,), modes per atom that each stands for; 3 in sum where no mode is missing.
        n_imaginary: Imaginary modes at the points that were computed without interpolation; 0 in a minimum.
    """

    frequencies_meV: np.ndarray
    weights: np.ndarray
    n_imaginary: int = 0

    def __post_init__(self) -> None:
        for name in ("frequencies_meV", "weights"):
            array = np.array(getattr(self, name), dtype=float)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        frequencies, weights = self.frequencies_meV, self.weights
        if frequencies.ndim != 1 or frequencies.shape != weights.shape:
            raise ValueError(f"{frequencies.shape=} and {weights.shape=} must be one and the same (k,)")
        if not (np.isfinite(frequencies).all() and (frequencies > 0).all()):
            raise ValueError("frequencies_meV must be positive numbers; imaginary modes and translations are left out")
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() <= MODES_PER_ATOM + 1e-6):
            raise ValueError(f"weights must be positive, 3 modes per atom in sum at most; the sum is {weights.sum():g}")

    @classmethod
    def of_mesh(
        cls, frequencies_THz: Any, weights: Any, n_atoms: int, *, cutoff_THz: float = 0.0, n_imaginary: int = 0
    ) -> Self:
        """From the frequencies on a mesh of q-points, as phonopy gives them.

        Args:
            frequencies_THz: shape (n_q, 3 n_atoms), THz; imaginary ones negative.
            weights: shape (n_q,), of the q-points, in any unit: phonopy's count them.
            n_atoms: Atoms of the primitive cell.
            cutoff_THz: Modes at or below it are left out.
            n_imaginary: As the attribute.
        """
        frequencies = np.asarray(frequencies_THz, dtype=float)
        share = np.asarray(weights, dtype=float) / np.sum(weights) / n_atoms
        every = np.repeat(share, frequencies.shape[1])
        kept = frequencies.ravel() > cutoff_THz
        return cls(frequencies.ravel()[kept] * MEV_PER_THZ, every[kept], n_imaginary)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(np.array(plain["frequencies_meV"]), np.array(plain["weights"]), int(plain["n_imaginary"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "frequencies_meV": self.frequencies_meV.tolist(), "weights": self.weights.tolist(),
            "n_imaginary": self.n_imaginary,
        }  # fmt: skip

    def condensed(self, width_meV: float = 0.02) -> Self:
        """The same with fewer oscillators: frequencies within a width become their weighted mean.

        The zero-point energy stays exactly the same; free energies change by less than 1e-7 eV/atom at the default.

        Args:
            width_meV: Of the intervals, meV.
        """
        places = np.floor(self.frequencies_meV / width_meV).astype(int)
        _, index = np.unique(places, return_inverse=True)
        weights = np.bincount(index, self.weights)
        means = np.bincount(index, self.weights * self.frequencies_meV)[weights > 0] / weights[weights > 0]
        return type(self)(means, weights[weights > 0], self.n_imaginary)

    @property
    def missing_modes(self) -> float:
        """Modes per atom without a real frequency; 0 to 3."""
        return max(0.0, MODES_PER_ATOM - float(self.weights.sum()))

    @functools.cached_property
    def zero_point_energy(self) -> float:
        """Half a quantum in each mode, eV/atom."""
        return float(self.weights @ self.frequencies_meV) / 2e3

    @overload
    def free_energy(self, temperature: float) -> float: ...
    @overload
    def free_energy(self, temperature: np.ndarray) -> np.ndarray: ...
    def free_energy(self, temperature: Any) -> Any:
        """Helmholtz free energy, zero-point energy included, eV/atom.

        Args:
            temperature: K, 0 to 3000; a number, or an array of any shape.

        Raises:
            InputError: outside this range.
        """
        return self.zero_point_energy + self._sum(temperature, lambda x: np.log(-np.expm1(-x)), scale=True)

    @overload
    def internal_energy(self, temperature: float) -> float: ...
    @overload
    def internal_energy(self, temperature: np.ndarray) -> np.ndarray: ...
    def internal_energy(self, temperature: Any) -> Any:
        """Mean energy, zero-point energy included, eV/atom; arguments as `free_energy`."""
        return self.zero_point_energy + self._sum(temperature, lambda x: x * _occupation(x), scale=True)

    @overload
    def entropy(self, temperature: float) -> float: ...
    @overload
    def entropy(self, temperature: np.ndarray) -> np.ndarray: ...
    def entropy(self, temperature: Any) -> Any:
        """Entropy, eV/(K atom); arguments as `free_energy`."""
        return self._sum(temperature, lambda x: x * _occupation(x) - np.log(-np.expm1(-x)))

    @overload
    def heat_capacity(self, temperature: float) -> float: ...
    @overload
    def heat_capacity(self, temperature: np.ndarray) -> np.ndarray: ...
    def heat_capacity(self, temperature: Any) -> Any:
        """Heat capacity at fixed volume, eV/(K atom); arguments as `free_energy`."""
        return self._sum(temperature, lambda x: x**2 * _occupation(x) * (1 + _occupation(x)))

    def _sum(self, temperature: Any, of_mode: Callable[[np.ndarray], np.ndarray], *, scale: bool = False) -> Any:
        """Sum over modes of a function of x = e/kT, in units of k (of kT, if `scale`); 0 at 0 K."""
        values = np.asarray(temperature, dtype=float)
        low, high = HARMONIC_TEMPERATURES
        if not ((values >= low) & (values <= high)).all():
            outside = values[~((values >= low) & (values <= high))].flat[0]
            raise InputError(
                "temperature_K", float(outside), problem="is outside the range of harmonic vibrations",
                allowed=f"{low:g} to {high:g}",
            )  # fmt: skip
        sums = np.zeros(values.size)
        for place, one in enumerate(values.flat):  # a row of modes at a time: a mesh has 1e5 of them
            if one > 0:
                x = self.frequencies_meV / (1e3 * BOLTZMANN * one)
                sums[place] = BOLTZMANN * (one if scale else 1.0) * float(self.weights @ of_mode(x))
        return float(sums[0]) if values.ndim == 0 else sums.reshape(values.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HarmonicVibrations):
            return NotImplemented
        return self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[bytes, bytes, int]:
        return self.frequencies_meV.tobytes(), self.weights.tobytes(), self.n_imaginary


def _occupation(x: np.ndarray) -> np.ndarray:
    """Mean number of quanta at x = e/kT; beyond 700 it is less than any number that a float holds."""
    return 1 / np.expm1(np.minimum(x, 700.0))
