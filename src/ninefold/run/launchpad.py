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

from fireworks import Firework, LaunchPad
from fireworks.core.firework import Launch
from pymongo import ASCENDING, DESCENDING

from ninefold.errors import InputError
from ninefold.store.mongo_lease import Term, held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ninefold.store.mongo_connection import Connection
    from ninefold.store.mongo_lease import MongoLease

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

__all__ = ["RUN", "SUBMISSIONS", "TAG", "UNFINISHED", "CampaignLaunchPad"]


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

        READY becomes RUNNING under this launch in one step. FireWorks takes several (RESERVED, then the whole document
        written anew, whatever it has become meanwhile), between which another could take the job too.

        What waits for a Firework asks only whether it has ended, so its workflow is not written when it starts: that
        would be half of all the writes of that document, which the workers of a campaign take turns at.
        """
        query = {**taker.query, "state": "READY"}
        if self.fireworks.find_one(query, {"_id": 1}) is None:
            return None, None
        launch = Launch("RUNNING", folder, taker, host, "", launch_id=self.get_new_launch_id())
        # first, so that a job that runs has a launch that names its worker
        self.launches.insert_one(launch.to_db_dict())
        own = {"launch_id": launch.launch_id}
        change = {"state": "RUNNING", "launches": [launch.launch_id], "updated_on": datetime.now(UTC).isoformat()}
        found = self.fireworks.find_one_and_update(query, {"$set": change}, sort=[("spec._priority", DESCENDING)])
        if found is None:
            self.launches.delete_one(own)
            return None, None
        self.launches.update_one(own, {"$set": {"fw_id": found["fw_id"]}})
        return Firework.from_dict({**found, "launches": [], "archived_launches": []}), launch.launch_id

    def complete_launch(self, launch_id: int, action: Any = None, state: str = "COMPLETED") -> Any:
        """See FireWorks; of a job that was given back meanwhile nothing is written."""
        if self.fireworks.count_documents({"launches": launch_id}, limit=1) == 0:
            return None
        return super().complete_launch(launch_id, action, state)

    def _refresh_wf(self, fw_id: int) -> None:
        """State of a Firework and of what waits for it, from its launches; under our lock of the workflow."""
        run = self._run_of(fw_id)
        if run is None:  # deleted with its submission
            return
        with self.locked(run) as lock:
            self._refresh(fw_id, lock)

    def _refresh(self, fw_id: int, lock: MongoLease) -> None:
        if self.workflows.count_documents({"nodes": fw_id}, limit=1) == 0:
            return  # left by an update that was cut short: `is_orphan` tells the worker that takes it
        workflow = self.get_wf_by_fw_id_lzyfw(fw_id)
        updated = workflow.refresh(fw_id)
        lock.check()  # a process that was stopped for a while must not undo what others have done since
        self._update_wf(workflow, updated)
        # FireWorks' own flag, which `_update_wf` sets
        self.workflows.update_one({"nodes": fw_id}, {"$unset": {"locked": True}})

    def _upsert_fws(self, fws: list[Any], reassign_all: bool = False) -> dict[int, int]:
        """See FireWorks; a Firework that was taken since it was read stays as the taker has made it.

        Only READY ones are taken, and only that is not done under the lock of the workflow. It changes the launches.
        """
        if reassign_all:
            return super()._upsert_fws(fws, reassign_all)
        new = [each for each in fws if each.fw_id < 0]
        made: dict[int, int] = super()._upsert_fws(new)
        for each in sorted((each for each in fws if each not in new), key=lambda each: each.fw_id):
            document = each.to_db_dict()
            there = {"fw_id": each.fw_id, "launches": document["launches"]}
            self.fireworks.find_one_and_replace(there, document)
        return made

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
        run = self._run_of(fw_id)
        if run is None:
            return False
        those = {"launch_id": {"$in": launches}}
        with self.locked(run) as lock:  # no update that reads the job as it was is under way
            if self.launches.count_documents({**those, "state": {"$in": ["COMPLETED", "FIZZLED"]}}, limit=1):
                self._finish(fw_id, lock)  # it has ended, and only its own document does not know
                return False
            found = self.fireworks.find_one_and_update(
                {"fw_id": fw_id, "state": {"$in": ["RUNNING", "RESERVED"]}, "launches": launches}, change
            )
            if found is None:
                return False
            self.launches.update_many(
                {**those, "state": {"$in": ["RUNNING", "RESERVED"]}}, {"$set": {"state": "ARCHIVED"}}
            )
            self._refresh(fw_id, lock)
        return True

    def finish(self, fw_id: int) -> None:
        """Bring to its end the update that was to follow the end of a launch."""
        run = self._run_of(fw_id)
        if run is not None:
            with self.locked(run) as lock:
                self._finish(fw_id, lock)

    def _finish(self, fw_id: int, lock: MongoLease) -> None:
        self.remove_orphans(fw_id)
        self._refresh(fw_id, lock)

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


def outputs_in(launchpad: CampaignLaunchPad) -> Any:
    """Where jobs find each other's outputs: a jobflow `JobStore` over the launchpad's connection."""
    from gridfs import GridFS
    from jobflow import JobStore
    from maggma.stores import GridFSStore, MongoStore

    class Outputs(JobStore):
        """Writes are tried again as those of the store are: the output of hours must outlive a server's absence."""

        def update(self, *arguments: Any, **options: Any) -> Any:
            return launchpad.our.retried(lambda: super(Outputs, self).update(*arguments, **options))

    database = launchpad.db
    large = GridFSStore(database.name, LARGE_OUTPUTS)
    large._coll = GridFS(database, LARGE_OUTPUTS)
    large._files_collection = database[f"{LARGE_OUTPUTS}.files"]
    large._fs = MongoStore.from_collection(large._files_collection)
    large._fs.last_updated_field = f"metadata.{large.last_updated_field}"
    large._fs.key = large.key
    large._chunks_collection = database[f"{LARGE_OUTPUTS}.chunks"]
    return Outputs(MongoStore.from_collection(database[OUTPUTS]), additional_stores={"data": large})
