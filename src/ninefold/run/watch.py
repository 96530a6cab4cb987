"""Where a submitted campaign stands, read from the launchpad; writes nothing and needs no FireWorks."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import InputError
from ninefold.store.mongo import MongoStore, connection_of
from ninefold.store.mongo_lease import all_held, progress_of

if TYPE_CHECKING:
    from ninefold.store import Store

_STATES = ("RUNNING", "RESERVED", "READY", "WAITING", "PAUSED", "COMPLETED", "FIZZLED", "DEFUSED")
_LEFT = ("RUNNING", "RESERVED", "READY", "WAITING", "PAUSED")
_RECENT_SECONDS = 3600.0
"""Jobs that ended in this time make the rate."""
RUNS_JOBS = "runs jobs of cluster"
"""What a worker's lease says, before the cluster's name and a bracket."""
NODES = "nodes"
"""What the server of a spool folder notes in its lease: workers of that folder, which hold no lease themselves."""


class RunningJob(NamedTuple):
    """A job that a worker has."""

    job: int
    name: str
    worker: str
    seconds: float
    stage: str | None
    done: int | None
    total: int | None


class Standing(NamedTuple):
    """Where a submission stands."""

    state: str
    """submitted, paused, cancelled; ended: no job is left."""
    cluster: str
    what: str
    created: str
    states: dict[str, int]
    """State of FireWorks -> jobs; those that are planned so far."""
    waiting: dict[str, int]
    """Kind of resources -> jobs that are ready for a worker."""
    failed: dict[str, int]
    """Cause -> jobs that failed."""
    logs: dict[str, str]
    """Reason -> end of the log of a job that failed for it."""
    running: list[RunningJob]
    in_folder: int
    """Jobs of the state RUNNING that lie in a spool folder or run on a node that takes them from there."""
    workers: int
    """Of the cluster, whichever campaign they work for."""
    core_hours: float
    """Of the jobs of this submission that have ended."""
    jobs_per_hour: float | None
    """Of those that ended in the last hour."""
    core_hours_left: float | None
    """Of the jobs that are planned so far, by what jobs of their name have taken, without what those that run have
    done; later stages plan more."""
    hours_left: float | None
    """That, shared by the workers that have a job now; None without any."""
    lost: int
    """Times that a job was lost with its worker or given back because of its machine."""


def standing_of(store: Store, campaign: str) -> Standing | None:
    """Where the last submission of a campaign stands; None if there is none in this store's database.

    Args:
        store: Open.
        campaign: Its name.
    """
    from ninefold.run.failures import cause_of

    if not isinstance(store, MongoStore):
        return None
    connection = connection_of(store)
    database = connection.database
    found = connection.retried(lambda: database["submissions"].find_one({"_id": campaign}))
    if found is None or found["state"] == "inserting":
        return None
    fields = {"_id": 0, "fw_id": 1, "state": 1, "name": 1, "launches": 1, "spec._category": 1, "spec.ninefold.lost": 1}
    fireworks = connection.retried(
        lambda: list(database["fireworks"].find({"spec.ninefold.run": found["run"]}, fields))
    )
    launches = _launches(connection, [row["fw_id"] for row in fireworks])
    current = {launch for row in fireworks for launch in row["launches"]}
    states = Counter(row["state"] for row in fireworks)
    waiting = Counter(row["spec"].get("_category", "") for row in fireworks if row["state"] == "READY")
    failed: Counter[str] = Counter()
    logs: dict[str, str] = {}
    names = {row["fw_id"]: row["name"] for row in fireworks}
    taken: dict[str, list[float]] = defaultdict(list)
    ended: list[tuple[float | None, float]] = []
    for launch in launches:
        data = (launch.get("action") or {}).get("stored_data") or {}
        if "wall_seconds" in data:
            taken[names[launch["fw_id"]]].append(data.get("core_seconds", 0.0))
            ended.append((_time(launch.get("time_end")), data["wall_seconds"]))
        if "failed" in data and launch["launch_id"] in current:
            failed[cause_of(data["failed"])] += 1
            logs.setdefault(data["failed"], data.get("log", ""))
    at_work = {row["fw_id"] for row in fireworks if row["state"] == "RUNNING"}
    leases = all_held(connection, "worker ")
    running = _running(leases, campaign, at_work)
    in_folder = _in_folder(connection, fireworks) if found.get("has_spool") else 0
    nodes, workers = _workers(leases, found["cluster"])
    left = [row["name"] for row in fireworks if row["state"] in _LEFT]
    every = [seconds for some in taken.values() for seconds in some]
    busy = len(at_work) - in_folder + min(in_folder, nodes)
    if not busy and workers and states["READY"]:  # between two jobs
        busy = 1
    hours = _hours_left(taken, left, running)
    is_over = not any(states[state] for state in _LEFT if state != "WAITING") and _is_over(connection, found["run"])
    return Standing(
        state="ended" if is_over and found["state"] != "cancelled" else found["state"],
        cluster=found["cluster"], what=found["what"], created=found["created"],
        states={state: states[state] for state in _STATES if states[state]}, waiting=dict(waiting),
        failed=dict(failed.most_common()), logs=logs, running=running, in_folder=in_folder,
        workers=workers, core_hours=sum(every) / 3600, jobs_per_hour=_rate(ended),
        core_hours_left=hours,
        hours_left=None if hours is None or not busy else hours / busy,
        lost=sum(row["spec"].get("ninefold", {}).get("lost", 0) for row in fireworks),
    )  # fmt: skip


def check_not_submitted(store: Store, campaign: str) -> None:
    """Refuse to run here what a cluster runs: the jobs there would count as those of an earlier run.

    Raises:
        InputError: if jobs of a submission are left.
    """
    standing = standing_of(store, campaign)
    if standing is not None and standing.state in ("submitted", "paused"):
        raise InputError(
            "campaign", campaign, problem=f"is {standing.state} to cluster {standing.cluster!r}, and has jobs left",
            hint=f"'ninefold status --watch -c {campaign}' follows it, 'ninefold cancel {campaign}' ends it",
        )  # fmt: skip


def _launches(connection: Any, fw_ids: list[int]) -> list[dict[str, Any]]:
    fields = {
        "_id": 0, "launch_id": 1, "fw_id": 1, "time_end": 1, "action.stored_data.core_seconds": 1,
        "action.stored_data.wall_seconds": 1, "action.stored_data.failed": 1, "action.stored_data.log": 1,
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    for start in range(0, len(fw_ids), 1000):
        query = {"fw_id": {"$in": fw_ids[start : start + 1000]}, "state": "COMPLETED"}
        found += connection.retried(lambda query=query: list(connection.database["launches"].find(query, fields)))
    return found


def _running(leases: dict[str, Any], campaign: str, at_work: set[int]) -> list[RunningJob]:
    """What workers have noted; the note of a job that has ended stays until the next one."""
    jobs = []
    for worker, lease in leases.items():
        note = progress_of(lease)
        if note.get("campaign") == campaign and note.get("job") in at_work:
            jobs.append(
                RunningJob(
                    note["job"], note["name"], worker, time.time() - note["since"], note.get("stage"),
                    note.get("done"), note.get("total"),
                )
            )  # fmt: skip
    return sorted(jobs)


def _in_folder(connection: Any, fireworks: list[dict[str, Any]]) -> int:
    """Jobs that the server of a spool folder has handed out."""
    from ninefold.run.spool_jobs import IN_FOLDER

    ids = [launch for row in fireworks if row["state"] == "RUNNING" for launch in row["launches"]]
    query = {"launch_id": {"$in": ids}, "host": IN_FOLDER}
    return connection.retried(lambda: connection.database["launches"].count_documents(query)) if ids else 0


def _workers(leases: dict[str, Any], cluster: str) -> tuple[int, int]:
    """Workers of a cluster's spool folder, and all of its workers."""
    nodes = int(progress_of(leases.get(f"spool-{cluster}")).get(NODES, 0))
    own = sum(f"({RUNS_JOBS} {cluster} (" in str(lease.get("holder")) for lease in leases.values())
    return nodes, own + nodes


def _is_over(connection: Any, run: str) -> bool:
    workflow = connection.retried(
        lambda: connection.database["workflows"].find_one({"metadata.run": run}, {"state": 1})
    )
    return workflow is None or workflow["state"] in ("COMPLETED", "DEFUSED", "FIZZLED", "ARCHIVED")


def _hours_left(taken: dict[str, list[float]], left: list[str], running: list[RunningJob]) -> float | None:
    """Core-hours that some jobs by name will take, those that run among them; None where nothing has ended."""
    every = [seconds for some in taken.values() for seconds in some]
    if not every or not left:
        return None
    expected = {name: fmean(taken.get(name) or every) for name in left}
    # one that takes longer than others of its name will end at any moment
    done = sum(min(job.seconds, expected[job.name]) for job in running if job.name in expected)
    return max(0.0, sum(expected[name] for name in left) - done) / 3600


def _rate(ended: list[tuple[float | None, float]]) -> float | None:
    """Jobs per hour."""
    now = time.time()
    recent = [(end, wall) for end, wall in ended if end is not None and now - end < _RECENT_SECONDS]
    if len(recent) < 2:
        return None
    first = min(end - wall for end, wall in recent)
    return len(recent) / max(now - max(first, now - _RECENT_SECONDS), 1.0) * 3600


def _time(stamp: Any) -> float | None:
    if isinstance(stamp, str):
        stamp = datetime.fromisoformat(stamp)
    if not isinstance(stamp, datetime):
        return None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
