"""The phases of a store that a powder may hold: minima of candidates and reference phases, as structures."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ninefold.diffraction.library import MatchPhase
from ninefold.models.structure import unpack_structure
from ninefold.thermo.phase import MOLECULE

if TYPE_CHECKING:
    from ninefold.store.store import Store


def powder_phases(
    store: Store, elements: Collection[str] | None = None, campaign: str | None = None
) -> list[MatchPhase]:
    """Every valid minimum of the candidates, by the method that stands for each, and every solid reference phase.

    Args:
        store: Open.
        elements: Phases of these elements alone; default: of any.
        campaign: Name; default: all.

    Returns:
        Each structure once; candidates first.
    """
    equal = {} if campaign is None else {"campaign": campaign}
    rows = store.find("candidates", equal={**equal, "is_best": True}, fields=["id", "elements"], limit=None)
    keys = [row["id"] for row in rows if elements is None or set(row["elements"]) <= set(elements)]
    whole = store.get_many("candidates", keys)
    wanted: dict[str, tuple[str, str, str, float | None]] = {}
    methods: set[str] = set()
    for key in keys:
        row = whole[key]
        methods.add(row["method"])
        for place, minimum in enumerate(row["minima"], start=1):
            if minimum["is_valid"]:
                name = f"{row['label']}, minimum {place} ({minimum['space_group_symbol']})"
                wanted.setdefault(
                    minimum["structure"], (name, row["formula"], "candidate", minimum["energy_per_atom"])
                )  # fmt: skip
    for document in _references(store, equal, methods):
        if elements is None or set(document["elements"]) <= set(elements):
            wanted.setdefault(
                document["structure"],
                (document["name"], document["formula"], "reference", document["energy_per_atom"]),
            )  # fmt: skip
    structures = store.get_many("structures", list(wanted))
    return [
        MatchPhase(key, name, formula, unpack_structure(structures[key]), kind, energy)
        for key, (name, formula, kind, energy) in wanted.items()
        if key in structures
    ]


def _references(store: Store, equal: dict[str, Any], methods: set[str]) -> list[dict[str, Any]]:
    """Solids of the methods whose candidates are taken, one of each name; of any method where there are none."""
    found = [
        document
        for document in store.find("references", equal=equal, limit=None)
        if document["structure"] and document["kind"] != MOLECULE and not document["refuted"]
    ]
    ordered = sorted(found, key=lambda document: (document["method"] not in methods, str(document["name"])))
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for document in ordered:
        kept.setdefault((document["campaign"], document["name"]), document)
    return list(kept.values())
