"""Runs as their analysis takes them: without their start, and whether they are in equilibrium at their temperature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.simulation.pieces import decode_piece
from ninefold.dynamics.simulation.propagation import FRICTION_PER_PS
from ninefold.dynamics.statistics.equilibration import equilibrated, thermostat_notes
from ninefold.dynamics.trajectories.teacher_checks import Checks, collected
from ninefold.dynamics.trajectories.trajectory import Frames, Trajectory
from ninefold.stages.dynamics_law import MILLI

if TYPE_CHECKING:
    from ninefold.models.dynamics import TrajectoryRecord


@dataclass(frozen=True)
class RunOf:
    """The pieces of one run, by number."""

    temperature_K: float
    replica: int
    pieces: tuple[TrajectoryRecord, ...]

    @property
    def error(self) -> str | None:
        """Why it did not come to its end."""
        return self.pieces[-1].error


@dataclass(frozen=True, eq=False)
class Settled:
    """A run without the frames until its energy had settled."""

    temperature_K: float
    replica: int
    trajectory: Trajectory
    skipped: int
    energies: np.ndarray
    """shape (f,), eV."""
    temperatures: np.ndarray
    """shape (f, species), K."""
    checks: Checks | None
    """What the teacher of a distilled potential found, in the frames that are left out too."""
    memory_ps: float
    """In which energies forget themselves: the inverse friction of the thermostat."""

    @classmethod
    def of(cls, run: RunOf, read: Callable[[str], bytes]) -> Settled:
        """A run that came to its end; `read` gives the content of a piece by the name of its blob."""
        names = [piece.content for piece in run.pieces if piece.content is not None]
        pieces = [decode_piece(read(name)) for name in names]
        energies = np.concatenate([piece.energies for piece in pieces])
        skip = equilibrated(energies)
        first = pieces[0]
        kelvins = np.concatenate([piece.temperatures for piece in pieces])[skip:]

        def frames() -> Iterator[Frames]:
            done = 0
            for name in names:
                positions = decode_piece(read(name)).positions[max(0, skip - done) :].astype(float)
                done += run.pieces[0].frames
                if len(positions):
                    yield Frames(positions, np.broadcast_to(first.cell, (len(positions), 3, 3)))

        source = f"{run.temperature_K:g} K" + (f", replica {run.replica + 1}" if run.replica else "")
        trajectory = Trajectory(first.species, first.time_step_fs, frames, run.temperature_K, source)
        return cls(
            run.temperature_K, run.replica, trajectory, skip, energies[skip:], kelvins,
            collected([piece.checks or {} for piece in pieces]),
            1 / run.pieces[0].settings.get("friction_per_ps", FRICTION_PER_PS),
        )  # fmt: skip

    @property
    def step_ps(self) -> float:
        """Between two frames."""
        return self.trajectory.time_step_fs / MILLI

    @property
    def species(self) -> list[str]:
        """Symbols in the order in which they first appear, as the columns of `temperatures`."""
        return list(dict.fromkeys(self.trajectory.species))


def equilibrium_notes(runs: Sequence[Settled]) -> list[str]:
    """Temperatures that are not the thermostat's, and energies that drift."""
    return [
        f"{run.trajectory.source}: {note}"
        for run in runs
        for note in thermostat_notes(
            run.trajectory.species, run.temperatures, run.temperature_K, run.energies, run.step_ps, run.memory_ps
        )
    ]


def together(runs: Sequence[Settled]) -> Checks | None:
    """The checks of some runs; None where no frame was checked."""
    some = [run.checks for run in runs if run.checks is not None]
    if not some:
        return None
    return Checks(*(np.concatenate([getattr(one, name) for one in some]) for name in Checks.__dataclass_fields__))
