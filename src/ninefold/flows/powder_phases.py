"""The phases of a store that a powder may hold: minima of candidates and reference phases, as structures."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ninefold.diffraction.library import MatchPhase
from ninefold.diffraction.pattern import at_volume
from ninefold.flows.trusted import by_falling_trust, methods_by_trust
from ninefold.models.structure import unpack_structure
from ninefold.store.listing import check_campaign
from ninefold.store.structure_facts import Compression, StructureFacts
from ninefold.thermo.phase import MOLECULE

if TYPE_CHECKING:
    from ninefold.store.store import Store


def powder_phases(
    store: Store,
    elements: Collection[str] | None = None,
    campaign: str | None = None,
    pressure: float | None = None,
) -> list[MatchPhase]:
    """Every valid minimum of the candidates, by the method that stands for each, and every solid reference phase.

    A reference phase is that of the most trusted of the campaign's methods that has it.

    Args:
        store: Open.
        elements: Phases of these elements alone; default: of any.
        campaign: Name; default: all.
        pressure: GPa; cells are scaled to it by the stored equations of state, where there are any.

    Returns:
        Each structure once; candidates first.

    Raises:
        InputError: if the campaign is not in the store, or the pressure is out of the range of equations of state.
    """
    check_campaign(store, campaign)
    facts = None if pressure is None else StructureFacts(store)
    equal = {} if campaign is None else {"campaign": campaign}
    rows = store.find("candidates", equal={**equal, "is_best": True}, fields=["id", "elements"], limit=None)
    keys = [row["id"] for row in rows if elements is None or set(row["elements"]) <= set(elements)]
    whole = store.get_many("candidates", keys)
    wanted: dict[str, tuple[str, str, str, float | None, str, str | None]] = {}
    compressed: dict[str, Compression | None] = {}
    for key in keys:
        row = whole[key]
        for place, minimum in enumerate(row["minima"], start=1):
            if minimum["is_valid"]:
                name = f"{row['label']}, minimum {place} ({minimum['space_group_symbol']})"
                energy = minimum["energy_per_atom"]
                wanted.setdefault(
                    minimum["structure"], (name, row["formula"], "candidate", energy, row["method"], row["engine"])
                )
                if facts is not None:
                    compressed.setdefault(minimum["structure"], facts.compression_of_minimum(row, minimum["structure"]))
    for document in _references(store, campaign):
        if elements is None or set(document["elements"]) <= set(elements):
            wanted.setdefault(
                document["structure"],
                (
                    document["name"], document["formula"], "reference", document["energy_per_atom"],
                    document["method"], document["engine"],
                ),
            )  # fmt: skip
            if facts is not None:
                compressed.setdefault(
                    document["structure"], facts.compression(document["structure"], document["method"])
                )
    structures = store.get_many("structures", list(wanted))
    phases = []
    for key, (name, formula, kind, energy, method, engine) in wanted.items():
        if key in structures:
            found, structure = compressed.get(key), unpack_structure(structures[key])
            if found is not None and pressure is not None:
                structure = at_volume(structure, found.ratio(pressure))
            told = None if pressure is None else "" if found is None else found.describe()
            phases.append(MatchPhase(key, name, formula, structure, kind, energy, told, method, engine))
    return phases


def _references(store: Store, campaign: str | None) -> list[dict[str, Any]]:
    """Solids of each campaign, one of each name: by the most trusted method that has it."""
    found = [
        document
        for document in store.find("references", equal={} if campaign is None else {"campaign": campaign}, limit=None)
        if document["structure"] and document["kind"] != MOLECULE and not document["refuted"]
    ]
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for document in by_falling_trust(found, methods_by_trust(store, campaign)):
        kept.setdefault((document["campaign"], document["name"]), document)
    return sorted(kept.values(), key=lambda document: str(document["name"]))
