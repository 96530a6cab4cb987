"""Molecular dynamics with any calculator, in pieces that survive a kill at any moment.

A run is a folder: `run.json` says what is run, `frames-00000.npz` and so on hold the frames, `state.npz` the point from
which it goes on: positions, momenta and the state of the random numbers. A piece is written before the state that
counts it, both by a rename, so that a run which is killed and taken up again has the frames of one that was not.

Velocities are thermostatted by Langevin dynamics with a friction that is weak beside all vibrations. The centre of mass
is not held: holding it overheats cells of light and heavy atoms. Its drift is taken out in the analysis.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.rates import BOLTZMANN
from ninefold.dynamics.trajectory import Frames, Trajectory
from ninefold.errors import InputError
from ninefold.keys import content_key
from ninefold.settings import Settings

if TYPE_CHECKING:
    from ase import Atoms

RUN_FILE, STATE_FILE = "run.json", "state.npz"
DEUTERIUM = 2.014
"""u."""
HOTTEST = 5.0
"""A run whose temperature exceeds the thermostat's by this factor has exploded."""


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
class RunState:
    """How far a run has come."""

    frames: int
    time_ps: float
    temperatures: dict[str, float]
    """Mean temperature of each species over the second half of the run, K."""
    mean_temperature: float
    """Of all atoms, over the second half, K."""


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


def run(
    atoms: Atoms,
    settings: RunSettings,
    folder: Path,
    frames: int,
    method: str,
    frames_per_piece: int = 100,
    notify: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> RunState:
    """Run, or go on with, molecular dynamics until a folder holds so many frames.

    Args:
        atoms: With a calculator; where a run is taken up, it only says what is run.
        settings: What changes the trajectory.
        folder: Of the run; made if it is not there.
        frames: To reach, the first structure not counted.
        method: Fingerprint of the calculator.
        frames_per_piece: Frames in one file; what a kill can lose.
        notify: Called with frames done and to do.
        stop: Asked after each piece whether to end early.

    Raises:
        InputError: if the folder holds another run, or the run explodes.
    """
    propagation = Propagation(atoms, settings)
    _claim(folder, propagation.atoms, settings, method)
    done = 0
    if (saved := _saved(folder)) is not None:
        done, point = saved
        propagation.go_on_from(point)
    while done < frames and not (stop is not None and stop()):
        count = min(frames_per_piece, frames - done)
        _write(folder / f"frames-{done:09d}.npz", **propagation.piece(count))
        done += count
        end = propagation.point
        _write(
            folder / STATE_FILE, positions=end.positions, momenta=end.momenta, frames=np.array(done),
            random=np.frombuffer(json.dumps(end.random).encode(), dtype=np.uint8),
        )  # fmt: skip
        if notify is not None:
            notify(done, frames)
    return state(folder)


def state(folder: Path) -> RunState:
    """How far a run has come, and how hot it was.

    Raises:
        InputError: if the folder holds no run.
    """
    described, done = _described(folder), _frames_done(folder)
    species = np.array(described["species"])
    kinetic = [piece["temperatures"] for piece in _pieces(folder, done)]
    names = list(dict.fromkeys(described["species"]))
    settings = RunSettings.model_validate(described["settings"])
    time_ps = done * settings.save_every * settings.time_step_fs / 1000
    if not kinetic:
        return RunState(0, 0.0, {}, float("nan"))
    values = np.concatenate(kinetic)
    mean = values[len(values) // 2 :].mean(axis=0)
    counts = np.array([(species == name).sum() for name in names])
    return RunState(
        done, time_ps, dict(zip(names, mean.tolist(), strict=True)), float((mean * counts).sum() / counts.sum())
    )


def read_run(folder: Path, skip: int = 0) -> Trajectory:
    """The frames of a run, as the analysis takes them.

    Args:
        folder: Of the run.
        skip: Frames to leave out at the start.

    Raises:
        InputError: if it holds no run, or no frames are left.
    """
    described, done = _described(folder), _frames_done(folder)
    settings = RunSettings.model_validate(described["settings"])
    if done <= skip:
        raise InputError("trajectory", str(folder), problem=f"holds {done} frames", allowed=f"more than {skip}")
    cell = np.array(described["cell"])

    def read() -> Iterator[Frames]:
        first = 0
        for piece in _pieces(folder, done):
            positions = piece["positions"][max(0, skip - first) :].astype(float)
            first += len(piece["positions"])
            if len(positions):
                yield Frames(positions, np.broadcast_to(cell, (len(positions), 3, 3)))

    return Trajectory(
        tuple(described["species"]), settings.save_every * settings.time_step_fs, read, settings.temperature_K,
        folder.name,
    )  # fmt: skip


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    return (path / RUN_FILE).is_file()


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
            raise InputError(
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


def _claim(folder: Path, atoms: Atoms, settings: RunSettings, method: str) -> None:
    """Say what is run, or check that the folder's run is the same."""
    described = {
        "species": atoms.get_chemical_symbols(),
        "cell": atoms.cell.array.tolist(),
        "settings": settings.model_dump(mode="json"),
        "method": method,
        "start": content_key([round(float(value), 6) for value in atoms.positions.ravel()]),
    }
    path = folder / RUN_FILE
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        different = [key for key, value in described.items() if there.get(key) != value]
        if different:
            raise InputError(
                "--out", str(folder), problem=f"holds another run: {', '.join(different)} differ",
                allowed="a new folder, or the run that it holds",
            )  # fmt: skip
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError("--out", str(folder), problem="holds other files", allowed="a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(described, indent=1).encode())


def _saved(folder: Path) -> tuple[int, RunPoint] | None:
    """Frames that a folder holds, and where its run goes on."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    with np.load(path) as saved:
        random = json.loads(saved["random"].tobytes().decode())
        return int(saved["frames"]), RunPoint(saved["positions"], saved["momenta"], random)


def _described(folder: Path) -> dict[str, Any]:
    path = folder / RUN_FILE
    if not path.is_file():
        raise InputError("trajectory", str(folder), problem=f"is no run: it has no {RUN_FILE}")
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return described


def _frames_done(folder: Path) -> int:
    path = folder / STATE_FILE
    if not path.is_file():
        return 0
    with np.load(path) as saved:
        return int(saved["frames"])


def _pieces(folder: Path, done: int) -> Iterator[dict[str, np.ndarray]]:
    first = 0
    while first < done:
        with np.load(folder / f"frames-{first:09d}.npz") as piece:
            content = {name: piece[name] for name in piece.files}
        yield content
        first += len(content["energies"])


def _write(path: Path, **arrays: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
