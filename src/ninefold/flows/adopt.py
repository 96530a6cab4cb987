"""Pools and searches of a store of schema 2, under the ids that a campaign asks for today.

Their old ids held the whole budget, and a search's the content of its pool. Where a campaign's compositions, budget and
engine give such an id, the record is entered under today's as well; nothing is computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.composition import pack_assignment

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.chemistry.anions import Assignment
    from ninefold.models.composition import CompositionRecord
    from ninefold.store import Store

_LATER = ("passed_on", "passed_on_window", "search_fmax")
"""Of a budget, what schema 2 did not have."""
UNLABELLED = ""
"""Label of a record that a migration has entered."""


def has_unlabelled(store: Store) -> bool:
    """Whether a store holds pools that a migration has entered."""
    return bool(store.count("pools", equal={"label": UNLABELLED}))


def adopt(store: Store, campaign: Campaign, compositions: list[CompositionRecord], method: str) -> None:
    """Enter a campaign's pools and searches of an old store under today's ids.

    Args:
        store: That a migration has brought to schema 3.
        campaign: Whose budget and seed.
        compositions: Of the campaign.
        method: Id of the search's method.
    """
    from ninefold.models.search import PoolRecord, SearchRecord
    from ninefold.stages.build import pool_id
    from ninefold.stages.prescreen import search_id

    budget = campaign.structures
    for composition in compositions:
        if composition.is_low_budget:  # schema 2 knew none
            continue
        assignment = composition.to_assignment()
        for number in range(1, budget.rounds + 1):
            old = store.get("pools", _old_pool_id(campaign, assignment, number))
            if old is None:
                continue
            named: dict[str, Any] = {"label": composition.label, "round": number}
            pool = pool_id(assignment, budget, campaign.seed, number)
            store.insert("pools", [PoolRecord.model_validate({**old, **named, "id": pool})])
            search = store.get("searches", _old_search_id(campaign, assignment, old["packings"], method))
            if search is not None:
                named |= {"id": search_id(pool, budget, method), "pool": pool, "method": method}
                store.insert("searches", [SearchRecord.model_validate({**search, **named})])
            for collection, record in (("pools", old), ("searches", search)):
                if record is not None and record["campaign"] == campaign.name:  # no other campaign asks for it
                    store.delete(collection, equal={"id": record["id"]})


def _old_pool_id(campaign: Campaign, assignment: Assignment, number: int) -> str:
    from ninefold.search.version import structures_version
    from ninefold.structures.sources import sources_checksum

    return content_key(
        "pool", pack_assignment(assignment), _budget(campaign), campaign.seed, number, structures_version(),
        sources_checksum(campaign.structures.sources), KEY_VERSION,
    )  # fmt: skip


def _old_search_id(campaign: Campaign, assignment: Assignment, packings: str, method: str) -> str:
    from ninefold.engines.base import RELAXATION_VERSION
    from ninefold.search.version import structures_version

    return content_key(
        "search", pack_assignment(assignment), packings, _budget(campaign), method, structures_version(),
        RELAXATION_VERSION, KEY_VERSION,
    )  # fmt: skip


def _budget(campaign: Campaign) -> dict[str, Any]:
    return campaign.structures.model_dump(mode="json", exclude={"rounds", *_LATER})
