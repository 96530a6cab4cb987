"""The work of a cluster, counted in its launchpad, for whoever starts queue jobs; looks for lost jobs besides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ninefold.clusters.settings import KINDS
from ninefold.run.demand import Demand
from ninefold.run.spool_jobs import JOBS, job_names_in
from ninefold.run.submitted_runs import is_active, launchpad_of
from ninefold.store.mongo_lease import holder

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.stages.stage import ResourceKind

_MEASURED = 50
"""Jobs of one name, the last ones, from which the time of the next is expected."""


class LaunchpadDemand:
    """See `ninefold.run.demand.DemandSource`.

    Args:
        address: Of the database.
        cluster: Its name.
        spool: The spool folder of nodes that see no database; None of others.
    """

    def __init__(self, address: str, cluster: str, spool: Path | None = None) -> None:
        self._address, self._cluster, self._spool = address, cluster, spool
        self._paused: list[str] = []
        self._is_served = True

    def demand(self) -> Mapping[ResourceKind, Demand]:
        """Work by kind of resource: jobs of campaigns that are not paused; first, lost ones are given back."""
        from ninefold.run.recovery import WORKER, recover_if_due

        with launchpad_of(self._address) as (store, launchpad):
            recover_if_due(store, launchpad)
            held = launchpad.submissions.find({"cluster": self._cluster, "state": "paused"})
            self._paused = sorted(submission["_id"] for submission in held if is_active(launchpad, submission))
            submissions = list(launchpad.submissions.find({"cluster": self._cluster, "state": "submitted"}))
            found = _counted(launchpad, [submission["run"] for submission in submissions])
            if self._spool is not None:
                self._is_served = holder(launchpad.our, f"{WORKER}spool-{self._cluster}") is not None
                found = {kind: self._in_folder(kind, demand) for kind, demand in found.items() if kind in KINDS}
            if not found and any(is_active(launchpad, submission) for submission in submissions):
                return {"cpu": Demand(0, 1)}  # between the end of a job and the release of what waits for it
            return found

    def paused(self) -> list[str]:
        """Campaigns that were paused when the work was counted last."""
        return self._paused

    def hindrances(self) -> list[str]:
        """See `DemandSource`."""
        return [] if self._is_served else [f"nobody serves {self._spool}: start 'ninefold serve-spool' beside this"]

    def _in_folder(self, kind: ResourceKind, demand: Demand) -> Demand:
        """Jobs in the spool folder are with nobody yet, although the launchpad has given them out."""
        lying = min(demand.running, len(job_names_in((self._spool or Path()) / JOBS / kind)))
        return demand._replace(waiting=demand.waiting + lying, running=demand.running - lying)


def _counted(launchpad: CampaignLaunchPad, runs: list[str]) -> dict[ResourceKind, Demand]:
    from ninefold.run.launchpad import RUN

    query = {RUN: {"$in": runs}, "state": {"$in": ["READY", "RESERVED", "RUNNING"]}}
    names: dict[Any, Counter[tuple[str, bool]]] = defaultdict(Counter)
    for job in launchpad.fireworks.find(query, {"state": 1, "name": 1, "spec._category": 1}):
        names[job["spec"]["_category"]][job["name"], job["state"] == "READY"] += 1
    minutes = {name: _minutes(launchpad, runs, name) for counts in names.values() for name, _ in counts}
    found: dict[ResourceKind, Demand] = {}
    for kind, counts in names.items():
        waiting = sum(number for (_, is_ready), number in counts.items() if is_ready)
        expected = [minutes[name] for name, _ in counts]
        total = None
        if None not in expected:
            total = sum(number * (minutes[name] or 0.0) for (name, _), number in counts.items())
        found[kind] = Demand(waiting, counts.total() - waiting, total)
    return found


def _minutes(launchpad: CampaignLaunchPad, runs: list[str], name: str) -> float | None:
    """What a job of this name has taken in the mean, of these runs; None where none has ended."""
    from ninefold.run.launchpad import RUN

    query = {RUN: {"$in": runs}, "name": name, "state": "COMPLETED"}
    done = launchpad.fireworks.find(query, {"launches": 1}).sort("fw_id", -1).limit(_MEASURED)
    launches = [launch for job in done for launch in job["launches"]]
    field = "action.stored_data.wall_seconds"
    rows = launchpad.launches.find({"launch_id": {"$in": launches}, field: {"$exists": True}}, {field: 1})
    seconds = [row["action"]["stored_data"]["wall_seconds"] for row in rows]
    return fmean(seconds) / 60 if seconds else None
