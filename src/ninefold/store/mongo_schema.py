"""What a database of ours is known by, its schema version and its indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from ninefold.store import schema
from ninefold.store.mongo_blobs import FILES

if TYPE_CHECKING:
    from ninefold.store.mongo_connection import Connection
    from ninefold.store.store import Mode

IDENTITY = "ninefold"
"""The collection with one document, by which a database is known as a store of ours."""

_verified: set[tuple[str, ...]] = set()
"""Databases whose indexes this process has verified."""


def prepare(connection: Connection, mode: Mode) -> None:
    """Check that a database is a store of this version; for writing, make it one if it is empty.

    Raises:
        InputError: if there is none (read), or it is another's, or of another version.
    """
    database = connection.database
    found = connection.once(lambda: database[IDENTITY].find_one({"_id": IDENTITY}))
    if found is None:
        if connection.once(database.list_collection_names):
            # made in this moment by another process, the identity first
            found = connection.once(lambda: database[IDENTITY].find_one({"_id": IDENTITY}))
            if found is None:
                raise connection.refused(
                    "is a MongoDB database, but not one of ninefold's", "name another in the address"
                )
        elif mode == "read":
            raise connection.refused(
                "does not exist", "'ninefold run CAMPAIGN' makes one; --store or NINEFOLD_STORE names another"
            )
    if found is None:
        connection.once(lambda: _make(connection))
    else:
        _check_version(connection, found.get("schema_version"))
    if mode == "write":
        connection.once(lambda: _verify_indexes(connection))


def index_models(collection: str) -> list[IndexModel]:
    """The indexes of a collection: with the id in each, pages of one campaign are read in the order of the index."""
    return [
        IndexModel([(field, 1), ("_id", 1)], name=f"{field}_id") for field in schema.INDEXED.get(collection, ())
    ] + (
        [IndexModel([("filename", 1), ("uploadDate", 1)], name="filename_1_uploadDate_1")]
        if collection == FILES
        else []
    )


def _make(connection: Connection) -> None:
    try:
        connection.database[IDENTITY].insert_one({"_id": IDENTITY, "schema_version": schema.SCHEMA_VERSION})
    except DuplicateKeyError:  # by another process
        return


def _check_version(connection: Connection, version: object) -> None:
    if version == schema.SCHEMA_VERSION:
        return
    if isinstance(version, int) and version > schema.SCHEMA_VERSION:
        raise connection.refused(
            f"has schema version {version}, written by a newer ninefold (this one knows up to {schema.SCHEMA_VERSION})",
            "pip install --upgrade ninefold",
        )
    raise connection.refused(f"has schema version {version}, which this ninefold cannot read", "name another store")


def _verify_indexes(connection: Connection) -> None:
    """Make the indexes that are missing."""
    database = connection.database
    key = (connection.place, database.name)
    if key in _verified:
        return
    there = set(database.list_collection_names())
    for collection in (*schema.COLLECTIONS, FILES):
        names = set(database[collection].index_information()) if collection in there else set()
        if missing := [model for model in index_models(collection) if model.document["name"] not in names]:
            database[collection].create_indexes(missing)
    _verified.add(key)
