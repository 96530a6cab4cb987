"""`ninefold enumerate`: the compositions of a campaign as a list, a number, a funnel or a map; needs no store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ninefold.cli.options import JsonOption, console, print_json
from ninefold.cli.outputs import ForceOption, check_output

COLUMNS = ("formula", "anion", "m", "n", "q", "centre", "electron_count", "oxidation_state", "anion_class")


class CompositionFormat(StrEnum):
    """How compositions are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="enumerate")(enumerate_)


def enumerate_(
    campaign: Annotated[str, typer.Argument(help="Campaign or space file, or a shipped one by name (wide-9).")],
    count: Annotated[bool, typer.Option("--count", help="Print the number of assignments alone.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Apply the campaign's rule set first.")] = False,
    funnel: Annotated[bool, typer.Option("--funnel", help="What each gate rejects (implies --rules).")] = False,
    map: Annotated[
        bool, typer.Option("--map", help="Periodic table of what is left; --out FILE.svg draws it.")
    ] = False,
    format: Annotated[
        CompositionFormat | None, typer.Option(help="Default: by the ending of --out, else a table.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; parquet needs one.")] = None,
    force: ForceOption = False,
    limit: Annotated[int, typer.Option(min=0, help="Rows at most; 0 for all.")] = 0,
    json: JsonOption = False,
) -> None:
    """List, count or map the compositions of a campaign. Needs no store."""
    from ninefold.campaign import read_campaign
    from ninefold.campaign.parsing import find_campaign_file
    from ninefold.cli.outputs import files_in
    from ninefold.enumeration import count_assignments
    from ninefold.errors import InputError
    from ninefold.store import store_file

    chosen = [name for name, is_on in (("--count", count), ("--funnel", funnel), ("--map", map)) if is_on]
    if len(chosen) > 1:
        raise InputError("enumerate", " ".join(chosen), problem="are three different answers", hint="choose one")
    model = read_campaign(campaign)
    if out is not None:
        inputs = [find_campaign_file(campaign), *files_in(model)]
        out = check_output(out, force=force, store=store_file(model.store) if model.store else None, inputs=inputs)
    if count and not rules:
        number = sum(count_assignments(space) for space in model.space)
        print_json({"count": number}) if json else typer.echo(str(number))
        return
    if funnel:
        _print_funnel(model, json)
        return
    tables = _tables(model, rules)
    if count:
        number = sum(len(rows) for _, rows in tables)
        print_json({"count": number}) if json else typer.echo(str(number))
        return
    if map:
        _print_map(tables, out, json)
        return
    kind = CompositionFormat.JSON if json else format or _format_of(out)
    if kind is CompositionFormat.PARQUET and out is None:
        raise InputError("--out", None, problem="is needed for parquet", hint="name a file: --out compositions.parquet")
    records = []
    for table, rows in tables:
        for assignment in table.assignments(rows):
            records.append({column: getattr(assignment, column) for column in COLUMNS})
            if limit and len(records) == limit:
                break
        if limit and len(records) == limit:
            break
    if not records:
        raise InputError("space", campaign, problem="holds no composition that passes")
    _write(records, kind, out)


def _tables(model: Any, apply_rules: bool) -> Any:
    import numpy as np

    from ninefold.enumeration import enumerate_assignments
    from ninefold.rules import load_rule_set
    from ninefold.stages.own import columns_of

    rule_set = load_rule_set(model.rules, extra_columns=columns_of(model.stages)) if apply_rules else None
    for space in model.space:
        for table in enumerate_assignments(space):
            yield table, (rule_set.apply(table).kept_rows if rule_set else np.arange(len(table)))


def _print_funnel(model: Any, as_json: bool) -> None:
    """Gate by gate in the order in which they are applied: how many come in, how many it rejects."""
    from ninefold.enumeration import enumerate_assignments
    from ninefold.rules import Mode, Stage, load_rule_set, selectivity
    from ninefold.stages.own import columns_of

    rule_set = load_rule_set(model.rules, extra_columns=columns_of(model.stages))
    chosen = selectivity(rule_set, (table for space in model.space for table in enumerate_assignments(space)))
    total, reasons, kept = chosen.compositions, chosen.reasons, chosen.kept
    gates = [rule for rule in rule_set.active(Stage.COMPOSITION) if rule.mode is Mode.GATE]
    if as_json:
        rejected = {gate.name: reasons[gate.name] for gate in gates}
        told = {key: value for key, value in chosen.to_dict().items() if key not in ("compositions", "kept")}
        print_json({"rules": model.rules.set, "compositions": total, "rejected": rejected, "kept": kept, **told})
        return
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("gate", "in", "rejected", "meaning"):
        grid.add_column(heading, justify="right" if heading in ("in", "rejected") else "left")
    left = total
    for gate in gates:
        grid.add_row(gate.name, f"{left:,}", f"{reasons[gate.name]:,}", gate.meaning)
        left -= reasons[gate.name]
    out = console()
    out.print(grid)
    out.print(chosen.summary(model.name), markup=False)


def _print_map(tables: Any, out: Path | None, as_json: bool) -> None:
    from ninefold.errors import InputError
    from ninefold.report.periodic import of_tables, periodic_svg, periodic_tables

    if out is not None and out.suffix.lower() != ".svg":
        raise InputError("--out", str(out), problem="is no picture", allowed="a file that ends in .svg")
    survivors = of_tables(tables)
    if out is not None:
        from ninefold.output.target import write_whole

        write_whole(out, str(periodic_svg(survivors, is_standalone=True)).encode(), "--out")
    if as_json:
        print_json(survivors.to_dict())
    elif out is not None:
        typer.echo(f"periodic table -> {out}")
    else:
        printer = console()
        for grid in periodic_tables(survivors):
            printer.print(grid)


def _write(records: list[dict[str, Any]], kind: CompositionFormat, out: Path | None) -> None:
    from ninefold.output.tables import rows_to_csv, write_table

    if out is not None and kind is not CompositionFormat.TABLE:
        write_table(records, list(COLUMNS), out, kind.value)
        typer.echo(f"{len(records)} compositions -> {out}")
    elif kind is CompositionFormat.JSON:
        print_json(records)
    elif kind is CompositionFormat.CSV:
        typer.echo(rows_to_csv(records, list(COLUMNS)), nl=False)
    else:
        from ninefold.report.terminal import ranked_table

        printer = console()
        printer.print(ranked_table(records, list(COLUMNS)))
        printer.print(f"{len(records)} compositions")


def _format_of(out: Path | None) -> CompositionFormat:
    ending = out.suffix.lstrip(".").lower() if out else "table"
    return CompositionFormat(ending) if ending in ("csv", "json", "parquet") else CompositionFormat.TABLE
