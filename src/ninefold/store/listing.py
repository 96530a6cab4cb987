"""Lists of candidates, as the command line and Python ask for them: fields, order, campaign."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES, Kind, Quantity

if TYPE_CHECKING:
    from ninefold.store.store import Store


class StageColumns(NamedTuple):
    """What stages of the user's have stored with candidates."""

    columns: dict[str, Quantity]
    """By key, those that can be compared with one value."""
    clashes: dict[str, str]
    """Those that two campaigns declare with different kinds: key -> kinds and campaigns, in words."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """Columns as `Store.find` takes them."""
        return {key: column.kind for key, column in self.columns.items()}


def stage_columns(store: Store, campaign: str | None) -> StageColumns:
    """What stages of the user's have stored with the candidates of a campaign, or of all of them.

    Args:
        store: Open.
        campaign: Which must be in it, or None.
    """
    columns: dict[str, Quantity] = {}
    kinds: dict[str, dict[str, str]] = {}
    equal = {} if campaign is None else {"name": campaign}
    for document in store.find("campaigns", equal=equal, fields=["name", "columns"]):
        for key, column in (document["columns"] or {}).items():
            columns.setdefault(key, Quantity(key, column["kind"], column["unit"], key, column["meaning"]))
            kinds.setdefault(key, {}).setdefault(column["kind"], document["name"])
    clashes = {
        key: ", ".join(f"{kind} in {name}" for kind, name in campaigns.items())
        for key, campaigns in kinds.items()
        if len(campaigns) > 1
    }
    return StageColumns({key: column for key, column in columns.items() if key not in clashes}, clashes)


def fields_of(text: str, columns: Iterable[str], option: str = "--fields") -> list[str]:
    """Keys of the columns named, separated by commas; `all` for every quantity.

    Args:
        text: As it was given.
        columns: Keys of what stages of the user's have stored.
        option: Where it was given, for errors.

    Raises:
        InputError: if one is no quantity.
    """
    known = [*QUANTITIES, *columns]
    keys = known if text == "all" else [key.strip().removeprefix("_ninefold_") for key in text.split(",")]
    for key in keys:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            raise InputError(
                option, key, problem="is not a field",
                hint=f"did you mean {close[0]!r}?" if close else "'ninefold fields' lists them: rank, formula, ...",
            )  # fmt: skip
    return keys


def sort_order(text: str) -> list[tuple[str, str]]:
    """Fields to sort by and `asc` or `desc` of each, which a minus before the field stands for."""
    return [
        (key.strip().lstrip("-"), "desc" if key.strip().startswith("-") else "asc")
        for key in text.split(",")
        if key.strip()
    ]


def campaign_filter(store: Store, campaign: str | None, *, all_methods: bool = False) -> dict[str, str | bool]:
    """What the candidates asked for have in common.

    Args:
        store: Open.
        campaign: Which must be in it; None for all of them.
        all_methods: Whether every method's row of a candidate counts, not the one that stands for it alone.
    """
    check_campaign(store, campaign)
    best: dict[str, str | bool] = {} if all_methods else {"is_best": True}
    return best if campaign is None else {"campaign": campaign, **best}


def check_campaign(store: Store, name: str | None) -> None:
    """Refuse a campaign that is not in the store, which would match nothing.

    Args:
        store: Open.
        name: Of a campaign; None asks for none.

    Raises:
        InputError: with the names of those that are there.
    """
    if name is None or store.count("campaigns", equal={"name": name}):
        return
    names = [document["name"] for document in store.find("campaigns", fields=["name"])]
    if not names:
        raise nothing_stored(store)
    raise InputError("campaign", name, problem="is not in the store", allowed=", ".join(names))


def nothing_stored(store: Store) -> InputError:
    """Of an empty store: a run that was killed before it stored anything leaves one."""
    return InputError(
        "store", str(store.location), problem="holds no campaign: no run has stored anything in it",
        hint="'ninefold run CAMPAIGN' starts one",
    )  # fmt: skip


def method_ids(store: Store, campaigns: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the methods of some campaigns: as each lists them, then those of imported calculations."""
    found: dict[str, None] = {}
    for campaign in campaigns:
        found |= dict.fromkeys(campaign.get("methods") or [])
        references = store.find("references", equal={"campaign": campaign["name"]}, fields=["method"])
        found |= dict.fromkeys(row["method"] for row in references)
    return list(found)


def methods_of(store: Store, ids: Iterable[str]) -> list[dict[str, Any]]:
    """The methods that are stored, in the order of their ids as given."""
    order = list(ids)
    found = store.get_many("methods", order)
    return [found[key] for key in order if key in found]


def find_method(store: Store, method: str, among: Iterable[str]) -> str:
    """Id of a method by its id, the beginning of it, its label or its name.

    Args:
        store: Open.
        method: As it was given.
        among: Ids of those that can be meant.

    Raises:
        InputError: if none or several can be meant, with those that can.
    """
    known = methods_of(store, among)
    for is_meant in (
        lambda row: method == row["id"],
        lambda row: method == row["label"],
        lambda row: method.lower() == row["name"].lower(),
        lambda row: len(method) >= 8 and row["id"].startswith(method),
    ):
        found = [row for row in known if is_meant(row)]
        if len(found) == 1:
            return str(found[0]["id"])
        if found:
            raise InputError("method", method, problem="names several methods", allowed=told_methods(found))
    raise InputError("method", method, problem="is no method of the campaign", allowed=told_methods(known))


def told_methods(documents: Iterable[Mapping[str, Any]]) -> str:
    """Methods as an error lists them: label and the beginning of the id."""
    return ", ".join(f"{row['label']} ({row['id'][:8]})" for row in documents) or "none is stored"
