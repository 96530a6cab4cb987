"""Relaxations that were stopped, to be gone on with: the last geometry and what the optimizer knew, in a file.

A queue job's wall time ends a relaxation by DFT in the middle, hours of it. With the geometry goes the optimizer's
Hessian, so that the relaxation takes the way that it would have taken without the break.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically

if TYPE_CHECKING:
    from ase import Atoms

KEEP_SECONDS = 10.0
"""Between two writes of a geometry: one by DFT takes longer, and all of a potential's relaxation is quicker."""
_ARRAYS = ("positions", "cell", "hessian", "x", "forces")

_folder: ContextVar[Path | None] = ContextVar("folder of unfinished relaxations", default=None)


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Inside the block, relaxations leave their last geometry in a folder, and go on from what they find there.

    Args:
        folder: Shared by all who may go on with them; None: nothing is kept.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


class Unfinished:
    """The file of one relaxation.

    Args:
        key: Gives the key of method, structure and settings: of equal ones the way is the same.
    """

    def __init__(self, key: Callable[[], str]) -> None:
        folder = _folder.get()
        self._file = None if folder is None else folder / f"{key()}.npz"
        self.is_new = self._file is None or not self._file.exists()
        self._kept, self._begun = time.monotonic(), time.process_time()
        self._seconds = 0.0
        """Core time of those that came before."""

    def restore(self, atoms: Atoms, optimizer: Any) -> int:
        """Set atoms and optimizer to where an earlier attempt has come.

        Args:
            atoms: As the relaxation starts.
            optimizer: BFGS over them.

        Returns:
            Steps that were taken; 0 where there is nothing to go on from.
        """
        from ase.optimize.bfgs import BFGSMethod

        number = optimizer.optimizable.ndofs()
        shapes = {
            "positions": atoms.positions.shape, "cell": (3, 3), "hessian": (number, number), "x": (number,),
            "forces": (number,),
        }  # fmt: skip
        found = self._read(shapes)
        if found is None:
            return 0
        # as they were: a constraint would refuse so large a step at once
        atoms.set_cell(found["cell"], apply_constraint=False)
        atoms.set_positions(found["positions"], apply_constraint=False)
        optimizer.state = BFGSMethod(found["hessian"])
        optimizer.pos0, optimizer.forces0 = found["x"], found["forces"]
        optimizer.nsteps, self._seconds = int(found["steps"]), float(found["seconds"])
        return int(found["steps"])

    def keep(self, atoms: Atoms, optimizer: Any) -> None:
        """Write down where the relaxation has come, now and then; a disk that is full costs only this."""
        if self._file is None or optimizer.state is None or time.monotonic() - self._kept < KEEP_SECONDS:
            return
        content = io.BytesIO()
        np.savez(
            content, positions=atoms.positions, cell=atoms.cell.array, hessian=optimizer.state.hessian,
            x=optimizer.pos0, forces=optimizer.forces0, steps=optimizer.nsteps, seconds=self.core_seconds(),
        )  # fmt: skip
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, content.getvalue())
        self._kept = time.monotonic()

    def forget(self) -> None:
        """The relaxation has come to its end."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def core_seconds(self) -> float:
        """Of this attempt and those before."""
        return self._seconds + time.process_time() - self._begun

    def _read(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray] | None:
        """What the file holds; None where there is none, or it is not of this relaxation."""
        if self._file is None:
            return None
        try:
            with np.load(io.BytesIO(self._file.read_bytes()), allow_pickle=False) as data:
                found = {name: data[name] for name in (*_ARRAYS, "steps", "seconds")}
        except (OSError, ValueError, KeyError, EOFError):
            return None
        is_whole = all(found[name].shape == shape and np.isfinite(found[name]).all() for name, shape in shapes.items())
        return found if is_whole else None
