"""Commands that read a store: status, query, show, export, report. They answer at once."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.outputs import ForceOption, check_output, check_output_folder, record_written
from ninefold.report import DEFAULT_TOP

MOST_SHOWN = 5000
"""Candidates that a report can show: 25 kB each, and a browser opens no file of a gigabyte."""
DEFAULT_FIELDS = (
    "rank,formula,anion,m,e_above_hull,phase_separation_energy,e_above_hull_uncertainty,e_above_references,"
    "space_group_symbol,evidence,is_known"
)


class TableFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class ExportFormat(StrEnum):
    """What `export` writes: one file per structure, or one table."""

    CIF = "cif"
    POSCAR = "poscar"
    EXTXYZ = "extxyz"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


FilterArgument = Annotated[
    str | None,
    typer.Argument(help="OPTIMADE filter, e.g. 'elements HAS \"Li\" AND e_above_hull < 0.05'. Default: everything."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (status, query, show, export, report):
        app.command()(command)


def status(campaign: CampaignOption = None, store: StoreOption = None, json: JsonOption = False) -> None:
    """How far a campaign is: the funnel so far, stage by stage."""
    from ninefold.cli.locate import campaign_document, store_for_reading
    from ninefold.flows.funnel import total
    from ninefold.flows.kept import kept_of
    from ninefold.run.local import lease_purpose
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        document = campaign_document(repository, name, unfinished_first=True)
        funnel = total(repository.find("funnel", equal={"campaign": document["name"]}, limit=None))
        kept = kept_of(document["name"], repository)
        holder, progress = repository.lease_holder(), repository.lease_progress()
    running = None
    state = document["status"]
    if state == "running":
        if (holder or "").endswith(f"({lease_purpose(document['name'])})"):
            running = progress
        else:  # nobody, or another campaign's run
            state = "interrupted"
    if json:
        print_json(
            {
                "campaign": document["name"],
                "status": state,
                "created": document["created"],
                "finished": document["finished"],
                "compositions": kept.compositions,
                "searched": kept.searched,
                "calculations": kept.calculations,
                "running": running,
                "funnel": funnel,
            }
        )
        return
    from ninefold.report.terminal import funnel_table

    out = console()
    out.print(
        f"Campaign {document['name']}: {state}, {kept.searched} of {kept.compositions} compositions searched, "
        f"{kept.calculations} calculations finished{_time_of(document, running)}",
        markup=False,
    )
    if running and "stage" in running:
        out.print(_stage_now(running))
    out.print(funnel_table(funnel))
    if state == "interrupted":
        out.print(f"'ninefold resume {document['name']}' goes on where it stopped; what is finished is kept.")


def _time_of(document: dict[str, Any], running: dict[str, Any] | None) -> str:
    """How long a campaign has run, or took; an interrupted one's pauses are unknown."""
    from ninefold.clock import seconds_between
    from ninefold.report.text import duration

    if running and "started" in running:
        return f"; elapsed {duration(seconds_between(running['started']))}"
    if document["finished"]:
        whole = seconds_between(document["created"], document["finished"])
        return f"; elapsed {duration(whole)} from first start to end"
    return ""


def _stage_now(running: dict[str, Any]) -> str:
    """The stage that runs: counts, time spent, time left."""
    from ninefold.cli.progress import times
    from ninefold.clock import seconds_between

    count = f"{running['done']}" + (f" of {running['total']}" if running["total"] is not None else "")
    since = seconds_between(running["noted"])
    left = None if running["left_seconds"] is None else running["left_seconds"] - since
    spent = times(running["elapsed_seconds"] + since, left if left is None or left > 0 else None)
    return f"Now: {running['stage']}, {count} {running['unit']}; elapsed {spent}"


def query(
    filter: FilterArgument = None,
    sort: Annotated[str, typer.Option(help="Fields to sort by, - before one for descending.")] = "rank",
    fields: Annotated[str, typer.Option(help="Columns, by key; 'all' for every quantity.")] = DEFAULT_FIELDS,
    limit: Annotated[int, typer.Option(min=0, help="Rows at most; 0 for all.")] = 50,
    format: Annotated[TableFormat, typer.Option(help="How to print.")] = TableFormat.TABLE,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List candidates: filter, sort, choose columns."""
    from ninefold.cli.locate import store_for_reading
    from ninefold.store import open_store

    keys = _fields(fields)
    address, name = store_for_reading(store, campaign)
    _tell_isotopes_in(filter)
    with open_store(address) as repository:
        rows = repository.find(
            "candidates", filter, equal=_of(repository, name), sort=_order(sort), fields=keys, limit=limit or None
        )
    if json or format is TableFormat.JSON:
        print_json(rows)
    elif format is TableFormat.CSV:
        from ninefold.store.export import rows_to_csv

        typer.echo(rows_to_csv(rows, keys), nl=False)
    else:
        from ninefold.report.terminal import candidate_rows

        out = console()
        out.print(candidate_rows(rows, keys, out.width))
        out.print(f"{len(rows)} candidate(s)" + (f" (the first {limit})" if len(rows) == limit else ""))


def show(
    candidate: Annotated[str, typer.Argument(help="Formula (K2ReH9), anion ([ReH9]2-), reading, or id.")],
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """One candidate: verdicts, structure, hull distance, competitors, conditions."""
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced
    from ninefold.cli.locate import store_for_reading
    from ninefold.errors import InputError
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        of_campaign = _of(repository, name)
        found: list[dict[str, Any]] = []
        for key, wanted in (("id", candidate), ("label", candidate), ("anion", _anion(candidate))):
            found = found or repository.find(
                "candidates", equal={key: wanted, **of_campaign}, sort=[("rank", "asc")], limit=None
            )
        if not found:
            _tell_isotopes(candidate)
            formula = formula_of(reduced(parse_formula(candidate)))
            found = repository.find(
                "candidates", equal={"formula": formula, **of_campaign}, sort=[("rank", "asc")], limit=None
            )
    if not found:
        raise InputError(
            "candidate",
            candidate,
            problem="is not in the store",
            hint="'ninefold explain' says what the rules think of it",
        )
    if json:
        from ninefold.structures.description import describe

        for document in found:
            for structure in document["structures"]:
                structure["description"] = describe(structure["structure"]).as_dict()
        print_json(found)
        return
    from ninefold.report.terminal import candidate_view

    out = console()
    for document in found:
        out.print(candidate_view(document))


def export(
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="By its ending a file: .cif, .xyz or .extxyz (all structures in one), .vasp, .csv, .parquet, .json. "
            "NAME/, or a name without ending: a folder, one file per structure.",
        ),
    ],
    filter: FilterArgument = None,
    format: Annotated[ExportFormat | None, typer.Option(help="Default: by the ending of --out, else CIF.")] = None,
    fields: Annotated[str, typer.Option(help="Columns of a table, by key.")] = "all",
    all_minima: Annotated[
        bool, typer.Option("--all-minima", help="Every valid minimum that is stored, not the lowest alone.")
    ] = False,
    force: ForceOption = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write candidates to files: CIF, POSCAR or extxyz structures; CSV, parquet or JSON tables.

    Structures carry energy, E(hull), engine, evidence, seed, campaign and label: in CIFs as _ninefold_ items, in
    extxyz as keys that ASE reads into atoms.info; there, atoms.get_potential_energy() is the total energy in eV.
    """  # fmt: skip
    from ninefold.cli.locate import input_files, store_for_reading
    from ninefold.errors import InputError
    from ninefold.store import open_store, store_file
    from ninefold.store.export import TABLES, structure_ending, target_of, write_structures, write_table

    target = target_of(out, format.value if format else None)
    keys = _fields(fields) if target.kind in TABLES else None
    if keys is not None and all_minima:
        raise InputError(
            "--all-minima", None, problem=f"is for structures, and {out} is a table", allowed="cif, extxyz or poscar"
        )
    address, name = store_for_reading(store, campaign)
    file = store_file(address)
    _tell_isotopes_in(filter)
    if target.is_folder:
        pattern = f"*{structure_ending(target.kind)}"
        check_output_folder(
            target.path,
            pattern=pattern,
            command="export",
            force=force,
            store=file,
            inputs=input_files(campaign),
        )
    else:
        check_output(target.path, force=force, store=file, inputs=input_files(campaign))
    with open_store(address) as repository:
        of_campaign = _of(repository, name)
        rows = repository.find("candidates", filter, equal=of_campaign, sort=[("rank", "asc")], fields=keys, limit=None)
    if not rows:
        raise InputError("filter", filter, problem="matches no candidate; nothing written")
    if keys is not None:
        write_table(rows, keys, target.path, target.kind)
        if json:
            print_json({"written": [str(target.path)], "rows": len(rows)})
        else:
            typer.echo(f"wrote {len(rows)} row{'' if len(rows) == 1 else 's'}: table {target.path}")
        return
    written = write_structures(rows, target, all_minima=all_minima, filter=filter)
    if target.is_folder:
        record_written(target.path, "export", written.paths)
    if json:
        print_json(
            {
                "written": [str(file) for file in written.paths],
                "structures": written.structures,
                "candidates": written.candidates,
                "without_structure": written.without,
                "left_out": written.unfaithful,
            }
        )
    else:
        where = f"folder {target.path}/" if target.is_folder else f"file {target.path}"
        typer.echo(f"{written}; {target.kind}, {where}")


def report(
    campaign: CampaignOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: NAME-report.html.")] = None,
    top: Annotated[
        int, typer.Option("--top", min=1, max=MOST_SHOWN, help="Candidates to show, the best; the rest is counted.")
    ] = DEFAULT_TOP,
    force: ForceOption = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write the HTML report: one file, no network needed to read it."""
    from ninefold.cli.locate import campaign_document, input_files, report_parts, store_for_reading
    from ninefold.report import render_report, write_report
    from ninefold.store import open_store, store_file

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        name = campaign_document(repository, name)["name"]
        target = out or Path(f"{name}-report.html")
        target = check_output(
            target, force=force, store=store_file(address), inputs=input_files(campaign), report_of=name,
            makes_folders=True,
        )  # fmt: skip
        write_report(target, render_report(*report_parts(repository, name, top)))
    if json:
        print_json({"report": str(target.resolve())})
    else:
        typer.echo(str(target.resolve()))


def _anion(text: str) -> str:
    """An anion as it is stored, so that [ReH₉]²⁻ finds [ReH9]2-; other text as it is."""
    from ninefold.chemistry.formula import formula_of, ion_of, read_formula
    from ninefold.errors import InputError

    try:
        read = read_formula(text)
    except InputError:
        return text
    return ion_of(formula_of(read.amounts), read.charge) if read.charge else text


def _tell_isotopes_in(filter: str | None) -> None:
    """As `_tell_isotopes`, of every formula in a filter."""
    for quoted in dict.fromkeys(re.findall(r'"([^"]*)"', filter or "")):
        _tell_isotopes(quoted)


def _tell_isotopes(text: str) -> None:
    """Say on standard error what a formula's D and T were read as."""
    from ninefold.chemistry.formula import isotope_notes

    for note in isotope_notes(text):
        typer.echo(f"ninefold: note: {text}: {note}", err=True)


def _fields(text: str) -> list[str]:
    from ninefold.chemistry.quantities import QUANTITIES
    from ninefold.errors import InputError

    keys = list(QUANTITIES) if text == "all" else [key.strip().removeprefix("_ninefold_") for key in text.split(",")]
    for key in keys:
        if key not in QUANTITIES:
            import difflib

            close = difflib.get_close_matches(key, QUANTITIES, n=1)
            raise InputError(
                "--fields",
                key,
                problem="is not a field",
                hint=f"did you mean {close[0]!r}?" if close else "'ninefold fields' lists them: rank, formula, ...",
            )
    return keys


def _order(text: str) -> list[tuple[str, str]]:
    return [
        (key.strip().lstrip("-"), "desc" if key.strip().startswith("-") else "asc")
        for key in text.split(",")
        if key.strip()
    ]


def _of(repository: Any, campaign: str | None) -> dict[str, str]:
    """What a campaign's candidates have in common; it must be in the store."""
    from ninefold.cli.locate import check_campaign

    check_campaign(repository, campaign)
    return {} if campaign is None else {"campaign": campaign}
