"""Saved queries: from a campaign's record, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import InputError
from ninefold.store.listing import check_campaign

if TYPE_CHECKING:
    from ninefold.store.store import Store


class Saved(NamedTuple):
    """A saved query and the campaign whose candidates it asks for."""

    campaign: str
    filter: str | None
    sort: str
    """Fields with commas between."""
    fields: str
    """Likewise; empty: the usual ones."""


def find_saved(store: Store, name: str, campaign: str | None, queries: Mapping[str, Any] | None = None) -> Saved:
    """A saved query by its name.

    Args:
        store: Open.
        name: Of the query.
        campaign: Whose; None where one campaign alone has a query of this name.
        queries: Those of the campaign's file, which then count instead of the stored ones.

    Raises:
        InputError: if there is none, with the names that there are; or several campaigns have one.
    """
    check_campaign(store, campaign)
    if queries is not None and campaign is not None:
        found = {campaign: dict(queries)}
    else:
        documents = store.find("campaigns", equal={} if campaign is None else {"name": campaign})
        found = {row["name"]: (row.get("settings") or {}).get("queries") or {} for row in documents}
    having = [key for key, saved in found.items() if name in saved]
    if not having:
        names = sorted({each for saved in found.values() for each in saved})
        raise InputError(
            "--saved", name, problem="is no saved query", allowed=", ".join(names) or None,
            hint=None if names else "a campaign file saves one: queries: {NAME: {filter: ...}}",
        )  # fmt: skip
    if len(having) > 1:
        raise InputError(
            "--saved", name, problem="is a query of several campaigns", allowed=", ".join(having),
            hint="--campaign chooses one",
        )  # fmt: skip
    saved = found[having[0]][name]
    return Saved(
        having[0], saved.get("filter"), ",".join(saved.get("sort") or ["rank"]), ",".join(saved.get("fields") or [])
    )
