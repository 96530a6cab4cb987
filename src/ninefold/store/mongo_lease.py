"""Leases on a server: a document with the holder, a time of expiry that a heartbeat moves on, and a fencing token.

Times are the server's, so that the clocks of two machines need not agree. Of a holder on the same machine it is known
at once whether its process is still there; of one elsewhere when its lease has expired.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from ninefold.errors import InputError, NinefoldError
from ninefold.store.store import LeaseLostError

if TYPE_CHECKING:
    from ninefold.store.mongo_connection import Connection

LEASES = "leases"
EXPIRY_SECONDS = 60.0
"""After the last heartbeat, a lease is free for others."""
HEARTBEAT_SECONDS = 10.0


class Term(NamedTuple):
    """How long a lease outlives its last heartbeat, and how often that comes, in seconds."""

    expiry: float = EXPIRY_SECONDS
    heartbeat: float = HEARTBEAT_SECONDS
    is_kept: bool = True
    """Whether its document stays when it ends, and the count of holders with it; not of a name that is used once."""


_IS_EXPIRED = {"$expr": {"$lte": [{"$ifNull": ["$expires", "$$NOW"]}, "$$NOW"]}}


class MongoLease:
    """See `Lease`; made by `held`.

    Args:
        connection: To the server.
        name: Of the lease.
        owner: Text that no other holder has.
        token: Higher than that of every earlier holder.
        term: When it expires, and how often it is renewed.
    """

    def __init__(self, connection: Connection, name: str, owner: str, token: int, term: Term) -> None:
        self._connection, self.name, self.token, self._term = connection, name, token, term
        self._own = {"_id": name, "owner": owner, "token": token}
        self._is_lost, self._ended = False, threading.Event()
        self._confirmed = _now()
        self._thread = threading.Thread(target=self._beat, name=f"lease {name}", daemon=True)
        self._thread.start()

    def note(self, progress: dict[str, Any]) -> None:
        """See `Lease.note`."""
        self._connection.retried(lambda: self._renew({"progress": {"$literal": json.dumps(progress)}}))
        self.check()

    def try_note(self, progress: dict[str, Any]) -> None:
        """Say how far the holder is, if the server answers now.

        Raises:
            LeaseLostError: if another may have taken the lease over.
        """
        with suppress(PyMongoError):
            self._renew({"progress": {"$literal": json.dumps(progress)}})
        if self._is_lost:
            self.check()

    def check(self) -> None:
        """Make sure that nobody else can have taken the lease over.

        Raises:
            LeaseLostError: if another may have.
        """
        if not self._is_lost and _now() - self._confirmed > self._term.expiry / 2:
            self._connection.retried(self._renew)
        if self._is_lost:
            raise LeaseLostError(
                f"store: another process has taken over {self._connection.place!r} ({self.name} lease), because this "
                "one was not heard of for too long; it stops, and nothing that it had stored is lost"
            )

    def end(self) -> None:
        """Let go of it."""
        self._ended.set()
        self._thread.join()
        with suppress(PyMongoError):  # it expires by itself
            leases = self._connection.database[LEASES]
            if self._term.is_kept:
                leases.update_one(
                    self._own, {"$set": {"owner": None, "expires": None, "holder": None, "progress": None}}
                )
            else:
                leases.delete_one(self._own)

    def _renew(self, further: dict[str, Any] | None = None) -> None:
        begun = _now()
        changes = {"expires": {"$add": ["$$NOW", int(self._term.expiry * 1000)]}, **(further or {})}
        result = self._connection.database[LEASES].update_one(self._own, [{"$set": changes}])
        if result.matched_count:
            self._confirmed = begun
        else:
            self._is_lost = True

    def _beat(self) -> None:
        while not self._ended.wait(self._term.heartbeat) and not self._is_lost:
            with suppress(PyMongoError):  # the next one, or the next write, tells
                self._renew()


@contextmanager
def held(connection: Connection, name: str, purpose: str, term: Term | None = None) -> Iterator[MongoLease]:
    """Hold a lease; while it is held, whatever is written over the connection checks it first.

    Args:
        connection: To the server.
        name: Of the lease.
        purpose: What the holder does, for people.
        term: When it expires; by default in a minute.

    Raises:
        InputError: if another holds it, with its purpose.
    """
    owner, term = uuid.uuid4().hex, term or Term(EXPIRY_SECONDS, HEARTBEAT_SECONDS)
    found = _taken(connection, name, purpose, owner, term)
    if found is None:
        raise InputError(
            "store", connection.place, problem=f"is in use by {_holder(connection, name) or 'another process'}",
            hint=f"wait for it, or name another store with --store; a process that was killed on another machine "
            f"counts for {term.expiry:.0f} s",
        )  # fmt: skip
    lease = MongoLease(connection, name, owner, found["token"], term)
    connection.leases.append(lease)
    try:
        yield lease
    finally:
        connection.leases.remove(lease)
        lease.end()


def holder(connection: Connection, name: str) -> dict[str, Any] | None:
    """The document of a lease, if it is held."""
    found = connection.retried(lambda: _current(connection, name))
    return None if found is None or _has_ended(found) else found


def all_held(connection: Connection, prefix: str, *, with_expired: bool = False) -> dict[str, dict[str, Any]]:
    """The leases whose name begins so and that are held: the rest of the name -> its document.

    Args:
        connection: To the server.
        prefix: Of the names.
        with_expired: Also those that were not renewed in time, unless their process is known to have ended.
    """
    query: dict[str, Any] = {"_id": {"$gte": prefix, "$lt": f"{prefix}\uffff"}, "owner": {"$ne": None}}
    if not with_expired:
        query["$nor"] = [_IS_EXPIRED]
    found = connection.retried(lambda: list(connection.database[LEASES].find(query)))
    return {document["_id"].removeprefix(prefix): document for document in found if not _has_ended(document)}


def forget(connection: Connection, name: str) -> None:
    """Remove the document of a lease that nobody holds any more, of a name that is not used again."""
    held_by = holder(connection, name)
    if held_by is None:
        connection.retried(lambda: connection.database[LEASES].delete_one({"_id": name}))


def drop(connection: Connection, name: str) -> None:
    """Remove the document of a lease that this process has left behind, as when the server did not answer."""
    connection.retried(lambda: connection.database[LEASES].delete_one({"_id": name}))


def progress_of(document: dict[str, Any] | None) -> dict[str, Any]:
    """What the holder last said."""
    progress = json.loads((document or {}).get("progress") or "{}")
    return progress if isinstance(progress, dict) else {}


def _current(connection: Connection, name: str) -> dict[str, Any] | None:
    query = {"_id": name, "owner": {"$ne": None}, "$nor": [_IS_EXPIRED]}
    return connection.database[LEASES].find_one(query)


def _holder(connection: Connection, name: str) -> str | None:
    with suppress(NinefoldError):
        return (holder(connection, name) or {}).get("holder")
    return None


def _taken(connection: Connection, name: str, purpose: str, owner: str, term: Term) -> dict[str, Any] | None:
    """The lease as this process now holds it; None where another holds it."""
    leases = connection.database[LEASES]
    values = {
        "owner": owner,
        "token": {"$add": [{"$ifNull": ["$token", 0]}, 1]},
        "expires": {"$add": ["$$NOW", int(term.expiry * 1000)]},
        "holder": {"$literal": f"process {os.getpid()} on {os.uname().nodename} ({purpose})"},
        "process": {"$literal": _process()},
        "progress": None,
    }

    def take() -> dict[str, Any] | None:
        with suppress(DuplicateKeyError):
            leases.insert_one({"_id": name, "owner": None, "token": 0})
        free: list[dict[str, Any]] = [{"owner": None}, {"owner": owner}, _IS_EXPIRED]
        present = _current(connection, name)
        if present is not None and _has_ended(present):
            free.append({"owner": present["owner"]})
        return leases.find_one_and_update(
            {"_id": name, "$or": free}, [{"$set": values}], return_document=ReturnDocument.AFTER
        )

    return connection.retried(take)


def _now() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _process() -> dict[str, Any] | None:
    """This process, so that another on the same machine can tell whether it still runs; None where nothing tells."""
    try:
        return {
            "machine": _machine(), "user": os.getuid(), "pid": os.getpid(), "started": _start_of(os.getpid()),
        }  # fmt: skip
    except (OSError, IndexError):
        return None


def _has_ended(lease: dict[str, Any]) -> bool:
    """Whether the holder is known to have ended: on this machine, its process is not there."""
    process = lease.get("process")
    try:
        if not process or process["machine"] != _machine():
            return False
        if process.get("user") != os.getuid():  # under /proc's option hidepid those of others are not seen
            return False
        return _start_of(process["pid"]) != process["started"]
    except FileNotFoundError:
        return True
    except (OSError, IndexError):
        return False


def _machine() -> str:
    """The running system and the space in which process ids are counted: containers have their own."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _start_of(pid: int) -> str:
    """When a process began; a number that is used again belongs to another."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]  # a zombie has ended
