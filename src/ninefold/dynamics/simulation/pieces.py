"""A piece of a trajectory as an HDF5 file: its frames, and the point from which the run goes on.

Datasets: `positions`, shape (f, n_atoms, 3), Å, float32; `energies`, shape (f,), eV, potential; `temperatures`, shape
(f, species), K; `end_positions` and `end_momenta`, shape (n_atoms, 3), float64, in ASE's units. Attributes: `species`,
`cell` (rows are the lattice vectors, Å), `time_step_fs` between frames, `temperature_K`, `random`. Where a potential's
teacher has checked frames, datasets `check_frames`, `check_forces` and
`check_energies` (`ninefold.dynamics.trajectories.teacher_checks`).
"""

from __future__ import annotations

import io
import json
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.simulation.propagation import RunPoint


class Piece(NamedTuple):
    """Consecutive frames of a run."""

    species: tuple[str, ...]
    cell: np.ndarray
    """shape (3, 3), Å."""
    time_step_fs: float
    """Between two frames."""
    temperature_K: float
    """Of the thermostat."""
    positions: np.ndarray
    """shape (f, n_atoms, 3), Å."""
    energies: np.ndarray
    """shape (f,), eV, potential."""
    temperatures: np.ndarray
    """shape (f, species), K, in the order in which species first appear."""
    end: RunPoint
    checks: dict[str, np.ndarray] | None = None
    """As `TeacherCheck.of_piece` gives them; None or empty where no frame was checked."""


def encode_piece(piece: Piece) -> bytes:
    """The file's content."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name in ("positions", "energies", "temperatures"):
            file[name] = getattr(piece, name)
        for name, values in (piece.checks or {}).items():
            file[name] = values
        file["end_positions"], file["end_momenta"] = piece.end.positions, piece.end.momenta
        file.attrs["species"] = json.dumps(piece.species)
        file.attrs["cell"] = np.asarray(piece.cell, dtype=float)
        file.attrs["time_step_fs"], file.attrs["temperature_K"] = piece.time_step_fs, piece.temperature_K
        file.attrs["random"] = json.dumps(piece.end.random)
    return buffer.getvalue()


def decode_piece(content: bytes) -> Piece:
    """The inverse."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        end = RunPoint(file["end_positions"][:], file["end_momenta"][:], json.loads(file.attrs["random"]))
        return Piece(
            tuple(json.loads(file.attrs["species"])), file.attrs["cell"][:], float(file.attrs["time_step_fs"]),
            float(file.attrs["temperature_K"]), file["positions"][:], file["energies"][:], file["temperatures"][:], end,
            {name: values[:] for name, values in file.items() if name.startswith("check_")},
        )  # fmt: skip
