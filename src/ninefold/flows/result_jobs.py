"""Jobs on what has been found: hull distances, stages of the user's, ranks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import tasks
from ninefold.flows.counting import Faults, counted, surviving
from ninefold.flows.progress import announce
from ninefold.flows.rows import PAGE, Step, candidates_of, rows_of, write_rows
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each,
    forget_other_shards,
    key_of,
    line_of,
    lines_of,
    method_name,
    shard_of,
    shards_of,
    take,
)  # fmt: skip
from ninefold.flows.workplace import Failure, method_of
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.reference import ReferenceRecord
from ninefold.stages import choose, own, rank, references, stability
from ninefold.stages.stage import name_with
from ninefold.store import open_store

if TYPE_CHECKING:
    from ninefold.store import Store


@job(name="assess stability", config=WHATEVER_IS_THERE)
def assess_stability(
    campaign: Settings,
    store: str,
    relaxed: list[dict[str, Any]] | None,
    searched: list[list[Shard | None] | None] | None,
    number: int,
    method: int = 0,
) -> Shard:
    """Hull distances with one method against references and the other candidates, one chemical system at a time.

    Args:
        campaign: As plain values.
        store: Its address.
        relaxed: The references with this method.
        searched: By round, shards of compositions with their minima; of two with one composition the later counts.
        number: Of the last round.
        method: Its place among the campaign's methods.

    Returns:
        A shard with what the next round chooses by.
    """
    screened = parse_campaign(campaign)
    of_method = method_of(screened.methods[method])
    stage = name_with("stability", method_name(screened, method))
    with open_store(store, mode="write") as opened:
        shards = [shard for of_round in searched or () for shard in of_round or () if shard]
        lines = {line["id"]: line for shard in shards for line in lines_of(opened, shard)}
        lost = sorted(item["name"] for item in relaxed or () if item["reference"] is None)
        phases = list(_references(opened, relaxed or ()))
        cells = tasks.structures_of(opened, (phase.structure for phase in phases if phase.structure is not None))
        hulls = stability.Hulls(phases, cells, screened.stability)
        for row in rows_of(opened, screened.name, of_method, lines):
            hulls.add(row)
        outcome = []
        # the hull of an earlier round decides what is searched again; run late, it must not count over the last one
        is_last = number >= screened.structures.rounds
        with counted(opened, screened.name, stage, is_stored=is_last) as funnel:
            for system in stability.by_system(rows_of(opened, screened.name, of_method, lines)):
                missing = [name for name in lost if name in references.phases_of([system[0].elements])]
                structures = tasks.structures_of(
                    opened, (item.structure for row in system if hulls.needs_structures(row) for item in row.minima)
                )
                rows, counts = hulls.assess(
                    system, {key: record.to_structure() for key, record in structures.items()}, missing
                )
                funnel.add(counts)
                if method:  # the ranking says which method's row stands for a composition; until then it is the first's
                    rows = [row.model_copy(update={"is_best": False}) for row in rows]
                write_rows(opened, [row for row in rows if row.minima_record], Step.ASSESSED, number, method)
                outcome += [_passed_on(opened, row, lines.get(row.composition)) for row in rows]
                announce(stage, funnel.count_in, None)
        return shard_of(opened, outcome)


@job(name="compute properties", config=WHATEVER_IS_THERE)
def compute_properties(campaign: Settings, store: str, assessed: list[Shard | None], name: str) -> Response:
    """Replace itself by a job for each shard of candidates, which runs a stage of the user's.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: By method, what its hull passed on; of two with one composition the later counts.
        name: As the campaign names the stage.
    """
    screened = parse_campaign(campaign)
    with open_store(store, mode="write") as opened:
        lines: dict[str, dict[str, Any]] = {}
        for method, shard in enumerate(assessed):
            for line in lines_of(opened, shard) if shard else ():
                has_hull = line["outcome"]["phase_separation_energy"] is not None
                # as `rank.best_methods` has it: the last method with a hull distance, else the last with a structure
                if line["outcome"]["structures_found"] and (has_hull or not lines.get(line["id"], {}).get("has_hull")):
                    kept = {key: line[key] for key in ("id", "label", "minima")}
                    lines[line["id"]] = {**kept, "method": method, "has_hull": has_hull}
        shards = shards_of(opened, list(lines.values()), screened.execution.compositions_per_job)
        forget_other_shards(opened, screened.name, (own.own_stage(name).stage.name,), shards)
    jobs = [compute_properties_of(campaign, store, shard, name) for shard in shards]
    return Response(replace=Flow(jobs, output=[part.output for part in jobs], name=name))


@job(name="compute properties of some candidates")
def compute_properties_of(campaign: Settings, store: str, shard: Shard, name: str) -> Shard | None:
    """Values of some candidates by a stage of the user's."""
    screened, stage = parse_campaign(campaign), own.own_stage(name).stage
    with open_store(store, mode="write") as opened, surviving(opened, screened.name, stage.name, key_of(shard)):
        lines = lines_of(opened, shard)
        faults = Faults(opened, screened.name, stage.name)
        found = []
        with counted(opened, screened.name, stage.name, key_of(shard), is_of_facts=True, after=stage.after) as funnel:
            for index, result in each(campaign, store, stage.name, tasks.compute_property, lines, name):
                line = lines[index]
                if isinstance(result, Failure):
                    funnel.count_in += 1
                    faults.add(line["label"], result.reason, funnel)
                    continue
                faults.clear(line["label"])
                funnel.add(own.counts(result))
                found.append({"id": line["id"], "method": result.method, "property": result.id})
        return shard_of(opened, sorted(found, key=lambda line: line["id"]), shard.get("key"))
    return None


@job(name="rank candidates", config=WHATEVER_IS_THERE)
def rank_candidates(
    campaign: Settings, store: str, assessed: list[Shard | None], computed: list[list[Shard | None] | None]
) -> dict[str, Any]:
    """Judge the results by the rules, score and rank, over all methods.

    Args:
        campaign: As plain values.
        store: Its address.
        assessed: By method, what its hull passed on.
        computed: By stage of the user's, shards of its values.
    """
    from ninefold.rules import load_rule_set

    screened = parse_campaign(campaign)
    methods = [method_of(settings).id for settings in screened.methods]
    columns = own.columns_of(screened.stages)
    with open_store(store, mode="write") as opened:
        properties = _properties(opened, computed)
        best = rank.best_methods(candidates_of(opened, screened.name), methods)
        spread = rank.method_spreads(candidates_of(opened, screened.name))
        ranking = rank.Ranking(
            load_rule_set(screened.rules, extra_columns=columns), screened.ranking,
            screened.stability.noise_eV_per_atom, columns,
        )  # fmt: skip
        with counted(opened, screened.name, "rank") as funnel:
            rows = (_with_properties(row, properties) for row in candidates_of(opened, screened.name))
            ranking.rank(row for row in rows if best[row.composition] == row.method)
            page: list[Candidate] = []
            for row in ranking.ranked(
                _with_properties(row, properties) for row in candidates_of(opened, screened.name)
            ):
                is_best = best[row.composition] == row.method
                page.append(row.model_copy(update={"is_best": is_best, "method_spread": spread.get(row.composition)}))
                if len(page) == PAGE:
                    write_rows(opened, page, Step.RANKED)
                    page = []
            write_rows(opened, page, Step.RANKED)
            take(funnel, ranking.counts)
            announce("rank", funnel.count_in, funnel.count_in)
    return {"ranked": ranking.counts.count_out}


def _passed_on(store: Store, row: Candidate, line: dict[str, Any] | None) -> dict[str, Any]:
    """What a next stage needs of a composition: what has been found, and how it compares."""
    if line is None:  # the machine kept it from being searched
        composition = CompositionRecord.model_validate(store.get("compositions", row.composition))
        line = line_of(composition)
    return {**line, "outcome": choose.outcome_of(row)._asdict()}


def _references(store: Store, relaxed: Iterable[dict[str, Any]]) -> Iterator[ReferenceRecord]:
    found = store.get_many("references", [item["reference"] for item in relaxed if item["reference"]])
    for identifier in sorted(found):
        yield ReferenceRecord.model_validate(found[identifier])


def _properties(store: Store, computed: Iterable[list[Shard | None] | None]) -> dict[tuple[str, str], dict[str, Any]]:
    """Composition and method -> values of the user's stages, of that method's structure."""
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for shard in (shard for shards in computed for shard in shards or () if shard):
        lines = lines_of(store, shard)
        records = store.get_many("properties", [line["property"] for line in lines])
        for line in lines:
            values.setdefault((line["id"], line["method"]), {}).update(records[line["property"]]["values"])
    return values


def _with_properties(row: Candidate, properties: dict[tuple[str, str], dict[str, Any]]) -> Candidate:
    return row.model_copy(update={"properties": properties.get((row.composition, row.method), {})})
