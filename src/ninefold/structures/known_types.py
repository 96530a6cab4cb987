"""Known structure types by substitution, where the stoichiometry and the anion match."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.structures.crystals import build_structure
from ninefold.structures.orderings import Ordering, orderings
from ninefold.structures.packing import Packing, assemble
from ninefold.structures.shells import SHELL_FACTOR
from ninefold.yaml_files import read_yaml

CENTRE, CATION = "Os", "K"
"""Elements that stand for the roles X and A while the type is a plain structure."""


def type_names() -> list[str]:
    """Structure types that may be withheld."""
    return [entry["name"] for entry in _types()]


def substituted(assignment: Assignment, withheld: tuple[str, ...] = ()) -> list[Packing]:
    """Every type that fits a composition, scaled to its additive volume, with every order of its cations.

    Args:
        assignment: The composition, its centre and what its hydrogens are bound to.
        withheld: Names of types to leave out.

    Returns:
        Type by type; of one type, in the order of `cation_orderings`. The source of each names the type and, for
        different cations, their sites: `type:K2ReH9:K 3f, Na 3g`.
    """
    return [
        _packing(name, assignment, ordering)
        for name in matching_types(assignment)
        if name not in withheld
        for ordering in cation_orderings(name, assignment)
    ]


@functools.lru_cache(maxsize=512)
def cation_orderings(name: str, assignment: Assignment) -> tuple[Ordering, ...]:
    """The ways in which the cations of a composition share the cation sites of a type that fits it."""
    structure = prototype(name)
    places = [place for place, site in enumerate(structure) if site.specie.symbol == CATION]
    centres = sum(site.specie.symbol == CENTRE for site in structure)
    counts = {cation.symbol: cation.count * centres for cation in assignment.cations}
    return tuple(orderings(structure, places, counts))


def matching_types(assignment: Assignment) -> list[str]:
    """Types with the ligands, interstitial hydrides and number of cations of a composition."""
    wanted = (assignment.n, assignment.m, sum(cation.count for cation in assignment.cations))
    return [entry["name"] for entry in _types() if (entry["n"], entry["m"], entry["cations"]) == wanted]


@functools.cache
def _types() -> tuple[dict[str, Any], ...]:
    return tuple(read_yaml(Path(str(files("ninefold.structures").joinpath("data/types.yaml"))), "types"))


@functools.cache
def prototype(name: str) -> Structure:
    """Primitive cell with the elements that stand for the roles."""
    [entry] = (entry for entry in _types() if entry["name"] == name)
    symbols = {"X": CENTRE, "A": CATION, "H": "H"}
    sites = [(symbols[role], positions) for role, positions in entry["sites"].items()]
    return build_structure(entry["space_group"], entry["cell"], sites, origin=entry.get("origin"))


def _packing(name: str, assignment: Assignment, ordering: Ordering) -> Packing:
    structure = prototype(name).copy()
    roles = np.array([site.specie.symbol for site in structure])
    places = np.flatnonzero(roles == CENTRE)
    structure.scale_lattice(additive_volume(assignment) * len(places))
    ligands: set[int] = set()
    centres, turned = [], []
    for place in places:
        # not `hydrogens_around`: the order of these is the order of a packing's atoms, and so of every stored pool
        near = [item for item in structure.get_neighbors(structure[int(place)], 3.5) if item.specie.symbol == "H"]
        shell = [item for item in near if item.nn_distance <= SHELL_FACTOR * min(other.nn_distance for other in near)]
        vectors = np.array([item.coords - structure[int(place)].coords for item in shell])
        ligands |= {int(item.index) for item in shell}
        centres.append(structure[int(place)].coords)
        turned.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    hydrides = [site.coords for index, site in enumerate(structure) if roles[index] == "H" and index not in ligands]
    cations = structure.cart_coords[np.flatnonzero(roles == CATION)][
        ordering.order([cation.symbol for cation in assignment.cations])
    ]
    sites = f":{ordering.text}" if len(assignment.cations) > 1 else ""
    return assemble(
        assignment, structure.lattice.matrix, np.array(centres), cations, np.array(hydrides).reshape(-1, 3), turned,
        f"type:{name}{sites}", None,
    )  # fmt: skip
