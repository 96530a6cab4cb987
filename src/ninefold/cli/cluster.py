"""Commands on clusters: cluster new, list, check; up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ninefold.cli.options import JsonOption, StoreOption, console, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.run.up import Step

ClusterArgument = Annotated[str, typer.Argument(help="A cluster: name or YAML file.")]
Template = Literal["slurm", "pbs", "sge", "local-slurm"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Clusters: write a settings file, list them, test one.")
    group.command(name="list")(list_)
    for command in (new, check):
        group.command()(command)
    app.add_typer(group, name="cluster")
    app.command()(up)


def new(
    name: Annotated[str, typer.Argument(help="Of the cluster; its file is named after it.")],
    scheduler: Annotated[Template, typer.Option("--scheduler", help="Which commented file to start from.")],
    project: Annotated[
        bool, typer.Option("--project", help="Write into ./configs/clusters, for this project alone.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Write a commented settings file for a cluster, to be edited."""
    import re
    import shlex

    from ninefold.cli.outputs import check_output
    from ninefold.clusters.files import SUFFIX, TEMPLATES, folders, own_folder
    from ninefold.errors import InputError
    from ninefold.output.target import write_whole
    from ninefold.shipped import config_path

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError(
            "name", name, problem="is no name of a cluster",
            allowed="up to 64 letters a-z, digits, dot, dash, underscore, the first a letter or digit",
        )  # fmt: skip
    if name in TEMPLATES:
        raise InputError("name", name, problem="is the name of a file that ninefold ships", hint="choose another")
    folder = folders()[0] if project else own_folder()
    out = check_output(folder / f"{name}{SUFFIX}", "file", force=force, makes_folders=True)
    text = config_path("clusters", f"{scheduler}{SUFFIX}").read_text(encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, text.encode("utf-8"), "file")
    typer.echo(f"{shlex.quote(str(out))}: edit it, then 'ninefold cluster check {name}'")


def list_(json: JsonOption = False) -> None:
    """Every cluster that can be named, and what is wrong with files that cannot be used."""
    from ninefold.clusters import list_clusters, read_cluster
    from ninefold.clusters.files import folders
    from ninefold.errors import InputError

    rows: list[dict[str, Any]] = []
    for name, path in sorted(list_clusters().items()):
        row: dict[str, Any] = {"name": name, "file": str(path)}
        try:
            cluster = read_cluster(str(path.absolute()))
            row |= {
                "scheduler": cluster.scheduler,
                "resources": list(cluster.resources.kinds),
                "max_queue_jobs": cluster.max_queue_jobs,
                "records": cluster.database or cluster.spool,
                "error": None,
            }
        except InputError as error:
            row["error"] = str(error)
        rows.append(row)
    if json:
        print_json(rows)
        return
    if not rows:
        places = ", ".join(str(folder) for folder in folders())
        typer.echo(f"No cluster in {places}; 'ninefold cluster new NAME --scheduler slurm' writes one.")
        return
    out = console()
    for row in rows:
        if row["error"]:
            out.print(f"{row['name']}: {row['error']}", soft_wrap=True)
            continue
        kinds = ", ".join(row["resources"])
        out.print(
            f"{row['name']}: {row['scheduler']}; {kinds}; up to {row['max_queue_jobs']} queue jobs; {row['records']}; "
            f"{row['file']}",
            soft_wrap=True,
        )


def check(
    cluster: ClusterArgument,
    time_out: Annotated[
        float, typer.Option("--time-out", help="Minutes that the tiny queue jobs are waited for.", min=0.05)
    ] = 10.0,
    json: JsonOption = False,
) -> None:
    """Test the whole chain with tiny queue jobs: queue, database from a node, executables, folders."""
    from ninefold.clusters import find_cluster, read_cluster
    from ninefold.report.terminal_parts import plain
    from ninefold.run.cluster_check import check_cluster

    settings, file = read_cluster(cluster), find_cluster(cluster)
    found = []
    out = console()
    for finding in check_cluster(settings, file, 60 * time_out):
        found.append(finding)
        if not json:
            advice = f"; {finding.advice}" if finding.advice and finding.status != "ok" else ""
            word = "FAILED" if finding.status == "failed" else finding.status
            out.print(plain(f"{word:6}  {finding.what}: {finding.text}{advice}"), soft_wrap=True)
    failed = sum(finding.status == "failed" for finding in found)
    if json:
        print_json({"cluster": settings.name, "ok": failed == 0, "findings": [finding._asdict() for finding in found]})
    elif failed:
        out.print(f"{failed} of {len(found)} checks failed.")
    else:
        out.print(f"Cluster {settings.name!r} is ready: 'ninefold submit CAMPAIGN --cluster {settings.name}'.")
    if failed:
        raise typer.Exit(1)


def up(
    cluster: ClusterArgument,
    once: Annotated[bool, typer.Option("--once", help="Look once, submit what is missing, and end.")] = False,
    time_out: Annotated[
        float | None, typer.Option("--time-out", help="Minutes after which it ends, with work left.", min=0)
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", help="Seconds between two looks at the queue.", min=1)
    ] = 30.0,
    store: StoreOption = None,
) -> None:
    """Keep queue jobs alive while a cluster's campaigns have work; it may be ended and started again at any time."""
    from ninefold.cli.cluster_common import cluster_option, database_of
    from ninefold.clusters import find_cluster, read_cluster, spool_folder
    from ninefold.run.launchpad_demand import LaunchpadDemand
    from ninefold.run.queue import queue_of
    from ninefold.run.submitted_runs import incomplete_campaigns
    from ninefold.run.up import Pilots, keep_up, pilot_command

    settings, file = read_cluster(cluster), find_cluster(cluster)
    spool = spool_folder(settings) if settings.spool is not None else None
    address = database_of(settings, store)
    source = LaunchpadDemand(address, settings.name, spool)
    pilots = Pilots(settings, queue_of(settings), lambda kind: pilot_command(settings, file, kind))
    last = ""

    def tell(step: Step) -> None:
        nonlocal last
        line = line_of(step)
        if line != last:  # hours may pass without news
            typer.echo(line, err=True)
        last = line

    seconds = None if time_out is None else 60 * time_out
    step = keep_up(pilots, source, once=once, seconds=seconds, interval=interval, report=tell)
    if step.work_left:
        number = "1 job waits or runs" if step.work_left == 1 else f"{step.work_left} jobs wait or run"
        typer.echo(f"{number}, and more may follow; 'ninefold up {cluster}' goes on.")
    elif step.paused:
        paused = ", ".join(step.paused)
        again = f"ninefold pause NAME --end{cluster_option(cluster)}"
        typer.echo(f"Paused: {paused}; after '{again}', 'ninefold up {cluster}' goes on.")
    elif step.delayed is None:
        typer.echo("No work is left.")
        for name, failed, left_out in incomplete_campaigns(address, settings.name):
            option = cluster_option(cluster)
            if left_out:
                told = f"'ninefold retry {name} --budget core-hours=NUMBER{option}' computes more"
                typer.echo(
                    f"Campaign {name!r} has spent its budget, {left_out} compositions were not computed: {told}."
                )
            if failed or not left_out:
                told = f"ninefold failures -c {name}{option}"
                typer.echo(f"Campaign {name!r} is incomplete: '{told}' says what failed, and how to try it again.")


def line_of(step: Step) -> str:
    """What a look found and did, in one line."""
    waiting = sum(one.waiting for one in step.demand.values())
    running = sum(one.running for one in step.demand.values())
    alive = sum(step.alive.values())
    parts = [f"jobs: {waiting} wait, {running} run", f"queue jobs: {alive - step.running} wait, {step.running} run"]
    parts += [f"submitted for {kind}: {count}" for kind, count in step.submitted.items()]
    if step.cancelled:
        parts.append(f"cancelled, as no work is left: {step.cancelled}")
    parts += [f"queue job {job} will not start: {reason or 'it is held'}" for job, reason in step.held.items()]
    parts += step.hindrances
    if step.paused:
        parts.append(f"paused, waited for: {', '.join(step.paused)}")
    if step.delayed:
        parts = [f"{step.delayed}; it is tried again"]
    return "; ".join(parts)
