"""Commands on rule sets: rules list, show, recall, compare. None needs a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.chemistry.compounds import KnownCompound

RulesOption = Annotated[
    str, typer.Option("--rules", help="Rule set by name or YAML file, or a campaign file for its rules.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Rule sets: list, show, recall, compare.")
    group.command(name="list")(list_)
    for command in (show, recall, compare):
        group.command()(command)
    app.add_typer(group, name="rules")


def list_(json: JsonOption = False) -> None:
    """Every rule set that ninefold ships, and every rule that is known, with its source."""
    from ninefold.rules import known_rules
    from ninefold.shipped import config_path

    sets = sorted(file.stem for file in config_path("rules").glob("*.yaml"))
    rows = [rule.to_dict() for rule in known_rules()]
    if json:
        print_json({"sets": sets, "rules": rows})
        return
    out = console()
    out.print(f"Rule sets: {', '.join(sets)}", markup=False)
    out.print(_table(rows, ("name", "stage", "unit", "meaning", "source")))


def show(
    rules: Annotated[str, typer.Argument(help="Rule set by name or YAML file, or a campaign file.")],
    json: JsonOption = False,
) -> None:
    """The rules of a set: mode, parameters, source."""
    settings = load(rules).to_dict()
    if json:
        print_json(settings)
        return
    import yaml

    typer.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), nl=False)


def recall(
    rules: RulesOption = "takagi",
    compounds: Annotated[
        Path | None, typer.Option(help="YAML file of compounds of your own, judged beside those that ninefold ships.")
    ] = None,
    space: Annotated[
        str, typer.Option(help="Campaign or space file, or a shipped one: how much of it the set keeps.")
    ] = "wide-9",
    json: JsonOption = False,
) -> None:
    """What a rule set keeps: of the compounds made, of known violators of its rules, and of a whole space.

    With a campaign file as --rules, the compounds of its 'known' file are judged too.
    """
    from ninefold.campaign import read_campaign
    from ninefold.rules import recall as measure
    from ninefold.rules import selectivity

    rule_set = load(rules)
    result = measure(rule_set, _compounds(rules, compounds))
    kept = selectivity(rule_set, _tables(read_campaign(space).space))
    if json:
        print_json({**result.to_dict(), "selectivity": {"space": space, **kept.to_dict()}})
        return
    out = console()
    out.print(_table(result.to_dict()["compounds"], ("name", "anion", "fitted", "expected", "kept", "rejected_by")))
    for line in result.summary().split("; "):
        out.print(line, markup=False)
    out.print(kept.summary(space), markup=False)


def compare(
    first: Annotated[str, typer.Argument(help="A rule set.")],
    second: Annotated[str, typer.Argument(help="Another rule set.")],
    space: Annotated[str, typer.Option(help="Campaign or space file, or a shipped one.")] = "wide-9",
    json: JsonOption = False,
) -> None:
    """What two rule sets keep of one space, centre by centre."""
    from ninefold.campaign import read_campaign
    from ninefold.rules import compare as measure

    rows = measure(load(first), load(second), _tables(read_campaign(space).space))
    if json:
        print_json(rows)
    else:
        console().print(_table(rows, tuple(rows[0]) if rows else ()))


def _tables(spaces: Any) -> Any:
    from ninefold.enumeration import enumerate_assignments

    for space in spaces:
        yield from enumerate_assignments(space)


def load(name: str) -> Any:
    """The rule set of a name, a YAML file of rules, or a campaign file."""
    from ninefold.rules import load_rule_set
    from ninefold.rules.settings import RuleSettings
    from ninefold.stages.own import columns_of

    campaign = _campaign(name)
    if campaign is None:
        return load_rule_set(RuleSettings(set=name))
    return load_rule_set(campaign.rules, extra_columns=columns_of(campaign.stages))


def _compounds(rules: str, own: Path | None) -> Any:
    """Ninefold's list, the campaign's own compounds where the rules are a campaign's, and those of a file."""
    from ninefold.chemistry.compounds import read_compounds

    return {c.assignment.label: c for c in (*made_compounds(rules), *(read_compounds(own) if own else ()))}.values()


def made_compounds(rules: str) -> tuple[KnownCompound, ...]:
    """Ninefold's list of made compounds, with those of the campaign's own file where the rules are a campaign's."""
    from ninefold.chemistry.compounds import known_compounds

    campaign = _campaign(rules)
    return campaign.known_compounds() if campaign else known_compounds()


def _campaign(name: str) -> Campaign | None:
    """The campaign of a file that is one; None for a rule set by name or file."""
    if not name.endswith((".yaml", ".yml")):
        return None
    from ninefold.yaml_files import read_yaml

    content = read_yaml(Path(name), "rules")
    if not isinstance(content, dict) or "space" not in content:
        return None
    from ninefold.campaign import read_campaign

    return read_campaign(name)


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    return table
