"""What runs a cluster's jobs: work, in a queue job or by hand, and serve-spool, beside nodes without a database."""

from __future__ import annotations

from typing import Annotated

import typer

from ninefold.cli.cluster_common import ClusterOption, database_of
from ninefold.cli.options import StoreOption


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(work)
    app.command("serve-spool")(serve_spool)


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
