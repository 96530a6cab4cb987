"""The pool: structures of one composition, settled with the ionic force field, without duplicates."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.search.budget import SearchBudget
from ninefold.structures.checks import check_shells
from ninefold.structures.forcefield import settle
from ninefold.structures.known_types import substituted
from ninefold.structures.packing import Packing
from ninefold.structures.proposal import Notify, Proposal, Stop, Stream, never
from ninefold.structures.sources import KNOWN_TYPES, load_source, source_label

MAX_DRAW = 6
"""Packings drawn from a source and cell size at a time, at most."""
MAX_WITHOUT_GAIN = 18
"""Packings of one source and cell size in a row that change nothing, after which no more are drawn from it."""
STOPPED = "stopped before the pool was full"
NOT_MADE = "not made"
"""Before the reasons of a source's attempts that gave no packing: no packing was rejected."""
ENERGY_BIN = 2e-4
"""eV/atom; settled packings of one size within this and `VOLUME_BIN` are the same minimum."""
VOLUME_BIN = 0.3
"""Å³ per formula unit."""


@dataclass(frozen=True)
class Pool:
    """What the force field left."""

    proposals: tuple[Proposal, ...]
    """Lowest force-field energy first."""
    reasons: Counter[str]
    """Why packings were rejected."""
    count_in: int
    """Packings tried."""
    core_seconds: float
    spent: dict[str, int]
    """Packings settled, by source and cell size."""


def rng_for(assignment: Assignment, seed: int, purpose: str, a_round: int = 1) -> np.random.Generator:
    """A random generator that depends on nothing but composition, seed, purpose and round."""
    digest = hashlib.sha256(f"{assignment.label}|{purpose}".encode()).digest()
    again = [a_round] if a_round > 1 else []
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest[:8], "big"), *again]))


def build_pool(
    assignment: Assignment,
    budget: SearchBudget,
    seed: int,
    notify: Notify | None = None,
    stop: Stop = never,
    a_round: int = 1,
) -> Pool:
    """Generate packings, settle each with the force field, merge equal ones.

    Args:
        assignment: The composition, its centre and what its hydrogens are bound to.
        budget: Sources and counts.
        seed: With the composition it fixes every random choice.
        notify: Told of progress.
        stop: Ends it early, with the packings settled so far.
        a_round: Of a campaign; each draws anew, and known types are offered in the first alone.

    Returns:
        Proposals with the coordination asked for.
    """
    start = time.process_time()
    types = substituted(assignment, budget.withhold_types) if KNOWN_TYPES in budget.sources and a_round == 1 else []
    builder = _PoolBuilder(assignment, budget.pool + len(types), notify, stop)
    builder.add_all(types, "known types")
    not_made: Counter[str] = Counter()
    streams = _streams(assignment, budget, seed, a_round, not_made)
    if not _cell_sizes(assignment, budget):
        builder.reasons["cell would exceed max_atoms"] += 1
    _draw(builder, streams, budget)
    if stop():
        builder.reasons[STOPPED] += 1
    elif notify and builder.count:
        notify("build", builder.count, builder.count)  # sources that stopped helping left some of it unused
    builder.reasons.update({f"{NOT_MADE}: {reason}": count for reason, count in not_made.items()})
    return builder.pool(time.process_time() - start)


def _cell_sizes(assignment: Assignment, budget: SearchBudget) -> list[int]:
    """Formula units per cell that `max_atoms` allows."""
    atoms_per_unit = sum(assignment.amounts.values())
    return [units for units in budget.formula_units if units * atoms_per_unit <= budget.max_atoms]


def _streams(
    assignment: Assignment, budget: SearchBudget, seed: int, a_round: int, failures: Counter[str]
) -> list[Stream]:
    """One for each source and cell size, known types apart, each with random draws of its own."""
    return [
        Stream(
            name, load_source(name), assignment, units,
            rng_for(assignment, seed, f"{source_label(name)}:{units}", a_round), failures,
        )
        for name in budget.sources
        if name != KNOWN_TYPES
        for units in _cell_sizes(assignment, budget)
    ]  # fmt: skip


def _draw(builder: _PoolBuilder, streams: Sequence[Stream], budget: SearchBudget) -> None:
    """Settle packings of the streams in turn, until the budget is used up or none brings anything new."""
    # what the engine will look at of each: a packing that does not come among them has not helped
    considered = max(1, math.ceil(budget.single_points / max(1, len(streams))))
    without_gain = dict.fromkeys(streams, 0)
    left = budget.pool
    at_a_time = max(1, min(MAX_DRAW, left // max(1, len(streams))))
    while left and (live := [item for item in streams if item.is_open and without_gain[item] < MAX_WITHOUT_GAIN]):
        for stream in live:
            for packing in stream.draw(min(at_a_time, left)):
                if builder.stop():
                    return
                left -= 1
                has_helped = builder.add(packing, stream.name, considered)
                without_gain[stream] = 0 if has_helped else without_gain[stream] + 1


@dataclass
class _PoolBuilder:
    """Settles packings and keeps one of each minimum."""

    assignment: Assignment
    expected: int
    """Packings, for the progress."""
    notify: Notify | None
    stop: Stop
    reasons: Counter[str] = field(default_factory=Counter)
    """Why packings were rejected."""
    count: int = 0
    """Packings settled."""
    spent: Counter[str] = field(default_factory=Counter)
    """Packings settled, by source and cell size."""
    settled: dict[tuple[int, int, int, int], tuple[float, Proposal]] = field(default_factory=dict)
    """Binned energy, binned volume, atoms and whether of a known type -> energy (eV/atom) and proposal."""
    lowest: dict[str, list[float]] = field(default_factory=dict)
    """Energies of the minima of each source and cell size, eV/atom, lowest first."""

    def add_all(self, packings: Sequence[Packing], stream: str) -> None:
        """Settle packings until told to stop."""
        for packing in packings:
            if self.stop():
                return
            self.add(packing, stream)

    def add(self, packing: Packing, stream: str, considered: int = 1) -> bool:
        """Settle one; whether it is a new minimum, and among the `considered` lowest of its stream."""
        self.count += 1
        self.spent[stream] += 1
        has_helped = self._settle(packing, stream, considered)
        if self.notify:
            self.notify("build", self.count, self.expected)
        return has_helped

    def pool(self, core_seconds: float) -> Pool:
        """What is left, lowest energy first."""
        ordered = sorted(self.settled.values(), key=lambda item: item[0])
        proposals = tuple(proposal for _, proposal in ordered)
        return Pool(proposals, self.reasons, self.count, core_seconds, dict(self.spent))

    def _settle(self, packing: Packing, stream: str, considered: int) -> bool:
        result = settle(packing, self.assignment)
        structure = result.packing.to_structure()
        shells = check_shells(structure, self.assignment)
        if not np.isfinite(result.energy_per_atom) or not shells.is_valid:
            self.reasons[f"force field: {shells.faults[0] if shells.faults else 'no energy'}"] += 1
            return False
        key = (
            round(result.energy_per_atom / ENERGY_BIN), round(shells.volume_per_formula_unit / VOLUME_BIN),
            len(structure), int(packing.source.startswith("type:")),
        )  # fmt: skip
        known = self.settled.get(key)
        if known is None or result.energy_per_atom < known[0]:
            self.settled[key] = (result.energy_per_atom, Proposal(structure, packing.source))
        if known is not None:
            self.reasons["same minimum"] += 1
            return False
        energies = self.lowest.setdefault(stream, [])
        energies.append(result.energy_per_atom)
        energies.sort()
        return result.energy_per_atom in energies[:considered]
