"""What a database of ours is known by, its schema version and its indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from ninefold.store import schema
from ninefold.store.mongo_blobs import FILES
from ninefold.store.state import StoreState, not_empty, of_another_source, unfinished

if TYPE_CHECKING:
    from ninefold.store.mongo_connection import Connection
    from ninefold.store.store import Mode

IDENTITY = "ninefold"
"""The collection with one document, by which a database is known as a store of ours."""

UNFINISHED = "unfinished"
"""The schema version of a database that is being filled; every ninefold takes it for one that it cannot read."""

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
    elif found.get("schema_version") == UNFINISHED:
        if mode != "fill":
            raise unfinished(connection.place, found.get("source"))
        _check_version(connection, found.get("of_version"))
    else:
        _check_version(connection, found.get("schema_version"))
    if mode != "read":
        connection.once(lambda: _verify_indexes(connection))


def state(connection: Connection) -> StoreState:
    """What a database is, without changing it."""
    database = connection.database
    found = connection.once(lambda: database[IDENTITY].find_one({"_id": IDENTITY}))
    if found is None:
        return StoreState("foreign" if connection.once(database.list_collection_names) else "absent", {})
    version = found.get("schema_version")
    if version == UNFINISHED:
        return StoreState("unfinished", {}, found.get("of_version"), source=found.get("source"))
    counts = connection.once(lambda: {name: database[name].count_documents({}) for name in sorted(schema.COLLECTIONS)})
    missing = tuple(connection.once(lambda: missing_indexes(connection)))
    is_current = version == schema.SCHEMA_VERSION and not missing
    known = version if isinstance(version, int) else None
    return StoreState("whole", counts, known, is_current, missing_indexes=missing)


def begin_filling(connection: Connection, source: str) -> bool:
    """See `Store.begin_filling`."""
    identity = connection.database[IDENTITY]
    own = {"_id": IDENTITY}
    found = connection.retried(lambda: identity.find_one(own)) or {}
    if found.get("schema_version") == UNFINISHED:
        if found.get("source") != source:
            raise of_another_source(connection.place, str(found.get("source")), source)
        return True
    names = (*schema.COLLECTIONS, FILES)
    if connection.retried(lambda: any(connection.database[name].find_one({}, ["_id"]) for name in names)):
        held = connection.retried(lambda: sum(connection.database[name].count_documents({}) for name in names))
        raise not_empty(connection.place, held)
    marked = {**own, "schema_version": UNFINISHED, "of_version": schema.SCHEMA_VERSION, "source": source}
    connection.retried(lambda: identity.replace_one(own, marked, upsert=True))
    return False


def end_filling(connection: Connection) -> None:
    """See `Store.end_filling`."""
    whole = {"_id": IDENTITY, "schema_version": schema.SCHEMA_VERSION}
    connection.retried(lambda: connection.database[IDENTITY].replace_one({"_id": IDENTITY}, whole, upsert=True))


def missing_indexes(connection: Connection) -> list[str]:
    """See `Store.missing_indexes`."""
    missing = _missing(connection)
    if missing:
        _verified.discard((connection.place, connection.database.name))
    return [f"{collection}.{model.document['name']}" for collection, model, _ in missing]


def _missing(connection: Connection) -> list[tuple[str, IndexModel, bool]]:
    """Declared indexes that are not there or are defined otherwise: collection, index, whether another has its name."""
    database = connection.database
    there = set(database.list_collection_names())
    missing = []
    for collection in (*schema.COLLECTIONS, FILES):
        found = database[collection].index_information() if collection in there else {}
        for model in index_models(collection):
            name = model.document["name"]
            if found.get(name, {}).get("key") != list(model.document["key"].items()):
                missing.append((collection, model, name in found))
    return missing


def index_models(collection: str) -> list[IndexModel]:
    """The indexes of a collection; see `schema.indexes_of`."""
    if collection == FILES:
        return [IndexModel([("filename", 1), ("uploadDate", 1)], name="filename_1_uploadDate_1")]
    return [
        IndexModel([("_id" if field == "id" else field, 1) for field in fields], name=f"{name}_id")
        for name, fields in schema.indexes_of(collection).items()
    ]


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
    """Make the declared indexes that are missing or are defined otherwise."""
    database = connection.database
    key = (connection.place, database.name)
    if key in _verified:
        return
    missing: dict[str, list[IndexModel]] = {}
    for collection, model, is_named in _missing(connection):
        missing.setdefault(collection, []).append(model)
        if is_named:
            database[collection].drop_index(model.document["name"])
    for collection, models in missing.items():
        database[collection].create_indexes(models)
    _verified.add(key)
