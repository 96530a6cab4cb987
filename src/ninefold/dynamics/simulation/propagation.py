"""Molecular dynamics of one system at constant temperature, and at constant volume or pressure, piece by piece.

Velocities are thermostatted by Langevin dynamics with a friction that is weak beside all vibrations. The centre of mass
is not held: holding it overheats cells of light and heavy atoms. Its drift is taken out in the analysis.

At constant pressure the cell is scaled and keeps its shape, by Langevin dynamics of its volume (D. Quigley & M. I. J.
Probert, J. Chem. Phys. 120, 11432 (2004), doi:10.1063/1.1755657): the thermostat is that of constant volume, which a
chain of Nosé and Hoover is not, for it heats N - 1 atoms to the energy of N. A shape that is free would shear in a cell
of a few anions, and sites and space groups would be those of no crystal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.errors import InputError
from ninefold.settings import Settings

if TYPE_CHECKING:
    from ase import Atoms

DEUTERIUM = 2.014
"""u."""
FRICTION_PER_PS = 1.0
"""Of the thermostat where nothing is said: weak beside all vibrations."""
HOTTEST = 5.0
"""A run whose temperature exceeds the thermostat's by this factor has exploded."""
WIDEST = 2.0
"""A run whose volume leaves that of its start by this factor, up or down, is of no crystal any more."""


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
    friction_per_ps: float = Field(default=FRICTION_PER_PS, gt=0, le=1000)
    """Of the thermostat: velocities forget themselves in its inverse."""
    isotope: Literal["H", "D"] = "H"
    """Mass of the hydrogens."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the first velocities and of the thermostat."""
    pressure_GPa: float | None = Field(default=None, ge=-20, le=500)
    """Of the barostat; None holds the cell."""
    barostat_ps: float = Field(default=1.0, gt=0, le=1000)
    """Of the barostat: the cell's velocity forgets itself in this time, and breathes some times in it."""

    @property
    def described(self) -> dict[str, Any]:
        """Plain values; without those of the barostat where there is none, as before there was one."""
        without = {"pressure_GPa", "barostat_ps"} if self.pressure_GPa is None else None
        return self.model_dump(mode="json", exclude=without)


@dataclass(frozen=True)
class RunPoint:
    """Where a run stands between two pieces, and goes on from."""

    positions: np.ndarray
    """shape (n_atoms, 3), Å."""
    momenta: np.ndarray
    """shape (n_atoms, 3), in ASE's units."""
    random: dict[str, Any]
    """State of the bit generator."""
    cell: np.ndarray | None = None
    """shape (3, 3), Å, rows are the lattice vectors; None where the cell is held."""
    barostat: np.ndarray | None = None
    """shape (2,), momentum of the cell and the force on it at the last half step, in ASE's units."""


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
        self._barostat: np.ndarray | None = None
        self._start_volume = float(self.atoms.get_volume())
        self._is_new = point is None
        if settings.pressure_GPa is not None and "stress" not in getattr(self.atoms.calc, "implemented_properties", ()):
            raise InputError(
                "--pressure", settings.pressure_GPa, problem="needs stresses, which this engine does not compute",
                allowed="an engine with stresses, or a run at constant volume",
            )  # fmt: skip
        if point is not None:
            self.go_on_from(point)

    def go_on_from(self, point: RunPoint) -> None:
        """Take up a run where it ended."""
        if point.cell is not None:
            self.atoms.set_cell(point.cell)
        self.atoms.set_positions(point.positions)
        self.atoms.set_momenta(point.momenta)
        self._generator.bit_generator.state = point.random
        self._dynamics, self._barostat, self._is_new = None, point.barostat, False

    @property
    def point(self) -> RunPoint:
        """Where the run stands."""
        cell = barostat = None
        if self._settings.pressure_GPa is not None:
            cell = self.atoms.cell.array.copy()
            if self._dynamics is not None:
                # the force is of the momenta before the last half step, which a new start would not know
                barostat = np.array([self._dynamics.p_eps, self._dynamics.force_eps])
        return RunPoint(
            self.atoms.positions.copy(), self.atoms.get_momenta(), dict(self._generator.bit_generator.state), cell,
            barostat,
        )  # fmt: skip

    def piece(self, count: int, before: int = 0) -> dict[str, np.ndarray]:
        """The next frames: `positions`, `energies` and `temperatures` as in `simulation.pieces.Piece`.

        At constant pressure `cells`, shape (f, 3, 3), Å, and `pressures`, shape (f,), GPa, with the part of the
        velocities, too.

        Args:
            count: Of frames.
            before: Frames of the run before these, for the message of a run that explodes.

        Raises:
            InputError: if the run explodes.
        """
        if self._is_new:
            _thermalise(self.atoms, self._settings.temperature_K, self._generator)
            self._is_new = False
        if self._dynamics is None:
            self._dynamics = self._made()
        return _piece(self._dynamics, self.atoms, self._settings, range(before, before + count), self._start_volume)

    def _made(self) -> Any:
        """ASE's dynamics, where the run stands."""
        from ase import units
        from ase.md.langevin import Langevin
        from ase.md.langevinbaoab import LangevinBAOAB

        settings, pressure = self._settings, self._settings.pressure_GPa
        step, friction_time = settings.time_step_fs * units.fs, 1000 * units.fs / settings.friction_per_ps
        if pressure is None:
            return Langevin(
                self.atoms, step, temperature_K=settings.temperature_K, friction=1 / friction_time, fixcm=False,
                rng=self._generator, logfile=None,
            )  # fmt: skip
        time = settings.barostat_ps * 1000 * units.fs
        made = LangevinBAOAB(
            self.atoms, step, temperature_K=settings.temperature_K, externalstress=-pressure * units.GPa,
            hydrostatic=True, T_tau=friction_time, P_tau=time,
            # ASE's own mass is a fit to aluminium at one temperature
            P_mass=3 * len(self.atoms) * BOLTZMANN * settings.temperature_K * time**2,
            rng=self._generator, logfile=None,
        )  # fmt: skip
        if self._barostat is not None:
            made.p_eps, made.force_eps = (float(value) for value in self._barostat)
        return made


def _with_calculator(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = atoms.calc
    return copy


def _thermalise(atoms: Atoms, temperature: float, generator: np.random.Generator) -> None:
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    # twice the temperature: half of it goes into potential energy as the structure leaves its minimum
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=generator)
    Stationary(atoms)


def _piece(
    dynamics: Any, atoms: Atoms, settings: RunSettings, numbers: range, start_volume: float
) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(atoms.get_chemical_symbols()))
    symbols = np.array(atoms.get_chemical_symbols())
    count = len(numbers)
    positions = np.empty((count, len(atoms), 3), dtype=np.float32)
    energies, temperatures = np.empty(count), np.empty((count, len(names)))
    cells, pressures = np.empty((count, 3, 3)), np.empty(count)
    for frame, number in enumerate(numbers):
        dynamics.run(settings.save_every)
        kinetic = (atoms.get_momenta() ** 2).sum(axis=1) / 2 / atoms.get_masses()
        per_species = [2 * kinetic[symbols == name].mean() / 3 / BOLTZMANN for name in names]
        hottest = max(per_species)
        if not np.isfinite(atoms.positions).all() or not hottest < HOTTEST * settings.temperature_K + 1000:
            raise ExplodedError(
                "dynamics", f"{hottest:.0f} K", problem=f"the run exploded after frame {number}",
                allowed=f"temperatures near {settings.temperature_K:g} K",
                hint="relax the structure first, take a shorter time step, or another engine",
            )  # fmt: skip
        positions[frame], energies[frame], temperatures[frame] = (
            atoms.positions,
            atoms.get_potential_energy(),
            per_species,
        )
        if settings.pressure_GPa is not None:
            cells[frame], pressures[frame] = atoms.cell.array, _pressure(atoms)
            _check_volume(float(atoms.get_volume()), start_volume, number)
    found: dict[str, np.ndarray] = {"positions": positions, "energies": energies, "temperatures": temperatures}
    return found if settings.pressure_GPa is None else found | {"cells": cells, "pressures": pressures}


def _pressure(atoms: Atoms) -> float:
    """GPa, with the part of the velocities."""
    from ase import units

    return -float(np.trace(atoms.get_stress(voigt=False, include_ideal_gas=True))) / 3 / units.GPa


def _check_volume(volume: float, start: float, number: int) -> None:
    if not start / WIDEST < volume < start * WIDEST:
        raise ExplodedError(
            "dynamics", f"{volume:.0f} Å3", problem=f"the cell does not hold after frame {number}",
            allowed=f"{start / WIDEST:.0f} to {start * WIDEST:.0f} Å3, within a factor of {WIDEST:g} of the start",
            hint="another pressure or engine; relax the cell first",
        )  # fmt: skip
