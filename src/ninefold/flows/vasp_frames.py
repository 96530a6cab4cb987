"""A run of VASP as pieces of a trajectory, as a run by any engine has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ninefold.clock import now
from ninefold.dynamics.simulation.pieces import Piece, encode_piece
from ninefold.dynamics.simulation.propagation import RunPoint
from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.trajectory import nearest_image
from ninefold.dynamics.trajectories.vasprun import vasp_dynamics, vasp_frames
from ninefold.errors import InputError
from ninefold.models.dynamics import TrajectoryRecord
from ninefold.models.lines import blob_id
from ninefold.stages import dynamics
from ninefold.stages.stage import StageResult

if TYPE_CHECKING:
    from ninefold.flows.compute import Line
    from ninefold.stages.dynamics import DynamicsSettings, Subject


def pieces_of(folder: str, subject: Subject, settings: DynamicsSettings, line: Line) -> Iterator[StageResult]:
    """The pieces of a run, from the vasprun.xml of its folder.

    Args:
        folder: Of VASP's job, `host:path` or a path.
        subject: What was run.
        settings: Of the dynamics.
        line: Of the run.

    Raises:
        InputError: if the file is not the run that was asked for, or ends early.
    """
    where = Path(folder.split(":", 1)[-1])
    files = sorted(where.glob("vasprun.xml*"))
    if not files:
        raise InputError("vasprun.xml", str(where), problem="is missing")
    said = vasp_dynamics(files[-1])
    asked = settings.run(line["temperature_K"], line["replica"])
    if (
        abs(said.time_step_fs - asked.time_step_fs) > 1e-6
        or said.temperature_K is None
        or (abs(said.temperature_K - asked.temperature_K) > 0.5)
    ):
        raise InputError(
            "vasprun.xml", f"POTIM {said.time_step_fs:g}, TEBEG {said.temperature_K}", problem="is another run",
            allowed=f"POTIM {asked.time_step_fs:g}, TEBEG {asked.temperature_K:g}",
        )  # fmt: skip
    frames = list(vasp_frames(files[-1]))
    steps = settings.pieces * settings.piece_frames * asked.save_every
    if len(frames) < steps:
        raise InputError("vasprun.xml", f"{len(frames)} ionic steps", problem="ends early", allowed=f"{steps}")
    species = tuple(frames[0].get_chemical_symbols())
    cell = frames[0].cell.array
    positions = np.array([atoms.positions for atoms in frames[:steps]])
    masses = np.array([said.masses[symbol] for symbol in species])
    energies = np.array([atoms.get_potential_energy() for atoms in frames[:steps]])
    kelvins = species_temperatures(positions, cell, species, masses, asked.time_step_fs)
    chosen = np.arange(asked.save_every - 1, steps, asked.save_every)
    ids = dynamics.trajectory_ids(subject, asked, settings.piece_frames, range(settings.pieces))
    for number, identifier in enumerate(ids):
        own = chosen[number * settings.piece_frames : (number + 1) * settings.piece_frames]
        content = encode_piece(
            Piece(
                species, cell, asked.save_every * asked.time_step_fs, asked.temperature_K,
                positions[own].astype(np.float32), energies[own], kelvins[own],
                # VASP goes on from its own files, not from here
                RunPoint(positions[own[-1]], np.zeros_like(positions[0]), {}),
            )
        )  # fmt: skip
        record = TrajectoryRecord(
            id=identifier, campaign=subject.campaign, label=subject.label, method=subject.method,
            structure=subject.structure.id, temperature_K=asked.temperature_K, replica=line["replica"], number=number,
            frames=settings.piece_frames, n_atoms=len(species), content=blob_id(content), settings=asked.described,
            core_seconds=0.0, created=now(),
        )  # fmt: skip
        yield StageResult([record], dynamics.counts(record), {blob_id(content): content})


def species_temperatures(
    positions: np.ndarray, cell: np.ndarray, species: tuple[str, ...], masses: np.ndarray, step_fs: float
) -> np.ndarray:
    """Temperatures by the central difference of positions, which VASP writes without velocities.

    Of a vibration with a period of 17 fs, in steps of 0.5 fs, the difference lacks 1 % of the temperature.

    Args:
        positions: shape (f, n_atoms, 3), Å, at every step, wrapped or not.
        cell: shape (3, 3), Å.
        species: Symbol of each atom.
        masses: shape (n_atoms,), u.
        step_fs: Between two of them.

    Returns:
        shape (f, species), K, in the order in which species first appear; the ends have their neighbours' values.
    """
    from ase import units

    moves = nearest_image(positions[2:] - positions[:-2], np.broadcast_to(cell, (len(positions) - 2, 3, 3)))
    squares = (moves**2).sum(axis=2) / (2 * step_fs * units.fs) ** 2 * masses
    symbols = np.array(species)
    found = np.stack([squares[:, symbols == name].mean(axis=1) for name in dict.fromkeys(species)], axis=1)
    found /= 3 * BOLTZMANN
    whole: np.ndarray = np.concatenate([found[:1], found, found[-1:]])
    return whole
