"""What a store knows of structures beyond their static energy: equations of state, vibrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.stages.compress import STAGE, state_id, state_of
from ninefold.stages.stability import Thermal

if TYPE_CHECKING:
    from ninefold.store import Store
    from ninefold.thermo.equation_of_state import EquationOfState


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
    return Thermal(states)
