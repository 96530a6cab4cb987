"""Molecular dynamics of one system at constant temperature and volume, piece by piece.

Velocities are thermostatted by Langevin dynamics with a friction that is weak beside all vibrations. The centre of mass
is not held: holding it overheats cells of light and heavy atoms. Its drift is taken out in the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ninefold.dynamics.rates import BOLTZMANN
from ninefold.errors import InputError
from ninefold.settings import Settings

if TYPE_CHECKING:
    from ase import Atoms

DEUTERIUM = 2.014
"""u."""
HOTTEST = 5.0
"""A run whose temperature exceeds the thermostat's by this factor has exploded."""


class ExplodedError(InputError):
    """A run whose temperature ran away."""


class RunSettings(Settings):
    """What changes the trajectory."""

    temperature_K: float = Field(gt=0, le=5000)
    """Of the thermostat."""
    time_step_fs: float = Field(default=0.5, gt=0, le=5)
    """Of the integrator; M-H stretching modes have periods of 17 fs."""
    save_every: int = Field(default=10, ge=1, le=10_000)
    """Steps between two frames that are kept."""
    friction_per_ps: float = Field(default=1.0, gt=0, le=1000)
    """Of the thermostat: velocities forget themselves in its inverse."""
    isotope: Literal["H", "D"] = "H"
    """Mass of the hydrogens."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the first velocities and of the thermostat."""


@dataclass(frozen=True)
class RunPoint:
    """Where a run stands between two pieces, and goes on from."""

    positions: np.ndarray
    """shape (n_atoms, 3), Å."""
    momenta: np.ndarray
    """shape (n_atoms, 3), in ASE's units."""
    random: dict[str, Any]
    """State of the bit generator."""


class Propagation:
    """Molecular dynamics of one system, piece by piece.

    Args:
        atoms: With a calculator; copied.
        settings: What changes the trajectory.
        point: To go on from; None starts with new velocities.
    """

    def __init__(self, atoms: Atoms, settings: RunSettings, point: RunPoint | None = None) -> None:
        self.atoms = atoms.copy() if atoms.calc is None else _with_calculator(atoms)
        masses = self.atoms.get_masses()
        masses[np.array(self.atoms.get_chemical_symbols()) == "H"] = DEUTERIUM if settings.isotope == "D" else 1.008
        self.atoms.set_masses(masses)
        self._settings, self._generator = settings, np.random.default_rng(settings.seed)
        self._dynamics: Any = None
        self._is_new = point is None
        if point is not None:
            self.go_on_from(point)

    def go_on_from(self, point: RunPoint) -> None:
        """Take up a run where it ended."""
        self.atoms.set_positions(point.positions)
        self.atoms.set_momenta(point.momenta)
        self._generator.bit_generator.state = point.random
        self._dynamics, self._is_new = None, False

    @property
    def point(self) -> RunPoint:
        """Where the run stands."""
        return RunPoint(
            self.atoms.positions.copy(), self.atoms.get_momenta(), dict(self._generator.bit_generator.state)
        )

    def piece(self, count: int) -> dict[str, np.ndarray]:
        """The next frames: `positions`, `energies` and `temperatures` as in `ninefold.dynamics.pieces.Piece`.

        Raises:
            InputError: if the run explodes.
        """
        from ase import units
        from ase.md.langevin import Langevin

        if self._is_new:
            _thermalise(self.atoms, self._settings.temperature_K, self._generator)
            self._is_new = False
        if self._dynamics is None:
            self._dynamics = Langevin(
                self.atoms, self._settings.time_step_fs * units.fs, temperature_K=self._settings.temperature_K,
                friction=self._settings.friction_per_ps / 1000 / units.fs, fixcm=False, rng=self._generator,
                logfile=None,
            )  # fmt: skip
        return _piece(self._dynamics, self.atoms, self._settings, count)


def _with_calculator(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _thermalise(atoms: Atoms, temperature: float, generator: np.random.Generator) -> None:
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    # twice the temperature: half of it goes into potential energy as the structure leaves its minimum
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=generator)
    Stationary(atoms)


def _piece(dynamics: Any, atoms: Atoms, settings: RunSettings, count: int) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(atoms.get_chemical_symbols()))
    symbols = np.array(atoms.get_chemical_symbols())
    positions = np.empty((count, len(atoms), 3), dtype=np.float32)
    energies, temperatures = np.empty(count), np.empty((count, len(names)))
    for frame in range(count):
        dynamics.run(settings.save_every)
        kinetic = (atoms.get_momenta() ** 2).sum(axis=1) / 2 / atoms.get_masses()
        per_species = [2 * kinetic[symbols == name].mean() / 3 / BOLTZMANN for name in names]
        hottest = max(per_species)
        if not np.isfinite(atoms.positions).all() or not hottest < HOTTEST * settings.temperature_K + 1000:
            raise ExplodedError(
                "dynamics", f"{hottest:.0f} K", problem=f"after frame {frame} of this piece: the run exploded",
                allowed=f"temperatures near {settings.temperature_K:g} K",
                hint="relax the structure first, take a shorter time step, or another engine",
            )  # fmt: skip
        positions[frame], energies[frame], temperatures[frame] = (
            atoms.positions,
            atoms.get_potential_energy(),
            per_species,
        )
    return {"positions": positions, "energies": energies, "temperatures": temperatures}
