"""Reading many documents a page at a time, so that memory does not grow with the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ninefold.store.repository import Repository

PAGE = 2000
"""Documents held at once: about 2 MB where only flat fields are read."""


def pages(
    repository: Repository, collection: str, filter: str, fields: Sequence[str], *, page: int = PAGE
) -> Iterator[dict[str, Any]]:
    """Every document that a filter matches, in the order of the ids, read a page at a time.

    Args:
        repository: The store.
        collection: One of its collections.
        filter: OPTIMADE filter.
        fields: What to read of each document; `id` comes with it.
        page: Documents at once.

    Yields:
        Plain values by field.
    """
    keys = list(dict.fromkeys(["id", *fields]))
    last: str | None = None
    while True:
        # by key and not by offset: an offset would read again what lies before it
        part = filter if last is None else f'({filter}) AND id > "{_escaped(last)}"'
        rows = repository.find(collection, part, fields=keys, limit=page)
        yield from rows
        if len(rows) < page:
            return
        last = rows[-1]["id"]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
