"""A connection to a MongoDB server: time-outs, retries with an end, and the server's errors as ours."""

from __future__ import annotations

import atexit
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    DocumentTooLarge,
    InvalidName,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from ninefold.errors import LONGEST_SHOWN, InputError, NinefoldError, description
from ninefold.store.locate import masked
from ninefold.store.mongo_address import options_of, parse
from ninefold.store.store import StoreError

if TYPE_CHECKING:
    from ninefold.store.mongo_lease import MongoLease

SELECTION_SECONDS = 10.0
"""How long a server may take to be found."""
SOCKET_SECONDS = 120.0
"""How long an answer may take."""
RETRY_SECONDS = 60.0
"""How long what was begun is tried again while the server does not answer."""

_DEFAULTS = {
    "serverSelectionTimeoutMS": SELECTION_SECONDS * 1000,
    "connectTimeoutMS": SELECTION_SECONDS * 1000,
    "socketTimeoutMS": SOCKET_SECONDS * 1000,
    "appname": "ninefold",
}
_WRONG_LOGIN = frozenset({11, 18, 8000})
"""UserNotFound, AuthenticationFailed, and Atlas' own."""
_NOT_ALLOWED = frozenset({13, 8005})
_NO_ROOM = frozenset({14031, 12501})
_NO_MECHANISM = 334
_RESUME = "then try again, a campaign by 'ninefold resume'; nothing acknowledged is lost"

Result = TypeVar("Result")

_kept: dict[tuple[int, str], Connection] | None = None
"""Process and address -> connection, while connections are shared."""


@contextmanager
def one_connection() -> Iterator[None]:
    """Inside the block, all stores of one address in this process share a connection, and the leases that it holds.

    A worker of a cluster opens the store in every job: hundreds of workers would else make and drop thousands of
    connections. A lease that one of them has lost stops the writes of all.
    """
    global _kept
    if _kept is not None:  # an outer block closes them
        yield
        return
    _kept = {}
    try:
        yield
    finally:
        connections, _kept = _kept, None
        for (process, _), connection in connections.items():
            if process == os.getpid():
                connection.client.close()


def leave_threads() -> None:
    """Let the process end at once: pymongo would wait half a second for its threads, which sleep between two looks.

    They are daemons, and have nothing left to do where every connection is closed. For a process of ours alone: a
    user's program has its own clients.
    """
    from pymongo.synchronous import monitor

    if (wait := getattr(monitor, "_shutdown_resources", None)) is not None:
        atexit.unregister(wait)


def connection_to(address: str) -> Connection:
    """A connection; inside `one_connection` the one that is there."""
    if _kept is None:
        return Connection(address)
    key = (os.getpid(), address)
    if key not in _kept:
        _kept[key] = Connection(address)
        _kept[key].is_shared = True
    return _kept[key]


class NoAnswerError(InputError):
    """The server did not answer until the retries ended."""


class Connection:
    """One database of a server.

    Args:
        address: Checked, with its login.
    """

    def __init__(self, address: str) -> None:
        self.is_shared = False
        self.retry_seconds: float | None = None
        """How long `retried` tries; None: `RETRY_SECONDS`."""
        self.leases: list[MongoLease] = []
        """Held by whoever writes over this connection."""
        parts = parse(address)
        assert parts is not None
        self.place, self._secrets, self._seconds = masked(address), parts.secrets, SELECTION_SECONDS
        given = {text.partition("=")[0].lower() for text in parts.options.replace(";", "&").split("&")}
        self._names_mechanism = "authmechanism" in given
        options: dict[str, Any] = {key: value for key, value in _DEFAULTS.items() if key.lower() not in given}
        if "serverselectiontimeoutms" in given:
            self._seconds = options_of(parts, address, "store")["serverSelectionTimeoutMS"]
        try:
            with warnings.catch_warnings():  # of a compressor that is missing here: nothing is compressed then
                warnings.simplefilter("ignore")
                self.client: MongoClient[dict[str, Any]] = MongoClient(address, connect=False, **options)
            self.database: Database[dict[str, Any]] = self.client.get_database(
                parts.database,
                # what has returned is on disk, at a replica set on most of its members; what was written is read
                write_concern=WriteConcern(w="majority", j=True),
                read_preference=ReadPreference.PRIMARY,
            )
        except (PyMongoError, ValueError, OSError) as error:
            raise self.explained(error) from None

    def close(self) -> None:
        """End it, unless others share it."""
        if not self.is_shared:
            self.client.close()

    def once(self, action: Callable[[], Result]) -> Result:
        """What an action gives; the server's errors as ours."""
        try:
            return action()
        except PyMongoError as error:
            raise self.explained(error) from error

    def retried(self, action: Callable[[], Result]) -> Result:
        """What an action gives, tried again while the server does not answer; it must be one that may be done twice."""
        last, pause = time.monotonic() + (self.retry_seconds or RETRY_SECONDS), 0.1
        while True:
            try:
                return action()
            except PyMongoError as error:
                if not _is_transient(error):
                    raise self.explained(error) from error
                if time.monotonic() > last:
                    raise self._without_answer(error) from error
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def explained(self, error: Exception) -> NinefoldError:
        """An error of pymongo as one of ours: whose mistake it is decides the exit code."""
        code = getattr(error, "code", None)
        if isinstance(error, OperationFailure) and (code == _NO_MECHANISM or _says(error, "unsupported mechanism")):
            return self.refused(
                "takes no login by the authMechanism of the address", "leave the option out: user and password are "
                "then checked in the way that the server prefers",
            )  # fmt: skip
        if isinstance(error, OperationFailure) and (code in _WRONG_LOGIN or _says(error, "authentication failed")):
            return self.refused(
                "refuses the login: user or password is wrong", "special characters are percent-encoded; "
                "?authSource= names the database that knows the user",
            )  # fmt: skip
        if isinstance(error, OperationFailure) and _says(error, "requires authentication", "authentication required"):
            return self.refused(
                "asks for a login", "give mongodb://USER:PASSWORD@HOST/DATABASE by NINEFOLD_STORE, or as a line of "
                "~/.config/ninefold/stores",
            )  # fmt: skip
        if isinstance(error, OperationFailure) and (
            code in _NOT_ALLOWED or _says(error, "not authorized", "permission denied", "read-only transaction")
        ):
            return self.refused(
                "cannot be written, or not read: this user has no right to it",
                "the role readWrite on the database is needed",
            )
        if isinstance(error, OperationFailure) and (code in _NO_ROOM or _says(error, "no space left", "disk full")):
            return self.refused("cannot grow: the server's disk is full", f"free some space, {_RESUME}")
        if isinstance(error, ConnectionFailure | ServerSelectionTimeoutError):
            is_tls = _says(error, "ssl", "tls", "certificate")
            seconds = self._seconds if isinstance(error, ServerSelectionTimeoutError) else SOCKET_SECONDS
            problem = "cannot be reached: TLS fails" if is_tls else f"cannot be reached: no answer within {seconds:g} s"
            return self.refused(problem, f"check host, port, network and ?tls=, {_RESUME}")
        if isinstance(error, ConfigurationError) and self._names_mechanism:
            return self.refused(
                "cannot be used: the authMechanism of the address needs an option or a package that is missing",
                "leave the option out for a user with a password",
            )
        if isinstance(error, ConfigurationError | InvalidName | ValueError | OSError):
            return self.refused(
                "cannot be used", "check hosts and options of the address, and that its host name resolves"
            )
        if isinstance(error, DocumentTooLarge):
            return StoreError(f"store: {self.place!r} takes no document larger than 16 MB")
        errors = error.details.get("writeErrors") if isinstance(error, BulkWriteError) else None
        words = str(errors[0].get("errmsg"))[:LONGEST_SHOWN] if errors else description(error)
        return StoreError(f"store: {self.place!r} failed ({self._without_secrets(words)})")

    def _without_answer(self, error: Exception) -> NoAnswerError:
        told = self.explained(error)
        problem, hint = (
            (told.problem, told.hint) if isinstance(told, InputError)
            else ("cannot be reached: its database does not answer", f"check the server, {_RESUME}")
        )  # fmt: skip
        return NoAnswerError("store", self.place, problem=problem, hint=hint)

    def refused(self, problem: str, hint: str | None = None) -> InputError:
        """What the user can mend."""
        return InputError("store", self.place, problem=problem, hint=hint)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _is_transient(error: PyMongoError) -> bool:
    if isinstance(error, AutoReconnect | ConnectionFailure | CursorNotFound):
        return True
    # FerretDB answers while the PostgreSQL behind it does not
    return isinstance(error, OperationFailure) and _says(
        error, "failed to connect", "connection refused", "the database system is", "conn closed",
        "terminating connection", "broken pipe", "unexpected eof",
    )  # fmt: skip


def _says(error: Exception, *words: str) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)
