"""Jobs of the structure search: pools and searches of some compositions, references, minima with further methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import tasks
from ninefold.flows.counting import Faults, counted, surviving
from ninefold.flows.rows import Step, write_rows
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each,
    forget_other_shards,
    key_of,
    lines_of,
    method_name,
    shard_of,
    shards_of,
)  # fmt: skip
from ninefold.flows.workplace import Failure, method_of
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.stages import build, energies, prescreen, references
from ninefold.stages.row import candidate_row
from ninefold.stages.stage import name_with
from ninefold.store import open_store

if TYPE_CHECKING:
    from ninefold.models.method import Method
    from ninefold.store import Store

NOT_BUILT = "no pool of structures: it could not be built"
"""Reason in the funnel of a search that could not begin."""


@job(name="search structures")
def search_structures(campaign: Settings, store: str, shards: list[Shard], number: int) -> Response:
    """Replace itself by a build and a prescreen job for each shard of compositions.

    Args:
        campaign: As plain values, here and in every job.
        store: Its address, likewise.
        shards: Compositions of the round.
        number: Of the round.
    """
    jobs, searched = [], []
    for shard in shards:
        built = build_structures(campaign, store, shard, number)
        prescreened = prescreen_structures(campaign, store, built.output, number)
        jobs += [built, prescreened]
        searched.append(prescreened.output)
    return Response(replace=Flow(jobs, output=searched, name="structure search"))


@job(name="build structures")
def build_structures(campaign: Settings, store: str, shard: Shard, number: int) -> Shard | None:
    """Generate structures for a shard of compositions and settle them with the ionic force field."""
    screened = parse_campaign(campaign)
    stage = name_with("build", number)
    with open_store(store, mode="write") as opened, surviving(opened, screened.name, stage, key_of(shard)):
        lines = lines_of(opened, shard)
        faults = Faults(opened, screened.name, stage)
        with counted(opened, screened.name, stage, key_of(shard), is_of_facts=True) as funnel:
            funnel.unit = "structures"
            for index, result in each(campaign, store, stage, tasks.build_one, lines, number):
                label = lines[index]["label"]
                if isinstance(result, Failure):
                    faults.add(label, result.reason, funnel)
                    lines[index]["pool"] = None
                else:
                    faults.clear(label)
                    funnel.add(build.counts(result))
                    lines[index]["pool"] = result.id
        return shard_of(opened, lines, shard.get("key"))
    return None


@job(name="prescreen structures", config=WHATEVER_IS_THERE)
def prescreen_structures(campaign: Settings, store: str, shard: Shard | None, number: int) -> Shard | None:
    """Single points, coarse relaxations and refinements with the search's engine."""
    if shard is None:
        return None
    screened = parse_campaign(campaign)
    stage, method = name_with("prescreen", number), method_of(screened.engine)
    with open_store(store, mode="write") as opened, surviving(opened, screened.name, stage, key_of(shard)):
        lines = lines_of(opened, shard)
        faults = Faults(opened, screened.name, stage)
        with counted(opened, screened.name, stage, key_of(shard), is_of_facts=True) as funnel:
            funnel.count_in = len(lines)
            if lost := sum(line["pool"] is None for line in lines):
                funnel.reasons[NOT_BUILT] = lost
            able = [line for line in lines if line["pool"] is not None]
            for index, result in each(campaign, store, stage, tasks.prescreen_one, able, number):
                line = able[index]
                if isinstance(result, Failure):
                    faults.add(line["label"], result.reason, funnel)
                    continue
                faults.clear(line["label"])
                search, minima = result
                counts = prescreen.counts(search)
                counts.count_in = 0  # counted above, with those that have no pool
                funnel.add(counts)
                line |= {"searches": [*line["searches"], search.id], "minima": minima}
                _show_searched(opened, method, line, minima, number)
        return shard_of(opened, [line for line in lines if line.get("minima")], shard.get("key"))
    return None


@job(name="relax reference phases")
def relax_reference_phases(
    campaign: Settings, store: str, shards: list[Shard], method: int = 0
) -> list[dict[str, Any]]:
    """Relax the competing phases of the selected chemical systems with one of the campaign's methods.

    Args:
        campaign: As plain values.
        store: Its address.
        shards: The selected compositions, whose systems these are.
        method: Its place among the campaign's methods; 0 is the search's.

    Returns:
        Name of each phase and id of its record; None where the machine failed.
    """
    screened = parse_campaign(campaign)
    stage = name_with("references", method_name(screened, method))
    with open_store(store, mode="write") as opened:
        systems = _systems(opened, screened.name)
        phases = references.phases_of(systems)
        names = list(phases)
        found: dict[str, str | None] = dict.fromkeys(names)
        faults = Faults(opened, screened.name, stage)
        with counted(opened, screened.name, stage, is_of_facts=True) as funnel:
            funnel.unit = "structures"
            funnel.count_in = len(names)
            results = each(campaign, store, stage, tasks.relax_reference, names, method, unit="structures")
            for index, result in results:
                name = names[index]
                if isinstance(result, Failure):
                    faults.add(name, result.reason, funnel)
                    continue
                faults.clear(name)
                counts = references.counts(result)
                counts.count_in = 0
                funnel.add(counts)
                opened.put("references", [result])
                found[name] = result.id
            funnel.reasons.update(references.missing_reasons(systems))
    return [{"name": name, "reference": found[name]} for name in names]


@job(name="relax minima")
def relax_minima(campaign: Settings, store: str, assessed: Shard, method: int) -> Response:
    """Replace itself by a job for each shard of compositions, which relaxes their minima with a further method."""
    screened = parse_campaign(campaign)
    with open_store(store, mode="write") as opened:
        lines = [
            {key: value for key, value in line.items() if key != "outcome"}
            for line in lines_of(opened, assessed)
            if line["outcome"]["structures_found"]
        ]
        shards = shards_of(opened, lines, screened.execution.compositions_per_job)
        forget_other_shards(opened, screened.name, (name_with("energies", method_name(screened, method)),), shards)
    jobs = [relax_minima_of(campaign, store, shard, method) for shard in shards]
    return Response(replace=Flow(jobs, output=[part.output for part in jobs], name="energies"))


@job(name="relax minima of some compositions")
def relax_minima_of(campaign: Settings, store: str, shard: Shard, method: int) -> Shard | None:
    """Minima of some compositions relaxed to the end with a further method."""
    screened = parse_campaign(campaign)
    stage = name_with("energies", method_name(screened, method))
    with open_store(store, mode="write") as opened, surviving(opened, screened.name, stage, key_of(shard)):
        lines = lines_of(opened, shard)
        faults = Faults(opened, screened.name, stage)
        relaxed = []
        with counted(opened, screened.name, stage, key_of(shard), is_of_facts=True) as funnel:
            for index, result in each(campaign, store, stage, tasks.relax_minima_one, lines, method):
                line = lines[index]
                if isinstance(result, Failure):
                    funnel.count_in += 1
                    faults.add(line["label"], result.reason, funnel)
                    continue
                faults.clear(line["label"])
                funnel.add(energies.counts(result))
                relaxed.append({**line, "minima": result.id})
        return shard_of(opened, sorted(relaxed, key=lambda line: line["id"]), shard.get("key"))
    return None


def _show_searched(store: Store, method: Method, line: dict[str, Any], minima: str, number: int) -> None:
    """Let a composition's row tell what has been found so far."""
    composition = CompositionRecord.model_validate(store.get("compositions", line["id"]))
    found = MinimaRecord.model_validate(store.get("minima", minima))
    write_rows(store, [candidate_row(composition, method, found)], Step.SEARCHED, number)


def _systems(store: Store, campaign: str) -> list[tuple[str, ...]]:
    """Chemical systems of the compositions, sorted."""
    rows = store.iterate("compositions", equal={"campaign": campaign}, fields=["elements"])
    return sorted({tuple(row["elements"]) for row in rows})
