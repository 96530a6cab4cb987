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
    """What `export` writes: one file per structure, one table, or one folder of VASP inputs per structure."""

    CIF = "cif"
    POSCAR = "poscar"
    EXTXYZ = "extxyz"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    VASP_INPUTS = "vasp-inputs"


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
    averaged: Annotated[
        bool,
        typer.Option(
            "--averaged",
            help="CIFs of what diffraction sees of a disordered crystal: the metal lattice, hydrogens with partial "
            "occupancies.",
        ),
    ] = False,
    vasp: Annotated[
        str | None,
        typer.Option("--vasp", help="Settings of vasp-inputs: mpgga (PBE, the default), mp24 (r2SCAN), or FILE.yaml."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Candidates at most, best first. Default: all.")
    ] = None,
    force: ForceOption = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write candidates to files: CIF, POSCAR or extxyz structures; CSV, parquet or JSON tables.

    Structures carry energy, E(hull), engine, evidence, seed, campaign and label: in CIFs as _ninefold_ items, in
    extxyz as keys that ASE reads into atoms.info; there, atoms.get_potential_energy() is the total energy in eV.
    vasp-inputs: a folder for each candidate and for each phase that it competes with, with a manifest.json.
    """  # fmt: skip
    from ninefold.errors import InputError

    if format is ExportFormat.VASP_INPUTS:
        if averaged:
            raise InputError("--averaged", None, problem="is for structure files", allowed="cif")
        _export_vasp_inputs(out, filter, vasp, limit, all_minima, force, campaign, store, json)
        return
    from ninefold.cli.locate import input_files, store_for_reading
    from ninefold.output.structures import write_structures
    from ninefold.output.tables import write_table
    from ninefold.output.target import TABLES, structure_ending, target_of
    from ninefold.store import open_store, store_file
    from ninefold.store.details import details

    if vasp is not None:
        raise InputError("--vasp", vasp, problem="is for --format vasp-inputs")
    target = target_of(out, format.value if format else None)
    is_table = target.kind in TABLES
    if averaged and target.kind != "cif":
        raise InputError(
            "--averaged", None, problem=f"has partial occupancies, and {target.kind} has none", allowed="cif"
        )
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
            "candidates", filter, equal=of_campaign, sort=[("rank", "asc")], fields=keys, limit=limit,
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
    written = write_structures(rows, target, all_minima=all_minima, averaged=averaged, filter=filter)
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


def _export_vasp_inputs(
    out: str, filter: str | None, vasp: str | None, limit: int | None, all_minima: bool, force: bool,
    campaign: str | None, store: str | None, json: bool,
) -> None:  # fmt: skip
    """The candidates that match and have a structure, and what they compete with."""
    from ninefold.cli.locate import input_files, store_for_reading
    from ninefold.engines.vasp_settings import read_vasp_settings
    from ninefold.errors import InputError
    from ninefold.output.vasp_inputs import MANIFEST, write_vasp_inputs
    from ninefold.paths import user_path
    from ninefold.store import open_store, store_file
    from ninefold.store.competition import to_compute

    if all_minima:
        raise InputError("--all-minima", None, problem="is for structure files", allowed="cif, extxyz or poscar")
    settings = read_vasp_settings(vasp)
    folder = user_path(out, "--out")
    address, name = store_for_reading(store, campaign)
    check_output_folder(
        folder, pattern=MANIFEST, force=force, store=store_file(address), inputs=input_files(campaign)
    )  # fmt: skip
    with open_store(address) as repository:
        rows = repository.find(
            "candidates", filter, equal=campaign_filter(repository, name), sort=[("rank", "asc")], limit=limit,
            properties=kinds_of(stage_columns(repository, name)),
        )  # fmt: skip
        items = to_compute(repository, rows)
    if not items:
        raise InputError("filter", filter or "", problem="matches no candidate with a structure; nothing written")
    chosen = sum(1 for item in items if not item.competes_with)
    written = write_vasp_inputs(items, folder, settings, force=force)
    if json:
        print_json(
            {
                "written": [str(path) for path in written],
                "candidates": chosen,
                "competitors": len(items) - chosen,
                "without_structure": len(rows) - chosen,
                "manifest": str(folder / MANIFEST),
            }
        )
        return
    without = f"; {len(rows) - chosen} candidates have no structure" if len(rows) > chosen else ""
    typer.echo(
        f"wrote inputs of {chosen} candidate{'' if chosen == 1 else 's'} and {len(items) - chosen} "
        f"competing phases{without}; folder {folder}/"
    )
