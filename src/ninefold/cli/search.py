"""Commands on one composition or one structure, without a campaign or a store: search, relax."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import (
    ONE_FILE,
    TIME_IS_UP,
    EngineOption,
    ModelOption,
    refuse,
    step_progress,
    stopping,
    structure_target,
    told_by,
)
from ninefold.cli.options import JsonOption, print_json
from ninefold.cli.outputs import ForceOption, record_written
from ninefold.cli.relax import relax
from ninefold.cli.search_output import Judged, print_search, search_summary, write_found

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.cli.calculation import StopSignal
    from ninefold.engines import Engine, EngineSettings
    from ninefold.search import SearchOutcome
    from ninefold.search.budget import SearchBudget

ALL = "all"
NONE = "none"
SEARCH_SHARE = 0.75
"""Of `--seconds`, for the search where another method relaxes what it finds."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(search)
    app.command()(relax)


def search(
    formula: Annotated[str, typer.Argument(help="Composition, e.g. K2ReH9.")],
    relaxations: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Relaxations at most; the pool grows with them. Default: about 20."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Wall-clock seconds at most; ends after the calculation in flight.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes every random choice.")] = 0,
    exclude_types: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude-types", help="Known structure types not to offer; repeat, separate by commas, or 'all'."
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            help="Where structures come from; repeat. Default: known_types, prototypes, hosts, symmetric_units, "
            "rigid_units. Yours: FILE.cif (a host), FILE.py:function.",
        ),
    ] = None,
    electrons: Annotated[int, typer.Option(min=8, max=24, help="Electron count at the centre.")] = 18,
    centre: Annotated[
        str | None, typer.Option(help="Which metal is the centre, where a formula has two assignments.")
    ] = None,
    engine: EngineOption = None,
    model: ModelOption = None,
    energies: Annotated[
        str | None,
        typer.Option(
            "--energies",
            help="What relaxes the lowest minima to the end and orders them, NAME or NAME:MODEL; 'none': what "
            "searched. Default: sevennet:7net-0, where --engine is not given.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help=f"Folder for CIFs, or {ONE_FILE}. Default: FORMULA-structures/."),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Search the structure of one composition: pool, single points, relaxations, checks; best first, as CIFs.

    As in a campaign, CHGNet searches and SevenNet relaxes the lowest minima to the end; --engine alone does both.
    Files carry energy, engine, evidence, seed and label as _ninefold_ items (CIF), or as keys that ASE reads (extxyz).
    """
    from ninefold.engines import make_engine
    from ninefold.errors import MachineFaultError
    from ninefold.flows.faults import blamed
    from ninefold.search import search_composition
    from ninefold.search.state import OF_MACHINE
    from ninefold.stages.energies import rougher

    budget = _budget(relaxations, exclude_types or [], source or [])
    if seconds is not None and not seconds > 0:
        refuse("--seconds", seconds, "is no duration", "a positive number")
    assignment = _assignment(formula, electrons, centre)
    read = [Path(name.rpartition(":")[0] or name) for name in source or []] + ([Path(model)] if model else [])
    command = f"search {assignment.formula}"
    searching, judging = _methods(engine, model, energies)
    with told_by():
        calculator = make_engine(searching)
    with told_by("--energies", None):
        judge = None if judging is None else make_engine(judging)
    target = structure_target(out or f"{assignment.formula}-structures/", ["*"], force, read, command)
    with stopping(seconds) as stop, step_progress() as notify:
        searched = stop.first(1.0 if judge is None else SEARCH_SHARE)
        roughly = budget if judge is None else rougher(budget)
        outcome = search_composition(assignment, roughly, calculator, seed, notify, searched)
        judged = None if judge is None else _judged(assignment, outcome, budget, calculator, judge, notify, stop)
        stopped = stop.reason or (TIME_IS_UP if searched.was_cut else None)
    reasons = outcome.reasons if judged is None else outcome.reasons + judged.outcome.reasons
    faults = [reason.removeprefix(OF_MACHINE) for reason in reasons if reason.startswith(OF_MACHINE)]
    if faults and not outcome.counts["single_points"]:
        raise MachineFaultError(
            f"engine: {searching.name!r} cannot compute on this machine: {faults[0]}; nothing was written"
        )
    if outcome.counts["pool"] and not outcome.counts["single_points"] and not stopped:
        refuse(
            "--engine", searching.name, f"computes no structure of {formula}: {_commonest(outcome)}", "another engine"
        )
    found = outcome.found if judged is None or not judged.stands else judged.outcome.found
    orders = calculator if judged is None or not judged.stands else judged.engine
    rows = write_found(found, target, assignment, orders, seed)
    if target.is_folder:  # with --force: ranks of an earlier search must not stand among these
        record_written(target.path, command, [Path(row["path"]) for row in rows if row["path"] is not None])
    if json:
        print_json(search_summary(assignment, calculator, outcome, rows, seed, stopped, judged))
    else:
        print_search(assignment, calculator, outcome, rows, target, stopped, judged)
    if faults:
        raise MachineFaultError(f"some calculations failed, and their structures are left out: {blamed(faults[0])}")


def _methods(
    engine: str | None, model: str | None, energies: str | None
) -> tuple[EngineSettings, EngineSettings | None]:
    """What searches, and what relaxes its minima to the end: a campaign's default where neither is named."""
    from ninefold.campaign.model import DEFAULT_ENERGIES
    from ninefold.cli.trust import engine_settings
    from ninefold.engines import EngineSettings

    searching = EngineSettings(model=model) if engine is None else EngineSettings(name=engine, model=model)
    if energies is None:
        return searching, DEFAULT_ENERGIES[-1] if engine is None and model is None else None
    if energies == NONE:
        return searching, None
    with told_by("--energies", None):
        judging = engine_settings(energies)
    if judging.title == searching.title:
        refuse("--energies", energies, "is what searches", f"another engine, or {NONE!r}")
    return searching, judging


def _judged(
    assignment: Assignment, outcome: SearchOutcome, budget: SearchBudget, searched: Engine, judge: Engine, notify: Any,
    stop: StopSignal,
) -> Judged:  # fmt: skip
    """The lowest minima of a search relaxed to the end, as many of them as in a campaign."""
    from ninefold.search.judged import relax_found
    from ninefold.stages.energies import to_relax

    wanted = to_relax(outcome.found, budget, searched)
    return Judged(judge, relax_found(assignment, wanted, budget, judge, notify, stop), len(wanted))


def _budget(relaxations: int | None, excluded: list[str], sources: list[str]) -> SearchBudget:
    """The search's budget: counts grow with the relaxations asked for."""
    from ninefold.search.budget import SearchBudget
    from ninefold.structures.known_types import type_names
    from ninefold.structures.sources import check_source, load_foreign, reading_notes

    names = [name.strip() for text in excluded for name in text.split(",") if name.strip()]
    if ALL in names:
        names = type_names()
    for name in names:
        if name not in type_names():
            refuse("--exclude-types", name, "is not a structure type", ", ".join([ALL, *type_names()]))
    withheld = tuple(dict.fromkeys(names))
    if relaxations is None:
        budget = SearchBudget(withhold_types=withheld)
    else:
        budget = SearchBudget.for_relaxations(relaxations, withheld)
    if not sources:
        return budget
    for name in sources:
        try:
            check_source(name)
        except ValueError as error:
            refuse("--source", name, "cannot be used", str(error).partition("allowed: ")[2] or "a file that is there")
    load_foreign(sources)
    for note in reading_notes(sources):
        typer.echo(f"ninefold: note: {note}", err=True)
    return budget.model_copy(update={"sources": tuple(dict.fromkeys(sources))})


def _assignment(formula: str, electrons: int, centre: str | None) -> Assignment:
    """The assignment to search: the one asked for, else the one that the rules like best."""
    from ninefold.chemistry.formula import isotope_notes
    from ninefold.errors import InputError
    from ninefold.rules import RuleSettings, assignments, diagnose, load_rule_set

    found = assignments(formula, (electrons,))
    for note in isotope_notes(formula):
        typer.echo(f"ninefold: note: {formula}: {note}", err=True)
    if not found:
        raise InputError(
            "formula", formula, problem=f"has no assignment with {electrons} electrons: {diagnose(formula, electrons)}",
            hint="--electrons 16 for an anion that counts 16",
        )  # fmt: skip
    if centre is not None:
        chosen = [assignment for assignment in found if assignment.centre == centre]
        if not chosen:
            allowed = ", ".join(sorted({assignment.centre for assignment in found}))
            refuse("--centre", centre, f"is not the centre of an assignment of {formula}", allowed)
        found = chosen
    if len(found) == 1:
        return found[0]
    rule_set = load_rule_set(RuleSettings())
    best = max(found, key=lambda assignment: rule_set.judge_neighbour(assignment)[0] or 0.0)
    others = ", ".join(assignment.label for assignment in found if assignment != best)
    typer.echo(f"{formula}: read as {best.label}; also possible: {others} (--centre)", err=True)
    return best


def _commonest(outcome: SearchOutcome) -> str:
    """What the engine said of most structures."""
    reasons = [(number, reason) for reason, number in outcome.reasons.items() if reason.startswith("engine: ")]
    return max(reasons)[1].removeprefix("engine: ") if reasons else "it gives no energies"
