"""One task each: what a worker does for one composition, phase or structure, between store and stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.flows.shards import is_low_budget
from ninefold.flows.workplace import Failure, Workplace, isolated
from ninefold.models.composition import CompositionRecord, unpack_assignment
from ninefold.models.lines import decode_lines
from ninefold.models.method import Method
from ninefold.models.property import PropertyRecord
from ninefold.models.search import MinimaRecord, PoolRecord, SearchRecord
from ninefold.models.structure import StructureRecord
from ninefold.store import StoreError
from ninefold.store.records import Model, insert, read, read_many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.flows.cached_engine import CachedEngine
    from ninefold.models.reference import ReferenceRecord
    from ninefold.stages.stage import StageResult
    from ninefold.store import Store


def store_result(store: Store, result: StageResult) -> None:
    """Facts of a stage: large content first, then what names it, so that nothing stored names what is not there."""
    for content in result.blobs.values():
        store.blobs.put(content)
    insert(store, result.records)


@isolated
def build_one(place: Workplace, line: dict[str, Any], number: int) -> PoolRecord | Failure:
    """The pool of one composition, made or found."""
    from ninefold.stages import build

    campaign = place.campaign
    assignment = unpack_assignment(line["assignment"])
    budget = campaign.budget_of(is_low=is_low_budget(line))
    identifier = build.pool_id(assignment, budget, campaign.seed, number)
    known = read(place.store, PoolRecord, identifier)
    if known is not None and place.store.blobs.is_whole(known.packings):
        return known
    result = build.build(campaign.name, assignment, budget, campaign.seed, number)
    store_result(place.store, result)
    [made] = result.records
    assert isinstance(made, PoolRecord)
    if known is not None and known.packings != made.packings:
        place.store.put("pools", [made])  # its structures were lost, and what made them has changed
    return made


@isolated
def prescreen_one(place: Workplace, line: dict[str, Any], number: int) -> tuple[SearchRecord, str] | Failure | None:
    """The search of one pool, made or found, and the id of what all rounds so far have found; None without a pool."""
    from ninefold.stages import build, prescreen

    if line["pool"] is None:
        return None

    campaign, store = place.campaign, place.store
    assignment = unpack_assignment(line["assignment"])
    engine = place.engine(campaign.engine)
    budget = campaign.search_budget_of(is_low=is_low_budget(line))
    identifier = prescreen.search_id(line["pool"], budget, engine.fingerprint)
    search = read(store, SearchRecord, identifier)
    if search is None:
        pool = _there(store, PoolRecord, line["pool"])
        proposals = build.proposals(decode_lines(store.blobs.get(pool.packings)))
        before = engine.faults.copy()
        result = prescreen.prescreen(campaign.name, assignment, proposals, budget, engine, line["pool"], number)
        if faults := engine.faults - before:
            # what was computed is stored: the next run's search goes the same way, as far as the machine lets it
            return Failure(next(iter(faults)))
        store_result(store, result)
        found = result.records[-1]
        assert isinstance(found, SearchRecord)
        search = found
    return search, _merge(store, [*line["searches"], search.id], search)


def _merge(store: Store, searches: list[str], last: SearchRecord) -> str:
    """What all rounds have found together, made or found; its id."""
    from ninefold.stages import prescreen

    identifier = prescreen.minima_id(searches)
    if store.get("minima", identifier) is None:
        earlier = [_there(store, SearchRecord, key) for key in searches[:-1]]
        rounds = [*earlier, last]
        structures = structures_of(store, (minimum.structure for search in rounds for minimum in search.minima))
        store.insert("minima", [prescreen.merge_rounds(rounds, structures)])
    return identifier


@isolated
def relax_reference(place: Workplace, line: dict[str, Any], method: int) -> ReferenceRecord | Failure:
    """One reference phase with one of the campaign's methods."""
    from ninefold.stages import references
    from ninefold.thermo.references import reference_phase

    engine = place.engine(place.campaign.methods[method])
    phase = reference_phase(line["name"])
    [relaxation] = engine.relax([phase.structure], phase.relax_settings)
    if relaxation.is_transient:
        return Failure(str(relaxation.error))
    campaign = place.campaign
    return references.reference_record(campaign.name, phase, relaxation, Method.of(engine), campaign.stability.hydrogen)


@isolated
def relax_minima_one(place: Workplace, line: dict[str, Any], method: int) -> MinimaRecord | Failure:
    """The minima of one composition with a further method, made or found."""
    from ninefold.stages import energies

    campaign, store = place.campaign, place.store
    engine: CachedEngine = place.engine(campaign.methods[method])
    found = _there(store, MinimaRecord, line["minima"])
    budget = energies.with_window(campaign.budget_of(is_low=is_low_budget(line)), read(store, Method, found.method))
    identifier = energies.relaxed_id(line["minima"], budget, engine.fingerprint)
    known = read(store, MinimaRecord, identifier)
    if known is not None:
        return known
    structures = structures_of(store, (minimum.structure for minimum in found.minima))
    before = engine.faults.copy()
    result = energies.relax_minima(
        campaign.name, unpack_assignment(line["assignment"]), found, structures, budget, engine
    )
    if faults := engine.faults - before:
        return Failure(next(iter(faults)))
    store_result(store, result)
    record = result.records[-1]
    assert isinstance(record, MinimaRecord)
    return record


@isolated
def compute_property(place: Workplace, line: dict[str, Any], name: str) -> PropertyRecord | Failure:
    """Values of one candidate by a stage of the user's, made or found."""
    from ninefold.stages import own

    campaign, store = place.campaign, place.store
    engine = place.engine(campaign.methods[line["method"]])
    minima = _there(store, MinimaRecord, line["minima"])
    best = minima.minima[0].structure
    known = read(store, PropertyRecord, own.property_id(name, best, engine.fingerprint))
    if known is not None:
        return known
    structure = structures_of(store, [best])[best]
    before = engine.faults.copy()
    composition = _there(store, CompositionRecord, line["id"])
    # facts alone: a value that is found again must not depend on hulls, rules or ranks that have changed since
    of_composition = {
        key: value for key, value in composition.model_dump(mode="json").items() if key in own.OF_COMPOSITION
    }
    row = of_composition | minima.minima[0].model_dump(mode="json", exclude={"structure"})
    try:
        record = own.compute(campaign.name, name, row, structure, engine)
    except InputError as error:  # of the user's code, for this candidate: the others go on
        # where the engine failed it, the stage had no energy to work with
        return Failure(next(iter(engine.faults - before), str(error)))
    if faults := engine.faults - before:
        return Failure(next(iter(faults)))
    store.insert("properties", [record])
    return record


def structures_of(store: Store, identifiers: Iterable[str]) -> dict[str, StructureRecord]:
    """Structures by their ids.

    Raises:
        StoreError: if the store has lost one.
    """
    return records_of(store, StructureRecord, identifiers)


def records_of(store: Store, model: type[Model], ids: Iterable[str]) -> dict[str, Model]:
    """Records that must be there, by id.

    Raises:
        StoreError: if the store has lost one, or cannot read it.
    """
    wanted = list(dict.fromkeys(ids))
    found = read_many(store, model, wanted)
    if missing := [identifier for identifier in wanted if identifier not in found]:
        raise StoreError(
            f"store: has lost {missing[0]} of {model.collection}; restore a copy, or run again with --fresh"
        )
    return found


def _there(store: Store, model: type[Model], identifier: str) -> Model:
    return records_of(store, model, [identifier])[identifier]
