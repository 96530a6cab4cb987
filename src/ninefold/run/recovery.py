"""Finding jobs whose worker is gone, and giving them back; two recoveries at once do no harm.

A worker holds a lease of the store under its own name before it takes a job, and until it has noted the job's end; each
launch names its worker. A job that runs for a worker without a lease is lost: FireWorks alone would find out after four
hours. The jobs are read before the leases, since a worker may take its lease and a job between the two. What is set
back is compared first, so that a job which another has taken meanwhile stays with that one.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.run.job_errors import note_failed
from ninefold.run.launchpad import TAG
from ninefold.run.spool_jobs import IN_FOLDER
from ninefold.store.mongo_lease import all_held, forget

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store

WORKER = "worker "
"""A worker's lease has its name behind this word."""
RECOVERY = "recovery"
RECOVERY_SECONDS = 60.0
"""Between two recoveries, whoever runs them."""
MOST_LOST = 3
"""Times that a job may be lost or given back because of its machine; then it counts as failed."""
GAP_SECONDS = 150.0
"""Without a recovery for so long, the server was away or its clock has jumped, and nobody could renew a lease."""
GRACE_SECONDS = 45.0
"""That workers then have to renew their leases, before an expired one counts."""


class Recovered(NamedTuple):
    """What a recovery has done."""

    released: int = 0
    """Jobs that somebody may take again."""
    failed: int = 0
    """Jobs that were lost too often."""
    completed: int = 0
    """Jobs whose end had not been noted everywhere."""


def recover_if_due(store: Store, launchpad: CampaignLaunchPad, seconds: float = RECOVERY_SECONDS) -> Recovered | None:
    """Recover, unless somebody did in the last seconds, by the server's clock; None then."""
    due = {"_id": RECOVERY, "$expr": {"$lte": ["$done", _ago(seconds)]}}
    turns = launchpad.db[RECOVERY]
    since = {"$cond": [{"$lte": ["$done", _ago(GAP_SECONDS)]}, "$$NOW", "$since"]}

    def take() -> bool:
        turns.update_one(
            {"_id": RECOVERY}, {"$setOnInsert": {"done": datetime(1970, 1, 1, tzinfo=UTC), "since": None}}, upsert=True
        )
        return bool(turns.update_one(due, [{"$set": {"done": "$$NOW", "since": since}}]).modified_count)

    if not launchpad.our.retried(take):
        return None
    early = {"_id": RECOVERY, "$expr": {"$gt": ["$since", _ago(GRACE_SECONDS)]}}
    is_early = launchpad.our.retried(lambda: turns.count_documents(early, limit=1)) > 0
    return recover(store, launchpad, are_late_alive=is_early)


def recover(store: Store, launchpad: CampaignLaunchPad, *, are_late_alive: bool = False) -> Recovered:
    """Give back the jobs of workers that are gone, and bring to its end what was cut short in the launchpad.

    Args:
        store: Takes the faults of jobs that were lost too often.
        launchpad: In the store's database.
        are_late_alive: Count workers with an expired lease as alive, unless their process is known to have ended.
    """
    connection = launchpad.our
    fields = {"_id": 0, "fw_id": 1, "name": 1, "state": 1, "launches": 1, f"spec.{TAG}": 1}
    query = {"state": {"$in": ["RUNNING", "RESERVED"]}, f"spec.{TAG}": {"$exists": True}}
    running = connection.retried(lambda: list(launchpad.fireworks.find(query, fields)))
    ids = [launch for firework in running for launch in firework["launches"]]
    wanted = {"launch_id": 1, "state": 1, "fworker.name": 1, "host": 1}
    rows = connection.retried(lambda: list(launchpad.launches.find({"launch_id": {"$in": ids}}, wanted)))
    launches = {row["launch_id"]: row for row in rows}
    alive = all_held(connection, WORKER, with_expired=are_late_alive).keys()
    done: Counter[str] = Counter()
    dead: set[str] = set()
    for firework in running:
        last = launches.get(firework["launches"][-1]) if firework["launches"] else None
        if last is None or last["host"] == IN_FOLDER:
            continue
        worker = str((last.get("fworker") or {}).get("name"))
        if worker in alive:
            continue
        dead.add(worker)
        done[_given_back(store, launchpad, firework, last, worker)] += 1
    done["completed"] += _finish_updates(launchpad) + _finish_submissions(launchpad)
    for worker in dead:
        forget(connection, f"{WORKER}{worker}")
    return Recovered(done["released"], done["failed"], done["completed"])


def _ago(seconds: float) -> dict[str, Any]:
    """An expression: so long before now, by the server's clock."""
    return {"$subtract": ["$$NOW", int(seconds * 1000)]}


def give_up(
    store: Store, launchpad: CampaignLaunchPad, firework: dict[str, Any], launch: int, reason: str, log: str = ""
) -> None:
    """End a job as failed: a fault says why, and the jobs that take whatever is there go on without it.

    Args:
        store: Takes the fault.
        launchpad: Where the job is.
        firework: Its document.
        launch: Id of its launch.
        reason: For people.
        log: What it has written last.
    """
    from fireworks import FWAction

    note_failed(store, firework["spec"][TAG]["campaign"], f"{firework['name']} {firework['fw_id']}", reason)
    launchpad.complete_launch(launch, FWAction(stored_data={"failed": reason, "log": log}), "COMPLETED")


def give_back(
    store: Store, launchpad: CampaignLaunchPad, firework: dict[str, Any], launches: list[int], why: str, last: str = ""
) -> str:
    """Give a job that was lost, or that its machine has failed, to the others; one that was lost too often fails.

    Args:
        store: Takes the fault.
        launchpad: Where the job is.
        firework: Its document, which need not be its newest.
        launches: It was lost under.
        why: For people.
        last: What is said if it was lost too often; default: `why`.

    Returns:
        released; failed; or left, to another that has taken it meanwhile.
    """
    if firework["spec"][TAG].get("lost", 0) + 1 >= MOST_LOST:
        give_up(store, launchpad, firework, launches[-1], last or why)
        return "failed"
    return "released" if launchpad.release(firework["fw_id"], launches, why) else "left"


def _given_back(
    store: Store, launchpad: CampaignLaunchPad, firework: dict[str, Any], last: dict[str, Any], worker: str
) -> str:
    """What was done with the job of a worker that is gone."""
    fw_id = firework["fw_id"]
    if last["state"] in ("COMPLETED", "FIZZLED"):  # its worker died between the end of the launch and of the job
        launchpad.finish(fw_id)
        return "completed"
    before = firework["spec"][TAG].get("why")
    reason = f"its process ended {MOST_LOST} times without a result (killed, or out of memory)"
    told = f"{reason}; before: {before}" if before else reason
    return give_back(store, launchpad, firework, firework["launches"], f"worker {worker} is gone", told)


def _finish_updates(launchpad: CampaignLaunchPad) -> int:
    """Go on with updates of workflows that were cut short: a job has ended and its workflow does not know.

    FireWorks writes the job first, and would not release what waits for it any more.
    """
    finished = 0
    unfinished = {"state": {"$nin": ["COMPLETED", "ARCHIVED"]}, "metadata.run": {"$exists": True}}
    for workflow in launchpad.our.retried(
        lambda: list(launchpad.workflows.find(unfinished, {"fw_states": 1, "metadata": 1}))
    ):
        run = workflow["metadata"]["run"]
        done = {
            row["fw_id"]
            for row in launchpad.our.retried(
                lambda run=run: list(  # type: ignore[misc]
                    launchpad.fireworks.find({f"spec.{TAG}.run": run, "state": "COMPLETED"}, {"fw_id": 1})
                )
            )
        }
        behind = [key for key, state in workflow["fw_states"].items() if state != "COMPLETED" and int(key) in done]
        for fw_id in map(int, behind):
            with launchpad.locked(run):  # nobody else is at it now
                found = launchpad.workflows.find_one({"nodes": fw_id}, {f"fw_states.{fw_id}": 1})
                if found is None or found["fw_states"].get(str(fw_id)) == "COMPLETED":
                    continue
                launchpad.remove_orphans(fw_id)
                changed = launchpad.fireworks.update_one(
                    {"fw_id": fw_id, "state": "COMPLETED"}, {"$set": {"state": "RUNNING"}}
                )
            if changed.modified_count:
                launchpad._refresh_wf(fw_id)
                finished += 1
    return finished


def _finish_submissions(launchpad: CampaignLaunchPad) -> int:
    """Release the first jobs of submissions that were cut short after everything else."""
    from ninefold.run.submitted_runs import release_first, remove_previous

    fields = {"run": 1, "previous.run": 1}
    found = launchpad.our.retried(lambda: list(launchpad.submissions.find({"state": "submitted"}, fields)))
    for submission in found:
        remove_previous(launchpad, submission)
    return sum(release_first(launchpad, submission) for submission in found)
