"""Which ligand is on which place of its anion in the crystal, and when ligands exchange their places.

A permutational isomer (`ninefold.dynamics.anions.tracking`) knows the anion alone, and vibration carries a soft anion
from one to the next and back. The crystal gives each anion an orientation and each of its ligands a place. A site
exchange ends with ligands on each other's places: rings of three, turns of the whole. It restores the crystal, so that
it is what `ninefold dynamics paths` computes barriers of, and what NMR and quasi-elastic neutron scattering see.

The places are the means of the ligands' directions, found as in k-means, with one ligand on each: assign, average,
repeat, from several frames; the assignment of the least squared distance is exact (Kuhn & Munkres). Hysteresis is that
of permutations: vibration is no exchange. What is undone within 60 fs was none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ninefold.dynamics.anions.isomers import Isomers, isomers_of, nearest_assignment
from ninefold.dynamics.anions.permutations import kind_of
from ninefold.dynamics.anions.pseudorotation import Pseudorotation, ShellHistory
from ninefold.dynamics.anions.tracking import COMMIT, gone_over, without_short_stays
from ninefold.dynamics.statistics.rates import ANY, Rate, dispersion_of, poisson_rate

_STARTS, _SAMPLE, _STEPS = 6, 1000, 30
"""Frames from which places are looked for, frames that they are averaged over, and steps, at most."""
_CHUNK = 20_000
"""Frames that are assigned at once."""


@dataclass(frozen=True)
class Places:
    """The places of an anion's ligands in the crystal's directions."""

    directions: np.ndarray
    """shape (n, 3): means of unit vectors, shorter than one as far as the ligands librate."""
    covariance: np.ndarray
    """shape (3 n, 3 n), of the deviations of all ligands from their places, place by place; M-H = 1."""

    @property
    def unit(self) -> np.ndarray:
        """Shape (n, 3), the directions with a length of one: where the ligands are on average, on the sphere."""
        return np.asarray(self.directions / np.linalg.norm(self.directions, axis=1, keepdims=True))

    @property
    def amplitude(self) -> float:
        """Root mean square deviation of a ligand's direction from its place, per direction, in units of M-H."""
        return float(np.sqrt(np.trace(self.covariance) / len(self.covariance)))

    def separation(self, permutation: np.ndarray) -> float:
        """Half the way to the arrangement that a permutation makes, over the vibration's amplitude along it.

        A libration moves all ligands along the way of a turn at once, which single ligands' amplitudes do not say. Of
        an anion that turns freely it is 2.2 to 2.7.
        """
        way = (self.directions[permutation] - self.directions).ravel()
        squared = float(way @ way)
        along = float(way @ self.covariance @ way)
        return squared / 2 / np.sqrt(along) if along > 0 else np.inf

    def closest_exchange(self) -> np.ndarray:
        """Shape (n,): the permutation that exchanges the two places that are nearest to each other."""
        steps = np.linalg.norm(self.directions[:, None] - self.directions, axis=2)
        steps[np.diag_indices(len(steps))] = np.inf
        one, other = np.unravel_index(int(np.argmin(steps)), steps.shape)
        permutation = np.arange(len(steps))
        permutation[[one, other]] = other, one
        return permutation

    def canonical(self, assignment: np.ndarray) -> tuple[int, ...]:
        """The assignment itself: places of a crystal are not turned into each other."""
        return tuple(int(place) for place in assignment)

    def squared_distance_of(self, permutation: np.ndarray) -> float:
        """Sum of the ligands' squared straight ways, M-H = 1."""
        return float(((self.directions[permutation] - self.directions) ** 2).sum())


class SiteExchange(NamedTuple):
    """Ligands of one anion have gone to each other's places."""

    centre: int
    """Index of the atom."""
    time_fs: float
    passage_fs: float
    """From the last frame on the side of the old places to the first on that of the new ones."""
    kind: str
    """As of paths: turn (of the whole), ring of three, exchange of two, ring of five, cycles of 2 and 3, ..."""
    ligands_moved: int
    displacement: float
    """Root of the summed squares of the ligands' straight ways between places, Å."""


class ExchangeRate(NamedTuple):
    """How often anions of one kind make exchanges of one kind."""

    anion: str
    kind: str
    ligands_moved: float
    """Mean."""
    displacement: float
    """Mean, Å."""
    rate: Rate
    """Per anion and ps."""


@dataclass(frozen=True)
class SiteExchanges:
    """Of all anions of a trajectory."""

    events: tuple[SiteExchange, ...]
    """By time."""
    rates: tuple[ExchangeRate, ...]
    """By anion, `any` kind first, then the most frequent."""
    amplitude: float
    """Of the anion whose ligands are farthest from their places on average."""
    separation: float
    """Half the way of an exchange over the vibration's amplitude along it, the least of those that were seen and of
    exchanges of the two nearest places; below 3 vibration cannot be told from exchange, or the anion turns freely."""

    def rate(self, anion: str, kind: str = ANY) -> Rate:
        """Of a kind that may not have been seen: then no event in the same time.

        Raises:
            KeyError: if there is no such anion.
        """
        own = {one.kind: one.rate for one in self.rates if one.anion == anion}
        return own[kind] if kind in own else poisson_rate(0, own[ANY].time_ps)


def site_exchanges(
    found: Pseudorotation,
    histories: Sequence[ShellHistory],
    groups: dict[str, tuple[int, ...]],
    time_step_fs: float,
    commit: float = COMMIT,
) -> SiteExchanges | None:
    """Exchanges of places in all shells; None without a shell.

    Args:
        found: Of all shells.
        histories: Of the same.
        groups: Name of each kind of anion, and its centres.
        time_step_fs: Between frames.
        commit: Progress from one arrangement to another at which an exchange counts.
    """
    events: list[SiteExchange] = []
    amplitudes, separations = [], []
    times = {one.segment.centre: 0.0 for one in histories}
    for centre in times:
        own = [one for one in histories if one.segment.centre == centre]
        places = find_places([one.vectors for one in own])
        polyhedron, vertex = _nearest_polyhedron(places)
        seen = {places.canonical(places.closest_exchange())}
        for history in own:
            assignments = nearest_places(history.vectors, places.directions)
            raw = gone_over(history.vectors, assignments, places.directions, commit, is_turned=False)
            for event in without_short_stays(raw, places, time_step_fs, is_merged=False):
                permutation = event.after[np.argsort(event.before)]
                seen.add(places.canonical(permutation))
                events.append(
                    SiteExchange(
                        centre, (history.segment.first + event.frame) * time_step_fs,
                        (event.frame - event.left) * time_step_fs, kind_of(permutation, vertex, polyhedron),
                        int((permutation != np.arange(len(permutation))).sum()),
                        float(np.linalg.norm(places.unit[permutation] - places.unit)) * found.mean_distance,
                    )
                )  # fmt: skip
            times[centre] += len(history.segment) * time_step_fs / 1000
        amplitudes.append(places.amplitude)
        separations.append(min(places.separation(np.array(permutation)) for permutation in seen))
    if not times:
        return None
    return SiteExchanges(
        tuple(sorted(events, key=lambda event: event.time_fs)),
        tuple(
            rate for name, centres in groups.items() for rate in _rates(name, centres, events, times, found.duration_ps)
        ),
        max(amplitudes),
        float(min(separations)),
    )  # fmt: skip


def find_places(vectors: Sequence[np.ndarray]) -> Places:
    """The places of one anion's ligands.

    Args:
        vectors: Of each stretch in which it keeps its ligands, shape (f, n, 3), unit vectors.
    """
    every = np.concatenate(vectors)
    sample = every[np.linspace(0, len(every) - 1, min(_SAMPLE, len(every))).astype(int)]
    best: tuple[float, np.ndarray] | None = None
    for start in np.linspace(0, len(sample) - 1, min(_STARTS, len(sample))).astype(int):
        ordered = _settled(sample, sample[start])
        squared = float(((ordered - ordered.mean(axis=0)) ** 2).sum())
        if best is None or squared < best[0]:
            best = squared, ordered
    assert best is not None
    deviations = (best[1] - best[1].mean(axis=0)).reshape(len(sample), -1)
    return Places(best[1].mean(axis=0), deviations.T @ deviations / len(sample))


def nearest_places(vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The place of each ligand in each frame, one ligand on each, of the least sum of squared distances.

    Args:
        vectors: shape (f, n, 3).
        places: shape (n, 3).

    Returns:
        shape (f, n).
    """
    from scipy.optimize import linear_sum_assignment

    result = np.empty(vectors.shape[:2], dtype=np.int64)
    for first in range(0, len(vectors), _CHUNK):
        overlaps = np.einsum("fni,mi->fnm", vectors[first : first + _CHUNK], places)
        # lengths are the same in every arrangement: the least sum of squared distances is the largest of overlaps
        nearest = np.argmax(overlaps, axis=2)
        for frame in np.flatnonzero((np.sort(nearest, axis=1) != np.arange(len(places))).any(axis=1)):
            nearest[frame] = linear_sum_assignment(overlaps[frame], maximize=True)[1]
        result[first : first + _CHUNK] = nearest
    return result


def _nearest_polyhedron(places: Places) -> tuple[Isomers, np.ndarray]:
    """The polyhedron that the places are nearest to, as `paths` takes it, and the vertex of each place."""
    every = isomers_of(len(places.unit))
    found = {name: nearest_assignment(places.unit, one.vertices) for name, one in every.items()}
    name = min(found, key=lambda name: found[name][1])
    return every[name], found[name][0]


def _settled(sample: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Shape (f, n, 3): the sample's vectors by place, for places that were begun from some directions."""
    ordered, before = sample, None
    for _ in range(_STEPS):
        assignments = nearest_places(sample, directions)
        if before is not None and (assignments == before).all():
            break
        ordered = np.take_along_axis(sample, np.argsort(assignments, axis=1)[..., None], axis=1)
        directions, before = ordered.mean(axis=0), assignments
    return ordered


def _rates(
    name: str, centres: Sequence[int], events: Sequence[SiteExchange], times: dict[int, float], duration_ps: float
) -> list[ExchangeRate]:
    own = [event for event in events if event.centre in centres]
    time = sum(times[centre] for centre in centres if centre in times)
    kinds = sorted({event.kind for event in own}, key=lambda kind: (-sum(one.kind == kind for one in own), kind))
    rates = []
    for kind in (ANY, *kinds):
        chosen = [event for event in own if kind in (ANY, event.kind)]
        at = [np.array([one.time_fs / 1000 for one in chosen if one.centre == centre]) for centre in centres]
        rates.append(
            ExchangeRate(
                name, kind,
                float(np.mean([one.ligands_moved for one in chosen])) if chosen else 0.0,
                float(np.mean([one.displacement for one in chosen])) if chosen else 0.0,
                poisson_rate(len(chosen), time, dispersion=dispersion_of(at, duration_ps)),
            )
        )  # fmt: skip
    return rates
