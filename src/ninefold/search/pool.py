"""The pool: structures of one composition, settled with the ionic force field, without duplicates."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.search.budget import SearchBudget
from ninefold.structures.checks import check_shells
from ninefold.structures.forcefield import settle
from ninefold.structures.hosts import decorated_host
from ninefold.structures.known_types import substituted
from ninefold.structures.proposal import Notify, Proposal, Source, Stop, attempts, never
from ninefold.structures.rigid_units import random_units

RANDOM_SOURCES: dict[str, Source] = {"hosts": decorated_host, "rigid_units": random_units}
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
    """Why packings were turned down."""
    count_in: int
    """Packings tried."""
    core_seconds: float


def rng_for(assignment: Assignment, seed: int, purpose: str) -> np.random.Generator:
    """A random generator that depends on nothing but composition, seed and purpose."""
    digest = hashlib.sha256(f"{assignment.label}|{purpose}".encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest[:8], "big")]))


def build_pool(
    assignment: Assignment, budget: SearchBudget, seed: int, notify: Notify | None = None, stop: Stop = never
) -> Pool:
    """Generate packings, settle each with the force field, merge equal ones.

    Args:
        assignment: The composition and its reading.
        budget: Sources and counts.
        seed: With the composition it fixes every random choice.
        notify: Told of progress.
        stop: Ends it early, with the packings settled so far.

    Returns:
        Proposals with the coordination asked for.
    """
    start = time.process_time()
    reasons: Counter[str] = Counter()
    packings = []
    if "known_types" in budget.sources:
        packings += substituted(assignment, rng_for(assignment, seed, "types"), budget.withhold_types)
    atoms_per_unit = sum(assignment.amounts.values())
    units = [unit for unit in budget.formula_units if unit * atoms_per_unit <= budget.max_atoms]
    if not units:
        reasons["cell would exceed max_atoms"] += 1
    chosen = [(name, unit) for name in budget.sources if name in RANDOM_SOURCES for unit in units]
    for place, (name, unit) in enumerate(chosen):
        wanted = budget.pool * (place + 1) // len(chosen) - budget.pool * place // len(chosen)
        rng = rng_for(assignment, seed, f"{name}:{unit}")
        packings += attempts(RANDOM_SOURCES[name], assignment, unit, wanted, rng, reasons)
    settled: dict[tuple[int, int, int, int], tuple[float, Proposal]] = {}
    for done, packing in enumerate(packings, start=1):
        if stop():
            reasons["stopped before it was settled"] += len(packings) - done + 1
            break
        result = settle(packing, assignment)
        structure = result.packing.to_structure()
        shells = check_shells(structure, assignment)
        if notify:
            notify("build", done, len(packings))
        if not np.isfinite(result.energy_per_atom) or not shells.is_valid:
            reasons[f"force field: {shells.faults[0] if shells.faults else 'no energy'}"] += 1
            continue
        key = (
            round(result.energy_per_atom / ENERGY_BIN), round(shells.volume_per_formula_unit / VOLUME_BIN),
            len(structure), int(packing.source.startswith("type:")),
        )  # fmt: skip
        known = settled.get(key)
        if known is not None:
            reasons["same minimum"] += 1
        if known is None or result.energy_per_atom < known[0]:
            settled[key] = (result.energy_per_atom, Proposal(structure, packing.source))
    ordered = sorted(settled.values(), key=lambda item: item[0])
    return Pool(tuple(proposal for _, proposal in ordered), reasons, len(packings), time.process_time() - start)
