"""Commands that explain and need no store: explain, fields."""

from __future__ import annotations

import math
import os
import shutil
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.rules import RulesOption, load, made_compounds

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.chemistry.formula import Formula
    from ninefold.rules import RuleSet
    from ninefold.store.fields import CandidateField

SHOWN_SALTS = 12
"""Compounds of a bare anion that are listed."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(explain)
    app.command()(fields)


def explain(
    formula: Annotated[str, typer.Argument(help="Compound or anion, e.g. Li5MoH11, K2[ReH9], K2ReD9, '[ReH9]2-'.")],
    rules: RulesOption = "takagi",
    why: Annotated[bool, typer.Option("--why", help="Reason and source of every verdict, in full.")] = False,
    json: JsonOption = False,
) -> None:
    """Whether a composition passes the rules and has been made; then one line per rule, for every assignment."""
    from ninefold.chemistry.formula import read_formula

    read = read_formula(formula)
    rule_set = load(rules)
    width = shutil.get_terminal_size((80, 24)).columns
    if read.charge:
        answer, lines = _anion(read, formula, rules, rule_set, width, why)
    else:
        answer, lines = _compound(read, formula, rules, rule_set, width, why)
    if json:
        print_json({**answer, "notes": list(read.notes)})
        return
    if not why and (answer["assignments"] or read.charge):
        lines.append("Reasons and sources: --why")
    typer.echo("\n".join([*lines, *(f"Note: {note}." for note in read.notes)]))


def fields(campaign: CampaignOption = None, store: StoreOption = None, json: JsonOption = False) -> None:
    """Every field of a candidate that filters, --sort and --fields know: key, unit, kind, meaning.

    With the values that stages of yours have stored, where there is a store.
    """
    found = _fields_known(campaign, store)
    if json:
        print_json([field.to_dict() for field in found])
        return
    from rich.table import Table

    from ninefold.report.terminal_parts import plain
    from ninefold.store.filter_fields import OPERATORS

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("key", "kind", "unit", "meaning"):
        table.add_column(heading, no_wrap=heading != "meaning")
    for field in found:
        quantity = field.quantity
        told = [
            quantity.meaning or None,
            f"OPTIMADE: {field.optimade}" if field.optimade else None,
            "of a stage of yours" if field.is_own else None,
            f"cannot be asked for: {field.problem}" if field.problem else None,
        ]
        cells = (quantity.key, quantity.kind, quantity.unit, "; ".join(filter(None, told)))
        table.add_row(*map(plain, cells))
    out = console()
    out.print(table)
    out.print(plain("\nA filter may ask, by kind:"))
    for kind, operators in OPERATORS.items():
        out.print(plain(f"  {kind}: {', '.join(operators)}"))
    out.print(plain("--sort takes every kind but lists. Nested parts of a candidate: 'ninefold show ID --json'."))


def _fields_known(campaign: str | None, store: str | None) -> list[CandidateField]:
    """Every field, those that stages of the user's have stored too; without a store ninefold's own."""
    from pathlib import Path

    from ninefold.cli.locate import store_for_reading
    from ninefold.store import open_store
    from ninefold.store.fields import candidate_fields
    from ninefold.store.locate import DEFAULT, ENVIRONMENT

    is_asked = campaign is not None or store is not None or os.environ.get(ENVIRONMENT)
    if not is_asked and not Path(DEFAULT).exists():
        return candidate_fields()
    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        return candidate_fields(repository, name)


def _compound(
    read: Formula, formula: str, rules: str, rule_set: RuleSet, width: int, why: bool
) -> tuple[dict[str, Any], list[str]]:
    from ninefold.report.explanation import headline, verdict_lines, wrapped
    from ninefold.rules import assignments, diagnose

    found = _as_written(assignments(formula, rule_set.electron_counts()), read)
    judged = []
    for assignment in found:
        verdicts = [verdict.to_dict() for verdict in rule_set.explain(assignment)]
        prior = math.prod(verdict["score"] for verdict in verdicts if verdict["mode"] == "score")
        judged.append((assignment, verdicts, _rejecting(verdicts), prior))
    judged.sort(key=lambda item: (len(item[2]) > 0, -item[3]))
    entries: list[dict[str, Any]] = []
    lines: list[str] = []
    for assignment, verdicts, rejected_by, prior in judged:
        made = [compound for compound in made_compounds(rules) if compound.formula == assignment.formula]
        lines += headline(assignment.label, rules, rejected_by, prior, made, width)
        if not _fits_brackets(assignment, read):
            lines += wrapped("Read so by the electron count; the brackets say another anion.", width, 2)
        lines += verdict_lines(verdicts, width, why=why)
        entries.append(
            {
                "label": assignment.label,
                "anion": assignment.anion,
                "n": assignment.n,
                "q": assignment.q,
                "m": assignment.m,
                "accepted": not rejected_by,
                "rejected_by": rejected_by,
                "prior": round(prior, 6),
                "made": [
                    {
                        "label": compound.assignment.label,
                        "source": compound.source,
                        "provenance": compound.provenance,
                        "doi": compound.doi,
                        "synthesis": compound.synthesis,
                        "pressure_GPa": compound.pressure_GPa,
                        "temperature_K": compound.temperature_K,
                        "structure_type": compound.structure_type,
                        "space_group": compound.space_group,
                    }
                    for compound in made
                ],
                "verdicts": verdicts,
            }
        )
    diagnosis = None if found else diagnose(formula)
    if diagnosis is not None:
        made = [compound for compound in made_compounds(rules) if compound.formula == diagnosis.formula]
        lines += headline(diagnosis.formula, rules, [], None, made, width)
        lines += wrapped(f"{diagnosis.problem[0].upper()}{diagnosis.problem[1:]}.", width, 2)
        if diagnosis.nearest:
            lines += wrapped(f"Nearest that satisfy both equations: {', '.join(diagnosis.nearest)}", width, 2)
    answer = {
        "formula": formula,
        "rules": rules,
        "accepted": any(entry["accepted"] for entry in entries),
        "assignments": entries,
        "diagnosis": None if diagnosis is None else diagnosis.to_dict(),
    }
    return answer, lines


def _anion(
    read: Formula, formula: str, rules: str, rule_set: RuleSet, width: int, why: bool
) -> tuple[dict[str, Any], list[str]]:
    from ninefold.report.explanation import anion_headline, verdict_lines, wrapped
    from ninefold.rules.anion import read_anion, salts

    anion = read_anion(read, formula)
    explained, others = rule_set.explain_anion(anion)
    verdicts = [verdict.to_dict() for verdict in explained]
    rejected_by = _rejecting(verdicts)
    made = [item.formula for item in made_compounds(rules) if item.assignment.anion == anion.anion]
    compounds = salts(rule_set, anion)
    lines = anion_headline(anion, rules, rejected_by, made, width)
    lines += verdict_lines(verdicts, width, why=why)
    lines += wrapped(f"Only a compound decides: {', '.join(others)}.", width, 2) if others else []
    if compounds:
        shown = ", ".join(f"{salt.assignment.formula} ({salt.prior:.2f})" for salt in compounds[:SHOWN_SALTS])
        more = f", and {len(compounds) - SHOWN_SALTS} more" if len(compounds) > SHOWN_SALTS else ""
        lines += wrapped(f"Compounds with one kind of cation that pass, with prior: {shown}{more}.", width, 2)
    elif not rejected_by:
        lines += wrapped("No compound with one kind of cation passes.", width, 2)
    answer = {
        "formula": formula,
        "rules": rules,
        "accepted": not rejected_by,
        "anion": {
            "label": anion.anion,
            "n": anion.n,
            "q": anion.q,
            "electron_count": anion.electron_count,
            "oxidation_state": anion.oxidation_state,
            "rejected_by": rejected_by,
            "made_in": made,
            "verdicts": verdicts,
            "needs_cations": others,
            "compounds": [{"formula": salt.assignment.formula, "prior": round(salt.prior, 6)} for salt in compounds],
        },
        "assignments": [],
        "diagnosis": None,
    }
    return answer, lines


def _rejecting(verdicts: list[dict[str, Any]]) -> list[str]:
    return [verdict["rule"] for verdict in verdicts if verdict["mode"] == "gate" and verdict["passed"] is False]


def _as_written(found: list[Assignment], read: Formula) -> list[Assignment]:
    """The assignments that are as the brackets say; all, where none is."""
    return [assignment for assignment in found if _fits_brackets(assignment, read)] or found


def _fits_brackets(assignment: Assignment, read: Formula) -> bool:
    """Whether square brackets, if there are any, hold the assignment's anion."""
    return not read.anions or {assignment.centre: 1, "H": assignment.n} in read.anions
