"""Known structures found again from their composition: the test of a structure search that a user can repeat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ninefold.chemistry.compounds import known_compounds
from ninefold.errors import InputError
from ninefold.settings import Settings
from ninefold.yaml_files import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.chemistry.anions import Assignment
    from ninefold.engines import Engine
    from ninefold.thermo.references import ReferencePhase

GOAL = {False: (5.0, 0.9), True: (15.0, 0.7)}
"""Type withheld -> meV/atom above the published structure that count as found, and the fraction aimed for."""

HIGH = 7
"""Hydrogens on the centre from which a compound counts among those that ninefold is for."""


class Compound(Settings):
    """A compound to find again."""

    phase: str
    """Name among the reference phases."""
    type: str
    """Structure type that is withheld in half of the runs."""
    apart: str | None = None
    """Why it is reported by itself."""


class RediscoverySettings(Settings):
    """What is searched for, and how hard."""

    seeds: tuple[int, ...] = Field(min_length=1)
    relaxations: int = Field(ge=1)
    compounds: tuple[Compound, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Run:
    """One search: a compound, a seed, its type withheld or not."""

    compound: Compound
    seed: int
    is_withheld: bool
    relaxations: int

    @property
    def key(self) -> str:
        """Identifies the run in a file of results."""
        return f"{self.compound.phase}|{self.seed}|{'withheld' if self.is_withheld else 'offered'}|{self.relaxations}"


def read_settings(path: Path) -> RediscoverySettings:
    """The settings of a YAML file.

    Raises:
        InputError: if the file or a value in it cannot be used.
    """
    return RediscoverySettings.checked(read_yaml(path, "rediscovery"), str(path))


def runs(settings: RediscoverySettings) -> list[Run]:
    """Every search, seed by seed, so that an interrupted set has whole seeds."""
    return [
        Run(compound, seed, is_withheld, settings.relaxations)
        for seed in settings.seeds
        for is_withheld in (True, False)
        for compound in settings.compounds
    ]


def published(compound: Compound) -> tuple[ReferencePhase, Assignment]:
    """The published structure and the assignment of its formula.

    Raises:
        InputError: if no reference phase has this name, or the compound has no known assignment.
    """
    from ninefold.chemistry.formula import parse_formula
    from ninefold.rules import assignments
    from ninefold.thermo.references import reference_phases

    formula = compound.phase.split()[0]
    phases = {phase.name: phase for phase in reference_phases(parse_formula(formula))}
    if compound.phase not in phases:
        raise InputError("phase", compound.phase, problem="is no reference phase", allowed=", ".join(sorted(phases)))
    phase = phases[compound.phase]
    known = [item.assignment for item in known_compounds() if item.formula == phase.formula]
    found = known or assignments(phase.formula, (18,)) or assignments(phase.formula, (16,))
    if not found:
        raise InputError("phase", compound.phase, problem="has no assignment as a complex hydride")
    return phase, found[0]


def rediscover(run: Run, engine: Engine, judge: Engine | None = None) -> dict[str, Any]:
    """Search one composition and compare with the published structure, relaxed with the engine that orders.

    Args:
        run: The search.
        engine: Searches.
        judge: Relaxes the lowest minima to the end and orders them, as in a campaign; None: the engine does.

    Returns:
        Plain values: energies in eV/atom, differences in meV/atom, core-seconds of everything.
    """
    from ninefold.search import search_composition
    from ninefold.search.budget import SearchBudget
    from ninefold.search.judged import relax_found
    from ninefold.search.state import OF_MACHINE
    from ninefold.stages.energies import rougher, to_relax
    from ninefold.structures.duplicates import distinct
    from ninefold.structures.symmetry import space_group

    phase, assignment = published(run.compound)
    [reference] = (judge or engine).relax([phase.structure], phase.relax_settings)
    if reference.energy_per_atom is None:
        return {"key": run.key, "error": f"the published structure: {reference.error}"}
    start = time.process_time()
    budget = SearchBudget.for_relaxations(run.relaxations, (run.compound.type,) if run.is_withheld else ())
    outcome = search_composition(assignment, budget if judge is None else rougher(budget), engine, run.seed)
    relaxations, history = outcome.relaxations, outcome.history
    if judge is not None:
        outcome = relax_found(assignment, to_relax(outcome.found, budget, engine), budget, judge)
        history = ()  # of the search's method, which has no published energy here
    spent = time.process_time() - start
    if faults := [reason for reason in outcome.reasons if reason.startswith(OF_MACHINE)]:
        return {"key": run.key, "error": faults[0]}
    best = next((found for found in outcome.found if found.is_valid), None)
    published_energy = reference.energy_per_atom
    return {
        "key": run.key,
        "error": None,
        "phase": run.compound.phase,
        "formula": phase.formula,
        "n": assignment.n,
        "apart": run.compound.apart,
        "seed": run.seed,
        "is_withheld": run.is_withheld,
        "engine": engine.label if judge is None else f"{engine.label}, then {judge.label}",
        "published_energy": published_energy,
        "published_space_group": space_group(reference.structure).symbol,
        "found_energy": best.energy_per_atom if best else None,
        "found_space_group": best.space_group_symbol if best else None,
        "found_source": best.source if best else None,
        "difference": 1000 * (best.energy_per_atom - published_energy) if best else None,
        "is_match": best is not None and len(distinct([reference.structure, best.structure], [0.0, 0.0])) == 1,
        "relaxations": relaxations,
        "core_seconds": round(spent, 2),
        "history": [None if energy is None else 1000 * (energy - published_energy) for energy in history],
    }


def success(rows: Sequence[dict[str, Any]], is_withheld: bool) -> tuple[int, int]:
    """Searches within the goal, and all searches, of the compounds that are not set apart."""
    limit, _ = GOAL[is_withheld]
    counted = [row for row in rows if row["is_withheld"] == is_withheld and not row["apart"]]
    return sum(row["difference"] is not None and row["difference"] <= limit for row in counted), len(counted)


def matches(rows: Sequence[dict[str, Any]], is_withheld: bool) -> tuple[int, int]:
    """Searches whose best structure is the published one by the structure matcher, and all, as `success` counts."""
    counted = [row for row in rows if row["is_withheld"] == is_withheld and not row["apart"]]
    return sum(row["is_match"] for row in counted), len(counted)


def headline(rows: Sequence[dict[str, Any]]) -> str:
    """Per mode, in all and of the anions with seven hydrogens and more: within the goal, and matched.

    An energy at or below the published one is no match: the engine may prefer another structure.
    """
    lines = []
    for is_withheld in (False, True):
        limit, aim = GOAL[is_withheld]
        hits, all_ = success(rows, is_withheld)
        if not all_:
            continue
        seconds = [row["core_seconds"] for row in rows if row["is_withheld"] == is_withheld]
        mode = "withheld" if is_withheld else "offered"
        lines.append(
            f"Type {mode}: the best structure matches the published one in {_share(matches(rows, is_withheld))} "
            f"searches; its energy is at most {limit:g} meV/atom above the published one's, or below, in "
            f"{_share((hits, all_))} (aim {aim:.0%}); core-seconds median {median(seconds):.0f}, "
            f"most {max(seconds):.0f}."
        )
        high = [row for row in rows if row.get("n", 0) >= HIGH]
        if matches(high, is_withheld)[1]:
            names = ", ".join(sorted({row["formula"] for row in high if not row["apart"]}))
            lines.append(
                f"Of these with {HIGH} and more hydrogens on the centre ({names}): "
                f"{_share(matches(high, is_withheld))} match, "
                f"{_share(success(high, is_withheld))} within {limit:g} meV/atom."
            )
    return "\n".join(lines)


def _share(counts: tuple[int, int]) -> str:
    part, whole = counts
    return f"{part} of {whole} ({part / whole:.0%})"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, one line per compound and mode: the seeds' differences, matches, costs."""
    lines = [
        "| compound | published | type | difference by seed (meV/atom) | matches | found as | relaxations | core-s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[bool, bool, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((bool(row["apart"]), row["is_withheld"], row["phase"]), []).append(row)
    for (is_apart, is_withheld, _), group in sorted(groups.items(), key=lambda item: item[0][:2]):
        group = sorted(group, key=lambda row: row["seed"])
        differences = ", ".join("none" if row["difference"] is None else f"{row['difference']:+.1f}" for row in group)
        symbols = ", ".join(dict.fromkeys(str(row["found_space_group"]) for row in group))
        lines.append(
            f"| {group[0]['formula']}{' (apart)' if is_apart else ''} | {group[0]['published_space_group']} "
            f"| {'withheld' if is_withheld else 'offered'} | {differences} "
            f"| {sum(row['is_match'] for row in group)} of {len(group)} | {symbols} "
            f"| {median(row['relaxations'] for row in group):g} | {median(row['core_seconds'] for row in group):.0f} |"
        )
    for is_withheld in (False, True):
        limit, _ = GOAL[is_withheld]
        hits, all_ = success(rows, is_withheld)
        if all_:
            mode = "withheld" if is_withheld else "offered"
            found = f"{matches(rows, is_withheld)[0]} of {all_}"
            lines.append(f"| **all but apart** | | {mode} | {hits} of {all_} at most {limit:+g} | **{found}** | | | |")
    return "\n".join(lines)
