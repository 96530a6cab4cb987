"""The phases of a chemical system as pymatgen's entries, with the energies that the stored hull distances come from."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError, listed

if TYPE_CHECKING:
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    from ninefold.store.store import Store

MOST_ELEMENTS = 8
"""Elements of one system: a hull of more takes minutes, and has 2**n subsystems."""
_MOST_NAMED = 4
_AT_ONCE = 200


def entries_of(
    store: Store, campaign: Mapping[str, Any], method: str, system: Sequence[str], *, all_candidates: bool
) -> list[ComputedStructureEntry]:
    """Reference phases and candidates of a system and its subsystems, by one method.

    Args:
        store: Open.
        campaign: Its document.
        method: Id.
        system: Element symbols, as `system_of` gives them.
        all_candidates: Also those that do not compete in the campaign's hulls.

    Raises:
        InputError: if the method has no energy of an element, without which there is no hull.
    """
    subsystems = [
        "-".join(some) for size in range(1, len(system) + 1) for some in combinations(sorted(system), size)
    ]  # fmt: skip
    equal = {"campaign": campaign["name"], "method": method, "chemical_system": subsystems}
    label = (store.get("methods", method) or {}).get("label", method)
    about = {"method": label, "method_id": method, "campaign": campaign["name"]}
    stability = (campaign.get("settings") or {}).get("stability") or {}
    references = list(_references(store, equal, about))
    pure = {str(entry.composition.elements[0]) for entry in references if len(entry.composition) == 1}
    if missing := sorted(set(system) - pure):
        raise InputError(
            "system", "-".join(system), problem=f"has no reference phase of pure {', '.join(missing)} by {label} in "
            f"campaign {campaign['name']}, so that there is no hull",
        )  # fmt: skip
    do_compete = stability.get("candidates_compete", True)
    return [*references, *_candidates(store, equal, about, do_compete=do_compete, all_candidates=all_candidates)]


def system_of(system: str | Iterable[str]) -> list[str]:
    """Element symbols of a system, sorted.

    Args:
        system: `K-Re-H`, or symbols.

    Raises:
        InputError: if it is none.
    """
    from ninefold.chemistry.formula import parse_formula

    given: list[Any] = re.split(r"[-,\s]+", system.strip()) if isinstance(system, str) else list(system or ())
    symbols: set[str] = set()
    for symbol in given or [""]:
        try:
            amounts = parse_formula(symbol) if isinstance(symbol, str) else {}
        except InputError:
            amounts = {}
        if list(amounts.values()) != [1] or symbol not in amounts:
            raise InputError("system", symbol, problem="is not an element", allowed='"K-Re-H" or ["K", "Re", "H"]')
        symbols.add(symbol)
    if len(symbols) > MOST_ELEMENTS:
        raise InputError(
            "system", "-".join(sorted(symbols)), problem="is too large", allowed=f"{MOST_ELEMENTS} elements"
        )
    return sorted(symbols)


def _references(store: Store, equal: Mapping[str, Any], about: Mapping[str, str]) -> Iterator[ComputedStructureEntry]:
    """Those that carry a hull: relaxed, and not refuted."""
    rows = sorted(store.find("references", equal=equal), key=lambda row: str(row["name"]))
    rows = [row for row in rows if row["energy_per_atom"] is not None and row["structure"] and not row["refuted"]]
    structures = store.get_many("structures", [row["structure"] for row in rows])
    for row in rows:
        if row["structure"] not in structures:
            continue
        told = ("name", "kind", "source", "provenance", "notes")
        yield _entry(
            structures[row["structure"]], row["energy_per_atom"], row["id"], about,
            {**{key: row.get(key) for key in told}, "structure_id": row["structure"], "competes": True},
        )  # fmt: skip


def _candidates(
    store: Store, equal: Mapping[str, Any], about: Mapping[str, str], *, do_compete: bool, all_candidates: bool
) -> Iterator[ComputedStructureEntry]:
    """The minimum that stands for each candidate: another may lie lower by less than a relaxation's precision."""
    fields = ["id", "label", "is_competitor", "phase_separation_energy", "energy_per_atom"]
    rows = [
        row for row in store.iterate("candidates", equal=equal, fields=fields) if row["energy_per_atom"] is not None
    ]
    if without := [row["label"] for row in rows if row["phase_separation_energy"] is None]:
        warnings.warn(
            f"no stored hull distance: {listed(without, _MOST_NAMED)}. A reference phase is missing, without which "
            "compounds may seem more stable than they are; 'ninefold show' says which",
            stacklevel=4,
        )
    wanted = [row["id"] for row in rows if row["is_competitor"] or do_compete or all_candidates]
    for start in range(0, len(wanted), _AT_ONCE):
        page = wanted[start : start + _AT_ONCE]
        documents = store.get_many("candidates", page)
        best = {key: next((each for each in row["minima"] if each["is_valid"]), None) for key, row in documents.items()}
        structures = store.get_many("structures", [each["structure"] for each in best.values() if each is not None])
        for key in page:
            minimum = best.get(key)
            if minimum is None or minimum["structure"] not in structures:
                continue
            row = documents[key]
            told = ("label", "formula", "anion", "rank", "e_above_hull", "phase_separation_energy", "is_known")
            kind = "known, searched" if row["is_competitor"] and row["is_known"] else "candidate"
            data = {
                "name": row["label"], "kind": kind, **{key: row[key] for key in told},
                "structure_id": minimum["structure"], "competes": row["is_competitor"] or do_compete,
            }  # fmt: skip
            yield _entry(structures[minimum["structure"]], minimum["energy_per_atom"], row["id"], about, data)


def _entry(
    structure: Mapping[str, Any], energy_per_atom: float, id: str, about: Mapping[str, str], data: dict[str, Any]
) -> ComputedStructureEntry:
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    from ninefold.models.structure import unpack_structure

    found = unpack_structure(dict(structure))
    return ComputedStructureEntry(
        found, energy_per_atom * len(found), parameters=dict(about), data=data, entry_id=id
    )  # fmt: skip
