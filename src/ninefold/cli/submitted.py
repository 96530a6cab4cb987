"""Submitted campaigns looked after: failures, pause, cancel."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ninefold.cli.cluster_common import NameArgument, address_of, cluster_option
from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (failures, pause, cancel):
        app.command()(command)


def failures(
    campaign: CampaignOption = None,
    store: StoreOption = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Look in the database of this cluster.")] = None,
    json: JsonOption = False,
) -> None:
    """What failed, grouped by cause, with the end of a log and the command that tries just that again."""
    import shlex

    from ninefold.cli.locate import campaign_document
    from ninefold.flows.spending import left_out
    from ninefold.report.terminal_parts import plain
    from ninefold.run.failures import grouped
    from ninefold.run.watch import standing_of
    from ninefold.store import open_store

    with open_store(address_of(cluster, store)) as repository:
        document = campaign_document(repository, campaign, unfinished_first=True)
        name = document["name"]
        faults = repository.find("faults", equal={"campaign": name}, limit=None)
        standing = standing_of(repository, name)
        left = left_out(repository, document)
    groups = grouped(faults, standing.logs if standing else {})

    def again(cause: str) -> str:
        if standing is None:
            return f"ninefold resume {name}"
        return f"ninefold retry {name} --cause {shlex.quote(cause)}{cluster_option(cluster)}"

    if json:
        print_json([{**group._asdict(), "retry": again(group.cause)} for group in groups])
        return
    out = console()
    if not groups:
        spent = "" if left is None else f" {left.number} compositions were not computed, as its budget is spent."
        out.print(f"Campaign {name}: nothing failed.{spent}", markup=False)
    for group in groups:
        stages = ", ".join(f"{stage} {count}" for stage, count in group.stages.items())
        out.print(plain(f"{group.number} x {group.cause}\n    in {stages}: {'; '.join(group.named)}"))
        if group.log:
            out.print(plain("".join(f"    | {line}\n" for line in group.log.splitlines()[-5:]).rstrip()))
        out.print(plain(f"    {again(group.cause)}"), soft_wrap=True)


def pause(
    campaign: NameArgument,
    end: Annotated[bool, typer.Option("--end", help="Go on.")] = False,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Look in the database of this cluster.")] = None,
    store: StoreOption = None,
) -> None:
    """Let no further job of a submitted campaign start; what runs goes on. --end goes on with it."""
    _set_state(campaign, cluster, store, "submitted" if end else "paused", ("paused",) if end else ("submitted",))
    again = f"'ninefold pause {campaign} --end{cluster_option(cluster)}' goes on"
    typer.echo(f"Campaign {campaign!r} " + ("goes on." if end else f"is paused; {again}."))


def cancel(
    campaign: NameArgument,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Look in the database of this cluster.")] = None,
    store: StoreOption = None,
) -> None:
    """End a submitted campaign: no job starts any more, and what runs stops. What is finished is kept."""
    _set_state(campaign, cluster, store, "cancelled", ("submitted", "paused"))
    again = f"ninefold retry {campaign}{cluster_option(cluster)}"
    typer.echo(f"Campaign {campaign!r} is cancelled; '{again}' computes what is missing.")


def _set_state(campaign: str, cluster: str | None, store: str | None, state: Any, allowed: Any) -> None:
    from ninefold.cli.locate import check_campaign
    from ninefold.run.submitted_runs import launchpad_of, set_state

    with launchpad_of(address_of(cluster, store), must_exist=True) as (repository, launchpad):
        check_campaign(repository, campaign)
        set_state(launchpad, campaign, state, allowed, cluster_option(cluster))
