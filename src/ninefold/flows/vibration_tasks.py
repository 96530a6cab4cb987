"""What a worker does for the vibrations of one phase: relax, displace, forces one by one, follow soft modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.engines.base import Evaluation
from ninefold.flows.compute import Line
from ninefold.flows.progress import announce
from ninefold.flows.tasks import records_of, store_result, structures_of
from ninefold.flows.workplace import Failure, Workplace, isolated
from ninefold.models.calculation import Calculation
from ninefold.models.composition import CompositionRecord
from ninefold.models.property import PropertyRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages import quasiharmonic, vibrations
from ninefold.stages.verify_plan import REFERENCE
from ninefold.stages.vibrations import VibrationsSettings
from ninefold.store.records import read, read_all

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Relaxation
    from ninefold.engines.settings import RelaxSettings
    from ninefold.flows.cached_engine import CachedEngine
    from ninefold.store import Store
    from ninefold.vibrations.course import Tell
    from ninefold.vibrations.settings import PhononSettings


class StoredForces:
    """Energies and forces, each in the store as soon as it is finished: a course that is killed goes on from there.

    Args:
        engine: Looks up and stores.
        store: The same one's.
    """

    def __init__(self, engine: CachedEngine, store: Store) -> None:
        self._engine, self._store = engine, store

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """See `Source.relax`."""
        return self._engine.relax(structures, settings)

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """See `Source.evaluate`."""
        return self._engine.evaluate(structures)

    def forces(self, structure: Structure) -> Evaluation:
        """See `Source.forces`."""
        key, result = self._engine.static(structure)
        if key is None or result.error is not None:
            return result
        record = read(self._store, Calculation, key)
        if record is None or record.forces is None:
            return Evaluation(None, None, None, result.core_seconds, "the engine gives no forces")
        return Evaluation(result.energy_per_atom, np.array(record.forces), None, result.core_seconds)


@isolated
def vibrations_one(place: Workplace, line: Line, method: int, settings: dict[str, Any]) -> VibrationRecord | Failure:
    """Vibrations of one phase, made or found."""
    from ninefold.vibrations.course import CourseError

    engine, store = place.engine(place.campaign.methods[method]), place.store
    asked = VibrationsSettings.model_validate(settings).phonons()
    whole = VibrationsSettings.model_validate(settings)

    def tell(step: str, done: int, total: int) -> None:
        announce(f"{step} of {line['name']}", done, total, unit="supercells")

    known = known_vibrations(store, line["structure"], engine.fingerprint, asked)
    if known is not None:
        return _expanded(store, known, StoredForces(engine, store), whole, tell)
    assignment = None
    if line["role"] != REFERENCE:
        composition = records_of(store, CompositionRecord, [line["id"]])[line["id"]]
        assignment = composition.to_assignment()
    start = structures_of(store, [line["structure"]])[line["structure"]]
    try:
        result = vibrations.compute(
            place.campaign.name, line["label"], start, StoredForces(engine, store), engine.fingerprint, asked,
            assignment, tell,
        )  # fmt: skip
    except CourseError as error:
        return Failure(str(error))
    store_result(store, result)
    record = result.records[-1]
    assert isinstance(record, VibrationRecord)
    return _expanded(store, record, StoredForces(engine, store), whole, tell)


def _expanded(
    store: Store, record: VibrationRecord, source: StoredForces, settings: VibrationsSettings, tell: Tell
) -> VibrationRecord | Failure:
    """Vibrations at other volumes, where they are asked for, stored beside the record of a minimum; that record."""
    from ninefold.vibrations.course import CourseError

    if settings.volumes == 1 or known_expansion(store, record, settings) is not None:
        return record
    if record.structure is None or not record.is_stable:
        return record
    cell = structures_of(store, [record.structure])[record.structure]
    try:
        made = quasiharmonic.expand(
            record, cell, source, settings, lambda result: store_result(store, result), tell,
            lambda start, own: known_vibrations(store, start.id, record.method, own),
        )  # fmt: skip
    except CourseError as error:
        return Failure(str(error))
    store.insert("properties", [made])
    return record


def known_expansion(store: Store, record: VibrationRecord, settings: VibrationsSettings) -> PropertyRecord | None:
    """What is known of a phase at several volumes.

    Args:
        store: Where.
        record: Of its vibrations at the volume of rest.
        settings: It must have been computed with.
    """
    found = read(store, PropertyRecord, quasiharmonic.expansion_id(record, settings))
    if found is None or not all(store.blobs.is_whole(name) for name in found.values["spectra"]):
        return None
    return found


def known_parts(store: Store, line: Line, method: str, settings: dict[str, Any]) -> set[str]:
    """Ids of what is known of a phase: its vibrations, all volumes together, or those that are finished.

    Args:
        store: Where.
        line: The phase.
        method: Id.
        settings: `VibrationsSettings` as plain values.
    """
    asked = VibrationsSettings.model_validate(settings)
    record = known_vibrations(store, line["structure"], method, asked.phonons())
    if record is None:
        return set()
    ids = {record.id}
    if asked.volumes == 1 or record.structure is None or not record.is_stable:
        return ids
    if (whole := known_expansion(store, record, asked)) is not None:
        return {*ids, whole.id}
    cell = structures_of(store, [record.structure])[record.structure]
    for start, own in quasiharmonic.starts_of(cell.to_structure(), asked):
        relaxations = store.find("calculations", equal={"start": start.id, "kind": "relax", "method": method})
        for place in (start.id, *(row["final"] for row in relaxations if row["final"])):
            ids |= {row["id"] for row in relaxations}
            if (known := known_vibrations(store, place, method, own)) is not None:
                ids.add(known.id)
    return ids


def known_vibrations(store: Store, structure: str, method: str, settings: PhononSettings) -> VibrationRecord | None:
    """Finished vibrations of a structure: those that began with it, or ended there.

    Args:
        store: Where.
        structure: Its id.
        method: Id of the method.
        settings: They must have been computed with.
    """
    from ninefold.models.structure import StructureRecord

    cell = read(store, StructureRecord, structure)
    if cell is None:
        return None
    own = read(store, VibrationRecord, vibrations.vibration_id(cell.to_structure(), settings, method))
    if own is not None and _is_whole(store, own):
        return own
    wanted = vibrations.of_course(settings)
    for record in read_all(store, VibrationRecord, equal={"method": method, "structure": structure}):
        if record.settings == wanted and _is_whole(store, record):
            return record
    return None


def _is_whole(store: Store, record: VibrationRecord) -> bool:
    if record.error is not None:
        return True
    return all(name is not None and store.blobs.is_whole(name) for name in (record.force_constants, record.spectrum))
