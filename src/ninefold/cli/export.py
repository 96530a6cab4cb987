"""`ninefold export`: candidates written to files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, print_json
from ninefold.cli.outputs import ForceOption, check_output, check_output_folder, record_written
from ninefold.cli.selection import (
    FilterArgument,
    campaign_filter,
    fields_of,
    kinds_of,
    note_isotopes_in,
    stage_columns,
)


class ExportFormat(StrEnum):
    """What `export` writes: one file per structure, or one table."""

    CIF = "cif"
    POSCAR = "poscar"
    EXTXYZ = "extxyz"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


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
    from ninefold.output.structures import write_structures
    from ninefold.output.tables import write_table
    from ninefold.output.target import TABLES, structure_ending, target_of
    from ninefold.store import open_store, store_file
    from ninefold.store.details import details

    target = target_of(out, format.value if format else None)
    is_table = target.kind in TABLES
    if is_table and all_minima:
        raise InputError(
            "--all-minima", None, problem=f"is for structures, and {out} is a table", allowed="cif, extxyz or poscar"
        )
    address, name = store_for_reading(store, campaign)
    file = store_file(address)
    note_isotopes_in(filter)
    if target.is_folder:
        pattern = f"*{structure_ending(target.kind)}"
        check_output_folder(
            target.path, pattern=pattern, command="export", force=force, store=file, inputs=input_files(campaign)
        )
    else:
        check_output(target.path, force=force, store=file, inputs=input_files(campaign))
    with open_store(address) as repository:
        of_campaign = campaign_filter(repository, name)
        columns = stage_columns(repository, name)
        keys = fields_of(fields, columns) if is_table else None
        rows = repository.find(
            "candidates", filter, equal=of_campaign, sort=[("rank", "asc")], fields=keys, limit=None,
            properties=kinds_of(columns),
        )  # fmt: skip
        if keys is None:
            rows = list(details(repository, rows))
    if not rows:
        raise InputError("filter", filter, problem="matches no candidate; nothing written")
    if keys is not None:
        write_table(rows, keys, target.path, target.kind, columns)
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
