"""How hard a composition is searched. Budgets are counts, never seconds: a seed gives one result."""

from __future__ import annotations

from pydantic import Field, field_validator

from ninefold.settings import Settings
from ninefold.structures.sources import OUR_NAMES, check_source


class SearchBudget(Settings):
    """The structure search of one composition, by counts."""

    sources: tuple[str, ...] = Field(default=OUR_NAMES, min_length=1)
    """Where structures come from: substitution in known types, AFLOW prototypes and simple lattices as hosts, random
    rigid units with and without a space group, or `module:function` of your own."""
    withhold_types: tuple[str, ...] = ()
    """Known structure types that are not offered, to test whether the search finds them."""
    formula_units: tuple[int, ...] = Field(default=(1, 2, 3, 4), min_length=1)
    """Formula units per cell, 1 to 4; the pool is shared among them."""
    max_atoms: int = Field(default=60, ge=8, le=400)
    """Atoms in a cell at most; more formula units are left out."""
    pool: int = Field(default=240, ge=1, le=100_000)
    """Structures settled with the ionic force field, at most: a source and cell size that brings nothing new among the
    lowest is drawn from no more."""
    single_points: int = Field(default=48, ge=1, le=100_000)
    """Structures of the pool that the engine evaluates."""
    coarse_relaxations: int = Field(default=10, ge=1, le=10_000)
    """Of these, how many are relaxed coarsely."""
    refinements: int = Field(default=3, ge=1, le=1_000)
    """Of these, how many are relaxed to the end with their symmetry."""
    relaxations: int | None = Field(default=None, ge=1, le=10_000)
    """Relaxations of both kinds together at most; refinements may take several each. Default: no other limit."""
    patience: int = Field(default=6, ge=1, le=10_000)
    """Coarse relaxations in a row that find nothing lower, by 1 meV/atom, after which no more are run."""
    rounds: int = Field(default=2, ge=1, le=8)
    """Searches of the best compositions of a campaign: each round repeats the search, with new random draws, for the
    half of them that lies lowest against the hull."""
    coarse_fmax: float = Field(default=0.1, gt=0, le=5)
    """eV/Å, end of a coarse relaxation."""
    coarse_steps: int = Field(default=40, ge=1, le=10_000)
    """Steps of a coarse relaxation at most."""
    final_fmax: float = Field(default=0.01, gt=0, le=1)
    """eV/Å, end of a refinement."""
    final_steps: int = Field(default=250, ge=1, le=100_000)
    """Steps of a refinement at most."""
    search_fmax: float | None = Field(default=None, gt=0, le=5)
    """eV/Å, end of a refinement by the search's method where `energies` names a further one, which relaxes to
    `final_fmax` what it is passed on. Without `energies`, or below `final_fmax`, it has no effect. Default:
    `final_fmax`; 0.05 where the campaign names no method and has the default ones."""
    passed_on: int = Field(default=4, ge=1, le=1_000)
    """Minima of a composition, the lowest first, that each method of `energies` relaxes to the end."""
    passed_on_window: float | None = Field(default=None, ge=0, le=5)
    """eV/atom above the lowest within which they lie. Default: what the trust table leaves open between two structures
    of one composition with the method of the search (docs/trust.md), or 0.05 where it has no table."""

    @classmethod
    def for_relaxations(cls, relaxations: int, withhold_types: tuple[str, ...] = ()) -> SearchBudget:
        """A budget around a number of relaxations, which cost most: the cheaper steps before them grow along.

        Args:
            relaxations: Of both kinds together, at most.
            withhold_types: Known structure types that are not offered.
        """
        usual = cls()
        return cls(
            withhold_types=withhold_types,
            relaxations=relaxations,
            coarse_relaxations=relaxations,
            refinements=min(1_000, max(usual.refinements, relaxations // 6)),
            single_points=min(100_000, max(usual.single_points, 10 * relaxations)),
            pool=min(100_000, max(usual.pool, 36 * relaxations)),
            patience=max(usual.patience, relaxations // 2),
        )

    def reduced_to(self, relaxations: int) -> SearchBudget:
        """A smaller budget, with the same sources and criteria: one round, and every count at most what it was.

        Args:
            relaxations: Of both kinds together, at most.
        """
        return self.model_copy(
            update={
                "pool": min(self.pool, 16 * relaxations),
                "single_points": min(self.single_points, 4 * relaxations),
                "coarse_relaxations": min(self.coarse_relaxations, relaxations),
                "refinements": min(self.refinements, max(1, relaxations // 4)),
                "relaxations": min(self.most_relaxations, relaxations),
                "rounds": 1,
                "passed_on": min(self.passed_on, 2),
            }
        )

    @property
    def most_relaxations(self) -> int:
        """Of both kinds together, as they are planned: a refinement that is run again comes on top."""
        planned = self.coarse_relaxations + self.refinements
        return planned if self.relaxations is None else min(planned, self.relaxations)

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"{list(names)} names one source twice")
        for name in names:
            check_source(name)
        return names

    @field_validator("formula_units")
    @classmethod
    def _check_units(cls, units: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= unit <= 4 for unit in units) or len(set(units)) < len(units):
            raise ValueError(f"{list(units)} must be different numbers from 1 to 4")
        return tuple(sorted(units))

    @field_validator("withhold_types")
    @classmethod
    def _check_types(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from ninefold.structures.known_types import type_names

        for name in names:
            if name not in type_names():
                raise ValueError(f"{name!r} is not a structure type; allowed: {', '.join(type_names())}")
        return names
