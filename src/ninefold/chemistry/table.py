"""Compositions as columns: what enumeration makes and rules read, one row or a million."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import ELECTRONEGATIVITY, GROUP

NO_CATION = -1
"""Fills the unused places of `cation_species`."""


@dataclass(frozen=True)
class CandidateTable:
    """Columns of assignments; every count is per centre.

    All columns have the length n_rows. Rows are immutable by convention.
    """

    centres: tuple[str, ...]
    """What `centre` indexes."""
    species: tuple[tuple[str, int], ...]
    """(symbol, charge) of each counter-cation, what `cation_species` indexes."""
    centre: np.ndarray
    """shape (n_rows,), index into `centres`."""
    n: np.ndarray
    """shape (n_rows,), hydrogens on the centre."""
    q: np.ndarray
    """shape (n_rows,), charge number of the anion."""
    m: np.ndarray
    """shape (n_rows,), interstitial hydrides."""
    cation_species: np.ndarray
    """shape (n_rows, n_kinds), index into `species`, or `NO_CATION`."""
    cation_counts: np.ndarray
    """shape (n_rows, n_kinds), 0 where there is none."""

    def __len__(self) -> int:
        return len(self.n)

    @classmethod
    def from_assignments(cls, assignments: Iterable[Assignment]) -> CandidateTable:
        """Columns of the assignments, in their order."""
        rows = list(assignments)
        centres = tuple(sorted({row.centre for row in rows}))
        species = tuple(sorted({(cation.symbol, cation.charge) for row in rows for cation in row.cations}))
        kinds = max((len(row.cations) for row in rows), default=1)
        cation_species = np.full((len(rows), kinds), NO_CATION, dtype=np.int16)
        cation_counts = np.zeros((len(rows), kinds), dtype=np.int16)
        for index, row in enumerate(rows):
            for place, cation in enumerate(row.cations):
                cation_species[index, place] = species.index((cation.symbol, cation.charge))
                cation_counts[index, place] = cation.count
        return cls(
            centres, species,
            np.array([centres.index(row.centre) for row in rows], dtype=np.int16),
            np.array([row.n for row in rows], dtype=np.int16),
            np.array([row.q for row in rows], dtype=np.int16),
            np.array([row.m for row in rows], dtype=np.int16),
            cation_species, cation_counts,
        )  # fmt: skip

    def assignments(self, rows: Sequence[int] | np.ndarray | None = None) -> Iterator[Assignment]:
        """The assignments of some rows, or of all."""
        for row in range(len(self)) if rows is None else rows:
            cations = tuple(
                Cation(*(self.species[kind][0], int(count), self.species[kind][1]))
                for kind, count in zip(self.cation_species[row], self.cation_counts[row], strict=True)
                if kind != NO_CATION
            )
            yield Assignment(
                self.centres[self.centre[row]], int(self.n[row]), int(self.q[row]), int(self.m[row]),
                tuple(sorted(cations)),
            )  # fmt: skip

    @cached_property
    def group(self) -> np.ndarray:
        """Shape (n_rows,), group number of the centre, G."""
        return self.of_centre(GROUP)

    @cached_property
    def electron_count(self) -> np.ndarray:
        """Shape (n_rows,), G + n + q."""
        return self.group + self.n + self.q

    @property
    def oxidation_state(self) -> np.ndarray:
        """Shape (n_rows,), n - q."""
        return self.n - self.q

    @cached_property
    def cation_charge(self) -> np.ndarray:
        """Shape (n_rows,), Z."""
        return self.sum_over_cations({item: item[1] for item in self.species})

    @cached_property
    def cation_count(self) -> np.ndarray:
        """Shape (n_rows,), counter-cations per centre."""
        return self.cation_counts.sum(axis=1, dtype=np.int16)

    @cached_property
    def centre_electronegativity(self) -> np.ndarray:
        """Shape (n_rows,), Pauling."""
        return self.of_centre(ELECTRONEGATIVITY)

    @cached_property
    def cation_electronegativity(self) -> np.ndarray:
        """Shape (n_rows,), Pauling, mean over the counter-cations."""
        return self.sum_over_cations({item: ELECTRONEGATIVITY[item[0]] for item in self.species}) / self.cation_count

    def of_centre(self, values: dict[str, int] | dict[str, float]) -> np.ndarray:
        """Shape (n_rows,), a property of the centre."""
        return np.array([values[symbol] for symbol in self.centres])[self.centre]

    def sum_over_cations(self, values: dict[tuple[str, int], int] | dict[tuple[str, int], float]) -> np.ndarray:
        """Shape (n_rows,), sum over the counter-cations of count times a property of (symbol, charge)."""
        lookup = np.array([*(values[item] for item in self.species), 0])  # NO_CATION reads the last entry
        return np.einsum("ij,ij->i", lookup[self.cation_species], self.cation_counts)

    def max_over_cations(self, values: dict[tuple[str, int], float]) -> np.ndarray:
        """Shape (n_rows,), largest value of a property over the kinds of counter-cations."""
        lookup = np.array([*(values[item] for item in self.species), -np.inf])
        return lookup[self.cation_species].max(axis=1)
