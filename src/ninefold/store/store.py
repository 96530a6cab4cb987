"""The interface that every backend shares: documents, blobs and leases.

A backend is one module with a class that inherits from `Store`. It promises what `tests/store/test_contract.py`
states, and nothing about more than one document at a time: a server without transactions can keep all of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from ninefold.errors import NinefoldError
from ninefold.store.arguments import NO_PROPERTIES, NOTHING, Condition, Order, Properties, RecordLike, Scalar
from ninefold.store.conditions import Page, fields_of, queryable, sorted_by

if TYPE_CHECKING:
    from ninefold.store.blobs import Blobs

Mode = Literal["read", "write", "fill"]
"""`read` never makes a store and writes nothing; `write` makes one where there is none; `fill` takes one that holds
nothing, or what a copy or a restore that was interrupted has left in it: see `Store.begin_filling`."""

EXECUTOR = "executor"
"""The lease of whoever runs a campaign on the store."""
PAGE = 2000
"""Documents held at once where only some fields are read: about 2 MB."""
PAGE_OF_WHOLE = 200
"""Documents held at once where all of each is read: about 30 MB for the largest."""
IDS_AT_ONCE = 500
"""In one question of a backend; old builds of SQLite allow 999."""

Self = TypeVar("Self", bound="Store")


class StoreError(NinefoldError):
    """The store failed: a damaged document, a lost file, another process holding it."""


class LeaseLostError(StoreError):
    """Another process may have taken over a lease: its former holder must stop."""


class Lease(Protocol):
    """The exclusive right to work on a store, while it is held.

    A file's lock is freed by the kernel when its holder ends. A server keeps a document with the holder, a time of
    expiry that a heartbeat moves on, and a token that rises with every new holder; it refuses what an older token
    writes. Either way a holder that was killed does not keep others out for long.
    """

    def note(self, progress: dict[str, Any]) -> None:
        """Say how far the holder is: plain JSON values, which `Store.lease_progress` gives back."""
        ...


class Store(Protocol):
    """Collections of documents by id, blobs by content, and leases.

    What a method has acknowledged by returning is safe against kill -9 and power loss. Of several documents written
    by one call each is there whole or not at all; in what order is not promised.

    While a handle holds a lease that another may have taken over, its writes raise `LeaseLostError`.

    A handle belongs to the process and the thread that opened it. Elsewhere a backend either works or raises
    `StoreError`.
    """

    blobs: Blobs
    """Contents too large for a document."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, for people; without user name and password."""

    @abstractmethod
    def put(self, collection: str, records: Iterable[RecordLike]) -> None:
        """Insert or replace by id. Of two records of one id in one call the later counts."""

    @abstractmethod
    def insert(self, collection: str, records: Iterable[RecordLike]) -> int:
        """Insert those whose id is not there; one that is there is left as it is.

        Returns:
            How many were new. Two processes that insert the same id at once count it once between them.
        """

    @abstractmethod
    def replace(self, collection: str, record: RecordLike, expected: Mapping[str, Scalar]) -> bool:
        """Replace the document of this id if its fields have the expected values: compare and swap, one step.

        Args:
            collection: Where it is.
            record: The new document.
            expected: Field -> value that the present document must have; None where it must be unknown. Empty: any
                document of this id.

        Returns:
            Whether it was replaced; False too where no document has this id.
        """

    @abstractmethod
    def put_unless_newer(self, collection: str, records: Iterable[RecordLike]) -> None:
        """Insert or replace by id, except where the document that is there is newer; one step for each document.

        Args:
            collection: One of `schema.REVISIONS`, which says by which field.
            records: Each with a number in that field; a document that has none is older than any.

        Raises:
            KeyError: if no field of the collection says so.
        """

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """One document, or None."""
        return self.get_many(collection, [id]).get(id)

    def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The documents that are there, by id."""
        fields_of(collection)
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), IDS_AT_ONCE):
            found.update(self.read_documents(collection, ids[start : start + IDS_AT_ONCE]))
        return found

    @abstractmethod
    def read_documents(self, collection: str, ids: Sequence[str]) -> Iterable[tuple[str, dict[str, Any]]]:
        """For `get_many`: of at most `IDS_AT_ONCE` ids those that are there, each with its document."""

    def find(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, Condition] = NOTHING,
        after: str | None = None,
        sort: Sequence[Order] = (),
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        properties: Properties = NO_PROPERTIES,
    ) -> list[dict[str, Any]]:
        """Documents that match; unknown values sort last; ties by id, by Unicode code point.

        Args:
            collection: Where to look.
            filter: OPTIMADE filter, from a person. Code never puts one together from text.
            equal: Field -> value that it must have besides, from code: a name may hold quotes. Of a sequence of
                values, one; None stands for an unknown value.
            after: Only ids that come after this one; with it `sort` must be empty.
            sort: Fields and directions, the first counts most.
            fields: What to give of each document; None for all of it.
            limit: Documents at most.
            offset: How many to leave out first.
            properties: Values below the documents' `properties` that filter, sort and fields may name besides the flat
                fields; one that is absent is unknown. Of two of one name the flat field counts.

        Raises:
            InputError: if the filter or the sorting cannot be understood.
            KeyError: if `equal` names no flat field of the collection, or the collection is unknown.
            TypeError: if `equal` has a value of another kind than the field.
            ValueError: if a property's key is none that a filter could name: small letters, digits and underscores;
                or both `after` and `sort` are given.
        """
        if after is not None and sort:
            raise ValueError("pages by key are in the order of the ids: give after or sort")
        known = queryable(collection, properties)
        order = sorted_by(known, sort)
        return self.read_page(Page(collection, known, filter, equal, after, order, fields, limit, offset, properties))

    @abstractmethod
    def read_page(self, page: Page) -> list[dict[str, Any]]:
        """For `find`: the documents, or their wanted fields; filter and `equal` are still to be checked."""

    def iterate(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, Condition] = NOTHING,
        fields: Sequence[str] | None = None,
        page: int | None = None,
        properties: Properties = NO_PROPERTIES,
    ) -> Iterator[dict[str, Any]]:
        """Every document that matches, by ascending id, read a page at a time: memory does not grow with the store.

        What others write meanwhile may come or not; what was there before and stays comes once.

        Args:
            collection: Where to look.
            filter: As in `find`.
            equal: As in `find`.
            fields: What to read of each document; `id` comes with it. None for all of it.
            page: Documents held at once; by default as many as cost a few MB.
            properties: As in `find`.
        """
        size = page or page_size(fields)
        keys = None if fields is None else list(dict.fromkeys(["id", *fields]))
        after: str | None = None
        while True:
            rows = self.find(
                collection, filter, equal=equal, after=after, fields=keys, limit=size, properties=properties
            )
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1]["id"]

    @abstractmethod
    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """How many documents match; arguments as in `find`."""

    def delete(self, collection: str, filter: str | None = None, *, equal: Mapping[str, Condition] = NOTHING) -> int:
        """Delete what matches; how many there were.

        Raises:
            ValueError: if neither a filter nor a value is given, which would delete everything.
        """
        if not (filter and filter.strip()) and not equal:
            raise ValueError("deletes everything: give a filter or values")
        return self.delete_matching(collection, filter, equal)

    @abstractmethod
    def delete_matching(self, collection: str, filter: str | None, equal: Mapping[str, Condition]) -> int:
        """For `delete`, which refuses to delete everything."""

    @abstractmethod
    def lease(self, name: str, purpose: str) -> AbstractContextManager[Lease]:
        """Hold the exclusive right of this name, such as `EXECUTOR`.

        Args:
            name: Of the lease: small letters.
            purpose: What the holder does, for people.

        Raises:
            InputError: if another holds it, with its purpose.
        """

    @abstractmethod
    def lease_holder(self, name: str = EXECUTOR) -> str | None:
        """Who holds the lease and what for, or None."""

    @abstractmethod
    def lease_progress(self, name: str = EXECUTOR) -> dict[str, Any]:
        """What the holder last said by `Lease.note`; empty where nobody holds the lease or it said nothing."""

    @abstractmethod
    def begin_filling(self, source: str) -> bool:
        """Mark a store as unfinished: until `end_filling` it opens in mode `fill` alone, however this process ends.

        Args:
            source: What it will hold, for people; the same words when an interrupted copy goes on.

        Returns:
            Whether an earlier call has marked it: some of it may be there.

        Raises:
            InputError: if it holds documents of its own, or what is there is of another source.
        """

    @abstractmethod
    def end_filling(self) -> None:
        """Take the mark away: everything is there, and a store of mode `write` remains."""

    def missing_indexes(self) -> list[str]:
        """Declared indexes that are not there, as `collection.index`; opening for writing makes them."""
        return []

    def damage(self) -> StoreError | None:
        """The first stored document that contradicts the backend's own copies of its fields; looks at all of them."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; twice is once."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def page_size(fields: Sequence[str] | None) -> int:
    """Documents that `Store.iterate` holds at once by default.

    Args:
        fields: What is read of each; None for all of it.
    """
    return PAGE_OF_WHOLE if fields is None else PAGE
