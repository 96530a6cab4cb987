"""Prototypes as hosts: complexes on one sublattice of an AFLOW prototype, cations and hydrides on the others.

pymatgen bundles 288 prototypes of the AFLOW library (Mehl et al., Comput. Mater. Sci. 136, S1 (2017)).
One fits a composition if its stoichiometry is that of centres and cations, with or without the
interstitial hydrides; hydrides that it has no sublattice for go where the clearance is largest.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pymatgen.core import Structure

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.volumes import additive_volume
from ninefold.errors import InputError
from ninefold.structures.files import read_structure, stem_of
from ninefold.structures.hosts import SHARED_TURN, filled, random_turn
from ninefold.structures.orderings import orderings
from ninefold.structures.packing import Packing, assemble
from ninefold.structures.polyhedra import polyhedra
from ninefold.structures.proposal import Exhausted, Source
from ninefold.structures.symmetry import symmetrised

VOID_POINTS = 60
"""Random points among which hydrides without a sublattice find their sites."""
HYDRIDE = "hydride"
CATIONS = "cation"
"""All cations alike, on the sites of one species."""


class Fit(NamedTuple):
    """A prototype and what its species stand for."""

    name: str
    """AFLOW's label: AB2_cF12_225_a_c is fluorite."""
    structure: Structure
    """Primitive cell."""
    roles: tuple[tuple[str, str], ...]
    """Species of the prototype -> `centre`, a cation's symbol, `cation` for all cations alike, or `hydride`."""
    orders: tuple[tuple[int, ...], ...] = ()
    """Where different cations share the sites of one species: those sites, as they come, in the order of the cations,
    for each ordered way."""


def prototype_host(
    assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
) -> Packing | None:
    """One decorated prototype; see `ninefold.structures.proposal.Source`."""
    return _decorated(assignment, formula_units, rng, fits(assignment, formula_units), "prototype")


def host_from_file(path: Path) -> Source:
    """A source that decorates the structure of a file, as prototypes are decorated.

    Raises:
        InputError: if the file is broken, or its structure cannot be a host: one element only, or atoms that overlap.
    """
    structure, counts = _host(path)

    def source(
        assignment: Assignment, formula_units: int, rng: np.random.Generator, failures: Counter[str]
    ) -> Packing | None:
        divisor = math.gcd(*counts.values())
        reduced = {symbol: count // divisor for symbol, count in counts.items()}
        possible = tuple(
            _fit(stem_of(path), structure, roles, assignment, formula_units)
            for roles in _role_assignments(assignment, reduced)
            if counts[roles[0][0]] == formula_units
        )
        return _decorated(assignment, formula_units, rng, possible, "file")

    return source


def unfit(path: Path, assignments: Iterable[Assignment], formula_units: Iterable[int], max_atoms: int) -> str | None:
    """Why the structure of a file is a host of no composition; None if it is of one.

    Args:
        path: The file.
        assignments: Compositions.
        formula_units: Per cell, of the search's budget.
        max_atoms: In a cell, with the hydrogens.

    Raises:
        InputError: as `host_from_file`.
    """
    _, counts = _host(path)
    divisor = math.gcd(*counts.values())
    reduced = {symbol: count // divisor for symbol, count in counts.items()}
    allowed = frozenset(formula_units)
    sizes = set()
    for assignment in assignments:
        for roles in _role_assignments(assignment, reduced):
            units = counts[roles[0][0]]
            if units in allowed and units * sum(assignment.amounts.values()) <= max_atoms:
                return None
            sizes.add(units)
    ratio = ":".join(str(count) for count in sorted(reduced.values()))
    if sizes:
        centres = " or ".join(map(str, sorted(sizes)))
        return f"its primitive cell has {centres} centres, more than formula_units or max_atoms allow"
    return f"its sites stand {ratio}, and no centre, cations (and hydrides) do"


def _host(path: Path) -> tuple[Structure, Counter[str]]:
    """The primitive cell of a file, and its atoms by symbol."""
    structure = symmetrised(read_structure(path).structure)
    counts = Counter(site.specie.symbol for site in structure)
    if len(counts) < 2:
        raise InputError(
            "structures.sources", str(path), problem=f"holds {next(iter(counts))} alone",
            allowed="a host with sites for the centres and, of another element, for the cations",
        )  # fmt: skip
    return structure, counts


def _decorated(
    assignment: Assignment,
    formula_units: int,
    rng: np.random.Generator,
    possible: tuple[Fit, ...],
    kind: str,
) -> Packing | None:
    """One of the fitting hosts with complexes, cations and hydrides on its sites."""
    if not possible:
        raise Exhausted(f"no {kind} of this stoichiometry and size")
    fit = possible[rng.integers(len(possible))]
    role_of = dict(fit.roles)
    structure = fit.structure
    roles = [role_of[site.specie.symbol] for site in structure]
    volume = additive_volume(assignment) * formula_units
    cell = structure.lattice.matrix * (volume / structure.volume) ** (1 / 3)
    if np.linalg.det(cell) < 0:
        cell = -cell

    def places(role: str) -> np.ndarray:
        return structure.frac_coords[[index for index, other in enumerate(roles) if other == role]].reshape(-1, 3)

    centres, hydrides = places("centre"), places(HYDRIDE)
    is_shared = CATIONS in role_of.values()
    if fit.orders:
        cations = places(CATIONS)[list(fit.orders[rng.integers(len(fit.orders))])]
    elif is_shared:
        cations = places(CATIONS)
    else:
        cations = np.concatenate([places(cation.symbol) for cation in assignment.cations])
    if missing := assignment.m * formula_units - len(hydrides):
        metals = np.concatenate([centres, cations])
        points = np.concatenate([metals, rng.random((VOID_POINTS, 3))])
        hydrides = points[filled(cell, points, len(metals) + missing, rng, start=range(len(metals)))[len(metals) :]]
    shapes = list(polyhedra(assignment.n).values())
    shape = shapes[rng.integers(len(shapes))]
    turn = random_turn(rng)
    turned = [
        shape @ (turn if index == 0 or rng.random() < SHARED_TURN else random_turn(rng)).T
        for index in range(len(centres))
    ]
    return assemble(
        assignment, cell, centres @ cell, cations @ cell, hydrides @ cell, turned,
        f"{kind}:{fit.name}:Z{formula_units}", rng if is_shared and not fit.orders else None,
    )  # fmt: skip


def _fit(
    name: str, structure: Structure, roles: tuple[tuple[str, str], ...], assignment: Assignment, formula_units: int
) -> Fit:
    """A host with its roles, and the orderings in which different cations may share its sites."""
    shared = [symbol for symbol, role in roles if role == CATIONS]
    if not shared or len(assignment.cations) == 1:
        return Fit(name, structure, roles)
    sites = [place for place, site in enumerate(structure) if site.specie.symbol == shared[0]]
    symbols = [cation.symbol for cation in assignment.cations]
    counts = {cation.symbol: cation.count * formula_units for cation in assignment.cations}
    found = orderings(structure, sites, counts)
    return Fit(name, structure, roles, tuple(tuple(ordering.order(symbols).tolist()) for ordering in found))


@functools.lru_cache(maxsize=256)
def fits(assignment: Assignment, formula_units: int) -> tuple[Fit, ...]:
    """Prototypes that hold so many formula units of a composition, with every way to assign roles to its species."""
    found = []
    for index, counts in enumerate(_stoichiometries()):
        for roles in _role_assignments(assignment, counts):
            name, structure = _primitive(index)
            if sum(site.specie.symbol == roles[0][0] for site in structure) == formula_units:
                found.append(_fit(name, structure, roles, assignment, formula_units))
    return tuple(found)


def _role_assignments(assignment: Assignment, counts: Mapping[str, int]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every way in which the species of a host, in lowest terms, stand for the roles of a composition, centre first."""
    kinds = [(cation.symbol, cation.count) for cation in assignment.cations]
    together = [(CATIONS, sum(count for _, count in kinds))]
    wanted = [together] + ([kinds] if len(kinds) > 1 else [])
    if assignment.m:
        wanted += [[*cations, (HYDRIDE, assignment.m)] for cations in tuple(wanted)]
    for others in wanted:
        roles = [("centre", 1), *others]
        if len(roles) != len(counts):
            continue
        for species in itertools.permutations(sorted(counts)):
            if all(counts[symbol] == count for symbol, (_, count) in zip(species, roles, strict=True)):
                yield tuple((symbol, role) for symbol, (role, _) in zip(species, roles, strict=True))


@functools.cache
def _records() -> list[dict[str, Any]]:
    """The bundled prototypes as their file has them; decoding it into structures takes 4 s."""
    path = files("pymatgen.analysis.prototypes").joinpath("aflow_prototypes.json.gz")
    return [
        {"name": entry["tags"]["aflow"], "lattice": entry["snl"]["lattice"]["matrix"], "sites": entry["snl"]["sites"]}
        for entry in json.loads(gzip.decompress(path.read_bytes()))
    ]


@functools.cache
def _stoichiometries() -> list[dict[str, int]]:
    """Reduced counts of the species of each prototype; empty where a site is shared."""
    found = []
    for record in _records():
        is_ordered = all(len(site["species"]) == 1 and site["species"][0]["occu"] == 1 for site in record["sites"])
        counts = Counter(site["species"][0]["element"] for site in record["sites"]) if is_ordered else Counter()
        divisor = math.gcd(*counts.values())
        found.append({symbol: count // divisor for symbol, count in counts.items()})
    return found


@functools.cache
def _primitive(index: int) -> tuple[str, Structure]:
    """Label and primitive cell of a prototype."""
    record = _records()[index]
    symbols = [site["species"][0]["element"] for site in record["sites"]]
    return record["name"], symmetrised(Structure(record["lattice"], symbols, [site["abc"] for site in record["sites"]]))
