"""Rates by inequivalent anion: those of one formula may permute at rates that differ by orders of magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.anions.pseudorotation import Pseudorotation, ShellHistory, rate_of
from ninefold.dynamics.statistics.rates import Rate, poisson_rate
from ninefold.dynamics.trajectories.mean_crystal import TOLERANCE, classes, framework, operations
from ninefold.dynamics.trajectories.trajectory import Trajectory


class AnionRates(NamedTuple):
    """Anions that symmetry makes alike."""

    name: str
    """Re1, Re2, ... by the index of their first centre; B12-1, ... of cages."""
    centres: tuple[int, ...]
    """Indices of the atoms."""
    site: str
    """Wyckoff letter and site symmetry, `d, -6..`; empty where it is not known."""
    fractional: tuple[float, float, float]
    """Mean place of the first of them, from the origin of the trajectory's first frame."""
    permutations: Rate
    """Per anion and ps."""
    turns: Rate


class AnionGroups(NamedTuple):
    """All anions of a trajectory."""

    groups: tuple[AnionRates, ...]
    symmetry: str
    """What they are alike by, for people."""


def by_anion(trajectory: Trajectory, found: Pseudorotation, histories: Sequence[ShellHistory]) -> AnionGroups:
    """Rates of the anions that the symmetry of the mean crystal without hydrogen makes alike.

    Args:
        trajectory: Any.
        found: Of all its anions.
        histories: Of the same.
    """
    centres = np.array(sorted({history.segment.centre for history in histories}), dtype=int)
    crystal = framework(trajectory)
    place = {int(atom): number for number, atom in enumerate(crystal.atoms)}
    if all(int(centre) in place for centre in centres):
        group = operations(crystal.cell, crystal.fractional, crystal.symbols, TOLERANCE)
        fractional = np.mod(crystal.fractional[[place[int(centre)] for centre in centres]], 1.0)
        numbers = classes(fractional, crystal.cell, group, TOLERANCE)
        wyckoff = [group.sites[place[int(centre)]] for centre in centres]
        of = ", ".join(dict.fromkeys(crystal.symbols))
        symmetry = f"{group.name} of the mean positions of {of}"
    else:
        fractional, numbers = np.full((len(centres), 3), np.nan), np.arange(len(centres))
        wyckoff = [""] * len(centres)
        symmetry = "none: centres that do not stay"
    times = {int(centre): 0.0 for centre in centres}
    for history in histories:
        times[history.segment.centre] += len(history.segment) * trajectory.time_step_fs / 1000
    groups = []
    for number in range(numbers.max() + 1 if len(numbers) else 0):
        members = {int(centre) for centre in centres[numbers == number]}
        time = sum(times[centre] for centre in members)
        x, y, z = (float(value) for value in fractional[numbers == number][0])
        groups.append(
            AnionRates(
                f"{found.centre}{'-' if found.centre[-1].isdigit() else ''}{number + 1}",
                tuple(sorted(members)),
                wyckoff[int(np.argmax(numbers == number))],
                (x, y, z),
                rate_of([event for event in found.events if event.centre in members], time, found.duration_ps),
                poisson_rate(sum(centre in members for centre, _ in found.turns), time),
            )
        )
    return AnionGroups(tuple(groups), symmetry)
