"""`ninefold stages`: the stages of a flow, as they declare themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.models.evidence import Evidence
    from ninefold.stages import CandidateStage, Stage


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(stages)


def stages(
    campaign: Annotated[
        str | None,
        typer.Argument(help="Campaign file, or a shipped one by name: with its own stages and its engines' evidence."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Stages in the order of the data: what each takes and gives, with what evidence, and what one job needs."""
    from ninefold.stages.order import in_order

    own, evidence = _of_campaign(campaign) if campaign is not None else ({}, {})
    rows = [
        _row(stage, own.get(stage.name)) | {"evidence": evidence.get(stage.name, stage.evidence)}
        for stage in in_order(one.stage for one in own.values())
    ]
    if json:
        print_json(rows)
        return
    from ninefold.report.terminal_parts import plain, table_of

    table = table_of("stage", "takes -> gives", "evidence", "one job needs", "what passes")
    for row in rows:
        takes, gives = row["takes"], row["gives"]
        counted = takes if takes == gives else f"{takes} ->\n{gives}"
        name = f"{row['stage']} (each round)" if row["is_in_rounds"] else row["stage"]
        meaning = row["meaning"] + "".join(
            f"\n{column['key']} ({column['unit']}): {column['meaning']}" if column["unit"]
            else f"\n{column['key']}: {column['meaning']}"
            for column in row["columns"]
        )  # fmt: skip
        cells = (name, counted, row["evidence"], row["needs"], meaning)
        table.add_row(*map(plain, cells))
    console().print(table)


def _of_campaign(campaign: str) -> tuple[dict[str, CandidateStage], dict[str, Evidence]]:
    """The campaign's own stages by name; and the evidence of those stages that call its engines."""
    from ninefold.campaign import read_campaign
    from ninefold.engines.registry import evidence_of
    from ninefold.models.evidence import TRUST
    from ninefold.stages.order import OF_ENGINES
    from ninefold.stages.own import columns_of, own_stage

    model = read_campaign(campaign)
    columns_of(model.stages)  # two that give one column are refused
    found = [own_stage(name) for name in model.stages]
    levels = [evidence_of(method) for method in model.methods]
    highest = max(levels, key=TRUST.index)
    further = max(levels[1:] or levels, key=TRUST.index)
    evidence = {name: {"prescreen": levels[0], "energies": further}.get(name, highest) for name in OF_ENGINES}
    return {one.stage.name: one for one in found}, evidence


def _row(stage: Stage, own: CandidateStage | None) -> dict[str, Any]:
    columns = {} if own is None else own.columns
    return {
        "stage": stage.name,
        "after": stage.after,
        "takes": stage.takes,
        "gives": stage.gives,
        "evidence": stage.evidence,
        "resources": stage.resources._asdict(),
        "needs": str(stage.resources),
        "is_in_rounds": stage.is_in_rounds,
        "is_own": own is not None,
        "meaning": stage.meaning,
        "columns": [{"key": key, **column._asdict()} for key, column in columns.items()],
    }
