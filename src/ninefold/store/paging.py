"""Reading many documents a page at a time, so that memory does not grow with the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ninefold.store.repository import Repository

PAGE = 2000
"""Documents held at once: about 2 MB where only flat fields are read."""


def pages(
    repository: Repository, collection: str, equal: Mapping[str, str | int], fields: Sequence[str], *, page: int = PAGE
) -> Iterator[dict[str, Any]]:
    """Every document whose fields have the values given, in the order of the ids, read a page at a time.

    Args:
        repository: The store.
        collection: One of its collections.
        equal: Field -> value.
        fields: What to read of each document; `id` comes with it.
        page: Documents at once.

    Yields:
        Plain values by field.
    """
    keys = list(dict.fromkeys(["id", *fields]))
    last: str | None = None
    while True:
        # by key and not by offset: an offset would read again what lies before it
        after = None if last is None else f'id > "{_escaped(last)}"'
        rows = repository.find(collection, after, equal=equal, fields=keys, limit=page)
        yield from rows
        if len(rows) < page:
            return
        last = rows[-1]["id"]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
