"""Candidates' rows: made from facts, handed on in blobs, written so that an earlier step never replaces a later one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ninefold.flows.followed import with_followed
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.stages import uncertainty
from ninefold.stages.row import candidate_row
from ninefold.store.records import read_many
from ninefold.store.structure_facts import StructureFacts

if TYPE_CHECKING:
    from ninefold.models.method import Method
    from ninefold.store import Store

PAGE = 200
"""Records held at once."""
ROWS_PER_BLOB = 400
"""Rows that a hull hands on in one blob: some 2 MB."""
_OF_ATTEMPT = 1_000_000
_RANKED = _OF_ATTEMPT - 1


class Step(IntEnum):
    """What a row tells, within a round."""

    SEARCHED = 1
    ASSESSED = 2
    RANKED = 3


class Found(NamedTuple):
    """What the search of a composition left: ids."""

    searches: list[str]
    minima: str


def write_rows(
    store: Store, rows: Sequence[Candidate], step: Step, attempt: int, number: int = 0, method: int = 0
) -> None:
    """Write rows, unless what is there is of a later step or attempt; rows of an earlier attempt are replaced.

    Args:
        store: Where.
        rows: Of one campaign.
        step: What they tell.
        attempt: That the job belongs to, as registered; one that comes late writes over nothing newer.
        number: Of the round.
        method: Its place among the campaign's methods.
    """
    within = _RANKED if step is Step.RANKED else 10_000 * method + 10 * number + step
    revision = _OF_ATTEMPT * attempt + within
    store.put_unless_newer("candidates", [row.model_copy(update={"revision": revision}) for row in rows])


def ranked_revision(attempt: int) -> int:
    """The revision of a row that an attempt has ranked."""
    return _OF_ATTEMPT * attempt + _RANKED


def forget_earlier_rows(store: Store, campaign: str, method: str, attempt: int) -> None:
    """Drop a method's rows that only an earlier attempt has written: this one found nothing that they could tell.

    Args:
        store: Where.
        campaign: Its name.
        method: Whose rows, all of which the attempt has written.
        attempt: As in `write_rows`.
    """
    rows = store.iterate("candidates", equal={"campaign": campaign, "method": method}, fields=["revision"])
    for row in [row for row in rows if (row["revision"] or 0) < _OF_ATTEMPT * attempt]:
        store.delete("candidates", equal={"id": row["id"], "revision": row["revision"]})


def rows_of(
    store: Store, order: Sequence[str], method: Method, found: Mapping[str, Found]
) -> Iterator[tuple[CompositionRecord, Candidate]]:
    """Compositions, and their rows with one method made from facts.

    Args:
        store: Where the facts are.
        order: Ids of compositions; those that the store has lost are left out.
        method: Whose minima.
        found: By composition.
    """
    facts = StructureFacts(store)
    for start in range(0, len(order), PAGE):
        page = order[start : start + PAGE]
        compositions = read_many(store, CompositionRecord, page)
        wanted = {key: found[key].minima for key in page if key in found}
        minima = with_followed(store, read_many(store, MinimaRecord, list(wanted.values())))
        there = [compositions[key] for key in page if key in compositions]
        rows = (candidate_row(each, method, minima.get(wanted.get(each.id, ""))) for each in there)
        yield from zip(there, facts.with_facts(rows), strict=True)


def pages(rows: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    """Rows, some at a time."""
    remaining = iter(rows)
    return iter(lambda: list(islice(remaining, PAGE)), [])


def as_assessed(row: Candidate) -> Candidate:
    """A row as its hull left it: without what the ranking has added."""
    status = "searched" if row.structures_found else row.status
    # compared with no other method: its uncertainty is its own
    alone = uncertainty.with_disagreement_flag(uncertainty.with_uncertainty(row), 0.0)
    return alone.model_copy(
        update={
            "rank": None, "rank_best": None, "rank_worst": None, "score": None, "is_pareto": None, "terms": {},
            "is_best": False, "status": status,
        }
    )  # fmt: skip
