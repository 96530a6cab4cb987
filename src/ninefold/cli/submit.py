"""Campaigns put into the launchpad of a cluster: submit, retry; what is computed of finished ones likewise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.cluster_common import ClusterOption, NameArgument, address_of, cluster_option, database_of
from ninefold.cli.options import JsonOption, StoreOption, WorkflowOption, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.campaign.model import Campaign
    from ninefold.clusters import Cluster
    from ninefold.engines.settings import EngineSettings
    from ninefold.settings import Settings

BudgetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        help="Release compositions in parts, the most promising first, until this is spent: core-hours=NUMBER, "
        "candidates=NUMBER, until=DATE, may be given again; none: no limit. Default: the campaign's.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(submit)
    app.command()(retry)


def submit(
    campaign: Annotated[str, typer.Argument(help="A campaign file, or one that ninefold ships: quickstart.")],
    cluster: ClusterOption,
    update: Annotated[
        bool,
        typer.Option("--update", help="The file has changed: recompute what that touches; keep every calculation."),
    ] = False,
    workflow: WorkflowOption = "screen",
    shard_minutes: Annotated[
        float, typer.Option(help="Core time that a job should take, by measured rates.", min=0.1)
    ] = 60.0,
    budget: BudgetOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Put a campaign into the launchpad of a cluster, whose workers then run it."""
    from ninefold.campaign import read_campaign
    from ninefold.clusters import read_cluster
    from ninefold.run.submission import submit_campaign

    chosen, read = read_cluster(cluster), with_budget(read_campaign(campaign), budget)
    _ask_scheduler(chosen, cluster)
    done = submit_campaign(
        read, database_of(chosen, store), chosen.name, chosen.resources.kinds, workflow=workflow, update=update,
        shard_seconds=60 * shard_minutes, has_spool=chosen.spool is not None, places=places_of(chosen),
        option=cluster_option(cluster),
    )  # fmt: skip
    _tell_submitted(done, chosen.name, json, cluster, has_spool=chosen.spool is not None)


def retry(
    campaign: NameArgument,
    cause: Annotated[
        list[str] | None,
        typer.Option("--cause", help="Try only failures of this cause again, as 'ninefold failures' words it."),
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Another cluster than before.")] = None,
    budget: BudgetOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Submit again what a campaign that came to its end, or was cancelled, has not computed."""
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document
    from ninefold.errors import InputError
    from ninefold.run.failures import cause_of
    from ninefold.run.shard_size import SHARD_SECONDS
    from ninefold.run.submission import submit_campaign
    from ninefold.run.submitted_runs import launchpad_of, not_submitted, submission_of

    address, option = address_of(cluster, store), cluster_option(cluster)
    with launchpad_of(address, must_exist=True) as (repository, launchpad):
        document = campaign_document(repository, campaign)
        before = submission_of(launchpad, campaign)
        reasons = repository.find("faults", equal={"campaign": campaign}, fields=["reason"])
    if before is None:
        raise not_submitted(campaign)
    if (what := before["what"]) != "screen":
        named = option or f" --cluster {before['cluster']}"
        raise InputError(
            "campaign", campaign, problem=f"was submitted last by 'ninefold {what}'",
            hint=f"the same 'ninefold {what} {campaign} ...{named}' computes what is missing",
        )  # fmt: skip
    causes = {cause_of(row["reason"]) for row in reasons}
    if unknown := [one for one in cause or () if one not in causes]:
        raise InputError(
            "--cause", unknown[0], problem="is the cause of no failure",
            allowed="; ".join(sorted(causes)) or "none: nothing failed",
        )  # fmt: skip
    name, kinds, has_spool, places = (
        before["cluster"],
        tuple(before["kinds"]),
        before["has_spool"],
        before.get("places"),
    )
    if cluster is not None:
        from ninefold.clusters import read_cluster

        chosen = read_cluster(cluster)
        name, kinds, has_spool = chosen.name, chosen.resources.kinds, chosen.spool is not None
        places = places_of(chosen)
    done = submit_campaign(
        with_budget(parse_campaign(document["settings"]), budget), address, name, kinds,
        workflow=document["workflow"], held_causes=tuple(sorted(causes - set(cause))) if cause else (),
        has_spool=has_spool, places=places, shard_seconds=before.get("shard_seconds", SHARD_SECONDS), option=option,
    )  # fmt: skip
    _tell_submitted(done, name, json, cluster, has_spool=has_spool)


def submit_after_to(
    cluster: str, campaign: Campaign, address: str, settings: Settings, what: str, methods: Sequence[EngineSettings],
    workflow: str, *, as_json: bool,
) -> None:  # fmt: skip
    """Put what is computed of a finished campaign into the launchpad of a cluster.

    Args:
        cluster: As the user names it.
        campaign: As in the store.
        address: Of the store.
        settings: What `make_flow` of the workflow takes as `settings`.
        what: The command.
        methods: That compute.
        workflow: Name of a workflow, or a Python file.
        as_json: Whether the answer is JSON.

    Raises:
        InputError: if the cluster's database is not the one that holds the campaign.
    """
    from ninefold.clusters import read_cluster
    from ninefold.errors import InputError
    from ninefold.run.submission import submit_after
    from ninefold.store import masked
    from ninefold.store.locate import is_same_store

    chosen = read_cluster(cluster)
    if chosen.database is not None and not is_same_store(chosen.database, address):
        raise InputError(
            "--store", masked(address), problem=f"is not the database of cluster {chosen.name!r}",
            allowed=masked(chosen.database), hint="the campaign must be in the store that the cluster's nodes write",
        )  # fmt: skip
    _ask_scheduler(chosen, cluster)
    done = submit_after(
        campaign, address, chosen.name, chosen.resources.kinds, settings, what, methods, workflow,
        chosen.spool is not None, cluster_option(cluster),
    )  # fmt: skip
    _tell_submitted(done, chosen.name, as_json, cluster, has_spool=chosen.spool is not None, what=what)


def _ask_scheduler(cluster: Cluster, named: str) -> None:
    """Refuse what the cluster's scheduler would refuse, before anything is submitted."""
    from ninefold.clusters import find_cluster
    from ninefold.run.up import check_accepted

    check_accepted(cluster, find_cluster(named))


def places_of(cluster: Cluster) -> int:
    """Jobs of machine-learned potentials that a cluster runs at once, by its limits."""
    needs = cluster.of("cpu" if "cpu" in cluster.resources.kinds else cluster.resources.kinds[0])
    return (needs.max_queue_jobs or cluster.max_queue_jobs) * (needs.jobs_at_once or 1)


def with_budget(campaign: Campaign, texts: list[str] | None) -> Campaign:
    """A campaign with the budget of the command line, where that names one.

    Raises:
        InputError: naming the option and what came.
    """
    from ninefold.campaign.budget import Budget

    if not texts:
        return campaign
    execution = campaign.execution.model_copy(update={"budget": Budget.parse(texts)})
    return campaign.model_copy(update={"execution": execution})


def _tell_submitted(
    done: Any, cluster: str, as_json: bool, named: str | None, *, has_spool: bool, what: str = "screen"
) -> None:
    """Say what was submitted and what comes next; a cluster is named as the user did: a file has no other name."""
    import shlex

    if as_json:
        print_json({**done._asdict(), "cluster": cluster})
        return
    number, serve = done.compositions_per_job, ""
    content = f"{number} composition{'' if number == 1 else 's'} in a job" if what == "screen" else f"for {what!r}"
    if has_spool:
        serve = f", 'ninefold serve-spool --cluster {shlex.quote(named or cluster)}' beside it hands out the jobs"
    typer.echo(
        f"Campaign {done.campaign!r} is submitted to cluster {cluster!r}: {done.jobs} jobs at first, "
        f"{content}.\n"
        f"'ninefold up {shlex.quote(named or cluster)}' starts workers{serve}; "
        f"'ninefold status --watch -c {done.campaign}{cluster_option(named)}' follows it."
    )
