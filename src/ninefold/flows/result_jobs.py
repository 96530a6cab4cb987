"""Jobs on what has been found: hull distances, stages of the user's, ranks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jobflow import Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import tasks
from ninefold.flows.compute import compute_shard
from ninefold.flows.counting import counted, registered_attempt, tell_missing
from ninefold.flows.dynamics_rows import KnownDynamics
from ninefold.flows.progress import announce
from ninefold.flows.rows import ROWS_PER_BLOB, Found, Step, forget_earlier_rows, pages, rows_of, write_rows
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    divided,
    each_line,
    line_of,
    method_name,
    shards_of,
    side_by_side,
    stage_of,
    take,
)  # fmt: skip
from ninefold.flows.thermal import thermal_of
from ninefold.flows.workplace import method_of
from ninefold.models.candidate import Candidate
from ninefold.models.composition import unpack_assignment
from ninefold.models.property import PropertyRecord
from ninefold.models.reference import ReferenceRecord
from ninefold.stages import own, rank, references, stability, uncertainty
from ninefold.stages.stage import name_with
from ninefold.store import open_store
from ninefold.store.records import read_many

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.models.composition import CompositionRecord
    from ninefold.store import Store

Hull = dict[str, Any]
"""What a hull hands on: `shards` of lines as the search's, each with its `row`; `method`, its place; `attempt`."""
Searched = list[list[Shard | None] | None]
"""By round, shards of compositions with their minima."""


@job(name="assess stability", config=WHATEVER_IS_THERE)
def assess_stability(
    campaign: Settings,
    store: str,
    selected: list[Shard] | None,
    relaxed: list[dict[str, Any]] | None,
    searched: Searched | None,
    number: int,
    method: int = 0,
) -> Hull | None:
    """Hull distances with one method against references and the other candidates, one chemical system at a time.

    Args:
        campaign: As plain values.
        store: Its address.
        selected: Every composition of the campaign.
        relaxed: The references with this method: `name`, and `reference`, the id of the record.
        searched: Of two shards with one composition the later counts.
        number: Of the last round.
        method: Its place among the campaign's methods.

    Returns:
        Rows of all compositions, for the next round, further methods, and the ranking; None if none were selected.
    """
    if selected is None:
        return None
    screened, attempt = parse_campaign(campaign), selected[0]["attempt"]
    of_method = method_of(screened.methods[method])
    stage = stage_of("stability", screened, method)
    # the hull of an earlier round decides what is searched again; run late, it must not count over the last one
    is_last = number >= screened.structures.rounds
    with open_store(store, mode="write") as opened:
        _tell_missing_searches(opened, screened, relaxed, searched, method, attempt)
        order = sorted(
            (unpack_assignment(line["assignment"]).chemical_system, line["id"]) for line in each_line(opened, selected)
        )
        found = {
            line["id"]: Found(line["searches"], line["minima"])
            for of_round in searched or ()
            for line in each_line(opened, of_round)
        }
        lost = sorted(item["name"] for item in relaxed or () if item["reference"] is None)
        phases = list(_references(opened, relaxed or ()))
        cells = tasks.structures_of(opened, (phase.structure for phase in phases if phase.structure is not None))
        thermal = thermal_of(opened, of_method.id, screened.name)
        hulls = stability.Hulls(phases, cells, screened.stability, thermal, screened.synthesis)
        ids = [identifier for _, identifier in order]
        for _, row in rows_of(opened, ids, of_method, found):
            hulls.add(row)

        def lines() -> Iterator[dict[str, Any]]:
            with counted(opened, screened.name, stage, attempt=attempt, method=method, is_stored=is_last) as funnel:
                every = rows_of(opened, ids, of_method, found)
                for _, of_system in groupby(every, key=lambda pair: pair[1].chemical_system):
                    compositions, system = zip(*of_system, strict=True)
                    missing = [name for name in lost if name in references.phases_of([system[0].elements])]
                    structures = tasks.structures_of(
                        opened, (item.structure for row in system if hulls.needs_structures(row) for item in row.minima)
                    )
                    rows, counts = hulls.assess(
                        system, {key: record.to_structure() for key, record in structures.items()}, missing
                    )
                    funnel.add(counts)
                    if method:  # the ranking says which method's row stands for a composition; till then the first's
                        rows = [row.model_copy(update={"is_best": False}) for row in rows]
                    with_minima = [row for row in rows if row.minima_record]
                    write_rows(opened, with_minima, Step.ASSESSED, attempt, number, method)
                    for composition, row in zip(compositions, rows, strict=True):
                        yield _handed_on(composition, row, found.get(row.composition))
                    announce(stage, funnel.count_in, None)

        return {"shards": shards_of(opened, lines(), ROWS_PER_BLOB, attempt), "method": method, "attempt": attempt}


@job(name="compute properties", config=WHATEVER_IS_THERE)
def compute_properties(campaign: Settings, store: str, assessed: list[Hull | None], name: str) -> Response:
    """Replace itself by a job for each shard of candidates, which runs a stage of the user's.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: By method, what its hull handed on; of two with one composition the later counts.
        name: As the campaign names the stage.
    """
    screened, hulls = parse_campaign(campaign), [hull for hull in assessed if hull is not None]
    with open_store(store, mode="write") as opened:
        wanted: dict[str, dict[str, Any]] = {}
        has_hull: set[str] = set()
        for hull in hulls:
            for line in each_line(opened, hull["shards"]):
                key, is_placed = line["id"], line["row"]["phase_separation_energy"] is not None
                # as `rank.best_methods` has it: the last method with a hull distance, else the last with a structure
                if line["row"]["structures_found"] and (is_placed or key not in has_hull):
                    wanted[key] = {name: line[name] for name in ("id", "label", "minima")} | {"method": hull["method"]}
                    has_hull |= {key} if is_placed else set()
        size, attempt = screened.execution.compositions_per_job, max((hull["attempt"] for hull in hulls), default=1)
        shards = divided(opened, screened.name, own.own_stage(name).stage.name, wanted.values(), size, attempt)
    jobs = [compute_properties_of(campaign, store, shard, name) for shard in shards]
    return side_by_side(jobs, name)


@job(name="compute properties of some candidates")
def compute_properties_of(campaign: Settings, store: str, shard: Shard, name: str) -> Shard | None:
    """Values of some candidates by a stage of the user's."""
    stage = own.own_stage(name).stage
    return compute_shard(
        campaign, store, shard, stage.name, tasks.compute_property, name,
        counts_of=own.counts,
        handed_on=lambda _, line, found: {"id": line["id"], "method": found.method, "property": found.id},
        after=stage.after,
    )  # fmt: skip


@job(name="rank candidates", config=WHATEVER_IS_THERE)
def rank_candidates(
    campaign: Settings, store: str, assessed: list[Hull | None], computed: list[list[Shard | None] | None]
) -> dict[str, Any]:
    """Judge the results by the rules, score and rank, over all methods.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: By method, what its hull handed on.
        computed: By stage of the user's, shards of its values.
    """
    screened, hulls = parse_campaign(campaign), [hull for hull in assessed if hull is not None]
    methods = [method_of(settings).id for settings in screened.methods]
    with open_store(store, mode="write") as opened:
        # a rank of no hull at all tells that the attempt which runs has lost them
        attempt = max((hull["attempt"] for hull in hulls), default=registered_attempt(opened, screened.name))
        _tell_missing_results(opened, screened, assessed, computed, attempt)
        ranked = rank_rows(opened, screened, hulls, methods, _properties(opened, computed), attempt)
    return {"ranked": ranked, "attempt": attempt}


def rank_rows(
    store: Store,
    campaign: Campaign,
    hulls: Sequence[Hull],
    methods: Sequence[str],
    properties: dict[tuple[str, str], list[str]] | None,
    attempt: int,
    *,
    instead: Callable[[Candidate], None] | None = None,
) -> int:
    """Score and rank the rows of some hulls, and write them.

    Args:
        store: Where.
        campaign: Its rules, weights and noise.
        hulls: By method, what each has handed on.
        methods: Ids, by rising trust.
        properties: Composition and method -> ids of what the user's stages have computed; None keeps what the rows say.
        attempt: That counts them.
        instead: Called with each row that stands for its composition; nothing is written then.

    Returns:
        How many have a rank.
    """
    from ninefold.rules import load_rule_set

    columns = own.columns_of(campaign.stages)
    best = rank.best_methods(_rows(store, hulls), methods)
    noise = campaign.stability.noise_eV_per_atom
    comparisons = uncertainty.Comparisons(_rows(store, hulls))
    moving = KnownDynamics(store, _rows(store, hulls))
    ranking = rank.Ranking(
        load_rule_set(campaign.rules, extra_columns=columns), campaign.ranking, noise, columns,
    )  # fmt: skip

    def rows_of_hulls(some: Sequence[Hull]) -> Iterable[Candidate]:
        rows = moving.told(uncertainty.told(_rows(store, some), comparisons, noise))
        return rows if properties is None else _with_properties(store, rows, properties)

    with counted(store, campaign.name, "rank", attempt=attempt, is_stored=instead is None) as funnel:
        ranking.rank(row for row in rows_of_hulls(hulls) if best[row.composition] == row.method)
        for hull in hulls:
            for page in pages(ranking.ranked(rows_of_hulls([hull]))):
                told = [row.model_copy(update={"is_best": best[row.composition] == row.method}) for row in page]
                if instead is None:
                    write_rows(store, told, Step.RANKED, hull["attempt"])
                    continue
                for row in told:
                    if row.is_best:
                        instead(row)
            if instead is None:
                forget_earlier_rows(store, campaign.name, methods[hull["method"]], hull["attempt"])
        take(funnel, ranking.counts)
        if instead is None:
            announce("rank", funnel.count_in, funnel.count_in)
    return ranking.counts.count_out


def _handed_on(composition: CompositionRecord, row: Candidate, found: Found | None) -> dict[str, Any]:
    """A line as the search's, with the row, so that what follows reads it from here and not from the store."""
    ids = {} if found is None else found._asdict()
    # by pydantic's JSON, as the store writes it: a number comes back as it would from there
    return {**line_of(composition), **ids, "row": json.loads(row.model_dump_json(exclude={"revision"}))}


def _rows(store: Store, hulls: Sequence[Hull]) -> Iterator[Candidate]:
    """Rows of all compositions with the search's method, and of those that a further one left a minimum of."""
    for hull in hulls:
        for line in each_line(store, hull["shards"]):
            if hull["method"] == 0 or line["row"]["minima_record"]:
                yield Candidate.model_validate(line["row"])


def _references(store: Store, relaxed: Iterable[dict[str, Any]]) -> Iterator[ReferenceRecord]:
    found = read_many(store, ReferenceRecord, [item["reference"] for item in relaxed if item["reference"]])
    for identifier in sorted(found):
        yield found[identifier]


def _properties(store: Store, computed: Iterable[list[Shard | None] | None]) -> dict[tuple[str, str], list[str]]:
    """Composition and method -> ids of what the user's stages have computed of that method's structure."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for shards in computed:
        for line in each_line(store, shards):
            ids[line["id"], line["method"]].append(line["property"])
    return ids


def _with_properties(
    store: Store, rows: Iterable[Candidate], properties: dict[tuple[str, str], list[str]]
) -> Iterator[Candidate]:
    for page in pages(rows):
        ids = [properties.get((row.composition, row.method), []) for row in page]
        records = tasks.records_of(store, PropertyRecord, [key for some in ids for key in some])
        for row, some in zip(page, ids, strict=True):
            values = {name: value for key in some for name, value in records[key].values.items()}
            yield row.model_copy(update={"properties": values})


def _tell_missing_searches(
    store: Store, campaign: Campaign, relaxed: Any, searched: Searched | None, method: int, attempt: int
) -> None:
    """Faults of jobs that a queue has lost."""
    further = method_name(campaign, method)
    stage, what = name_with("references", further), "list of reference phases"
    tell_missing(store, campaign.name, [stage], what, relaxed is None, attempt)
    for number, shards in enumerate(searched or [None], start=1):
        stages = [name_with(name, further or number) for name in (("energies",) if method else ("build", "prescreen"))]
        tell_missing(store, campaign.name, stages, "some compositions", shards is None or None in shards, attempt)


def _tell_missing_results(
    store: Store,
    campaign: Campaign,
    assessed: Sequence[Hull | None],
    computed: Sequence[list[Shard | None] | None],
    attempt: int,
) -> None:
    for method, hull in enumerate(assessed):
        stage = stage_of("stability", campaign, method)
        tell_missing(store, campaign.name, [stage], "every hull", hull is None, attempt)
    for name, shards in zip(campaign.stages, computed, strict=False):
        stage = own.own_stage(name).stage.name
        tell_missing(store, campaign.name, [stage], "some candidates", shards is None or None in shards, attempt)
