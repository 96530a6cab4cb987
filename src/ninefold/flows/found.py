"""Which minima a campaign's search found of each composition: by the ids that its settings give, else by what is there.

Ids change with the code of the search, so that the minima of a campaign that an older ninefold ran cannot be named.
Those that the composition's row names are taken then, and without a row those that stand alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ninefold.flows.rows import Found
from ninefold.models.composition import CompositionRecord
from ninefold.stages import build, energies, prescreen
from ninefold.stages.row import row_id
from ninefold.store import StoreError
from ninefold.store.filling import pages
from ninefold.store.records import read_many

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.models.method import Method
    from ninefold.store import Store

PAGE = 200


class FoundMinima:
    """What is in a store of a campaign's searches.

    Args:
        store: Where.
        campaign: Whose budget, seed and number of rounds.
    """

    def __init__(self, store: Store, campaign: Campaign) -> None:
        self._store, self._campaign = store, campaign

    def after_round(
        self, chosen: Iterable[str], before: Mapping[str, Found], method: Method, number: int
    ) -> dict[str, Found]:
        """What a round has added, by composition.

        Args:
            chosen: Ids of the compositions that it searched.
            before: What was found in earlier rounds.
            method: Of the search.
            number: Of the round.
        """
        campaign, found = self._campaign, dict[str, Found]()
        for page in pages(chosen, PAGE):
            compositions = read_many(self._store, CompositionRecord, page)
            wanted: dict[str, Found] = {}
            for key, composition in compositions.items():
                if composition.assignment is not None:
                    is_low = composition.is_low_budget
                    budget = campaign.budget_of(is_low=is_low)
                    pool = build.pool_id(composition.to_assignment(), budget, campaign.seed, number)
                    search = prescreen.search_id(pool, campaign.search_budget_of(is_low=is_low), method.id)
                    earlier = before[key].searches if key in before else []
                    searches = [*earlier, search]
                    wanted[key] = Found(searches, prescreen.minima_id(searches))
            there = self._there(item.minima for item in wanted.values())
            found |= {key: item for key, item in wanted.items() if item.minima in there}
        return found

    def relaxed(
        self, chosen: Iterable[str], before: Mapping[str, Found], search: Method, method: Method
    ) -> dict[str, Found]:
        """What a further method has made of the minima of the search's, by composition; else as in `after_round`."""
        found: dict[str, Found] = {}
        budgets = {low: energies.with_window(self._campaign.budget_of(is_low=low), search) for low in (False, True)}
        for page in pages(chosen, PAGE):
            compositions = read_many(self._store, CompositionRecord, page)
            wanted = {
                key: Found(
                    before[key].searches,
                    energies.relaxed_id(before[key].minima, budgets[composition.is_low_budget], method.id),
                )
                for key, composition in compositions.items()
                if key in before
            }
            there = self._there(item.minima for item in wanted.values())
            found |= {key: item for key, item in wanted.items() if item.minima in there}
        return found or self.of_another_version(chosen, method)

    def _there(self, ids: Iterable[str]) -> set[str]:
        return {row["id"] for row in self._store.find("minima", equal={"id": list(ids)}, fields=["id"])}

    def of_another_version(self, chosen: Iterable[str], method: Method) -> dict[str, Found]:
        """Minima of all rounds under ids that this version of the search does not give: of a campaign, all or none are.

        Raises:
            StoreError: if a composition has several, and no row says which.
        """
        by_label: dict[str, list[str]] = {}
        for row in self._store.iterate("minima", equal={"method": method.id}, fields=["label", "before_vibrations"]):
            if row["before_vibrations"] is not None:
                continue
            by_label.setdefault(row["label"], []).append(row["id"])
        found: dict[str, Found] = {}
        for page in pages(chosen if by_label else (), PAGE):
            compositions = read_many(self._store, CompositionRecord, page)
            named = self._named(page, method)
            for key, composition in compositions.items():
                ids = by_label.get(composition.label, [])
                own = [identifier for identifier in ids if identifier == named.get(key)] or ids
                if len(own) > 1:
                    raise StoreError(
                        f"campaign {self._campaign.name!r}: {composition.label} has {len(own)} searches by another "
                        "version of ninefold, and no row says which counts; 'ninefold run --update' searches again"
                    )
                if own:
                    document = self._store.get("minima", own[0]) or {}
                    found[key] = Found(list(document.get("searches") or ()), own[0])
        return found

    def _named(self, compositions: list[str], method: Method) -> dict[str, str]:
        """What the rows of some compositions name; a row that is damaged names nothing."""
        named: dict[str, str] = {}
        for key in compositions:
            try:
                row = self._store.get("candidates", row_id(key, method.id)) or {}
            except StoreError:
                continue
            named[key] = row.get("minima_record") or ""
        return named
