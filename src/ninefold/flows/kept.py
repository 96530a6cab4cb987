"""What a store holds of a campaign: told when a run is interrupted, and before anything is discarded.

Imports nothing heavy: `ninefold status` asks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ninefold.store import open_repository

if TYPE_CHECKING:
    from pathlib import Path

    from ninefold.store.repository import Repository

_PAGE = 1000
"""Results read at once: a relaxation's structure is some kilobytes."""


class Kept(NamedTuple):
    """What a store holds of a campaign."""

    calculations: int
    """Finished ones: pools, energies, relaxations, searches."""
    core_seconds: float
    """Spent on them."""
    compositions: int
    searched: int
    """Compositions whose structures have been searched."""


def kept_of(campaign: str, repository: Repository) -> Kept:
    """Count what a store holds of a campaign, without the core time."""
    of_campaign = {"campaign": campaign}
    own = "is_competitor=FALSE"  # made compounds that only compete are not asked for
    return Kept(
        repository.count("results", equal=of_campaign),
        0.0,
        repository.count("candidates", own, equal=of_campaign),
        repository.count("candidates", f'{own} AND NOT status="selected"', equal=of_campaign),
    )


def calculations_of(campaign: str, store: Path) -> Kept:
    """What a fresh start would discard, with the core time that it took; zeros where there is nothing."""
    if not store.is_file() or store.stat().st_size == 0:
        return Kept(0, 0.0, 0, 0)
    with open_repository(store) as repository:
        kept, seconds = kept_of(campaign, repository), 0.0
        for start in range(0, kept.calculations, _PAGE):
            page = repository.find(
                "results", equal={"campaign": campaign}, fields=["kind", "value"], limit=_PAGE, offset=start
            )
            # a search's time is that of the energies and relaxations in it, which are stored beside it
            seconds += sum(row["value"].get("core_seconds") or 0.0 for row in page if row["kind"] != "search")
    return kept._replace(core_seconds=seconds)


def lock_purpose(campaign: str) -> str:
    """What the store's lock says that its holder does."""
    return f"campaign {campaign}"
