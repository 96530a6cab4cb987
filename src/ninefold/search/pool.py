"""The pool: structures of one composition, settled with the ionic force field, without duplicates."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.search.budget import SearchBudget
from ninefold.structures.checks import check_shells
from ninefold.structures.forcefield import settle
from ninefold.structures.known_types import substituted
from ninefold.structures.packing import Packing
from ninefold.structures.proposal import Notify, Proposal, Stop, Stream, never
from ninefold.structures.sources import KNOWN_TYPES, load_source

ROUND = 6
"""Packings taken from a source and cell size at a time, at most."""
IDLE = 18
"""Packings of one source and cell size in a row that change nothing, after which it is asked no more."""
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
        assignment: The composition and its reading.
        budget: Sources and counts.
        seed: With the composition it fixes every random choice.
        notify: Told of progress.
        stop: Ends it early, with the packings settled so far.
        a_round: Of a campaign; each draws anew, and known types are offered in the first alone.

    Returns:
        Proposals with the coordination asked for.
    """
    start = time.process_time()
    builder = _Builder(assignment, Counter())
    expected = budget.pool
    if KNOWN_TYPES in budget.sources and a_round == 1:
        types = substituted(assignment, budget.withhold_types)
        expected += len(types)
        for packing in types:
            if stop():
                break
            builder.add(packing, "known types")
            if notify:
                notify("build", builder.count, expected)
    atoms_per_unit = sum(assignment.amounts.values())
    units = [unit for unit in budget.formula_units if unit * atoms_per_unit <= budget.max_atoms]
    if not units:
        builder.reasons["cell would exceed max_atoms"] += 1
    attempts: Counter[str] = Counter()
    streams = [
        Stream(
            name,
            load_source(name),
            assignment,
            unit,
            rng_for(assignment, seed, f"{name}:{unit}", a_round),
            attempts,
        )
        for name in budget.sources
        if name != KNOWN_TYPES
        for unit in units
    ]
    # what the engine will look at of each: a packing that does not come among them has not helped
    kept = max(1, math.ceil(budget.single_points / max(1, len(streams))))
    idle = dict.fromkeys(streams, 0)
    left = budget.pool
    a_round = max(1, min(ROUND, left // max(1, len(streams))))
    while left and (live := [stream for stream in streams if stream.is_open and idle[stream] < IDLE]):
        for stream in live:
            for packing in stream.draw(min(a_round, left)):
                if stop():
                    left = 0
                    break
                left -= 1
                has_helped = builder.add(packing, stream.name, kept)
                idle[stream] = 0 if has_helped else idle[stream] + 1
                if notify:
                    notify("build", builder.count, expected)
    if stop():
        builder.reasons["stopped before the pool was full"] += 1
    elif notify and builder.count:
        notify("build", builder.count, builder.count)  # sources that stopped helping left some of it unused
    builder.reasons.update({f"{NOT_MADE}: {reason}": count for reason, count in attempts.items()})
    ordered = sorted(builder.settled.values(), key=lambda item: item[0])
    return Pool(
        tuple(proposal for _, proposal in ordered), builder.reasons, builder.count, time.process_time() - start,
        dict(builder.spent),
    )  # fmt: skip


class _Builder:
    """Settles packings and keeps one of each minimum."""

    def __init__(self, assignment: Assignment, reasons: Counter[str]) -> None:
        self._assignment, self.reasons = assignment, reasons
        self.settled: dict[tuple[int, int, int, int], tuple[float, Proposal]] = {}
        self.count = 0
        self.spent: Counter[str] = Counter()
        self._lowest: dict[str, list[float]] = {}

    def add(self, packing: Packing, stream: str, kept: int = 1) -> bool:
        """Settle one; whether it is a new minimum, and among the `kept` lowest of its stream."""
        self.count += 1
        self.spent[stream] += 1
        result = settle(packing, self._assignment)
        structure = result.packing.to_structure()
        shells = check_shells(structure, self._assignment)
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
        lowest = self._lowest.setdefault(stream, [])
        lowest.append(result.energy_per_atom)
        lowest.sort()
        return result.energy_per_atom in lowest[:kept]
