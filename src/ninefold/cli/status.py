"""`ninefold status`: how far a campaign is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json

if TYPE_CHECKING:
    from ninefold.run.watch import Standing

MOST_FAULTS = 5
"""Faults that are printed; `--json` has all of them."""


def status(
    campaign: CampaignOption = None,
    store: StoreOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until the campaign has ended.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of --watch.")] = 10.0,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Look in the database of this cluster.")] = None,
    json: JsonOption = False,
) -> None:
    """How far a campaign is: the funnel so far, stage by stage; of a submitted one, its jobs too."""
    import sys
    import time

    from ninefold.cli.locate import store_for_reading
    from ninefold.errors import NinefoldError

    if cluster is not None:
        from ninefold.cli.cluster_common import database_of
        from ninefold.clusters import read_cluster

        store = database_of(read_cluster(cluster), store)
    address, name = store_for_reading(store, campaign)
    has_answered = False
    while True:
        if watch and sys.stdout.isatty():
            typer.echo("\x1b[H\x1b[2J", nl=False)
        try:
            goes_on = _tell(address, name, json, cluster)
            has_answered = True
        except NinefoldError as error:
            if not (watch and has_answered and "cannot be reached" in str(error)):
                raise
            typer.echo(f"The database is away, and is asked again: {error}", err=True)
            goes_on = True
        if not watch or not goes_on:
            return
        sys.stdout.flush()
        time.sleep(every)


def _tell(address: str, name: str | None, json: bool, cluster: str | None) -> bool:
    """Print where a campaign stands; whether it goes on."""
    from ninefold.cli.cluster_common import cluster_option
    from ninefold.cli.locate import campaign_document
    from ninefold.flows.funnel import total
    from ninefold.flows.kept import kept_of, lease_purpose
    from ninefold.store import open_store, store_file

    standing: Standing | None = None
    with open_store(address) as repository:
        document = campaign_document(repository, name, unfinished_first=True)
        funnel = total(repository.find("funnel", equal={"campaign": document["name"]}, limit=None))
        kept = kept_of(document["name"], repository)
        faults = repository.find("faults", equal={"campaign": document["name"]})
        holder, progress = repository.lease_holder(), repository.lease_progress()
        attempts = _attempts(repository, document)
        budget = _budget(repository, document, kept.searched)
        if store_file(address) is None:
            from ninefold.run.watch import standing_of

            standing = standing_of(repository, document["name"])
    running = None
    state = document["status"]
    # no job of a cancelled one starts any more
    goes_on = standing is not None and standing.state in ("submitted", "paused")
    if standing is not None and standing.state != "ended":
        state = f"{standing.state} to cluster {standing.cluster}" if standing.state == "submitted" else standing.state
    elif state == "running":
        if (holder or "").endswith(f"({lease_purpose(document['name'])})"):
            running = progress
        else:  # nobody, or another campaign's run
            state = "interrupted"
    if json:
        print_json(
            {
                "campaign": document["name"],
                "status": state,
                "workflow": document["workflow"],
                "created": document["created"],
                "finished": document["finished"],
                "runs": len(attempts) or None,
                "running_seconds": _running_seconds(attempts, running),
                "compositions": kept.compositions,
                "searched": kept.searched,
                "calculations": kept.calculations,
                "running": running,
                "faults": [{key: fault[key] for key in ("stage", "what", "reason", "created")} for fault in faults],
                "funnel": funnel,
                "budget": budget,
                "cluster": None if standing is None else _of_cluster(standing),
            }
        )
        return goes_on or running is not None
    from ninefold.report.terminal import funnel_table

    out = console()
    out.print(
        f"Campaign {document['name']}{_by(document)}: {state}, {kept.searched} of {kept.compositions} compositions "
        f"searched, {kept.calculations} calculations finished{_time_of(document, running, attempts)}",
        markup=False,
    )
    if running and "stage" in running:
        out.print(_stage_now(running))
    if standing is not None:
        for line in _jobs(standing):
            out.print(line, markup=False)
    out.print(funnel_table(funnel))
    for line in _faults(faults):
        out.print(line, markup=False)
    again = f"resume {document['name']}" if standing is None else f"retry {document['name']}{cluster_option(cluster)}"
    if budget is not None:
        line = _of_budget(
            budget, f"ninefold retry {document['name']}", cluster_option(cluster), is_submitted=standing is not None
        )
        out.print(line, markup=False, soft_wrap=True)
    if state == "incomplete" and (faults or budget is None or not budget["left_out"]):
        out.print(f"'ninefold {again}' computes what is missing, and only that.", markup=False, soft_wrap=True)
    if state == "cancelled":
        out.print(f"'ninefold {again}' computes what is missing.", markup=False, soft_wrap=True)
    if state == "interrupted":
        out.print(
            f"'ninefold {again}' goes on where it stopped; what is finished is kept.", markup=False, soft_wrap=True
        )
    return goes_on or running is not None


def _budget(repository: Any, document: Mapping[str, Any], searched: int) -> dict[str, Any] | None:
    """The budget of a campaign, what is spent of it, and what it has left out; plain values with stable keys."""
    from ninefold.flows.spending import budget_of, core_hours_of, left_out, released_hours_of

    budget = budget_of(document["settings"])
    if budget is None:
        return None
    left = left_out(repository, document)
    return {
        **budget.model_dump(), "core_hours_spent": core_hours_of(repository, document["name"]),
        "core_hours_of_searches": released_hours_of(repository, document["name"]),
        "candidates_searched": searched, "left_out": 0 if left is None else left.number, "limits": str(budget),
    }  # fmt: skip


def _of_budget(budget: Mapping[str, Any], retry: str, option: str, *, is_submitted: bool) -> str:
    """One line: limits, what is spent; at the end what was left out, and how to go on."""
    from ninefold.report.text import core_hours

    of_searches = budget["core_hours_of_searches"]
    spent = f"{core_hours(of_searches)} core-hours of searches and {budget['candidates_searched']} candidates"
    if not budget["left_out"]:
        left = ""
        if budget["core_hours"] is not None:
            left = f", {core_hours(max(0.0, budget['core_hours'] - of_searches))} core-hours left"
        return f"Budget: {budget['limits']}; {spent} so far{left}."
    more = f"'{retry} --budget core-hours=NUMBER{option}' computes more"
    if not is_submitted:
        more = "a larger execution.budget in the campaign file, or none, and 'ninefold run' computes more"
    number = budget["left_out"]
    return f"{number} compositions were not computed: the budget is spent ({budget['limits']}; {spent}); {more}."


MOST_RUNNING = 10
"""Jobs that run, as they are printed; `--json` has all of them."""


def _of_cluster(standing: Standing) -> dict[str, Any]:
    """Plain values, with stable keys."""
    values = standing._asdict()
    del values["logs"]
    return {**values, "running": [job._asdict() for job in standing.running]}


def _jobs(standing: Standing) -> list[str]:
    """The jobs of a submission: counts by state, what runs, what failed, cost and time."""
    from ninefold.report.text import core_hours, duration

    words = {
        "RUNNING": "running", "IN_FOLDER": "handed to the spool folder", "RESERVED": "starting", "READY": "ready",
        "WAITING": "waiting for others", "PAUSED": "held", "COMPLETED": "ended", "FIZZLED": "broken off",
        "DEFUSED": "left out",
    }  # fmt: skip
    numbers = dict(standing.states)
    if standing.in_folder:
        numbers["RUNNING"] -= standing.in_folder
        numbers = {"IN_FOLDER": standing.in_folder, **{state: count for state, count in numbers.items() if count}}
    counts = ", ".join(f"{count} {words[state]}" for state, count in numbers.items())
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(standing.waiting.items()))
    lines = [f"Jobs: {counts}" + (f"; ready for a worker: {kinds}" if kinds else "")]
    goes_on = standing.state in ("submitted", "paused")
    parts = [f"{core_hours(standing.core_hours)} core-hours spent by these jobs"]
    if goes_on:
        many = "" if standing.workers == 1 else "s"
        parts.insert(0, f"{standing.workers} worker{many} on the cluster")
    if standing.jobs_per_hour is not None and goes_on:
        parts.append(f"{standing.jobs_per_hour:.0f} jobs/h")
    if standing.core_hours_left is not None and goes_on:
        left = f"about {core_hours(standing.core_hours_left)} core-hours"
        if standing.hours_left is not None:
            left += f" and {duration(3600 * standing.hours_left)}"
        parts.append(f"{left} left for the jobs planned so far" + ("" if standing.hours_left else "; none runs now"))
    if standing.lost:
        parts.append(f"{standing.lost} lost and started again")
    lines.append("; ".join(parts))
    for job in standing.running[:MOST_RUNNING]:
        step = "" if job.stage is None else f", {job.stage} {job.done}" + (f" of {job.total}" if job.total else "")
        lines.append(f"  {job.job} {job.name}: {duration(job.seconds)} on {job.worker}{step}")
    if len(standing.running) > MOST_RUNNING:
        lines.append(f"  and {len(standing.running) - MOST_RUNNING} more")
    lines += [f"  failed: {count} x {cause}" for cause, count in standing.failed.items()]
    if standing.failed:
        lines.append("'ninefold failures' has their logs.")
    return lines


def _by(document: Mapping[str, Any]) -> str:
    """The workflow, where it is not the usual one."""
    return "" if document["workflow"] == "screen" else f" by workflow {document['workflow']}"


def _faults(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """What could not be computed: how much, and the first few with whom their reasons blame."""
    if not faults:
        return []
    from ninefold.flows.faults import blamed

    number = f"{len(faults)} calculation{' was' if len(faults) == 1 else 's were'}"
    lines = [f"{number} not finished, and nothing was stored of it; this says nothing of a structure:"]
    lines += [f"  {fault['stage']}: {fault['what']}: {blamed(fault['reason'])}" for fault in faults[:MOST_FAULTS]]
    return [*lines, f"  and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else lines


def _attempts(repository: Any, document: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Start and end of every run; the end of one that was interrupted is when it last stored something."""
    from ninefold.flows.kept import last_stored
    from ninefold.models.campaign import Attempt

    found = [Attempt.model_validate(item) for item in document.get("attempts") or []]
    return [(one.started, one.ended or last_stored(repository, document["name"], one)) for one in found]


def _running_seconds(attempts: Sequence[tuple[str, str | None]], running: Mapping[str, Any] | None) -> float | None:
    """Time spent in all runs together; None where one of them was not recorded."""
    from ninefold.clock import seconds_between

    if not attempts:
        return None
    *ended, (started, end) = attempts
    last = seconds_between(started, None if running is not None else end)
    return sum(seconds_between(*one) for one in ended) + last


def _time_of(
    document: dict[str, Any], running: dict[str, Any] | None, attempts: Sequence[tuple[str, str | None]]
) -> str:
    """How long a campaign has run, without the pauses between runs where these are known."""
    from ninefold.clock import seconds_between
    from ninefold.report.text import duration

    if (spent := _running_seconds(attempts, running)) is not None:
        return f"; running time {duration(spent)}" + (f" in {len(attempts)} runs" if len(attempts) > 1 else "")
    if running and "started" in running:
        return f"; elapsed {duration(seconds_between(running['started']))}"
    if document["finished"]:
        whole = seconds_between(document["created"], document["finished"])
        return f"; elapsed {duration(whole)} from first start to end"
    return ""


def _stage_now(running: dict[str, Any]) -> str:
    """The stage that runs: counts, time spent, time left."""
    from ninefold.cli.progress import times
    from ninefold.clock import seconds_between

    count = f"{running['done']}" + (f" of {running['total']}" if running["total"] is not None else "")
    since = seconds_between(running["noted"])
    left = None if running["left_seconds"] is None else running["left_seconds"] - since
    spent = times(running["elapsed_seconds"] + since, left if left is None or left > 0 else None)
    return f"Now: {running['stage']}, {count} {running['unit']}; elapsed {spent}"
