"""The MongoDB server of the tests: of NINEFOLD_TEST_MONGODB_URI, or the one that `make services` has started."""

import functools
import itertools
import os
import secrets
from pathlib import Path

import pytest

ADDRESS_FILE = Path(__file__).resolve().parent.parent / ".services" / "mongodb.uri"
REQUIRED = "NINEFOLD_TEST_SERVICES"
"""Set to `required`, a missing server is a failure; set so where a submission is tested."""

_numbers = itertools.count()
_run = secrets.token_hex(4)
"""With the process: no other run on the same server, nor another worker of this one, has these databases."""
_made: set[str] = set()
_free: list[str] = []


@functools.cache
def server() -> str:
    """The server's address. One that does not answer fails the test; without any it is skipped, unless required."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    address = os.environ.get("NINEFOLD_TEST_MONGODB_URI") or (ADDRESS_FILE.read_text() if ADDRESS_FILE.exists() else "")
    if address:
        try:
            with MongoClient(address, serverSelectionTimeoutMS=5000) as client:
                client.admin.command("listDatabases")
            return address
        except PyMongoError as error:
            pytest.fail(
                f"the MongoDB server of the tests does not answer ({type(error).__name__}): 'make services' starts it, "
                "'make services-stop' forgets it"
            )
    missing = "no MongoDB server: 'make services' starts one"
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(missing)
    pytest.skip(missing)


def client():
    """A client of the server's, for looking at what a store has written."""
    return _client(os.getpid())


@functools.cache
def _client(_process):
    from pymongo import MongoClient

    return MongoClient(server())


def address_of(database):
    """The address of a database of the server, with the login."""
    base, _, options = server().partition("?")
    scheme, _, rest = base.partition("://")
    hosts = rest.split("/")[0]
    # the path names the database that knows the user, where no option does
    source = "" if "authSource=" in options or "@" not in hosts else "authSource=admin"
    return f"{scheme}://{hosts}/{database}?{'&'.join(filter(None, [options, source]))}".rstrip("?")


def unused_database():
    """A name that no database has; it is dropped at the end of the tests."""
    name = f"ninefold_test_{_run}_{os.getpid()}_{next(_numbers)}"
    _made.add(name)
    return name


def empty_database():
    """A database without documents, used again when it is given back: its indexes take half a second."""
    server()
    if not _free:
        return unused_database()
    name = _free.pop()
    database = client()[name]
    for collection in database.list_collection_names():
        if collection != "ninefold":
            database[collection].delete_many({})
    return name


def give_back(name):
    """For a test that has changed documents alone."""
    _free.append(name)


def drop_databases():
    """What the tests have made."""
    for name in _made:
        client().drop_database(name)
