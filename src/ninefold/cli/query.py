"""`ninefold query` and `ninefold show`: candidates of a store, printed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.selection import (
    DEFAULT_FIELDS,
    FilterArgument,
    campaign_filter,
    candidates_named,
    fields_of,
    kinds_of,
    note_isotopes_in,
    sort_order,
    stage_columns,
)

if TYPE_CHECKING:
    from ninefold.store.saved import Saved


class TableFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def query(
    filter: FilterArgument = None,
    sort: Annotated[
        str | None, typer.Option(help="Fields to sort by, - before one for descending. Default: rank.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="Columns, by key; 'all' for every quantity. Default: the usual ones.")
    ] = None,
    saved: Annotated[
        str | None,
        typer.Option("--saved", help="A query of the campaign file, by name; --sort and --fields change it."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows at most; 0 for all.")] = 50,
    format: Annotated[TableFormat, typer.Option(help="How to print.")] = TableFormat.TABLE,
    all_methods: Annotated[
        bool,
        typer.Option(
            "--all-methods",
            help="Filter and list a row for each method, not only the one that stands for its candidate.",
        ),
    ] = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List candidates: filter, sort, choose columns."""
    from ninefold.cli.locate import store_for_reading
    from ninefold.errors import InputError
    from ninefold.store import open_store

    if saved is not None and filter is not None:
        raise InputError("--saved", saved, problem="and a filter are two questions", hint="give one of them")
    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        if saved is not None:
            name, filter, *of_saved = _saved(repository, saved, name, campaign)
            sort, fields = sort or of_saved[0], fields or of_saved[1]
        note_isotopes_in(filter)
        sort = sort or "rank"
        if not fields:
            fields = DEFAULT_FIELDS.replace(",m,", ",m,engine,") if all_methods else DEFAULT_FIELDS
            if name is None and repository.count("campaigns") > 1:
                fields += ",campaign"
        columns = stage_columns(repository, name)
        keys = fields_of(fields, columns)
        if is_table := not json and format is TableFormat.TABLE:
            from ninefold.report.disagreement import FIELDS
            from ninefold.report.terminal import OF_ENGINE

            read = list(dict.fromkeys([*keys, *FIELDS, *OF_ENGINE]))
        rows = repository.find(
            "candidates",
            filter,
            equal=campaign_filter(repository, name, all_methods=all_methods),
            sort=sort_order(sort),
            fields=read if is_table else keys,
            limit=limit or None,
            properties=kinds_of(columns),
        )
        of_verify = _verified(repository, filter, name) if is_table else []
    if json or format is TableFormat.JSON:
        print_json(rows)
    elif format is TableFormat.CSV:
        from ninefold.output.tables import rows_to_csv

        typer.echo(rows_to_csv(rows, keys), nl=False)
    else:
        from ninefold.report.disagreement import disagreement_note
        from ninefold.report.terminal import candidate_rows, engines_note
        from ninefold.report.terminal_parts import plain

        out = console()
        out.print(candidate_rows(rows, keys, out.width, columns))
        out.print(
            f"{len(rows)} {'row' if all_methods else 'candidate'}(s)"
            + (f" (the first {limit})" if len(rows) == limit else "")
        )
        if "engine" not in keys and (engines := engines_note(rows)):
            out.print(plain(engines))
        if note := disagreement_note(rows):
            out.print(plain(note))
        if of_verify:
            from ninefold.report.verification import sentences, verification_table

            out.print("\nVerified:")
            out.print(verification_table(of_verify))
            for sentence in sentences(of_verify):
                out.print(plain(sentence))


def _saved(repository: Any, saved: str, name: str | None, campaign: str | None) -> Saved:
    """A saved query: of the campaign file, if one is named, else of the store."""
    from ninefold.store.saved import find_saved

    queries = None
    if campaign is not None and campaign != name:
        from ninefold.campaign import read_campaign

        queries = read_campaign(campaign).to_dict()["queries"]
    return find_saved(repository, saved, name, queries)


def _verified(repository: Any, filter: str | None, name: str | None) -> list[dict[str, Any]]:
    """What `ninefold verify` has said of the candidates that a filter leaves."""
    from ninefold.report.verification import verified

    asked = {} if name is None else {"name": name}
    campaigns = repository.find("campaigns", equal=asked, limit=None)
    # most stores hold no verification, and whole documents are dear
    methods = [row["methods"][-1] for row in campaigns if row.get("verified")]
    if not methods:
        return []
    equal = {**campaign_filter(repository, name, all_methods=True), "method": methods}
    return verified(repository.find("candidates", filter, equal=equal, limit=None))


def show(
    candidate: Annotated[str, typer.Argument(help="Formula (K2ReH9), anion ([ReH9]2-), assignment, or id.")],
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """One candidate: verdicts, structure, hull distance, competitors, conditions, dynamics."""
    from ninefold.cli.locate import store_for_reading
    from ninefold.errors import InputError
    from ninefold.flows.stored_hulls import lowest_pressures_between
    from ninefold.store import open_store
    from ninefold.store.details import details
    from ninefold.store.provenance import history

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        rows = candidates_named(repository, candidate, name)
        found = list(details(repository, rows))
        between = lowest_pressures_between(repository, rows)
        for row, document in zip(rows, found, strict=True):
            best = next(iter(row["minima"]), None)
            document["lowest_pressure_between"] = between.get(row["id"])
            document["history"] = (
                None if best is None else history(repository, best["structure"], row["minima_record"]).as_dict()
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
    from ninefold.report.terminal_candidate import candidate_view

    out = console()
    is_of_several = len({document["campaign"] for document in found}) > 1
    for document in found:
        out.print(candidate_view(document, with_campaign=is_of_several))
