"""Rows as they follow from the facts, compared with those in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.models.candidate import Candidate
from ninefold.store import StoreError
from ninefold.store.schema import COLLECTIONS

if TYPE_CHECKING:
    from ninefold.store import Store


class Change(NamedTuple):
    """A row that is not what follows from the facts."""

    id: str
    campaign: str
    what: str
    """missing | damaged | differs in FIELDS | does not follow from anything."""
    row: Candidate | None
    """What follows; None where there should be no row."""


def compared(store: Store, rows: list[Candidate]) -> Iterator[Change]:
    """Which of some rows are not in the store as they should be."""
    there = _documents(store, [row.id for row in rows])
    for row in rows:
        wanted, found = json.loads(row.model_dump_json()), there.get(row.id)
        if found is None:
            yield Change(row.id, row.campaign, "missing", row)
            continue
        if not found:
            yield Change(row.id, row.campaign, "damaged", row)
            continue
        # which step wrote a row last is no part of the result
        differing = sorted(key for key in {*wanted, *found} - {"revision"} if wanted.get(key) != found.get(key))
        if differing:
            yield Change(row.id, row.campaign, f"differs in {', '.join(differing)}", row)


def _documents(store: Store, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Documents by id; empty where one cannot be read, or contradicts the backend's own copies of its fields."""
    fields = list(COLLECTIONS["candidates"])

    def read(some: list[str]) -> dict[str, dict[str, Any]]:
        flat = {row["id"]: row for row in store.find("candidates", equal={"id": some}, fields=fields)}
        return {
            key: _complete(found) if all(found.get(name) == value for name, value in flat.get(key, {}).items()) else {}
            for key, found in store.get_many("candidates", some).items()
        }

    try:
        return read(ids)
    except StoreError:
        documents: dict[str, dict[str, Any]] = {}
        for identifier in ids:
            try:
                documents |= read([identifier])
            except StoreError:
                documents[identifier] = {}
        return documents


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """A document with the fields that have been added since it was written; empty where it is no candidate."""
    try:
        return dict(json.loads(Candidate.model_validate(document).model_dump_json()))
    except ValueError:
        return {}
