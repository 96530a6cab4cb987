"""Structures and assignments as small plain values, for shards and stored results."""

from __future__ import annotations

from typing import Any

from pymatgen.core import Lattice, Structure

from ninefold.chemistry.anions import Assignment, Cation


def pack_structure(structure: Structure) -> dict[str, Any]:
    """Lattice (3, 3) in Å by rows, element symbols, and fractional positions (n, 3)."""
    return {
        "lattice": structure.lattice.matrix.tolist(),
        "species": [site.specie.symbol for site in structure],
        "positions": structure.frac_coords.tolist(),
    }


def unpack_structure(packed: dict[str, Any]) -> Structure:
    """The inverse of `pack_structure`."""
    return Structure(Lattice(packed["lattice"]), packed["species"], packed["positions"])


def pack_assignment(assignment: Assignment) -> dict[str, Any]:
    """An assignment as plain values."""
    return {
        "centre": assignment.centre,
        "n": assignment.n,
        "q": assignment.q,
        "m": assignment.m,
        "cations": [list(cation) for cation in assignment.cations],
    }


def unpack_assignment(packed: dict[str, Any]) -> Assignment:
    """The inverse of `pack_assignment`."""
    return Assignment(
        packed["centre"], packed["n"], packed["q"], packed["m"], tuple(Cation(*cation) for cation in packed["cations"])
    )
