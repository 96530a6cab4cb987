"""Which structure each one in a search was made from: by a relaxation, or by moving atoms onto a symmetry."""

from __future__ import annotations

from collections.abc import Iterable

from pymatgen.core import Structure

from ninefold.models.structure import pack_structure, structure_id


class Lineage:
    """Parents of structures, by their ids.

    What made a structure first counts: a structure has one parent, and none is its own ancestor.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}

    def add(self, made: Structure, parent: Structure) -> None:
        """One structure was made from another; nothing if it is the same to the last bit, or known already."""
        start, end = (structure_id(pack_structure(structure)) for structure in (parent, made))
        self._parents.setdefault(start, None)
        self._parents.setdefault(end, start)

    def origins(self, structures: Iterable[Structure]) -> dict[str, list[str]]:
        """By id of each structure, its ancestors' ids, the first start first; empty for a start."""
        ids = [structure_id(pack_structure(structure)) for structure in structures]
        return {identifier: self._ancestors(identifier) for identifier in ids}

    def _ancestors(self, identifier: str) -> list[str]:
        found: list[str] = []
        parent = self._parents.get(identifier)
        while parent is not None:
            found.append(parent)
            parent = self._parents.get(parent)
        return found[::-1]
