"""Distinct minima below the frames of runs: energies, populations, lifetimes, configurational entropy.

Two minima are one where the crystals are the same up to exchange of like atoms, any choice of origin, and rotation or
reflection: their energies agree, and each atom of one has an atom of the other with the same distances to its
neighbours (`ninefold.structures.fingerprint`). Shells are compared by their own distances alone, anion by anion.

F. H. Stillinger & T. A. Weber, Phys. Rev. A 25, 978 (1982), doi:10.1103/PhysRevA.25.978.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ninefold.dynamics.minima.quenches import Quench
from ninefold.dynamics.statistics.rates import Rate, poisson_rate

ENERGY_WINDOW = 0.005
"""eV of the whole cell; a minimum that is converged to 0.01 eV/Å is off by less than 1 meV as a rule."""
TOLERANCE = 0.1
"""Å; largest difference of an atom's distances between frames of one minimum. The closest isomers of nine ligands
differ by 0.3 Å and more in some distance."""
MOVED = 0.2
"""Å; a minimum in which an atom lies farther from where it was in the last one is another, its atoms not exchanged."""

Item = TypeVar("Item")


class Occupation(NamedTuple):
    """What a run does in one state."""

    frames: int
    """Of the run's quenched ones."""
    population: float
    leaving: Rate
    """Changes to another state per ps spent in this one; its inverse is the mean lifetime."""

    @property
    def lifetime_ps(self) -> tuple[float | None, float, float | None]:
        """Mean lifetime, and the ends of its 95 % interval; None for infinite."""
        rate = self.leaving
        return (
            1 / rate.per_ps if rate.events else None,
            1 / rate.high if math.isfinite(rate.high) else 0.0,
            1 / rate.low if rate.low else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        mean, low, high = self.lifetime_ps
        return {
            "frames": self.frames, "population": self.population, "left": self.leaving.events,
            "lifetime_ps": mean, "lifetime_low_ps": low, "lifetime_high_ps": high,
        }  # fmt: skip


@dataclass(frozen=True)
class RunStates:
    """The states of one run, by time."""

    states: tuple[int | None, ...]
    """Number of the state of each quenched frame; None where it is not converged."""
    spacing_ps: float
    """Between two of them."""
    occupations: dict[int, Occupation]
    """By state."""
    any_change: Rate
    """Changes per ps, those to the same minimum with atoms exchanged or turned included; of crystals."""
    entropy_kB: float
    """-sum p ln p of the populations, of the cell or of one anion."""
    entropy_corrected_kB: float
    """With Miller's and Madow's correction for few samples."""

    @property
    def is_entropy_resolved(self) -> bool:
        """Whether states were met twice on average: ln of the number of frames bounds what can be seen."""
        known = sum(state is not None for state in self.states)
        return known >= 2 * max(1, len(self.occupations))

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "states": list(self.states), "spacing_ps": self.spacing_ps,
            "occupations": {str(state): one.to_dict() for state, one in self.occupations.items()},
            "any_change": self.any_change._asdict(), "entropy_kB": self.entropy_kB,
            "entropy_corrected_kB": self.entropy_corrected_kB, "is_entropy_resolved": self.is_entropy_resolved,
        }  # fmt: skip


@dataclass(frozen=True)
class Minima:
    """Distinct minima of some runs."""

    representatives: tuple[tuple[int, int], ...]
    """Run and place among its quenches of the lowest frame of each minimum, the lowest minimum first."""
    energies_eV: tuple[float, ...]
    """Of each above the lowest, of the whole cell."""
    runs: tuple[RunStates, ...]


def crystal_minima(
    runs: Sequence[Sequence[Quench]],
    symbols: Sequence[str],
    spacings_ps: Sequence[float],
    window_eV: float = ENERGY_WINDOW,  # a unit
    tolerance: float = TOLERANCE,
) -> Minima:
    """Distinct minima of the whole cell.

    Args:
        runs: Quenches of each run at equal times, by time.
        symbols: Of the atoms, the same in all runs.
        spacings_ps: Of each run's quenches.
        window_eV: Energies of the cell that differ by more are of two minima.
        tolerance: Å, see `TOLERANCE`.
    """
    from pymatgen.core import Structure

    from ninefold.structures.fingerprint import fingerprint

    places = [(run, k) for run, quenches in enumerate(runs) for k, one in enumerate(quenches) if one.is_converged]
    places.sort(key=lambda place: runs[place[0]][place[1]].energy_eV)
    energies = [runs[run][k].energy_eV for run, k in places]
    prints = []
    for run, k in places:
        one = runs[run][k]
        structure = Structure(one.cell, list(symbols), one.positions, coords_are_cartesian=True)
        prints.append((fingerprint(structure), (structure.volume / len(structure)) ** (1 / 3)))

    def is_same(one: int, other: int) -> bool:
        if abs(energies[one] - energies[other]) > window_eV:
            return False
        # fingerprints are in units of the mean spacing
        return prints[one][0].largest_difference(prints[other][0]) * prints[one][1] <= tolerance

    numbers, leaders = _leaders(len(places), is_same)
    labels = dict(zip(places, numbers, strict=True))
    states = []
    hydrogen = np.array(symbols) == "H"
    for run, quenches in enumerate(runs):
        own = [labels.get((run, k)) for k in range(len(quenches))]
        moved = [
            _is_moved(before, after, hydrogen) if before.is_converged and after.is_converged else None
            for before, after in pairwise(quenches)
        ]
        states.append(_run_states(own, spacings_ps[run], moved))
    chosen = [places[leader] for leader in leaders]
    lowest = energies[0] if energies else 0.0
    return Minima(tuple(chosen), tuple(energies[leader] - lowest for leader in leaders), tuple(states))


class ShellStates(NamedTuple):
    """Distinct shapes of the shells of some runs."""

    representatives: tuple[tuple[int, int, int], ...]
    """Run, quench and centre (place among the centres) of each, the most frequent first."""
    runs: tuple[RunStates, ...]
    """Of all centres together, one after the other, with None between them."""


def shell_states(
    runs: Sequence[Sequence[Quench]],
    symbols: Sequence[str],
    centre: str,
    n: int,
    spacings_ps: Sequence[float],
    tolerance: float = TOLERANCE,
) -> ShellStates:
    """Distinct shapes of the shells in the minima, whichever ligands are where and however the shell is turned.

    Args:
        runs: Quenches of each run at equal times, by time.
        symbols: Of the atoms.
        centre: Symbol of the centres.
        n: Ligands: the nearest hydrogens.
        spacings_ps: Of each run's quenches.
        tolerance: Å; of the sorted distances.
    """
    from collections import Counter

    centres = np.flatnonzero(np.array(symbols) == centre)
    places, prints = [], []
    for place in range(len(centres)):
        for run, quenches in enumerate(runs):
            for k, one in enumerate(quenches):
                if one.is_converged:
                    places.append((run, k, place))
                    prints.append(_shell_distances(shell_vectors(one, symbols, int(centres[place]), n)))
    numbers, leaders = _leaders(
        len(places), lambda one, other: bool(np.abs(prints[one] - prints[other]).max() <= tolerance)
    )
    order = [number for number, _ in Counter(numbers).most_common()]
    labels = {place: order.index(number) for place, number in zip(places, numbers, strict=True)}
    states = []
    for run, quenches in enumerate(runs):
        own: list[int | None] = []
        for place in range(len(centres)):
            own += [*(labels.get((run, k, place)) for k in range(len(quenches))), None]
        states.append(_run_states(own, spacings_ps[run], []))
    return ShellStates(tuple(places[leaders[number]] for number in order), tuple(states))


def with_centres(
    runs: Sequence[Sequence[Quench]], symbols: Sequence[str], centre: str
) -> tuple[list[list[Quench]], list[str]]:
    """The same quenches with one more atom at the centre of each cage, and the symbols; see `with_cages`.

    Args:
        runs: Quenches of each run.
        symbols: Of the atoms.
        centre: `B12`: cages of 12 bonded boron atoms; that of an element leaves everything as it is.

    Raises:
        InputError: if a quench has no such cage.
    """
    from ninefold.dynamics.anions.cages import with_cages
    from ninefold.dynamics.trajectories.trajectory import in_memory

    every = list(symbols)

    def moved(one: Quench) -> Quench:
        nonlocal every
        found = with_cages(in_memory(symbols, one.positions[None], one.cell, 1.0, source="quench"), centre)
        every = list(found.species)
        return replace(one, positions=next(iter(found.chunks())).positions[0])

    return [[moved(one) for one in quenches] for quenches in runs], every


def shell_vectors(one: Quench, symbols: Sequence[str], centre: int, n: int) -> np.ndarray:
    """Shape (n, 3), Å, from a centre to its nearest hydrogens."""
    from ninefold.dynamics.trajectories.trajectory import nearest_image

    hydrogens = np.flatnonzero(np.array(symbols) == "H")
    steps = nearest_image((one.positions[hydrogens] - one.positions[centre])[None], one.cell[None])[0]
    vectors: np.ndarray = steps[np.argsort(np.linalg.norm(steps, axis=1), kind="stable")[:n]]
    return vectors


def _shell_distances(vectors: np.ndarray) -> np.ndarray:
    """Sorted M-H, then sorted H-H distances, Å."""
    first, second = np.triu_indices(len(vectors), 1)
    return np.concatenate(
        [np.sort(np.linalg.norm(vectors, axis=1)), np.sort(np.linalg.norm(vectors[first] - vectors[second], axis=1))]
    )


def _leaders(count: int, is_same: Callable[[int, int], bool]) -> tuple[list[int], list[int]]:
    """Number of the group of each item, and the first item of each group: an item joins the first that it equals."""
    leaders: list[int] = []
    numbers = []
    for item in range(count):
        number = next((place for place, leader in enumerate(leaders) if is_same(leader, item)), len(leaders))
        if number == len(leaders):
            leaders.append(item)
        numbers.append(number)
    return numbers, leaders


def _is_moved(before: Quench, after: Quench, hydrogen: np.ndarray) -> bool:
    """Whether an atom lies elsewhere, drift of the others left out."""
    steps = (after.positions - before.positions) @ np.linalg.inv(before.cell)
    steps -= np.round(steps)
    steps = steps @ before.cell
    others = steps[~hydrogen] if (~hydrogen).any() else steps
    return bool(np.linalg.norm(steps - others.mean(axis=0), axis=1).max() > MOVED)


def _run_states(states: Sequence[int | None], spacing_ps: float, moved: Sequence[bool | None]) -> RunStates:
    known = [state for state in states if state is not None]
    steps = [(before, after) for before, after in pairwise(states) if before is not None and after is not None]
    occupations = {}
    for state in sorted(set(known)):
        from_it = [after for before, after in steps if before == state]
        left = sum(after != state for after in from_it)
        occupations[state] = Occupation(
            known.count(state), known.count(state) / len(known), poisson_rate(left, len(from_it) * spacing_ps)
        )
    changes = [one for one in moved if one is not None]
    entropy = sum(one.population * math.log(1 / one.population) for one in occupations.values())
    correction = (len(occupations) - 1) / (2 * len(known)) if known else 0.0
    return RunStates(
        tuple(states), spacing_ps, occupations, poisson_rate(sum(changes), len(changes) * spacing_ps), entropy,
        entropy + correction,
    )  # fmt: skip
