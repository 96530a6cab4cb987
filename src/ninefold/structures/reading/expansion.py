"""All atoms of a cell from sites and symmetry operations."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ninefold.structures.reading.model import FULL, HYDROGENS, UnreadableError
from ninefold.structures.reading.space_groups import PARTS, Group

SAME_PLACE = 0.1
"""Å; images of one site closer than this are one atom on a special position, whose coordinates were rounded."""
TOO_CLOSE = 0.5
"""Å; no two atoms of a crystal are closer than this: the hydrogen molecule has 0.74."""
_MOVED = 0.01
_NEIGHBOURS = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)


@dataclass(frozen=True)
class Site:
    """A row of a file's list of atoms."""

    label: str
    symbol: str
    """Element, or D, T."""
    position: np.ndarray
    """shape (3,), fractional."""
    occupancy: float = 1.0
    multiplicity: float | None = None
    """Atoms in the cell, where the file says so; or the order of the site's symmetry, which some programs write."""


@dataclass(frozen=True)
class Expanded:
    """All atoms of a cell."""

    symbols: list[str]
    positions: np.ndarray
    """shape (n, 3), fractional, in [0, 1)."""
    notes: tuple[str, ...]

    @property
    def counts(self) -> Counter[str]:
        """Atoms by element, isotopes of hydrogen as hydrogen."""
        return Counter("H" if symbol in HYDROGENS else symbol for symbol in self.symbols)

    def is_same(self, other: Expanded, cell: np.ndarray) -> bool:
        """Whether another cell holds the same atoms at the same places."""
        if self.counts != other.counts:
            return False
        apart = _distances(self.positions, other.positions, cell)
        alike = np.array(self.symbols)[:, None] == np.array(other.symbols)[None, :]
        return bool(((apart < _MOVED) & alike).any(axis=1).all())


def expand(sites: Sequence[Site], group: Group, cell: np.ndarray) -> Expanded:
    """Every atom of the cell.

    Args:
        sites: With their occupancies.
        group: Its operations.
        cell: Å, rows, shape (3, 3).

    Raises:
        UnreadableError: if a site is not wholly occupied by one element, two atoms overlap, or a multiplicity that
            the file gives is not the one that the operations make.
    """
    moved: list[tuple[float, str]] = []
    orbits = [_orbit(site, group, cell, moved) for site in sites]
    kept, notes = _merged(sites, orbits, cell)
    if moved:
        largest, label = max(moved)
        notes.append(f"{len(moved)} of {len(sites)} sites moved onto special positions, {label} by {largest:.3f} Å")
    symbols = [site.symbol for site, orbit in kept for _ in orbit]
    positions = np.concatenate([orbit for _, orbit in kept])
    labels = [site.label for site, orbit in kept for _ in orbit]
    check_distances(positions, cell, labels)
    return Expanded(symbols, positions % 1.0, tuple(notes))


def check_distances(positions: np.ndarray, cell: np.ndarray, labels: Sequence[str]) -> None:
    """Refuse atoms that overlap.

    Args:
        positions: shape (n, 3), fractional.
        cell: Å, rows.
        labels: Of the atoms, for the message.
    """
    for one, other, distance in _close_pairs(positions, cell):
        raise UnreadableError(
            f"holds atoms that overlap: {labels[one]} and {labels[other]}, {distance:.2f} Å apart",
            "give each atom once, and only atoms that are there together",
        )


def _close_pairs(positions: np.ndarray, cell: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs of atoms closer than TOO_CLOSE, an atom and its own image among them, with their distances in Å."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    cartesian = np.ascontiguousarray((positions % 1.0) @ cell)
    first, second, _, apart = find_points_in_spheres(
        cartesian, cartesian, r=TOO_CLOSE, pbc=np.array([1, 1, 1], dtype=np.int64),
        lattice=np.ascontiguousarray(cell, dtype=float), tol=1e-8,
    )  # fmt: skip
    return [
        (int(one), int(other), float(distance))
        for one, other, distance in zip(first, second, apart, strict=True)
        if one < other or (one == other and distance > 1e-6)
    ]


def _orbit(site: Site, group: Group, cell: np.ndarray, moved: list[tuple[float, str]]) -> np.ndarray:
    """The places of a site's atoms, shape (n, 3); the site is moved onto the special position that it is near."""

    def offsets(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        apart = group.rotations @ point + group.translations / PARTS - point
        apart = apart[:, None, :] - np.round(apart)[:, None, :] + _NEIGHBOURS
        lengths = np.linalg.norm(apart @ cell, axis=2)
        nearest = lengths.argmin(axis=1)
        rows = np.arange(len(nearest))
        return apart[rows, nearest], lengths[rows, nearest]

    apart, distance = offsets(site.position)
    on_site = distance < SAME_PLACE
    point = site.position + apart[on_site].mean(axis=0)
    _, distance = offsets(point)
    order = int((distance < 1e-4).sum())
    if order != on_site.sum() or len(distance) % order or ((distance > 1e-4) & (distance < TOO_CLOSE)).any():
        near = min(value for value in distance if value > 1e-4)
        raise UnreadableError(
            f"holds the site {site.label} and its own image {near:.2f} Å apart: a disordered site, or one that is off "
            "its special position"
        )
    by = float(np.linalg.norm((point - site.position) @ cell))
    if by > _MOVED:
        moved.append((by, site.label))
    count = len(distance) // order
    if site.multiplicity is not None and round(site.multiplicity) not in (count, order):
        raise UnreadableError(
            f"says that the site {site.label} has multiplicity {site.multiplicity:g}, its symmetry operations give "
            f"{count}"
        )
    images = (group.rotations @ point + group.translations / PARTS) % 1.0
    apart = images[:, None, :] - images[None, :, :]
    is_same = np.linalg.norm((apart - np.round(apart)) @ cell, axis=2) < 1e-3
    return images[np.unique(is_same.argmax(axis=1))]


def _merged(
    sites: Sequence[Site], orbits: Sequence[np.ndarray], cell: np.ndarray
) -> tuple[list[tuple[Site, np.ndarray]], list[str]]:
    """Sites with their atoms, those of one place as one; and what is to be said of it."""
    site_of = [index for index, orbit in enumerate(orbits) for _ in orbit]
    leader = list(range(len(sites)))
    for one, other, distance in _close_pairs(np.concatenate(list(orbits)), cell):
        if distance < SAME_PLACE:
            first, second = sorted((leader[site_of[one]], leader[site_of[other]]))
            leader = [first if value == second else value for value in leader]
    together: dict[int, list[Site]] = {}
    for index, site in enumerate(sites):
        together.setdefault(leader[index], []).append(site)
    kept = [(_one_atom(here), orbits[first]) for first, here in together.items()]
    mixed, doubled = [], []
    for here in together.values():
        if len({site.symbol for site in here}) > 1:
            mixed.append(here)
        elif len(here) > 1:
            doubled.append(here)
    notes = []
    if mixed:
        what = " + ".join(f"{site.occupancy:g} {site.symbol}" for site in mixed[0])
        notes.append(f"{what} is one hydrogen: {_names(mixed)}")
    if doubled:
        notes.append(f"rows of one place are read as one atom: {_names(doubled)}")
    return kept, notes


def _names(groups: Sequence[Sequence[Site]]) -> str:
    """Labels of rows that are one atom, of the first three such atoms."""
    shown = ", ".join(" and ".join(site.label for site in here) for here in groups[:3])
    return shown if len(groups) <= 3 else f"{shown} and {len(groups) - 3} more"


def _one_atom(here: Sequence[Site]) -> Site:
    """The one atom that the rows of one place are."""
    names = " and ".join(site.label for site in here)
    elements = {"H" if site.symbol in HYDROGENS else site.symbol for site in here}
    if len(elements) > 1:
        raise UnreadableError(
            f"is disordered: {', '.join(f'{site.symbol} ({site.occupancy:g})' for site in here)} share the place of "
            f"{names}",
            "give one element to each site, in a supercell where needed",
        )
    if len(here) == 1 or all(abs(site.occupancy - 1) < FULL for site in here):
        total = here[0].occupancy
    else:
        total = sum(site.occupancy for site in here)
    if abs(total - 1) >= FULL:
        raise UnreadableError(
            f"is disordered: {names} has occupancy {total:g}",
            "give whole atoms on its sites, in a supercell where needed",
        )
    symbol = here[0].symbol if len({site.symbol for site in here}) == 1 else "H"
    return replace(here[0], symbol=symbol, occupancy=1.0)


def _distances(first: np.ndarray, second: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Shortest distances between points, Å; shape (n, m)."""
    apart = first[:, None, :] - second[None, :, :]
    apart = apart - np.round(apart)
    if len(first) * len(second) > 40_000:  # skewed cells need the neighbours, and large ones are not skewed much
        return np.asarray(np.linalg.norm(apart @ cell, axis=2))
    return np.asarray(np.linalg.norm((apart[:, :, None, :] + _NEIGHBOURS) @ cell, axis=3).min(axis=2))
