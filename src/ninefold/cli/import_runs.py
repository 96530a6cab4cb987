"""`ninefold import`: finished DFT runs, Materials Project and OPTIMADE entries."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, print_json


class Corrections(StrEnum):
    """Energy corrections of pymatgen's entries."""

    NONE = "none"
    MP2020 = "MP2020"


class Source(StrEnum):
    """Databases that are asked by their own client."""

    MATERIALS_PROJECT = "materials-project"


class EnergyUnit(StrEnum):
    """Of a provider's field."""

    PER_ATOM = "eV/atom"
    PER_CELL = "eV/cell"


def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="vasprun.xml(.gz), .gpw, ABINIT's output, JSON of pymatgen's entries or OPTIMADE, a folder, or an "
            "OPTIMADE provider's URL. With --from: chemical systems (K-Re-H) or ids (mp-23703).",
            metavar="PATH...",
            show_default=False,
        ),
    ],
    source: Annotated[
        Source | None,
        typer.Option("--from", help="A database in place of files; needs its client (mp-api) and a key (MP_API_KEY)."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--as", help="A name that makes the runs a method of their own.", metavar="NAME")
    ] = None,
    corrections: Annotated[
        Corrections, typer.Option(help="Of pymatgen's entries; those that a file holds are never taken as they are.")
    ] = Corrections.NONE,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help='OPTIMADE: functional and settings, e.g. "PBE, 520 eV". With --from: PBE (default) or r2SCAN.',
        ),
    ] = None,
    energy_field: Annotated[
        str | None, typer.Option("--energy-field", help="OPTIMADE: the provider's field, e.g. _nfold_energy.")
    ] = None,
    energy_unit: Annotated[EnergyUnit, typer.Option("--energy-unit", help="OPTIMADE: of that field.")] = (
        EnergyUnit.PER_ATOM
    ),
    filter: Annotated[str | None, typer.Option("--filter", help="OPTIMADE: which structures of a URL.")] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out what cannot be used, and say so.")] = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Take in calculations that were made elsewhere, each as a calculation of its own method.

    A method is code, version, functional, cutoff and what else changes energies; two methods never share a hull. A
    candidate of the campaign gets a row with the imported method once its elements and its decomposition products are
    imported too; until then the run is kept and what is missing is said. Importing twice changes nothing.
    """  # fmt: skip
    from ninefold.cli.locate import check_campaign, store_for_reading
    from ninefold.flows.importing import import_runs
    from ninefold.imported.read import ImportOptions, read_all
    from ninefold.models.campaign import CampaignRecord
    from ninefold.store import open_store
    from ninefold.store.store import EXECUTOR

    address, name = store_for_reading(store, campaign)
    options = ImportOptions(variant, corrections.value, method, energy_field, energy_unit.value, filter)
    if source is None:
        runs, left_out = read_all(paths, options, skips_bad=skip)
    else:
        from ninefold.imported.entries import read_entries
        from ninefold.imported.materials_project import fetch_entries

        entries = fetch_entries(paths, method)
        runs, left_out = read_entries(entries, source.value, corrections.value, variant), []
    for line in left_out:
        typer.echo(f"ninefold: left out: {line}", err=True)
    with open_store(address, mode="write") as repository, repository.lease(EXECUTOR, "import"):
        check_campaign(repository, name)
        found = repository.find("campaigns", equal={} if name is None else {"name": name})
        found.sort(key=lambda document: document["created"])
        record = CampaignRecord.model_validate(found[-1]) if found else None
        done = import_runs(repository, runs, record)
    if json:
        print_json(
            {
                "new": done.calculations, "known": done.known, "left_out": left_out, "methods": done.methods,
                "campaign": None if record is None else record.name, "references": done.references, "rows": done.rows,
                "notes": done.notes,
            }
        )  # fmt: skip
        return
    known = f", {done.known} known already" if done.known else ""
    typer.echo(f"imported {done.calculations} calculation{'' if done.calculations == 1 else 's'}{known}")
    for label in done.methods.values():
        typer.echo(f"method: {label}")
    if record is not None:
        typer.echo(f"campaign {record.name}: {done.references} competing phases")
    for line in (*done.rows, *done.notes):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)
