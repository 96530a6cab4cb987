"""What `ninefold search` writes and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ninefold.cli.options import console

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.engines import Engine
    from ninefold.output.target import Target
    from ninefold.search import FoundStructure, SearchOutcome


@dataclass(frozen=True)
class Judged:
    """What another method has made of the lowest minima of a search."""

    engine: Engine
    outcome: SearchOutcome
    wanted: int
    """Minima that were passed on to it."""

    @property
    def stands(self) -> bool:
        """Whether its structures are the result: not where none was passed on or relaxed."""
        return bool(self.outcome.found)

    def describe(self, searched: Engine) -> str:
        """Which method the structures are by, in words."""
        judge, relaxed = self.engine.label, self.outcome.counts["relaxed"]
        if not self.wanted:
            return f"structures by {searched.label}; it found none that {judge} could relax to the end"
        if not self.stands:
            return f"structures by {searched.label} alone: {judge} has relaxed none of the {self.wanted} lowest"
        minima = "the lowest minimum" if self.wanted == 1 else f"the {self.wanted} lowest minima"
        minima = minima if relaxed == self.wanted else f"{relaxed} of {minima}"
        return f"found by {searched.label}; {minima} relaxed to the end and ordered by {judge}"


def write_found(
    found: Sequence[FoundStructure], target: Target, assignment: Assignment, engine: Engine, seed: int
) -> list[dict[str, Any]]:
    """A row for each structure found, each written with what is known of it."""
    from ninefold.output.structures import TaggedStructure, safe_name, write_tagged
    from ninefold.structures.description import describe

    items = []
    valid = [item.energy_per_atom for item in found if item.is_valid]
    lowest = min(valid or [item.energy_per_atom for item in found], default=0.0)
    for place, item in enumerate(found, start=1):
        tags = {
            "formula": assignment.formula, "label": assignment.label, "evidence": engine.evidence,
            "engine": engine.label, "engine_fingerprint": engine.fingerprint, "seed": seed,
            "energy_per_atom": item.energy_per_atom,
            "energy_above_lowest_minimum": item.energy_per_atom - lowest, "source": item.source,
            "structure_type": item.structure_type, "is_valid": item.is_valid, "is_converged": item.is_converged,
            "max_force": item.max_force, "coordination_numbers": item.coordination_numbers,
            "notes": item.notes or None,
        }  # fmt: skip
        name = f"{assignment.formula}-{place:02d}-{safe_name(item.space_group_symbol)}"
        items.append(TaggedStructure(item.structure, name, {key: v for key, v in tags.items() if v is not None}))
    paths, _, left_out = write_tagged(items, target) if items else ([], 0, [])
    files = iter(paths)
    rows = []
    for item, tagged in zip(found, items, strict=True):
        path = None
        if tagged.name not in left_out:
            path = next(files) if target.is_folder else target.path
        rows.append(
            {
                "energy_per_atom": item.energy_per_atom,
                "space_group_number": item.space_group_number,
                "space_group_symbol": item.space_group_symbol,
                "coordination_numbers": item.coordination_numbers,
                "volume": item.volume_per_formula_unit,
                "nsites": item.nsites,
                "source": item.source,
                "structure_type": item.structure_type,
                "relaxations": item.relaxations,
                "is_valid": item.is_valid,
                "is_converged": item.is_converged,
                "max_force": item.max_force,
                "notes": item.notes,
                "description": describe(item.structure).as_dict(),
                "path": None if path is None else str(path),
            }
        )
    return rows


def search_summary(
    assignment: Assignment, engine: Engine, outcome: SearchOutcome, rows: list[dict[str, Any]], seed: int,
    stopped: str | None, judged: Judged | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A search as JSON: composition, engines, structures, counts.

    `engine` and `evidence` are of the energies of `structures`; counts, reasons and `best_by_relaxation` of the search.
    """
    orders = engine if judged is None or not judged.stands else judged.engine
    return {
        "formula": assignment.formula,
        "assignment": assignment.label,
        "engine": orders.label,
        "engine_fingerprint": orders.fingerprint,
        "evidence": orders.evidence,
        "searched_by": engine.label,
        "final_relaxations": None if judged is None else _final(judged),
        "seed": seed,
        "structures": rows,
        "relaxations": outcome.relaxations,
        "core_seconds": round(outcome.core_seconds, 2),
        "best_by_relaxation": list(outcome.history),
        "counts": outcome.counts,
        "reasons": dict(outcome.reasons),
        "stopped": stopped,
    }


def _final(judged: Judged) -> dict[str, Any]:
    outcome = judged.outcome
    return {
        "engine": judged.engine.label,
        "minima": judged.wanted,
        "relaxed": outcome.counts["relaxed"],
        "core_seconds": round(outcome.core_seconds, 2),
        "reasons": dict(outcome.reasons),
    }


def print_search(
    assignment: Assignment, engine: Engine, outcome: SearchOutcome, rows: list[dict[str, Any]], target: Target,
    stopped: str | None, judged: Judged | None = None,
) -> None:  # fmt: skip
    """Print the structures found, the first with its cell and sites, and what was spent and rejected."""
    from rich.table import Table

    from ninefold.report.terminal_candidate import structure_view

    printer = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "",
        "E\neV/atom",
        "SG",
        "SG of\nmetals",
        "CN",
        "V/f.u.\nÅ³",
        "atoms",
        "type",
        "source",
        "relaxations\nspent",
        "notes",
    ):
        table.add_column(
            heading, justify="left" if heading in ("SG", "SG of\nmetals", "CN", "type", "source", "notes") else "right"
        )
    for place, row in enumerate(rows, start=1):
        numbers = row["coordination_numbers"]
        shells = str(numbers[0]) if len(set(numbers)) == 1 else ", ".join(map(str, numbers))
        table.add_row(
            str(place), f"{row['energy_per_atom']:.4f}", row["space_group_symbol"],
            row["description"]["metal_space_group_symbol"], shells, f"{row['volume']:.1f}",
            str(row["nsites"]), row["structure_type"] or "", row["source"], str(row["relaxations"]),
            "; ".join(row["notes"]),
        )  # fmt: skip
    orders = engine if judged is None or not judged.stands else judged.engine
    printer.print(f"{assignment.label}   {orders.label}; evidence {orders.evidence}, static, 0 K", markup=False)
    if judged is not None:
        printer.print(judged.describe(engine), markup=False)
    if rows:
        printer.print(table)
        printer.print(structure_view(rows[0]["description"]))
        where = f"{target.path.resolve()}{'/' if target.is_folder else ''}"
        count = sum(row["path"] is not None for row in rows)
        printer.print(f"{count} of {len(rows)} written as {target.kind}: {where}", soft_wrap=True, markup=False)
    else:
        printer.print("No structure found.")
    counts = ", ".join(f"{number} {step.replace('_', ' ')}" for step, number in outcome.counts.items())
    printer.print(
        f"{counts}; {outcome.relaxations} relaxations, {outcome.core_seconds:.0f} core-s with {engine.label}",
        markup=False,
    )
    if judged is not None and judged.outcome.relaxations:
        final = judged.outcome
        printer.print(
            f"{final.relaxations} relaxations, {final.core_seconds:.0f} core-s with {judged.engine.label}", markup=False
        )
    for label, reasons in [
        ("", outcome.reasons),
        *([] if judged is None else [(orders.label, judged.outcome.reasons)]),
    ]:
        if reasons:
            lost = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common(6))
            printer.print(f"Structures rejected{f' by {label}' if label else ''}: {lost}", markup=False)
    if stopped:
        printer.print(f"Stopped early: {stopped}; this is what there was.")
