"""What a store holds of a campaign: told when a run is interrupted, and before anything is discarded.

Imports nothing heavy: `ninefold status` asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ninefold.store import open_store, store_file

if TYPE_CHECKING:
    from ninefold.models.campaign import Attempt
    from ninefold.store import Store

_COMPUTED = ("pools", "searches", "minima", "calculations", "properties", "vibrations", "trajectories", "dynamics")
"""Collections of what a fresh start discards."""
_TIMED = ("pools", "calculations", "properties", "trajectories")
"""Those whose core time is their own: a search's is that of the energies and relaxations in it."""


_DATED = ("pools", "searches", "calculations", "properties")


class Kept(NamedTuple):
    """What a store holds of a campaign."""

    calculations: int
    """Energies and relaxations that are finished."""
    core_seconds: float
    """Spent on them."""
    compositions: int
    searched: int
    """Compositions whose structures have been searched."""
    is_empty: bool
    """Whether nothing at all has been computed."""


def kept_of(campaign: str, store: Store) -> Kept:
    """Count what a store holds of a campaign, without the core time."""
    of_campaign = {"campaign": campaign}
    candidates: dict[str, str | bool] = {**of_campaign, "is_competitor": False, "is_best": True}
    rows = store.count("candidates", equal=candidates)
    waiting = store.count("candidates", equal={**candidates, "status": "selected"})
    is_empty = not any(store.count(collection, equal=of_campaign) for collection in _COMPUTED)
    return Kept(store.count("calculations", equal=of_campaign), 0.0, rows, rows - waiting, is_empty)


def calculations_of(campaign: str, address: str) -> Kept:
    """What a fresh start would discard, with the core time that it took; zeros where there is nothing."""
    file = store_file(address)
    if file is not None and (not file.is_file() or file.stat().st_size == 0):
        return Kept(0, 0.0, 0, 0, is_empty=True)
    # of a server only the store itself can tell whether it is there; what is to run next makes it anyway
    with open_store(address, "write" if file is None else "read") as store:
        seconds = sum(
            row["core_seconds"] or 0.0
            for collection in _TIMED
            for row in store.iterate(collection, equal={"campaign": campaign}, fields=["core_seconds"])
        )
        return kept_of(campaign, store)._replace(core_seconds=seconds)


def last_stored(store: Store, campaign: str, attempt: Attempt) -> str:
    """When an interrupted run of a campaign last stored a calculation: it ran until then, at least.

    Args:
        store: Where.
        campaign: Its name.
        attempt: The run.
    """
    newest = [attempt.started]
    for collection in _DATED:
        rows = store.find(
            collection, equal={"campaign": campaign}, sort=[("created", "desc")], fields=["created"], limit=1
        )
        newest += [row["created"] for row in rows if row["created"]]
    return max(newest)


def lease_purpose(campaign: str) -> str:
    """What the store's lease says that its holder does."""
    return f"campaign {campaign}"
