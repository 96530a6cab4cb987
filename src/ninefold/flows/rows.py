"""Candidates' rows: made from facts, and written so that an earlier step of a run never replaces a later one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.stages.row import candidate_row
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.models.method import Method
    from ninefold.store import Store

PAGE = 200
"""Records held at once."""


class Step(IntEnum):
    """What a row tells, within a round."""

    SEARCHED = 1
    ASSESSED = 2
    RANKED = 3


def write_rows(store: Store, rows: Sequence[Candidate], step: Step, number: int = 0, method: int = 0) -> None:
    """Write rows, unless what is there is of a later step of this run; rows of an earlier run are replaced.

    Args:
        store: Where.
        rows: Of one campaign.
        step: What they tell.
        number: Of the round.
        method: Its place among the campaign's methods.
    """
    if not rows:
        return
    campaign = store.get("campaigns", rows[0].campaign)
    attempt = campaign["attempt"] if campaign else 1
    within = 999_999 if step is Step.RANKED else 10_000 * method + 10 * number + step
    revision = 1_000_000 * attempt + within
    store.put_unless_newer("candidates", [row.model_copy(update={"revision": revision}) for row in rows], "revision")


def rows_of(store: Store, campaign: str, method: Method, lines: Mapping[str, dict[str, Any]]) -> Iterator[Candidate]:
    """Rows of every composition with one method, sorted by chemical system, made from facts.

    Args:
        store: Where the facts are.
        campaign: Its name.
        method: Whose minima.
        lines: Composition -> its line of a shard, with the id of its minima.
    """
    fields = ["id", "chemical_system"]
    order = sorted(
        (row["chemical_system"], row["id"])
        for row in store.iterate("compositions", equal={"campaign": campaign}, fields=fields)
    )
    for start in range(0, len(order), PAGE):
        page = [identifier for _, identifier in order[start : start + PAGE]]
        compositions = store.get_many("compositions", page)
        wanted = {key: lines[key]["minima"] for key in page if key in lines and lines[key]["minima"]}
        minima = store.get_many("minima", list(wanted.values()))
        for key in page:
            found = minima.get(wanted.get(key, ""))
            yield candidate_row(
                CompositionRecord.model_validate(compositions[key]),
                method,
                None if found is None else MinimaRecord.model_validate(found),
            )


def candidates_of(store: Store, campaign: str) -> Iterator[Candidate]:
    """Every row of a campaign, in the order of the ids, a page at a time."""
    return read_all(store, Candidate, equal={"campaign": campaign}, page=PAGE)
