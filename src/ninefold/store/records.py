"""Typed reading and writing: documents as the models that they were written from.

Outside the backends, so that every backend has it and a query of flat fields needs no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from ninefold.errors import LONGEST_SHOWN, shown
from ninefold.store.arguments import NOTHING, Condition, Scalar
from ninefold.store.store import Store, StoreError

if TYPE_CHECKING:
    from pydantic import ValidationError

Model = TypeVar("Model", bound="Record")


class Record(Protocol):
    """A pydantic model that names the collection which holds its documents."""

    collection: ClassVar[str]

    @property
    def id(self) -> str:
        """Unique in its collection."""
        ...

    def model_dump_json(self) -> str:
        """The document as JSON."""
        ...

    @classmethod
    def model_validate(cls: type[Model], obj: Any) -> Model:
        """The model of a document; raises pydantic's ValidationError."""
        ...


def read(store: Store, model: type[Model], id: str) -> Model | None:
    """One record, or None.

    Raises:
        StoreError: if the stored document is none of this model.
    """
    return read_many(store, model, [id]).get(id)


def read_many(store: Store, model: type[Model], ids: Sequence[str]) -> dict[str, Model]:
    """The records that are there, by id; raises as `read`."""
    found = store.get_many(model.collection, ids)
    return {id: _validated(store, model, document) for id, document in found.items()}


def read_all(
    store: Store,
    model: type[Model],
    filter: str | None = None,
    *,
    equal: Mapping[str, Condition] = NOTHING,
    page: int | None = None,
) -> Iterator[Model]:
    """Every record that matches, by ascending id, a page at a time; see `Store.iterate`. Raises as `read`."""
    for document in store.iterate(model.collection, filter, equal=equal, page=page):
        yield _validated(store, model, document)


def write(store: Store, records: Iterable[Record]) -> None:
    """Insert or replace records by id, one call of the store for each run of one collection."""
    for collection, group in groupby(records, key=lambda record: record.collection):
        store.put(collection, group)


def insert(store: Store, records: Iterable[Record]) -> int:
    """Insert records whose id is not there; how many were new."""
    groups = groupby(records, key=lambda record: record.collection)
    return sum(store.insert(collection, group) for collection, group in groups)


def replace(store: Store, record: Record, expected: Mapping[str, Scalar]) -> bool:
    """Replace a record if its stored fields are as expected; see `Store.replace`."""
    return store.replace(record.collection, record, expected)


def find_damage(store: Store, models: Mapping[str, type[Any]]) -> StoreError | None:
    """The first document that is not what its collection holds, or None; looks at all of them.

    Args:
        store: Open.
        models: Collection -> pydantic model of its documents.
    """
    try:
        for collection, model in models.items():
            for document in store.iterate(collection):
                _validate(store, collection, model, document)
    except StoreError as error:
        return error
    return store.damage()


def checked(store: Store, model: type[Model], document: dict[str, Any]) -> Model:
    """A document as its model; raises as `read`."""
    return _validated(store, model, document)


def _validated(store: Store, model: type[Model], document: dict[str, Any]) -> Model:
    return _validate(store, model.collection, model, document)


def _validate(store: Store, collection: str, model: type[Model], document: dict[str, Any]) -> Model:
    from pydantic import ValidationError

    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _refused(store, collection, document, error) from error


def _refused(store: Store, collection: str, document: dict[str, Any], error: ValidationError) -> StoreError:
    """The first thing that a model refuses, in one line."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "the document"
    message = " ".join(first["msg"].split())[:LONGEST_SHOWN]
    value = "is missing" if first["type"] == "missing" else f"has {shown(first['input'])}"
    return StoreError(
        f"store: {shown(store.location)} is damaged: the document {shown(document.get('id'))} in {collection} "
        f"cannot be read ({field}: {message}; it {value}); restore a copy, or run the campaign again with --fresh"
    )
