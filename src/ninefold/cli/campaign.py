"""Commands on campaign files: check, new, schema."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ninefold.cli.options import JsonOption, StoreOption, print_json
from ninefold.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Campaign files: check one, write a new one.")
    for command in (check, new, schema):
        group.command()(command)
    app.add_typer(group, name="campaign")


def check(
    campaign: Annotated[str, typer.Argument(help="Campaign file, or a shipped one by name.")],
    no_code: Annotated[
        bool,
        typer.Option(
            "--no-code", help="Run none of the campaign's own Python and load no weights; list what would run."
        ),
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Validate a campaign file; say what it would screen, what its rules keep and how long it would take."""
    from ninefold.campaign import read_campaign
    from ninefold.campaign.foreign import foreign_code, load_foreign_code, shadowed_names
    from ninefold.cli.locate import store_address
    from ninefold.cli.preview import Preview
    from ninefold.engines.registry import check_engine_name
    from ninefold.enumeration import count_assignments
    from ninefold.errors import InputError
    from ninefold.report.explanation import wrapped
    from ninefold.rules import load_rule_set
    from ninefold.stages.own import columns_of
    from ninefold.structures.sources import reading_notes

    model = read_campaign(campaign)
    for method in model.methods:
        check_engine_name(method.name)
    columns = {} if no_code else columns_of(model.stages)
    rule_set = load_rule_set(model.rules, run_code=not no_code, extra_columns=columns)
    if not no_code:
        load_foreign_code(model)
        for note in reading_notes(model.structures.sources):
            typer.echo(f"ninefold: note: {note}", err=True)
    for note in (*shadowed_names(model), *_notes_on_methods(model)):
        typer.echo(f"ninefold: note: {note}", err=True)
    model.known_compounds()
    counts = [count_assignments(space) for space in model.space]
    for index, count in enumerate(counts):
        if count == 0:
            raise InputError(
                f"{campaign}: space.{index}",
                model.space[index].model_dump(mode="json"),
                problem="holds no composition that satisfies both equations",
                hint="G + n + q = electron count and cation charge = q + m; widen n, m or the cations",
            )
    code = foreign_code(model) if no_code else []
    # what the rules keep is known only where all of them are
    is_whole = not any(item.runs_python for item in code)
    preview = Preview(model, rule_set, store_address(store, model.store)) if is_whole else None
    if json:
        print_json(
            {
                "campaign": model.name,
                "valid": True,
                "compositions": sum(counts),
                **(preview.to_dict() if preview else {}),
                **({"code": [item.to_dict() for item in code]} if no_code else {}),
                "settings": model.to_dict(),
            }
        )
        return
    after = f", {preview.selectivity.kept} after" if preview else "; its own Python was not looked at"
    typer.echo(f"{campaign}: valid; {sum(counts)} compositions before the rules{after}")
    width = shutil.get_terminal_size((100, 24)).columns
    for line in preview.lines() if preview else ():
        typer.echo("\n".join(wrapped(line, width, 0, 8)))
    if no_code:
        typer.echo("'ninefold run' would run:" if code else "'ninefold run' would run no code but ninefold's own.")
        for item in code:
            typer.echo(f"  {item.field}: {item.name} ({item.what})")


def _notes_on_methods(campaign: Campaign) -> list[str]:
    """Of methods in the wrong order, or not fit to be the last; engines of the user's are told of by `run`."""
    from ninefold.engines.registry import ENGINES, evidence_of, order_note
    from ninefold.trust.uncertainty import roughness_note

    levels = {method.title: evidence_of(method) for method in campaign.methods if ENGINES.is_shipped(method.name)}
    note = order_note(campaign.methods, levels)
    rough = roughness_note([method.title for method in campaign.methods])
    return [told for told in (note, rough) if told is not None]


def new(
    out: Annotated[Path, typer.Argument(help="File to write.")] = Path("campaign.yaml"),
    force: ForceOption = False,
) -> None:
    """Write a small commented campaign file to start from; the campaign is named after the file."""
    import shlex

    from ninefold.output.target import write_whole
    from ninefold.shipped import config_path

    out = check_output(out, "file", force=force)
    name = _campaign_name(out)
    text = config_path("templates", "campaign.yaml").read_text(encoding="utf-8").replace("CAMPAIGN_NAME", name)
    write_whole(out, text.encode("utf-8"), "file")
    file = shlex.quote(str(out))
    typer.echo(f"{out}: campaign {name!r}; edit it, then 'ninefold campaign check {file}' and 'ninefold run {file}'")


def _campaign_name(file: Path) -> str:
    """A campaign's name after its file: what a name cannot hold becomes a dash.

    Raises:
        InputError: if nothing is left, or it is the name of a campaign that ninefold ships.
    """
    import re

    from ninefold.errors import InputError
    from ninefold.shipped import config_path

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:64]
    if not name:
        raise InputError(
            "file", str(file), problem="gives the campaign no name",
            allowed="letters a-z, digits, dot, dash, underscore",
        )  # fmt: skip
    if any(config_path(folder, f"{name}.yaml").is_file() for folder in (".", "spaces")):
        raise InputError(
            "file", str(file), problem=f"would give the campaign the name {name!r}, which one that ninefold ships has",
            hint="choose another file name",
        )  # fmt: skip
    return name


def schema() -> None:
    """Print the JSON Schema of campaign files, for editors."""
    from ninefold.campaign.model import Campaign

    print_json(Campaign.model_json_schema())
