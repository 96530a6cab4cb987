"""Which of a campaign's methods a phase is taken from, where several have computed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.models.campaign import CampaignRecord
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.store import Store


def own_methods(record: CampaignRecord) -> list[str]:
    """Ids of a campaign's own methods, by rising trust; not those of verifications.

    Args:
        record: The campaign.
    """
    try:
        count = len(parse_campaign(record.settings).methods)
    except InputError:  # settings of an earlier version
        count = len(record.methods)
    return record.methods[:count]


def methods_by_trust(store: Store, campaign: str | None = None) -> dict[str, list[str]]:
    """Ids of the methods of each campaign, the most trusted first: its own, then those of verifications.

    Args:
        store: Open.
        campaign: Name; default: all of them, the latest first.
    """
    records = read_all(store, CampaignRecord, equal={} if campaign is None else {"name": campaign})
    orders = {}
    for record in sorted(records, key=lambda each: each.created, reverse=True):
        own = own_methods(record)
        orders[record.name] = [*reversed(own), *(key for key in reversed(record.methods) if key not in own)]
    return orders


def by_falling_trust(documents: Iterable[dict[str, Any]], orders: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """References by campaign, and within each by the trust in their method; else in the order that they have.

    Args:
        documents: With the keys `campaign` and `method`.
        orders: As `methods_by_trust` gives them; what is not among them comes last.
    """
    campaigns = {name: place for place, name in enumerate(orders)}
    trust = {
        (name, method): place for name, methods in orders.items() for place, method in enumerate(methods)
    }  # fmt: skip

    def place(document: dict[str, Any]) -> tuple[int, int]:
        campaign, method = document["campaign"], document["method"]
        return campaigns.get(campaign, len(campaigns)), trust.get((campaign, method), len(trust))

    return sorted(documents, key=place)
