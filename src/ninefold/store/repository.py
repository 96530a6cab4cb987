"""The interface that every store shares: documents in, plain values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from ninefold.errors import NinefoldError

Order = tuple[str, str]
"""A field and `asc` or `desc`."""


class StoreError(NinefoldError):
    """The store failed: a full disk, a lost file, another process holding it."""


class DocumentLike(Protocol):
    """What can be stored: a pydantic document."""

    id: str

    def model_dump_json(self) -> str:
        """The document as JSON."""
        ...


class Repository(Protocol):
    """Collections of documents by id. What `put` has returned from is safe against kill -9 and power loss."""

    @property
    def location(self) -> str:
        """Where the store is, for people."""
        ...

    def put(self, collection: str, documents: Iterable[DocumentLike]) -> None:
        """Insert or replace by id, all or none."""
        ...

    def get(self, collection: str, id: str) -> dict[str, Any] | None:
        """One document, or None."""
        ...

    def get_many(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The documents that are there, by id."""
        ...

    def find(
        self,
        collection: str,
        filter: str | None = None,
        *,
        equal: Mapping[str, str | int] = ...,
        sort: Sequence[Order] = (),
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Documents that match; unknown values sort last; ties by id.

        Args:
            collection: Where to look.
            filter: OPTIMADE filter, from a user. It is never put together from text.
            equal: Field -> value that it must have besides, from code: a name may hold quotes.
            sort: Fields and directions, the first counts most.
            fields: What to give of each document; None for all of it.
            limit: Documents at most.
            offset: How many to leave out first.
        """
        ...

    def count(self, collection: str, filter: str | None = None, *, equal: Mapping[str, str | int] = ...) -> int:
        """How many documents match; arguments as in `find`."""
        ...

    def delete(self, collection: str, filter: str | None = None, *, equal: Mapping[str, str | int] = ...) -> int:
        """Delete what matches, one of the two given; how many there were."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...

    def __enter__(self) -> Repository: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
