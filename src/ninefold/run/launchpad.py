"""The launchpad of FireWorks in the database of a store, and what is done more safely than FireWorks does it.

FireWorks locks a workflow by a flag without an owner: who is killed while he holds it locks the workflow for all. Here
the lock is a lease of the store, which a dead process does not keep. FireWorks finds lost jobs after four hours; here
`ninefold.run.recovery` finds them by the leases of their workers. `lpad` and FireWorks' web page read this launchpad as
any other; what they change, such as a rerun, takes FireWorks' own lock, and is best left to ninefold's commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad
from fireworks.core.launchpad import LazyFirework
from pymongo import ASCENDING, DESCENDING

from ninefold.errors import InputError
from ninefold.store.mongo_lease import Term, held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ninefold.store.mongo_connection import Connection

TAG = "ninefold"
"""Key of a Firework's spec: campaign, run and cluster."""
RUN = f"spec.{TAG}.run"
LOST = f"spec.{TAG}.lost"
"""How often a job was lost with its worker, or given back because of its machine."""
SUBMISSIONS = "submissions"
OUTPUTS, LARGE_OUTPUTS = "job_outputs", "job_data"
LOCK_SECONDS = 600.0
"""How long the lock of a workflow is waited for: a fan-out of thousands of jobs takes a minute."""
UNFINISHED = ("READY", "RESERVED", "RUNNING", "WAITING", "PAUSED")

_made: set[tuple[str, str]] = set()
"""Databases whose launchpad this process has seen complete."""

__all__ = ["RUN", "SUBMISSIONS", "TAG", "UNFINISHED", "CampaignLaunchPad", "LazyFirework"]


class CampaignLaunchPad(LaunchPad):
    """The launchpad in a store's database, over the store's own connection.

    Args:
        connection: Of the store.
    """

    def __init__(self, connection: Connection) -> None:
        # a client that never connects: every collection of it is replaced by the connection's
        super().__init__(
            host="mongodb://127.0.0.1", name=connection.database.name, uri_mode=True, strm_lvl="CRITICAL",
            mongoclient_kwargs={"connect": False},
        )  # fmt: skip
        self.host = connection.place
        self.our, self.connection, self.db = connection, connection.client, connection.database
        for name in ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows"):
            setattr(self, name, self.db[name])
        self.gridfs_fallback = _gridfs(self.db)
        self.submissions = self.db[SUBMISSIONS]
        self._is_taking = False
        self._prepare()

    def _prepare(self) -> None:
        """Counters and indexes, if they are missing; two processes may make them at once."""
        key = (self.host, self.db.name)
        if key in _made:
            return
        connection = self.our
        connection.once(
            lambda: self.fw_id_assigner.update_one(
                {"_id": -1}, {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}, upsert=True
            )
        )
        if TAG not in connection.once(self.fireworks.index_information):
            connection.once(self.tuneup)
            connection.once(lambda: self.db[OUTPUTS].create_index([("uuid", ASCENDING), ("index", ASCENDING)]))
            connection.once(
                lambda: self.fireworks.create_index([(RUN, ASCENDING), ("state", ASCENDING)], name=f"{TAG}_run_state")
            )
            connection.once(  # the last: where it is, all are
                lambda: self.fireworks.create_index(
                    [("state", ASCENDING), (f"spec.{TAG}.cluster", ASCENDING), ("spec._priority", DESCENDING)], name=TAG
                )
            )
        _made.add(key)

    def take(self, taker: Any, folder: str, host: str) -> tuple[Any, int | None]:
        """The next Firework for a worker and the id of its launch, or None twice.

        What waits for a Firework asks only whether it has ended, so its workflow is not written when it starts: that
        would be half of all the writes of that document, which the workers of a campaign take turns at.
        """
        self._is_taking = True
        try:
            firework, launch = self.checkout_fw(taker, folder, host=host, ip="")
        finally:
            self._is_taking = False
        return firework, launch

    def _refresh_wf(self, fw_id: int) -> None:
        """State of a Firework and of what waits for it, from its launches; under our lock of the workflow."""
        if self._is_taking:
            return
        run = self._run_of(fw_id)
        if run is None:  # deleted with its submission
            return
        with self.locked(run):
            if self.workflows.count_documents({"nodes": fw_id}, limit=1) == 0:
                return  # left by an update that was cut short: `is_orphan` tells the worker that takes it
            workflow = self.get_wf_by_fw_id_lzyfw(fw_id)
            self._update_wf(workflow, workflow.refresh(fw_id))
            # FireWorks' own flag, which `_update_wf` sets
            self.workflows.update_one({"nodes": fw_id}, {"$unset": {"locked": True}})

    def locked(self, run: str) -> Any:
        """The exclusive right to change the workflow of a run; waits for it.

        Raises:
            InputError: if another process holds it for too long.
        """
        return _Waiting(lambda: held(self.our, f"workflow {run}", "updates a workflow", Term(is_kept=False)))

    def is_orphan(self, fw_id: int) -> bool:
        """Whether a Firework is in no workflow, once nobody changes that workflow any more."""
        if self.workflows.count_documents({"nodes": fw_id}, limit=1):
            return False
        run = self._run_of(fw_id)
        if run is None:
            return True
        with self.locked(run):
            return bool(self.workflows.count_documents({"nodes": fw_id}, limit=1) == 0)

    def remove_orphans(self, fw_id: int) -> None:
        """Delete what an update of a Firework's workflow that was cut short has left; its lock is held."""
        found = self.workflows.find_one({"nodes": fw_id}, {"nodes": 1, "metadata": 1})
        if found is not None:
            query = {RUN: found["metadata"]["run"], "fw_id": {"$nin": found["nodes"]}}
            self.remove([row["fw_id"] for row in self.fireworks.find(query, {"fw_id": 1})])

    def remove(self, fw_ids: list[int]) -> None:
        """Delete Fireworks and their launches."""
        self.fireworks.delete_many({"fw_id": {"$in": fw_ids}})
        self.launches.delete_many({"fw_id": {"$in": fw_ids}})

    def release(self, fw_id: int, launches: list[int], lost: str | None = None) -> bool:
        """Set a Firework that somebody was to run back to READY, unless it has another launch than these by now.

        What its former worker still does has no effect on it: that launch is archived.

        Args:
            fw_id: Of the Firework.
            launches: Ids that its document has.
            lost: Why it was not brought to its end, if that counts against it; not a wall time that was over.

        Returns:
            Whether it was set back.
        """
        now = datetime.now(UTC)
        change: dict[str, Any] = {
            "$set": {"state": "READY", "launches": [], "updated_on": now.isoformat()},
            "$push": {"archived_launches": {"$each": launches}},
        }
        if lost is not None:
            change["$inc"] = {LOST: 1}
            change["$set"][f"spec.{TAG}.why"] = lost
        found = self.fireworks.find_one_and_update(
            {"fw_id": fw_id, "state": {"$in": ["RUNNING", "RESERVED"]}, "launches": launches}, change
        )
        if found is None:
            return False
        self.launches.update_many(
            {"launch_id": {"$in": launches}, "state": {"$in": ["RUNNING", "RESERVED"]}}, {"$set": {"state": "ARCHIVED"}}
        )
        self._refresh_wf(fw_id)
        return True

    def documents_of(self, run: str, fields: list[str]) -> Iterator[dict[str, Any]]:
        """Some fields of the Fireworks of a run, by their ids."""
        projection: dict[str, Any] = {"_id": 0, "fw_id": 1, **dict.fromkeys(fields, 1)}
        return iter(self.our.retried(lambda: list(self.fireworks.find({RUN: run}, projection).sort("fw_id", 1))))

    def _run_of(self, fw_id: int) -> str | None:
        found = self.fireworks.find_one({"fw_id": fw_id}, {RUN: 1})
        return None if found is None else found["spec"][TAG]["run"]


class _Waiting:
    """A lease that is waited for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __enter__(self) -> Any:
        last, pause = time.monotonic() + LOCK_SECONDS, 0.05
        while True:
            manager = self._make()
            try:
                lease = manager.__enter__()
            except InputError:
                if time.monotonic() > last:
                    raise
            else:
                self._manager = manager
                return lease
            time.sleep(pause)
            pause = min(1.3 * pause, 1.0)

    def __exit__(self, *error: Any) -> None:
        self._manager.__exit__(*error)


def _gridfs(database: Any) -> Any:
    from fireworks.fw_config import GRIDFS_FALLBACK_COLLECTION
    from gridfs import GridFS

    return GridFS(database, GRIDFS_FALLBACK_COLLECTION) if GRIDFS_FALLBACK_COLLECTION else None


def outputs_in(database: Any) -> Any:
    """Where jobs find each other's outputs: a jobflow `JobStore` over a connection that is there."""
    from gridfs import GridFS
    from jobflow import JobStore
    from maggma.stores import GridFSStore, MongoStore

    large = GridFSStore(database.name, LARGE_OUTPUTS)
    large._coll = GridFS(database, LARGE_OUTPUTS)
    large._files_collection = database[f"{LARGE_OUTPUTS}.files"]
    large._fs = MongoStore.from_collection(large._files_collection)
    large._fs.last_updated_field = f"metadata.{large.last_updated_field}"
    large._fs.key = large.key
    large._chunks_collection = database[f"{LARGE_OUTPUTS}.chunks"]
    return JobStore(MongoStore.from_collection(database[OUTPUTS]), additional_stores={"data": large})
