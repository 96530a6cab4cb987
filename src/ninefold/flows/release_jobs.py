"""Compositions released part by part, the most promising first, until a campaign's budget is spent.

The compositions that have not been searched are dealt out to lanes, as many as jobs are to run at once, each lane with
every so-manieth by the rules' score and with its share of the budget. When a lane's job has ended, the next part of
the lane follows it, in the order of `ninefold.search.release` by what all lanes have found so far. As no two lanes
hold the same composition and a lane has one job at a time, nothing is released twice, whatever is killed and run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import search_jobs, tasks
from ninefold.flows.estimate import PER_MINIMUM, measured_rates, per_search
from ninefold.flows.rows import Found, Step, rows_of, write_rows
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each_line,
    is_low_budget,
    key_of,
    lines_of,
    shard_of,
    shards_of,
)
from ninefold.flows.spending import FIRST_STAGES, is_over
from ninefold.flows.workplace import method_of
from ninefold.models.composition import unpack_assignment
from ninefold.models.reference import ReferenceRecord
from ninefold.search.release import release_order, traits_of
from ninefold.stages import build, prescreen, references, stability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.campaign.model import Campaign
    from ninefold.store import Store

FEWEST_PARTS = 10
"""Of what a lane can afford: with fewer, what has been found would decide little."""
MOST_PARTS = 100
"""Of a lane: each is a job within the one before it."""
MOST_OUTCOMES = 2000
"""That the order is fitted to; ids are hashes, so that the first by id are drawn at random."""

Lane = dict[str, Any]
"""Compositions of one lane by the rules' score, as a shard; `core_seconds` and `candidates`, its share of the budget,
None without such a limit."""


class Cost(NamedTuple):
    """What a composition is expected to take, core-seconds."""

    first: float | None
    """Of its first search; None where nothing has been measured."""
    later: float
    """Searches of later rounds, in units of the first."""
    further: float
    """Of further methods."""
    low: float = 0.0
    """Of one that a complete search adds, its only search and further methods together; 0 where nothing is measured."""
    low_further: float = 0.0
    """Of further methods, for such a one."""

    def whole(self, first: float) -> float:
        """With all that follows its first search."""
        return first * (1 + self.later) + self.further


def released_search(campaign: Settings, store: str, shards: Sequence[Shard]) -> Flow:
    """The first round with a budget: what was searched before and what is made at once, and the lanes.

    Args:
        campaign: As plain values.
        store: Its address.
        shards: Every composition of the campaign, by falling score of the rules.

    Returns:
        A flow whose output is the shards of what has been searched.
    """
    from ninefold.store import open_store

    screened = parse_campaign(campaign)
    with open_store(store, mode="write") as opened:
        known, lanes = _dealt(opened, screened, list(shards))
    jobs, before = [], []
    for shard in known:
        built = search_jobs.build_structures(campaign, store, shard, 1)
        prescreened = search_jobs.prescreen_structures(campaign, store, built.output, 1)
        jobs += [built, prescreened]
        before.append(prescreened.output)
    firsts = [release_compositions(campaign, store, lane, [], []) for lane in lanes]
    gathered = gather_searched(before, [first.output for first in firsts])
    return Flow([*jobs, *firsts, gathered], output=gathered.output, name="structure search")


@job(name="release compositions", config=WHATEVER_IS_THERE)
def release_compositions(
    campaign: Settings, store: str, lane: Lane, released: list[Shard], searched: list[Shard | None]
) -> Response | list[Shard | None]:
    """Replace itself by the search of the next part of a lane and a job like itself, until nothing more is afforded.

    Args:
        campaign: As plain values.
        store: Its address.
        lane: Whose next part.
        released: Parts of the lane so far.
        searched: What their searches handed on.

    Returns:
        As output: `searched`, when the lane has come to its end.
    """
    from ninefold.store import open_store

    screened = parse_campaign(campaign)
    with open_store(store, mode="write") as opened:
        if searched and searched[-1] is not None:
            _assess(opened, screened, searched[-1])
        gone = {line["id"] for line in each_line(opened, released)}
        left = [line for line in lines_of(opened, lane["shard"]) if line["id"] not in gone]
        size = _size(opened, screened, lane, released, len(left))
        if size == 0:
            return searched
        order = release_order([traits_of(line["assignment"]) for line in left], _outcomes(opened, screened))
        shard = shard_of(opened, [left[place] for place in order[:size]], lane["shard"]["attempt"])
    built = search_jobs.build_structures(campaign, store, shard, 1)
    prescreened = search_jobs.prescreen_structures(campaign, store, built.output, 1)
    following = release_compositions(campaign, store, lane, [*released, shard], [*searched, prescreened.output])
    return Response(replace=Flow([built, prescreened, following], output=following.output, name="released"))


@job(name="gather searched compositions", config=WHATEVER_IS_THERE)
def gather_searched(before: list[Shard | None], lanes: list[list[Shard | None] | None]) -> list[Shard | None]:
    """What has been searched, as the rest of the flow takes it; None stands for what a job has lost."""
    return [*before, *(part for lane in lanes for part in ([None] if lane is None else lane))]


def _dealt(store: Store, campaign: Campaign, shards: list[Shard]) -> tuple[list[Shard], list[Lane]]:
    """Shards that are released at once, and the lanes of the others."""
    budget, size = campaign.execution.budget, campaign.execution.compositions_per_job
    assert budget is not None
    attempt = shards[0]["attempt"]
    competitors = {
        row["id"] for row in store.iterate("compositions", equal=_of(campaign, is_competitor=True), fields=[])
    }
    searches = _of(campaign, round=1)
    labels = {row["id"]: row["label"] for row in store.iterate("searches", equal=searches, fields=["label"])}
    before, method = set(labels.values()), method_of(campaign.engine).id
    before = {
        line["label"]
        for line in each_line(store, shards)
        if line["label"] in before and _search_of(campaign, line, method) in labels
    }
    known: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    for line in each_line(store, shards):
        (known if line["id"] in competitors or line["label"] in before else left).append(line)
    cost = _cost(store, campaign)
    seconds = None
    if budget.core_hours is not None:
        low = {line["label"] for line in known if is_low_budget(line)}
        spent = sum(
            row["core_seconds"] * (1 if row["label"] in low else 1 + cost.later)
            for name in ("pools", "searches")
            for row in store.iterate(name, equal=searches, fields=["core_seconds", "label"])
        )
        further = sum(cost.low_further if label in low else cost.further for label in before)
        new = sum(
            cost.low if line["label"] in low else cost.whole(cost.first or 0.0)
            for line in known
            if line["label"] not in before
        )
        seconds = 3600 * budget.core_hours - spent - further - new
    number = None
    if budget.candidates is not None:
        number = budget.candidates - sum(line["id"] not in competitors for line in known)
    most = min(len(left), campaign.execution.released_at_once)
    if number is not None:
        most = min(most, max(0, number))
    if seconds is not None:
        each = cost.whole(cost.first or 0.0) or 1.0
        most = min(most, max(0, int(seconds // each)))
    if is_over(budget):
        most = 0
    lanes = [
        {
            "shard": shard_of(store, left[place::most], attempt),
            "core_seconds": None if seconds is None else seconds / most,
            "candidates": None if number is None else number // most + (place < number % most),
        }
        for place in range(most)
    ]
    return shards_of(store, known, size, attempt), lanes


def _size(store: Store, campaign: Campaign, lane: Lane, released: list[Shard], left: int) -> int:
    """Compositions of a lane's next part; 0 when its share of the budget is spent."""
    assert campaign.execution.budget is not None
    if left == 0 or is_over(campaign.execution.budget):
        return 0
    done = sum(shard["count"] for shard in released)
    whole = done + left
    if lane["candidates"] is not None:
        whole = min(whole, lane["candidates"])
    if lane["core_seconds"] is not None:
        equal = {"campaign": campaign.name, "stage": list(FIRST_STAGES), "shard": list(map(key_of, released))}
        rows = store.find("funnel", equal=equal, fields=["core_seconds"], limit=None) if released else []
        spent, cost = sum(row["core_seconds"] for row in rows), _cost(store, campaign)
        first = spent / done if spent else cost.first
        if first is None:
            affordable = 1 if done == 0 else left  # one tells what the others take
        else:
            rest = lane["core_seconds"] - cost.whole(spent / max(1, done)) * done
            affordable = max(0, int(rest // max(cost.whole(first), 1e-9)))
        whole = min(whole, done + affordable)
    usual = campaign.execution.compositions_per_job
    part = max(min(usual, whole // FEWEST_PARTS), -(-whole // MOST_PARTS), 1)
    return max(0, min(part, whole - done))


def _search_of(campaign: Campaign, line: dict[str, Any], method: str) -> str:
    """Id of the first search of a composition."""
    is_low = is_low_budget(line)
    pool = build.pool_id(unpack_assignment(line["assignment"]), campaign.budget_of(is_low=is_low), campaign.seed, 1)
    return prescreen.search_id(pool, campaign.search_budget_of(is_low=is_low), method)


def _cost(store: Store, campaign: Campaign) -> Cost:
    """By what the store holds, else by what ninefold ships."""
    rounds = campaign.structures.rounds
    later = sum(0.5 ** (number - 1) for number in range(2, rounds + 1))
    rates = [PER_MINIMUM[method.name].middle for method in campaign.energies if method.name in PER_MINIMUM]
    low_budget = campaign.budget_of(is_low=True)
    further, low_further = (budget.passed_on * sum(rates) for budget in (campaign.structures, low_budget))
    measured = measured_rates(campaign, store)
    if measured is None:
        return Cost(None, later, further, 0.0, low_further)
    first, low = (per_search(budget, measured).middle for budget in (campaign.structures, low_budget))
    return Cost(first, later, further, low + low_further, low_further)


def _assess(store: Store, campaign: Campaign, shard: Shard) -> None:
    """Write the hull distances of what a part has found, against the references that there are and the part itself.

    They order what is released next, and queries of a running campaign have them; the hull of the round comes after.
    """
    method = method_of(campaign.engine)
    lines = {line["id"]: line for line in lines_of(store, shard)}
    found = {key: Found(line["searches"], line["minima"]) for key, line in lines.items()}
    rows = [row for _, row in rows_of(store, sorted(found), method, found) if row.energy_per_atom is not None]
    of_method = store.iterate("references", equal=_of(campaign, method=method.id))
    phases = [ReferenceRecord.model_validate(row) for row in of_method]
    names = {phase.name for phase in phases}
    rows = [row for row in rows if names.issuperset(references.phases_of([row.elements]))]
    cells = tasks.structures_of(store, (phase.structure for phase in phases if phase.structure is not None))
    hulls = stability.Hulls(phases, cells, campaign.stability)
    for row in rows:
        hulls.add(row)
    # the search for published structures among the minima waits for the hull of the round
    rows = [row for row in rows if not hulls.needs_structures(row)]
    for system in sorted({tuple(row.elements) for row in rows}):
        assessed, _ = hulls.assess([row for row in rows if tuple(row.elements) == system], {})
        # as the search's own rows: those of the round's hull are newer
        write_rows(store, assessed, Step.SEARCHED, shard["attempt"], 1)


def _outcomes(store: Store, campaign: Campaign) -> list[tuple[dict[str, float], float]]:
    """Traits and separation energy of what has been searched so far, in the order of their ids."""
    equal = _of(campaign, method=method_of(campaign.engine).id, is_competitor=False, status="searched")
    fields = ["composition", "phase_separation_energy"]
    rows = {
        row["composition"]: row["phase_separation_energy"]
        for row in store.iterate("candidates", equal=equal, fields=fields)
        if row["phase_separation_energy"] is not None
    }
    keys = sorted(rows)[:MOST_OUTCOMES]
    found = store.get_many("compositions", keys)
    return [(traits_of(found[key]["assignment"]), rows[key]) for key in keys if key in found]


def _of(campaign: Campaign, **more: Any) -> dict[str, Any]:
    return {"campaign": campaign.name, **more}
