"""Campaigns on a cluster: submit, work, failures, retry, pause, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.clusters import Cluster
    from ninefold.stages.verify import VerifySettings

ClusterOption = Annotated[str, typer.Option("--cluster", help="A cluster: name or YAML file; see 'ninefold cluster'.")]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        help="Release compositions in parts, the most promising first, until this is spent: core-hours=NUMBER, "
        "candidates=NUMBER, until=DATE, may be given again; none: no limit. Default: the campaign's.",
    ),
]
NameArgument = Annotated[str, typer.Argument(help="Campaign by name in the store.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (submit, work, failures, retry, pause, cancel):
        app.command()(command)
    app.command("serve-spool")(serve_spool)


def submit(
    campaign: Annotated[str, typer.Argument(help="A campaign file, or one that ninefold ships: quickstart.")],
    cluster: ClusterOption,
    update: Annotated[
        bool,
        typer.Option("--update", help="The file has changed: recompute what that touches; keep every calculation."),
    ] = False,
    workflow: Annotated[
        str, typer.Option("--workflow", help="The flow: a name that ninefold ships, or a Python file with make_flow.")
    ] = "screen",
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


def work(
    cluster: ClusterOption,
    resources: Annotated[
        list[str] | None, typer.Option("--resources", help="Kind of resources: cpu, gpu, dft; may be given again.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="End within this time; the job that runs then goes back to the others.", min=1)
    ] = None,
    until_wall_time: Annotated[
        float | None, typer.Option(help="End by this time, in seconds since 1970, as `date +%s` gives it.")
    ] = None,
    idle_seconds: Annotated[float, typer.Option(help="End when no job was ready for so long.", min=0)] = 120.0,
    processes: Annotated[int, typer.Option(help="Workers side by side.", min=1, max=4096)] = 1,
    store: StoreOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line for each job.")] = False,
) -> None:
    """Run jobs of a cluster's campaigns in this process, one after another; what a queue job runs."""
    import time

    from ninefold.clusters import read_cluster
    from ninefold.errors import InputError

    chosen = read_cluster(cluster)
    kinds = tuple(dict.fromkeys(resources or chosen.resources.kinds))
    if unknown := [kind for kind in kinds if kind not in chosen.resources.kinds]:
        allowed = ", ".join(chosen.resources.kinds)
        raise InputError("--resources", unknown[0], problem=f"is none of cluster {chosen.name!r}", allowed=allowed)
    if processes > 1:
        raise typer.Exit(_work_side_by_side(processes, is_on_devices="gpu" in kinds))
    if until_wall_time is not None:
        left = max(1.0, until_wall_time - time.time())
        max_seconds = left if max_seconds is None else min(max_seconds, left)
    tell = _quiet if quiet else _to_stderr
    if chosen.spool is not None:
        import os
        from pathlib import Path

        from ninefold.clusters import spool_folder
        from ninefold.run.spool_worker import work_from_spool

        scratch = os.environ.get("NINEFOLD_SCRATCH")
        done = work_from_spool(
            spool_folder(chosen), kinds, max_seconds=max_seconds, idle_seconds=idle_seconds,
            scratch=Path(scratch) if scratch else None, tell=tell,
        )  # fmt: skip
    else:
        from ninefold.run.cluster_worker import work as run_jobs
        from ninefold.run.up import work_folder

        done = run_jobs(
            database_of(chosen, store), chosen.name, kinds, max_seconds=max_seconds, idle_seconds=idle_seconds,
            folder=work_folder(chosen), tell=tell,
        )  # fmt: skip
    back = f", {done.given_back} given back" if done.given_back else ""
    failed = f", {done.failed} of them failed" if done.failed else ""
    typer.echo(f"{done.jobs} jobs{failed}{back}; ended: {done.reason}")


def serve_spool(
    cluster: ClusterOption,
    until_done: Annotated[bool, typer.Option("--until-done", help="End when no job is left.")] = False,
    max_seconds: Annotated[float | None, typer.Option(help="End within this time.", min=1)] = None,
    store: StoreOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No line for each job.")] = False,
) -> None:
    """Hand jobs to nodes that see no database, by the cluster's spool folder, and store what they give back."""
    from ninefold.clusters import read_cluster, spool_folder
    from ninefold.errors import InputError
    from ninefold.run.spool_server import serve

    chosen = read_cluster(cluster)
    if chosen.spool is None:
        raise InputError(
            f"cluster {chosen.name}: spool", None, problem="is missing: its nodes reach the database themselves",
            allowed="a folder that login and compute nodes share", hint="without it nothing needs to be served",
        )  # fmt: skip
    ended = serve(
        spool_folder(chosen), database_of(chosen, store), chosen.name, chosen.resources.kinds, max_seconds=max_seconds,
        until_done=until_done, tell=_quiet if quiet else _to_stderr,
    )  # fmt: skip
    typer.echo(f"{ended} jobs came back from the nodes.")


def _quiet(line: str) -> None:
    pass


def _to_stderr(line: str) -> None:
    typer.echo(line, err=True)


def _work_side_by_side(processes: int, *, is_on_devices: bool) -> int:
    """The same command several times, each with one worker."""
    import sys

    from ninefold.run.worker_group import run_workers

    command = [sys.executable, "-m", "ninefold.cli.main", *sys.argv[1:], "--processes", "1"]
    return run_workers(command, processes, has_devices=is_on_devices)


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

    with open_store(_address(cluster, store)) as repository:
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
    from ninefold.run.submission import SHARD_SECONDS, submit_campaign
    from ninefold.run.submitted_runs import launchpad_of, not_submitted, submission_of

    address, option = _address(cluster, store), cluster_option(cluster)
    with launchpad_of(address, must_exist=True) as (repository, launchpad):
        document = campaign_document(repository, campaign)
        before = submission_of(launchpad, campaign)
        reasons = repository.find("faults", equal={"campaign": campaign}, fields=["reason"])
    if before is None:
        raise not_submitted(campaign)
    if before["what"] == "verify":
        named = option or f" --cluster {before['cluster']}"
        raise InputError(
            "campaign", campaign, problem="was submitted last for its verification",
            hint=f"the same 'ninefold verify {campaign} ...{named}' computes what is missing",
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


def cluster_option(cluster: str | None) -> str:
    """The option that names a cluster, for a command that the user is told."""
    import shlex

    return "" if cluster is None else f" --cluster {shlex.quote(cluster)}"


def submit_verification_to(
    cluster: str, campaign: Campaign, address: str, settings: VerifySettings, workflow: str, as_json: bool
) -> None:
    """Put the verification of a campaign into the launchpad of a cluster.

    Raises:
        InputError: if the cluster's database is not the one that holds the campaign.
    """
    from ninefold.clusters import read_cluster
    from ninefold.errors import InputError
    from ninefold.run.submission import submit_verification
    from ninefold.store import masked
    from ninefold.store.locate import is_same_store

    chosen = read_cluster(cluster)
    if chosen.database is not None and not is_same_store(chosen.database, address):
        raise InputError(
            "--store", masked(address), problem=f"is not the database of cluster {chosen.name!r}",
            allowed=masked(chosen.database), hint="the campaign must be in the store that the cluster's nodes write",
        )  # fmt: skip
    _ask_scheduler(chosen, cluster)
    done = submit_verification(
        campaign, address, chosen.name, chosen.resources.kinds, settings, workflow, chosen.spool is not None,
        cluster_option(cluster),
    )  # fmt: skip
    _tell_submitted(done, chosen.name, as_json, cluster, has_spool=chosen.spool is not None)


def _ask_scheduler(cluster: Cluster, named: str) -> None:
    """Refuse what the cluster's scheduler would refuse, before anything is submitted."""
    from ninefold.clusters import find_cluster
    from ninefold.run.up import check_accepted

    check_accepted(cluster, find_cluster(named))


def _set_state(campaign: str, cluster: str | None, store: str | None, state: Any, allowed: Any) -> None:
    from ninefold.cli.locate import check_campaign
    from ninefold.run.submitted_runs import launchpad_of, set_state

    with launchpad_of(_address(cluster, store), must_exist=True) as (repository, launchpad):
        check_campaign(repository, campaign)
        set_state(launchpad, campaign, state, allowed, cluster_option(cluster))


def database_of(cluster: Cluster, store: str | None) -> str:
    """Address of the database of a cluster's launchpad and store: its own, or, for spool folders, the user's.

    Raises:
        InputError: if `--store` names another one than the cluster's own.
    """
    from ninefold.cli.locate import store_address
    from ninefold.errors import InputError
    from ninefold.store import masked
    from ninefold.store.locate import is_same_store

    if cluster.database is None:
        return store_address(store)
    if store is not None and not is_same_store(store_address(store), cluster.database):
        raise InputError(
            "--store", masked(store), problem=f"is not the database of cluster {cluster.name!r}",
            allowed=masked(cluster.database), hint="leave --store out",
        )  # fmt: skip
    return cluster.database


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


def _address(cluster: str | None, store: str | None) -> str:
    from ninefold.cli.locate import store_address

    if cluster is None:
        return store_address(store)
    from ninefold.clusters import read_cluster

    return database_of(read_cluster(cluster), store)


def _tell_submitted(done: Any, cluster: str, as_json: bool, named: str | None, *, has_spool: bool) -> None:
    """Say what was submitted and what comes next; a cluster is named as the user did: a file has no other name."""
    import shlex

    if as_json:
        print_json({**done._asdict(), "cluster": cluster})
        return
    number = done.compositions_per_job
    serve = ""
    if has_spool:
        serve = f", 'ninefold serve-spool --cluster {shlex.quote(named or cluster)}' beside it hands out the jobs"
    typer.echo(
        f"Campaign {done.campaign!r} is submitted to cluster {cluster!r}: {done.jobs} jobs at first, "
        f"{number} composition{'' if number == 1 else 's'} in a job.\n"
        f"'ninefold up {shlex.quote(named or cluster)}' starts workers{serve}; "
        f"'ninefold status --watch -c {done.campaign}{cluster_option(named)}' follows it."
    )
