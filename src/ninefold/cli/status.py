"""`ninefold status`: how far a campaign is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json

MOST_FAULTS = 5
"""Faults that are printed; `--json` has all of them."""


def status(campaign: CampaignOption = None, store: StoreOption = None, json: JsonOption = False) -> None:
    """How far a campaign is: the funnel so far, stage by stage."""
    from ninefold.cli.locate import campaign_document, store_for_reading
    from ninefold.flows.funnel import total
    from ninefold.flows.kept import kept_of, lease_purpose
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        document = campaign_document(repository, name, unfinished_first=True)
        funnel = total(repository.find("funnel", equal={"campaign": document["name"]}, limit=None))
        kept = kept_of(document["name"], repository)
        faults = repository.find("faults", equal={"campaign": document["name"]})
        holder, progress = repository.lease_holder(), repository.lease_progress()
        attempts = _attempts(repository, document)
    running = None
    state = document["status"]
    if state == "running":
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
            }
        )
        return
    from ninefold.report.terminal import funnel_table

    out = console()
    out.print(
        f"Campaign {document['name']}{_by(document)}: {state}, {kept.searched} of {kept.compositions} compositions "
        f"searched, {kept.calculations} calculations finished{_time_of(document, running, attempts)}",
        markup=False,
    )
    if running and "stage" in running:
        out.print(_stage_now(running))
    out.print(funnel_table(funnel))
    for line in _faults(faults):
        out.print(line, markup=False)
    if state == "incomplete":
        out.print(f"'ninefold resume {document['name']}' computes what is missing, and only that.")
    if state == "interrupted":
        out.print(f"'ninefold resume {document['name']}' goes on where it stopped; what is finished is kept.")


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
