"""Every composition of a space, once: solved, not generated and filtered.

For each centre, electron count E and n, the anion's charge is q = E - G - n; for each m the cations
must carry Z = q + m. The ways to make Z from the cations do not depend on the centre, so they are
solved once for each Z and laid beside every (centre, n, q, m) that needs them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.table import NO_CATION, CandidateTable
from ninefold.enumeration.space import ChemicalSpace

Species = tuple[str, int]
MOST_HYDROGENS = 14
"""On one centre; as far as `ChemicalSpace.n` goes."""


def enumerate_assignments(space: ChemicalSpace, chunk_size: int = 200_000) -> Iterator[CandidateTable]:
    """Every assignment of the space in a fixed order, without duplicates.

    Args:
        space: The limits.
        chunk_size: Rows in a table, about: a chunk ends with the (centre, n, m) that fills it.

    Yields:
        Tables of rows ordered by centre, electron count, n, m, cations.
    """
    solver = _CationSolver(space)
    pending: list[tuple[int, int, int, int, np.ndarray, np.ndarray]] = []
    size = 0
    for index, centre in enumerate(space.centres):
        for n, q, m in _anions(space, centre):
            kinds, counts = solver.solutions(q + m, centre)
            for start in range(0, len(kinds), chunk_size):
                part = slice(start, start + chunk_size)
                pending.append((index, n, q, m, kinds[part], counts[part]))
                size += len(kinds[part])
                if size >= chunk_size:
                    yield _table(space, solver.species, pending)
                    pending, size = [], 0
    if size:
        yield _table(space, solver.species, pending)


def count_assignments(space: ChemicalSpace) -> int:
    """How many assignments the space holds, without listing them."""
    solver = _CationSolver(space)
    return sum(solver.count(q + m, centre) for centre in space.centres for _, q, m in _anions(space, centre))


def neighbours(assignment: Assignment) -> list[Assignment]:
    """Same cations and centre, one hydrogen more or less on the centre or between the ions.

    The charge of the anion follows from charge balance, so the electron count changes: these lie
    outside its gate. Mg2IrH6 was predicted, electron-precise Mg2IrH5 is what formed.
    """
    found = []
    for change_n, change_m in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        n, m = assignment.n + change_n, assignment.m + change_m
        q = assignment.cation_charge - m
        if 2 <= n <= MOST_HYDROGENS and m >= 0 and q >= 1:
            found.append(Assignment(assignment.centre, n, q, m, assignment.cations))
    return found


def _anions(space: ChemicalSpace, centre: str) -> Iterator[tuple[int, int, int]]:
    for electrons in space.electron_counts:
        for n in range(space.n[0], space.n[1] + 1):
            q = electrons - GROUP[centre] - n
            if q >= 1:
                for m in range(space.m[0], space.m[1] + 1):
                    yield n, q, m


class _CationSolver:
    """Combinations of cations by their total charge, each solved once."""

    def __init__(self, space: ChemicalSpace) -> None:
        self.species: tuple[Species, ...] = tuple(
            (symbol, charge) for symbol in sorted(space.cations) for charge in CATION_CHARGES[symbol]
        )
        self._kinds = space.cation_kinds
        self._most = space.max_cations_per_centre
        self._solved: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._counted: dict[tuple[int, str], int] = {}

    def solutions(self, charge: int, centre: str) -> tuple[np.ndarray, np.ndarray]:
        """Species and counts, shape (n_solutions, n_kinds) each, of every solution without the centre."""
        if charge not in self._solved:
            self._solved[charge] = self._solve(charge)
        kinds, counts = self._solved[charge]
        own = [index for index, (symbol, _) in enumerate(self.species) if symbol == centre]
        if not own:
            return kinds, counts
        free = ~np.isin(kinds, own).any(axis=1)
        return kinds[free], counts[free]

    def count(self, charge: int, centre: str) -> int:
        key = (charge, centre if any(symbol == centre for symbol, _ in self.species) else "")
        if key not in self._counted:
            self._counted[key] = len(self.solutions(charge, centre)[0])
        return self._counted[key]

    def _solve(self, charge: int) -> tuple[np.ndarray, np.ndarray]:
        width = self._kinds[1]
        kinds: list[tuple[int, ...]] = []
        counts: list[tuple[int, ...]] = []
        for size in range(self._kinds[0], width + 1):
            for chosen in itertools.combinations(range(len(self.species)), size):
                if len({self.species[index][0] for index in chosen}) < size:
                    continue  # one element in two charges is not two kinds
                padding = (NO_CATION,) * (width - size)
                for solution in _partitions(charge, [self.species[index][1] for index in chosen], self._most):
                    kinds.append(chosen + padding)
                    counts.append(solution + (0,) * (width - size))
        shape = (-1, width)
        return np.array(kinds, dtype=np.int16).reshape(shape), np.array(counts, dtype=np.int16).reshape(shape)


def _partitions(total: int, charges: list[int], most: int) -> Iterator[tuple[int, ...]]:
    """Positive counts, at most `most` in all, whose charges add up to the total."""
    first, rest = charges[0], charges[1:]
    if not rest:
        if total > 0 and total % first == 0 and total // first <= most:
            yield (total // first,)
        return
    for count in range(1, min(most - len(rest), (total - 1) // first) + 1):
        for tail in _partitions(total - count * first, rest, most - count):
            yield (count, *tail)


def _table(
    space: ChemicalSpace, species: tuple[Species, ...], parts: list[tuple[int, int, int, int, np.ndarray, np.ndarray]]
) -> CandidateTable:
    lengths = [len(kinds) for *_, kinds, _ in parts]

    def column(place: int) -> np.ndarray:
        return np.repeat(np.array([part[place] for part in parts], dtype=np.int16), lengths)

    return CandidateTable(
        space.centres, species, column(0), column(1), column(2), column(3),
        np.concatenate([kinds for *_, kinds, _ in parts]), np.concatenate([counts for *_, counts in parts]),
    )  # fmt: skip
