"""The orderings in which different cations share the cation sites of a structure.

Whole Wyckoff orbits go to one cation. Where the stoichiometry does not allow that, as few orbits as possible are
split, inside the primitive cell. Orderings that the symmetry of the structure maps onto each other are one; larger
cells and disorder are left out.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ninefold.structures.description import Orbit, orbits_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_ORDERINGS = 12
"""Orderings that are given, at most, those of the highest symmetry first. Two cations in one of the known types have
six at most; three may have more."""
MOST_STEPS = 5_000
"""Steps of the enumeration for each number of split orbits, a bound for cells with many sites and little symmetry."""
_Split = tuple[tuple[int, ...], ...]
"""For each orbit, how many of its sites each kind takes."""


class Ordering(NamedTuple):
    """One ordering."""

    kinds: tuple[str, ...]
    """For each site, in the order in which the sites were given."""
    text: str
    """Which kind is where: `K 3f, Na 3g`; with a split orbit: `K 1/2 8c, Na 1/2 8c`."""

    def order(self, symbols: Sequence[str]) -> np.ndarray:
        """Indices of the sites, kind by kind in the order of the symbols."""
        return np.concatenate([np.flatnonzero(np.array(self.kinds) == symbol) for symbol in symbols])


def orderings(structure: Structure, sites: Sequence[int], counts: Mapping[str, int]) -> list[Ordering]:
    """Every ordering, up to the symmetry of the structure, in an order that depends on nothing else.

    Args:
        structure: Primitive cell; the sites that are shared hold one element of their own.
        sites: Indices of the sites to share.
        counts: Kind -> how many of the sites it takes; they sum to the number of sites.

    Returns:
        Fewest split orbits first, and of these no others; then the highest symmetry; `MOST_ORDERINGS` at most.
    """
    if sum(counts.values()) != len(sites):
        raise ValueError(f"{dict(counts)} do not fill {len(sites)} sites")
    place_of = {site: place for place, site in enumerate(sites)}
    found = orbits_of(structure)
    met: Counter[str] = Counter()
    orbits = []
    for orbit in found.orbits:
        if orbit.members[0] in place_of:
            primes = "'" * met[orbit.label]  # tell two orbits on one Wyckoff position apart
            orbits.append(Orbit(orbit.label + primes, tuple(place_of[member] for member in orbit.members)))
            met[orbit.label] += 1
    images = np.unique([[place_of[int(image)] for image in row[list(sites)]] for row in found.images], axis=0)
    symbols = list(counts)
    sizes = [len(orbit.members) for orbit in orbits]
    for splits in range(len(orbits) + 1):
        steps = itertools.islice(_splits(sizes, [*counts.values()], splits), MOST_STEPS)
        candidates = itertools.chain.from_iterable(
            _orderings_of(split, orbits, symbols, images) for split in steps if split is not None
        )
        # whole orbits keep the whole symmetry, each alike, so that no later one would come before these
        counted = list(itertools.islice(candidates, MOST_ORDERINGS)) if splits == 0 else list(candidates)
        if counted:
            counted.sort(key=lambda item: item[0])  # stable: the higher symmetry first, then as enumerated
            return _named([ordering for _, ordering in counted[:MOST_ORDERINGS]])
    return []


def _splits(sizes: Sequence[int], left: Sequence[int], splits: int) -> Iterator[_Split | None]:
    """Shares of the kinds in each orbit, with so many orbits split; None for a step that leads nowhere yet."""
    if not sizes:
        yield () if splits == 0 else None
        return
    for share in _shares(sizes[0], left):
        is_split = sum(count > 0 for count in share) > 1
        if is_split > splits:
            continue
        yield None
        rest = [count - taken for count, taken in zip(left, share, strict=True)]
        for others in _splits(sizes[1:], rest, splits - is_split):
            yield None if others is None else (share, *others)


def _shares(size: int, left: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Ways to fill so many sites from what is left of each kind, the first kind's largest share first."""
    if len(left) == 1:
        if size <= left[0]:
            yield (size,)
        return
    for taken in range(min(size, left[0]), -1, -1):
        for others in _shares(size - taken, left[1:]):
            yield (taken, *others)


def _orderings_of(
    split: _Split, orbits: Sequence[Orbit], symbols: Sequence[str], images: np.ndarray
) -> list[tuple[int, Ordering]]:
    """Orderings with these shares, one of each set of equivalent ones, with the number in the set."""
    shares = list(zip(split, orbits, strict=True))
    text = ", ".join(
        f"{symbol} {'+'.join(_part(share[kind], orbit) for share, orbit in shares if share[kind])}"
        for kind, symbol in enumerate(symbols)
    )
    seen: set[tuple[int, ...]] = set()
    found = []
    choices = [_arrangements(share) for share in split]
    for arrangement in itertools.islice(itertools.product(*choices), MOST_STEPS):
        colours = np.empty(images.shape[1], dtype=int)
        for orbit, kinds in zip(orbits, arrangement, strict=True):
            colours[list(orbit.members)] = kinds
        if tuple(colours.tolist()) in seen:
            continue
        same = {tuple(row) for row in colours[images].tolist()}
        seen |= same
        found.append((len(same), Ordering(tuple(symbols[kind] for kind in colours), text)))
    return found


def _arrangements(share: Sequence[int]) -> list[tuple[int, ...]]:
    """Different orders of so many of each kind, by kind number."""
    if sum(count > 0 for count in share) == 1:
        return [tuple(kind for kind, count in enumerate(share) for _ in range(count))]
    return list(itertools.islice(_distinct_orders(list(share)), MOST_STEPS))


def _distinct_orders(left: list[int]) -> Iterator[tuple[int, ...]]:
    if not any(left):
        yield ()
        return
    for kind, count in enumerate(left):
        if count:
            left[kind] -= 1
            for rest in _distinct_orders(left):
                yield (kind, *rest)
            left[kind] += 1


def _part(count: int, orbit: Orbit) -> str:
    """An orbit, or the part of it that a kind takes."""
    share = Fraction(count, len(orbit.members))
    return orbit.label if share == 1 else f"{share} {orbit.label}"


def _named(found: Sequence[Ordering]) -> list[Ordering]:
    """Orderings with the same text get numbers."""
    often = Counter(ordering.text for ordering in found)
    met: Counter[str] = Counter()
    named = []
    for ordering in found:
        met[ordering.text] += 1
        is_single = often[ordering.text] == 1
        named.append(ordering if is_single else ordering._replace(text=f"{ordering.text} ({met[ordering.text]})"))
    return named
