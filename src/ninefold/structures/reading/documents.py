"""JSON as pymatgen writes it: a Structure, a list of them, or a document with one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ninefold.structures.reading.expansion import Site, expand
from ninefold.structures.reading.model import (
    ReadStructure,
    UnreadableError,
    element_of,
    fixed_atoms_note,
    plain_structure,
)
from ninefold.structures.reading.space_groups import IDENTITY


def documents_of(text: str) -> list[Mapping[str, Any]]:
    """The pymatgen structures of a JSON text, as dictionaries; empty if it holds none.

    Raises:
        UnreadableError: if it is no JSON.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"is no JSON: {error}") from error
    return _found(value)


def is_ase_database(text: str) -> bool:
    """Whether a JSON text is a database of ASE."""
    value = json.loads(text)
    return isinstance(value, dict) and "ids" in value and "nextid" in value


def read_document(document: Mapping[str, Any]) -> ReadStructure:
    """The structure of pymatgen's dictionary.

    Raises:
        UnreadableError: if it is broken or disordered.
    """
    try:
        cell = np.array(document["lattice"]["matrix"], dtype=float).reshape(3, 3)
        periodic = document["lattice"].get("pbc", (True, True, True))
        rows = [(site["species"], np.array(site["abc"], dtype=float).reshape(3)) for site in document["sites"]]
        sites = [
            Site(f"{species.get('label') or species['element']}{place}", _element(species["element"]), position,
                 float(species["occu"]))
            for place, (kinds, position) in enumerate(rows, start=1)
            for species in kinds
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"is no structure of pymatgen: {type(error).__name__}: {error}") from error
    if not all(periodic):
        raise UnreadableError("is not periodic in three directions")
    if not sites:
        raise UnreadableError("holds no periodic structure: it has no atoms")
    if abs(float(np.linalg.det(cell))) < 1e-3:
        raise UnreadableError("holds no periodic structure: its cell has no volume")
    notes = _held(document["sites"])
    expanded = expand(sites, IDENTITY, cell)
    return plain_structure(cell, expanded.symbols, expanded.positions, [*notes, *expanded.notes])


def _held(sites: Sequence[Mapping[str, Any]]) -> list[str]:
    """A note, if selective dynamics holds an atom: a flag for each direction, false where it is held."""
    flags = [(site.get("properties") or {}).get("selective_dynamics") for site in sites]
    held = sum(isinstance(flag, list) and not all(flag) for flag in flags)
    return [fixed_atoms_note(held, len(flags))] if held else []


def _element(symbol: str) -> str:
    element = element_of(symbol)
    if element is None:
        raise UnreadableError(f"names {symbol!r}, which is no element")
    return element


def _found(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, list):
        return [document for item in value for document in _found(item)]
    if not isinstance(value, dict):
        return []
    if "lattice" in value and "sites" in value:
        return [value]
    if "structure" in value:
        return _found(value["structure"])
    return []
