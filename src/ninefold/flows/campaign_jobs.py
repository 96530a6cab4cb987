"""The stages as jobflow jobs.

A job takes the campaign as plain values, the store's address and what it works on, and gives plain values: names of
blobs, ids of records. It may run twice, or in another process: what is finished is found in the store by its id, and
what it writes is the same. A job computes its tasks where the executor says (see `ninefold.flows.runner`); it starts no
process itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jobflow import job

from ninefold.campaign import parse_campaign
from ninefold.chemistry.compounds import known_formulas
from ninefold.errors import InputError
from ninefold.flows.adopt import adopt, has_unlabelled
from ninefold.flows.counting import counted, is_late
from ninefold.flows.progress import announce
from ninefold.flows.register import finish, register
from ninefold.flows.runner import Run, registered_run
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each_line,
    forget_other_shards,
    key_of,
    line_of,
    shards_of,
    take,
)
from ninefold.flows.spending import FIRST_STAGES
from ninefold.flows.workplace import method_of
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.lines import decode_lines, encode_lines
from ninefold.stages import choose
from ninefold.stages import select as selecting
from ninefold.stages.own import columns_of
from ninefold.stages.row import candidate_row
from ninefold.stages.stage import name_with
from ninefold.store import open_store

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.models.method import Method
    from ninefold.store import Store


@job(name="register campaign")
def register_campaign(campaign: Settings, store: str, workflow: str, run: str) -> dict[str, Any]:
    """Store the campaign and the methods that it uses; gives the number of the attempt."""
    with open_store(store, mode="write") as opened:
        by = registered_run() or Run(run, workflow, "")
        return {"attempt": register(opened, parse_campaign(campaign), by)}


@job(name="finish campaign", config=WHATEVER_IS_THERE)
def finish_campaign(campaign: Settings, store: str, ranked: Any) -> dict[str, Any]:
    """Mark the campaign finished, or incomplete where the machine kept something from being computed."""
    with open_store(store, mode="write") as opened:
        attempt = ranked.get("attempt") if isinstance(ranked, dict) else None  # a ranking of the user's may not say
        return {"status": finish(opened, parse_campaign(campaign).name, is_ranked=ranked is not None, attempt=attempt)}


@job(name="select compositions")
def select_compositions(campaign: Settings, store: str, registered: dict[str, Any]) -> list[Shard]:
    """Enumerate the spaces and apply the rules; gives shards of compositions, the best by the rules first."""
    from ninefold.rules import load_rule_set

    screened, attempt = parse_campaign(campaign), registered["attempt"]
    rule_set, name = load_rule_set(screened.rules, extra_columns=columns_of(screened.stages)), screened.name
    compounds = screened.known_compounds()
    selection = selecting.Selection(
        name, screened.space, rule_set, known_formulas(compounds), with_neighbours=screened.rules.neighbours
    )
    method = method_of(screened.engine)
    with open_store(store, mode="write") as opened:
        # of a campaign that was never selected
        has_some = opened.count("compositions", equal={"campaign": name}) > 0
        stored: set[str] = set()
        chosen: list[tuple[float, bytes]] = []

        def lines() -> Iterator[dict[str, Any]]:
            with (
                counted(opened, name, "enumerate", attempt=attempt) as enumerated,
                counted(opened, name, "select", attempt=attempt) as selected,
            ):
                for records in selection:
                    kept = _select(opened, screened, records, method, stored, has_some=has_some)
                    # as text: a hundred thousand of them are held at once
                    chosen.extend(
                        (-record.prior, encode_lines([line])) for record, line in zip(records, kept, strict=True)
                    )
                    announce("select", selection.kept, None)
                take(enumerated, selection.enumerated)
                take(selected, selection.selected)
                _check_selection(screened, selection)
            chosen.sort(key=lambda item: item[0])  # of equal ones, in the order of the enumeration
            for _, text in chosen:
                yield from decode_lines(text)
            asked = screened.stability
            if asked.search_known_compounds or asked.complete_search is not None:
                with counted(opened, name, "competitors", attempt=attempt) as funnel:
                    made: list[CompositionRecord] = []
                    if asked.search_known_compounds:
                        made, counts = selection.competitors(compounds)
                        yield from _select(opened, screened, made, method, stored, has_some=has_some)
                        take(funnel, counts)
                    if asked.complete_search is not None:
                        rest, counts = selection.remaining(made)
                        yield from _select(opened, screened, rest, method, stored, has_some=has_some)
                        take(funnel, counts)

        shards = shards_of(opened, lines(), screened.execution.compositions_per_job, attempt)
        if not is_late(opened, name, attempt):  # a later selection may have kept others
            _forget_others(opened, name, stored)
        if screened.execution.budget is None:
            forget_other_shards(opened, name, FIRST_STAGES, map(key_of, shards), attempt)
        else:  # those that will be released are not known yet
            forget_other_shards(opened, name, FIRST_STAGES, (), attempt - 1)
        return shards


@job(name="choose compositions")
def choose_compositions(campaign: Settings, store: str, assessed: dict[str, Any], number: int) -> list[Shard]:
    """The most promising half of the last round's compositions, which the next round searches again.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: What the last round's hull handed on.
        number: Of the round, 2 or more.
    """
    screened, attempt = parse_campaign(campaign), assessed["attempt"]
    with open_store(store, mode="write") as opened:
        with counted(opened, screened.name, name_with("choose", number), attempt=attempt) as funnel:
            # what a budget has not released is no composition of the rounds
            outcomes = (
                choose.outcome_of(Candidate.model_validate(line["row"]))
                for line in _lines(opened, assessed)
                if line["searches"] or screened.execution.budget is None
            )
            chosen, counts = choose.choose(outcomes, number)
            take(funnel, counts)
        wanted = set(chosen)
        again = {
            line["id"]: {key: value for key, value in line.items() if key != "row"}
            for line in _lines(opened, assessed)
            if line["id"] in wanted
        }
        lines = (again[identifier] for identifier in chosen)
        shards = shards_of(opened, lines, screened.execution.compositions_per_job, attempt)
        stages = (name_with("build", number), name_with("prescreen", number))
        forget_other_shards(opened, screened.name, stages, map(key_of, shards), attempt)
        return shards


def _lines(store: Store, assessed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return each_line(store, assessed["shards"])


def _select(
    store: Store,
    campaign: Campaign,
    records: list[CompositionRecord],
    method: Method,
    stored: set[str],
    *,
    has_some: bool,
) -> list[dict[str, Any]]:
    """Store compositions, and a row of each that has none yet; gives what the search needs of them."""
    if has_unlabelled(store):
        adopt(store, campaign, records, method.id)
    if has_some:
        store.put("compositions", records)
    else:  # a server takes what is new in two thirds of the time
        store.insert("compositions", records)
    store.insert("candidates", [candidate_row(record, method, None) for record in records])
    stored.update(record.id for record in records)
    return [line_of(record) for record in records]


def _check_selection(campaign: Campaign, selection: selecting.Selection) -> None:
    """Refuse a campaign in which nothing is left to search.

    Raises:
        InputError: if no composition satisfies the space, or none passes the rules.
    """
    if selection.enumerated.count_in == 0:
        raise InputError(
            "space",
            "; ".join(str(space) for space in campaign.space),
            problem="holds no composition that satisfies G + n + q = electron count and Z = q + m",
            hint="widen n, m, cations or max_cations_per_centre; 'ninefold enumerate FILE --count' counts",
        )
    if not selection.kept:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in selection.selected.reasons.most_common(5))
        raise InputError(
            "rules",
            campaign.rules.set,
            problem=f"reject all {selection.enumerated.count_in} compositions: {reasons}",
            hint="loosen a gate, or 'ninefold explain FORMULA' for one composition",
        )


def _forget_others(store: Store, campaign: str, selected: set[str]) -> None:
    """Drop compositions that an earlier selection kept and this one does not: a rule file may have changed."""
    for row in list(store.iterate("compositions", equal={"campaign": campaign}, fields=["id"])):
        if row["id"] not in selected:
            store.delete("candidates", equal={"campaign": campaign, "composition": row["id"]})
            store.delete("compositions", equal={"id": row["id"]})
