"""Minima that vibrations have changed, found in a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ninefold.models.search import MinimaRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages.followed import followed, followed_id, has_left
from ninefold.store.filling import pages
from ninefold.store.records import read_all, read_many

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.store import Store

_PAGE = 500


def with_followed(store: Store, minima: Mapping[str, MinimaRecord]) -> dict[str, MinimaRecord]:
    """Minima by the ids they are asked by, each with what vibrations have made of it where that is stored.

    Args:
        store: Where.
        minima: As the search, or a further method, left them.
    """
    left = _left(store, minima.values())
    ids = {key: followed_id(key, [record.id for record in records]) for key, records in left.items()}
    there = read_many(store, MinimaRecord, list(ids.values()))
    return {key: there.get(ids.get(key, ""), record) for key, record in minima.items()}


def store_followed(store: Store, found: MinimaRecord, assignment: Assignment) -> MinimaRecord | None:
    """Make and store what vibrations have made of the minima of a composition; None where no saddle point was left."""
    from ninefold.flows.tasks import records_of, structures_of

    if found.before_vibrations is not None:
        [found] = records_of(store, MinimaRecord, [found.before_vibrations]).values()
    records = _left(store, [found]).get(found.id)
    if not records:
        return None
    structures = structures_of(store, (record.structure for record in records if record.structure is not None))
    made = followed(found, records, structures, assignment)
    store.insert("minima", [made])
    return made


def _left(store: Store, minima: Iterable[MinimaRecord]) -> dict[str, list[VibrationRecord]]:
    """By id of minima: of each saddle point among them the vibrations that led lowest."""
    if not store.count("vibrations"):
        return {}
    holders: dict[tuple[str, str], list[str]] = {}
    for record in minima:
        for minimum in record.minima:
            if minimum.is_valid:
                holders.setdefault((record.method, minimum.structure), []).append(record.id)
    lowest: dict[tuple[str, str], VibrationRecord] = {}
    for page in pages(sorted({structure for _, structure in holders}), _PAGE):
        for found in read_all(store, VibrationRecord, equal={"start": list(page)}):
            key = (found.method, found.start)
            if key in holders and has_left(found):
                before = lowest.get(key)
                if before is None or _order(found) < _order(before):
                    lowest[key] = found
    left: dict[str, list[VibrationRecord]] = {}
    for key in sorted(lowest):
        for holder in holders[key]:
            left.setdefault(holder, []).append(lowest[key])
    return left


def _order(record: VibrationRecord) -> tuple[float, str]:
    assert record.energy_per_atom is not None
    return record.energy_per_atom, record.id
