"""What a store knows of structures beyond their static energy: equations of state, vibrations."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ninefold.campaign import parse_campaign
from ninefold.models.campaign import CampaignRecord
from ninefold.models.method import Method, ZeroPoint
from ninefold.models.property import PropertyRecord
from ninefold.models.search import MinimaRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages import quasiharmonic
from ninefold.stages.compress import STAGE, state_id, state_of
from ninefold.stages.quasiharmonic import quasi_harmonic_of
from ninefold.stages.stability import Thermal
from ninefold.stages.structure_facts import is_of, widest
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.store import Store
    from ninefold.thermo.equation_of_state import EquationOfState
    from ninefold.thermo.harmonic import HarmonicVibrations
    from ninefold.thermo.quasiharmonic import QuasiHarmonic


def thermal_of(store: Store, method: str, campaign: str) -> Thermal:
    """Equations of state and vibrations with one method, by the structure's id; other campaigns' count too.

    A method that is none of the campaign's own, that of a verification, computes phases at the geometries of those:
    their equations of state are lent to it, and the hull says so.

    Args:
        store: Where they are.
        method: Id of the method.
        campaign: Name of the campaign whose hulls are made.
    """
    stored = store.get("methods", method)
    zero_point: ZeroPoint = "none" if stored is None else Method.model_validate(stored).holds_zero_point
    lent: dict[str, tuple[str, EquationOfState]] = {}
    for lender in _lenders(store, method, campaign):
        states = _states(store, lender)
        label = str((store.get("methods", lender) or {}).get("label"))
        lent = {structure: (label, state) for structure, state in states.items()} | lent
    chosen = _vibrations(store, method)
    vibrations = {structure: modes for structure, (_, modes) in chosen.items()}
    return Thermal(
        _states(store, method), vibrations, zero_point, _carried_on(store, method, lent) if lent else {},
        _expansions(store, method, {structure: record for structure, (record, _) in chosen.items()}),
    )  # fmt: skip


def _expansions(store: Store, method: str, records: Mapping[str, str]) -> dict[str, QuasiHarmonic]:
    """Vibrations at several volumes, by the structure whose vibrations at rest they stand beside.

    Args:
        store: Where they are.
        method: Id.
        records: Structure -> id of its `VibrationRecord`.
    """
    chosen: dict[str, PropertyRecord] = {}
    for found in read_all(store, PropertyRecord, equal={"stage": quasiharmonic.STAGE, "method": method}):
        before = chosen.get(found.values["vibrations"])
        if before is None or (len(found.values["volumes"]), found.id) > (len(before.values["volumes"]), before.id):
            chosen[found.values["vibrations"]] = found
    made = {
        key: quasi_harmonic_of(found, {name: store.blobs.get(name) for name in found.values["spectra"]})
        for key, found in chosen.items()
    }
    return {structure: solid for structure, record in records.items() if (solid := made.get(record)) is not None}


def _states(store: Store, method: str) -> dict[str, EquationOfState]:
    states = {}
    for document in store.iterate("properties", equal={"stage": STAGE, "method": method}):
        state = state_of(document)
        if state is not None and document["id"] == state_id(document["structure"], method):
            states[document["structure"]] = state
    return states


def _lenders(store: Store, method: str, campaign: str) -> list[str]:
    """The campaign's own methods, the most trusted first, if the method is none of them."""
    document = store.get("campaigns", campaign)
    if document is None:
        return []
    record = CampaignRecord.model_validate(document)
    own = record.methods[: len(parse_campaign(record.settings).methods)]
    return [] if method in own else own[::-1]


def _carried_on(
    store: Store, method: str, lent: Mapping[str, tuple[str, EquationOfState]]
) -> dict[str, tuple[str, EquationOfState]]:
    """By structure; also for what the method has made of such a geometry: the end of a relaxation, a minimum's cell."""
    before = {
        row["final"]: row["start"]
        for row in store.iterate(
            "calculations", equal={"method": method, "kind": "relax"}, fields=["start", "final"]
        )
        if row["start"] and row["final"]
    }  # fmt: skip
    found = dict(lent)
    for final in before:
        place, seen = final, set[str]()
        while place in before and place not in lent and place not in seen:
            seen.add(place)
            place = before[place]
        if place in lent:
            found.setdefault(final, lent[place])
    for record in read_all(store, MinimaRecord, equal={"method": method}):
        for structure, origins in record.origins.items():
            origin = next((each for each in reversed(origins) if each in found), None)
            if origin is not None:
                found.setdefault(structure, found[origin])
    return found


def _vibrations(store: Store, method: str) -> dict[str, tuple[str, HarmonicVibrations]]:
    """Record and modes by the structure they are of; also by that which was asked for, if none lower took its place.

    Of several of one structure, those of the largest supercell.
    """
    from ninefold.thermo.harmonic import HarmonicVibrations

    of_structure: dict[str, list[VibrationRecord]] = defaultdict(list)
    for record in read_all(store, VibrationRecord, equal={"method": method}):
        if record.spectrum is not None and record.structure is not None:
            for structure in {record.structure, record.start}:
                if is_of(record, structure):
                    of_structure[structure].append(record)
    chosen = {structure: widest(records) for structure, records in of_structure.items()}
    spectra = {
        blob: HarmonicVibrations.from_dict(json.loads(store.blobs.get(blob)))
        for blob in {record.spectrum for record in chosen.values() if record is not None and record.spectrum}
    }
    return {
        structure: (record.id, spectra[record.spectrum])
        for structure, record in chosen.items()
        if record is not None and record.spectrum
    }
