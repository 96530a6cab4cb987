"""What a store knows of structures beyond their static energy: equations of state, vibrations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ninefold.models.method import Method, ZeroPoint
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages.compress import STAGE, state_id, state_of
from ninefold.stages.stability import Thermal
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.store import Store
    from ninefold.thermo.equation_of_state import EquationOfState
    from ninefold.thermo.harmonic import HarmonicVibrations

LARGEST_GAIN = -0.002
"""eV/atom, that vibrations may have gained by relaxing on; more means that they are another structure's."""


def thermal_of(store: Store, method: str) -> Thermal:
    """Equations of state and vibrations with one method, by the structure's id; other campaigns' count too.

    Args:
        store: Where they are.
        method: Id of the method.
    """
    states: dict[str, EquationOfState] = {}
    for document in store.iterate("properties", equal={"stage": STAGE, "method": method}):
        state = state_of(document)
        if state is not None and document["id"] == state_id(document["structure"], method):
            states[document["structure"]] = state
    stored = store.get("methods", method)
    zero_point: ZeroPoint = "none" if stored is None else Method.model_validate(stored).holds_zero_point
    return Thermal(states, _vibrations(store, method), zero_point)


def _vibrations(store: Store, method: str) -> dict[str, HarmonicVibrations]:
    """By the structure that they are of; and by that which was asked for, unless it gave way to a lower one."""
    from ninefold.thermo.harmonic import HarmonicVibrations

    found = {}
    for record in read_all(store, VibrationRecord, equal={"method": method}):
        if record.spectrum is None or record.structure is None:
            continue
        spectrum = HarmonicVibrations.from_dict(json.loads(store.blobs.get(record.spectrum)))
        found[record.structure] = spectrum
        if (record.gain or 0.0) > LARGEST_GAIN:
            found[record.start] = spectrum
    return found
