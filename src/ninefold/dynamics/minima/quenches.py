"""Frames of a run relaxed at fixed cell: each quenched once, in a file of its own, written whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError
from ninefold.keys import content_key

if TYPE_CHECKING:
    from ase import Atoms

LONGEST_STEP = 0.05
"""Å, of one atom in one step: larger ones may leave the basin that a frame lies in."""
DECIMALS = 6
"""Of positions and cell in a file's name, Å."""


@dataclass(frozen=True)
class Quench:
    """A frame and the minimum below it."""

    positions: np.ndarray
    """shape (n_atoms, 3), Å, of the minimum."""
    cell: np.ndarray
    """shape (3, 3), Å, rows are the lattice vectors; that of the frame."""
    energy_eV: float
    """Of the minimum."""
    frame_energy_eV: float
    """Of the frame."""
    largest_force: float
    """At the end, eV/Å."""
    steps: int
    is_converged: bool


class Quenches:
    """A folder of quenched frames of one engine.

    Args:
        folder: Made when the first file is written.
        calculator: ASE's.
        method: Fingerprint of the engine.
        fmax: Largest force at the end, eV/Å.
        max_steps: Of the optimizer.
    """

    def __init__(self, folder: Path, calculator: Any, method: str, fmax: float, max_steps: int) -> None:
        self.folder, self._calculator, self._method = folder, calculator, method
        self._fmax, self._max_steps = fmax, max_steps

    def has(self, atoms: Atoms) -> bool:
        """Whether the folder holds a frame."""
        return self._path(atoms).is_file()

    def of(self, atoms: Atoms) -> Quench:
        """The minimum below a frame, computed where the folder does not hold it.

        Args:
            atoms: The frame; not changed.

        Raises:
            InputError: if the folder holds a file that is no quench.
        """
        path = self._path(atoms)
        if path.is_file():
            return _read(path)
        found = quench(atoms, self._calculator, self._fmax, self._max_steps)
        self.folder.mkdir(parents=True, exist_ok=True)
        plain = {
            "method": self._method, "fmax": self._fmax, "species": atoms.get_chemical_symbols(),
            "cell": found.cell.tolist(), "positions": found.positions.tolist(), "energy_eV": found.energy_eV,
            "frame_energy_eV": found.frame_energy_eV, "largest_force": found.largest_force, "steps": found.steps,
            "is_converged": found.is_converged,
        }  # fmt: skip
        write_atomically(path, json.dumps(plain).encode())
        return found

    def _path(self, atoms: Atoms) -> Path:
        # -0.0 and 0.0 are one place
        rounded = [(np.round(value, DECIMALS) + 0.0).tolist() for value in (atoms.cell.array, atoms.positions)]
        key = content_key(
            "quench", self._method, self._fmax, self._max_steps, atoms.get_chemical_symbols(), *rounded
        )  # fmt: skip
        return self.folder / f"quench-{key[:20]}.json"


def quench(atoms: Atoms, calculator: Any, fmax: float, max_steps: int) -> Quench:
    """Relax a frame's positions downhill in its cell, without any symmetry.

    Args:
        atoms: The frame; not changed.
        calculator: ASE's.
        fmax: Largest force at the end, eV/Å.
        max_steps: Of the optimizer.
    """
    from ase.optimize import FIRE

    moving = atoms.copy()
    moving.set_constraint()
    moving.calc = calculator
    start = float(moving.get_potential_energy())
    optimizer = FIRE(moving, logfile=None, maxstep=LONGEST_STEP)
    optimizer.run(fmax=fmax, steps=max_steps)
    largest = float(np.linalg.norm(moving.get_forces(), axis=1).max())
    return Quench(
        moving.positions.copy(), moving.cell.array.copy(), float(moving.get_potential_energy()), start, largest,
        int(optimizer.nsteps), largest <= fmax,
    )  # fmt: skip


def frames_of(trajectory: Trajectory, numbers: Sequence[int]) -> Iterator[Atoms]:
    """Frames of a trajectory as ASE's atoms.

    Args:
        trajectory: Any.
        numbers: Counted from 1, ascending.
    """
    from ase import Atoms

    wanted, first = set(numbers), 1
    symbols = trajectory.symbols.tolist()
    for chunk in trajectory.chunks():
        for place in range(len(chunk)):
            if first + place in wanted:
                yield Atoms(symbols, positions=chunk.positions[place], cell=chunk.cells[place], pbc=True)
        first += len(chunk)


def frame_count(trajectory: Trajectory) -> int:
    """Frames of a trajectory."""
    return sum(len(chunk) for chunk in trajectory.chunks())


def quench_frames(
    trajectory: Trajectory,
    numbers: Sequence[int],
    quenches: Quenches,
    notify: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[Quench] | None:
    """Quench frames of a trajectory.

    Args:
        trajectory: Any.
        numbers: Of the frames, counted from 1, ascending.
        quenches: Where they are kept.
        notify: Called with frames done and to do.
        stop: Asked before each frame that is to be computed whether to end early.

    Returns:
        One for each frame; None where it was ended early.
    """
    found = []
    for done, atoms in enumerate(frames_of(trajectory, numbers)):
        if notify is not None:
            notify(done, len(numbers))
        if stop is not None and not quenches.has(atoms) and stop():
            return None
        found.append(quenches.of(atoms))
    return found


def _read(path: Path) -> Quench:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Quench(
            np.array(saved["positions"], dtype=float), np.array(saved["cell"], dtype=float),
            float(saved["energy_eV"]), float(saved["frame_energy_eV"]), float(saved["largest_force"]),
            int(saved["steps"]), bool(saved["is_converged"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("--out", str(path), problem="is no quench", hint="delete it: it is computed again") from error
