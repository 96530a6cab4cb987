"""Finding the store, a campaign in it, and the parts of a campaign's result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ninefold.store import resolve_store
from ninefold.store.listing import check_campaign, nothing_stored


def store_address(option: str | None, campaign_store: str | None = None) -> str:
    """Path or URI of the store: the option, else NINEFOLD_STORE, else the campaign's, else ninefold.db."""
    return resolve_store(option, campaign_store)


def store_for_reading(option: str | None, campaign: str | None) -> tuple[str, str | None]:
    """The store of a reading command, and the campaign's name if one is asked for.

    Args:
        option: `--store`.
        campaign: A campaign's name, or a campaign file, whose `store` then counts.
    """
    if campaign is not None and campaign.endswith((".yaml", ".yml")):
        from ninefold.campaign import read_campaign

        model = read_campaign(campaign)
        return store_address(option, model.store), model.name
    return store_address(option), campaign


def input_files(campaign: str | None) -> list[Path]:
    """What a command reads besides the store: the campaign file, if one is named, and the files that it names.

    Args:
        campaign: A campaign file by path or shipped name; a campaign's name in the store reads no file.
    """
    if not campaign or not campaign.endswith((".yaml", ".yml")):
        return []
    from ninefold.campaign.parsing import find_campaign_file, read_campaign
    from ninefold.cli.outputs import files_in

    return [find_campaign_file(campaign), *files_in(read_campaign(campaign))]


def campaign_document(repository: Any, name: str | None, *, unfinished_first: bool = False) -> dict[str, Any]:
    """One campaign of the store: by name, else the only one, else the latest (unfinished, if asked).

    Raises:
        InputError: if there is none of that name, or none at all.
    """
    check_campaign(repository, name)
    documents = {document["name"]: document for document in repository.find("campaigns", None, limit=None)}
    if name is not None:
        return documents[name]
    if not documents:
        raise nothing_stored(repository)
    latest = sorted(documents.values(), key=lambda document: document["created"], reverse=True)
    if unfinished_first:
        latest.sort(key=lambda document: document["status"] == "finished")
    return latest[0]


def result_rows(repository: Any, name: str) -> dict[str, Any]:
    """Campaign, funnel and ranked rows as plain values: what `run --json` prints."""
    from ninefold.cli.selection import kinds_of, stage_columns
    from ninefold.flows.funnel import total
    from ninefold.models.quantities import QUANTITIES

    of_campaign = {"campaign": name}
    best = {**of_campaign, "is_best": True}
    columns = stage_columns(repository, name)
    return {
        "campaign": name,
        "funnel": total(repository.find("funnel", equal=of_campaign, limit=None)),
        "candidates": repository.find(
            "candidates",
            equal=best,
            sort=[("rank", "asc")],
            fields=[*QUANTITIES, *columns],
            limit=None,
            properties=kinds_of(columns),
        ),
    }


def report_parts(repository: Any, name: str, top: int | None = None) -> tuple[Any, ...]:
    """What a report is made of, in the order of `render_report`.

    Args:
        repository: The store; it has to stay open until the report is made.
        name: Of the campaign.
        top: Candidates to show; default `ninefold.report.DEFAULT_TOP`.

    Returns:
        Campaign; funnel; whole documents of the best candidates; references; flat rows of the other candidates, and of
        other methods for the hulls, an iterator that reads them a page at a time.
    """
    from ninefold.flows.funnel import total
    from ninefold.report import DEFAULT_TOP
    from ninefold.report.overview import ROW_FIELDS
    from ninefold.store.competition import with_competing_structures
    from ninefold.store.details import details
    from ninefold.store.schema import COLLECTIONS

    of_campaign = {"campaign": name}
    of_best = {**of_campaign, "is_best": True}
    # identifiers first: to sort whole documents is to read all of them
    order = [("rank", "asc"), ("e_above_hull", "asc")]
    best = repository.find("candidates", equal=of_best, sort=order, fields=["id"], limit=top or DEFAULT_TOP)
    shown = repository.get_many("candidates", [row["id"] for row in best])
    fields = [key for key in ROW_FIELDS if key in COLLECTIONS["candidates"]]
    return (
        repository.get("campaigns", name),
        total(repository.find("funnel", equal=of_campaign, limit=None)),
        with_competing_structures(repository, list(details(repository, [shown[row["id"]] for row in best]))),
        repository.find("references", equal=of_campaign, limit=None),
        (row for row in repository.iterate("candidates", equal=of_campaign, fields=fields) if row["id"] not in shown),
    )


MOST_MAPS = 5
"""Chemical systems that a report has a map of: a second each."""


def report_maps(repository: Any, name: str, candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """Maps over temperature and pressure of the first systems of a report; its candidates there get their intervals.

    Args:
        repository: The store.
        name: Of the campaign.
        candidates: Those that the report shows, the best first.
    """
    from ninefold.flows.stored_hulls import lowest_pressures_between, synthesis_maps

    systems = dict.fromkeys(row["chemical_system"] for row in candidates if row.get("formation"))
    maps = synthesis_maps(repository, name, list(systems), MOST_MAPS)
    mapped = [row for row in candidates if row["chemical_system"] in maps]
    between = lowest_pressures_between(repository, mapped)
    for row in mapped:
        row["lowest_pressure_between"] = between.get(row["id"])
    return maps
