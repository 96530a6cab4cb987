"""Runs by a distilled potential are watched: its teacher computes the forces of a fixed share of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


class LeftGroundError(InputError):
    """A run has come to frames that its potential does not describe."""


@dataclass(frozen=True)
class TeacherCheck:
    """How a run is watched."""

    calculator: Any
    """ASE calculator of the teacher."""
    every: int
    """Frames from one check to the next."""
    limit: float
    """Root mean square difference of the force components of a frame, eV/Å, beyond which the run ends."""

    def of_piece(self, atoms: Atoms, positions: np.ndarray, first: int) -> dict[str, np.ndarray]:
        """Check those frames of a piece whose turn it is.

        Args:
            atoms: The system, with the calculator of the run.
            positions: shape (f, n_atoms, 3), Å.
            first: Frames of the run before the piece.

        Returns:
            `check_frames`, `check_forces` and `check_energies` as in `Checks`; nothing where no frame's turn it is.
        """
        numbers = [place for place in range(first + 1, first + 1 + len(positions)) if place % self.every == 0]
        found = []
        for number in numbers:
            own, teacher = atoms.copy(), atoms.copy()
            own.calc, teacher.calc = atoms.calc, self.calculator
            for each in (own, teacher):
                each.positions = positions[number - first - 1]
            off = own.get_forces() - teacher.get_forces()
            energy = (own.get_potential_energy() - teacher.get_potential_energy()) / len(atoms)
            found.append((float(np.sqrt((off**2).mean())), float(energy)))
        if not found:
            return {}
        errors, energies = zip(*found, strict=True)
        return {
            "check_frames": np.array(numbers), "check_forces": np.array(errors), "check_energies": np.array(energies),
        }  # fmt: skip


@dataclass(frozen=True)
class Checks:
    """What the checks of a run found."""

    force_errors: np.ndarray
    """shape (n_checks,), eV/Å, of each checked frame."""
    energy_errors: np.ndarray
    """shape (n_checks,), eV/atom."""
    frames: np.ndarray
    """shape (n_checks,), numbers of the frames, the run's first being 1."""

    def until(self, last: int) -> Checks | None:
        """Those of the frames up to one; None where it has none."""
        kept = self.frames <= last
        return Checks(self.force_errors[kept], self.energy_errors[kept], self.frames[kept]) if kept.any() else None

    @property
    def mean(self) -> float:
        """Root of the mean squared force error, eV/Å."""
        return float(np.sqrt((self.force_errors**2).mean()))

    @property
    def worst(self) -> float:
        """Largest force error of a frame, eV/Å."""
        return float(self.force_errors.max())


def collected(pieces: Sequence[dict[str, np.ndarray]]) -> Checks | None:
    """The checks that the pieces of a run hold; None where it was not watched."""
    parts = [piece for piece in pieces if "check_frames" in piece and len(piece["check_frames"])]
    if not parts:
        return None
    return Checks(
        *(np.concatenate([one[f"check_{name}"] for one in parts]) for name in ("forces", "energies", "frames"))
    )


def refuse_beyond(checks: Checks | None, limit: float, folder: str) -> None:
    """Raise `LeftGroundError` if a check found more than the limit."""
    if checks is None or not (beyond := checks.force_errors > limit).any():
        return
    first = int(np.argmax(beyond))
    raise LeftGroundError(
        "dynamics", folder, problem=f"left the ground of its potential: at frame {checks.frames[first]} its forces are "
        f"off by {checks.force_errors[first] * 1000:.0f} meV/Å", allowed=f"up to {limit * 1000:.0f} meV/Å",
        hint="distil again with this temperature and cell; what was run before that frame is kept",
    )  # fmt: skip
