"""Ways by which the ligands of one anion permute in a crystal, and the barrier of each by a nudged elastic band.

A permutation ends in the same crystal with the ligands' names exchanged, so that both ends are the relaxed structure.
The candidates are made by symmetry: the closest permutational isomers, rings of three and pairs of neighbouring
ligands, and the turns of the whole anion; of a cage, [B12H12]2-, these alone. Permutations that the symmetry of the
anion's site turns into each other are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ninefold.dynamics.bands import relaxed_band
from ninefold.dynamics.cages import with_cages
from ninefold.dynamics.isomers import Isomers, cycles, isomers_of, nearest_assignment, shape_measure
from ninefold.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

NEIGHBOURING = 95.0
"""Degrees between two ligands of one face; those beyond lie across the shell."""
FARTHEST_ISOMER = 1.5
"""Squared distance (M-H = 1) of the isomers that are candidates; see docs."""
SYMMETRY = 0.1
"""Å; positions that a symmetry operation maps onto each other within this are the same."""
IMAGES = 7
TURN, ISOMER, RING, EXCHANGE = KINDS = ("turn", "isomer", "ring of three", "exchange of two")
_AXES = np.random.default_rng(1).normal(size=(20, 3))
"""One for each ligand, all different."""


@dataclass(frozen=True)
class Way:
    """A permutation of the ligands of one anion."""

    permutation: tuple[int, ...]
    """Ligand i ends where ligand `permutation[i]` was; both count along `Site.ligands`."""
    kind: str
    """One of `KINDS`."""
    multiplicity: int
    """Ways that the site's symmetry makes of it."""
    displacement: float
    """Root of the summed squares of the ligands' straight displacements in the crystal, Å."""

    @property
    def ligands_moved(self) -> int:
        """Ligands that end elsewhere."""
        return sum(place != target for place, target in enumerate(self.permutation))

    @property
    def cycles(self) -> str:
        """In cycle notation, for people: (0 3 5)."""
        return "".join(f"({' '.join(map(str, cycle))})" for cycle in cycles(np.array(self.permutation)))


@dataclass(frozen=True)
class Site:
    """An anion of the crystal, and all that symmetry makes of it."""

    centre: int
    """Index of the atom; the first atom of a cage."""
    ligands: tuple[int, ...]
    """Indices of its hydrogens."""
    polyhedron: str
    """The nearest."""
    shape_measure: float
    """Of the shell to it, without the centre; 0 for the ideal one."""
    equivalent: int
    """Anions in the cell that symmetry makes of it, itself included."""
    operations: tuple[tuple[int, ...], ...]
    """Permutations of its ligands by the symmetry of its site."""
    origin: tuple[float, float, float]
    """Of the ligands' directions, Å."""
    cage: tuple[int, ...] = ()
    """Indices of the atoms that each ligand is bonded to, where these are a cage; none where a metal is the centre."""


class Barrier(NamedTuple):
    """A way with its barrier."""

    way: Way
    barrier_eV: float
    """Of the highest image, which climbs, above the ends."""
    energies_eV: tuple[float, ...]
    """Of all images above the ends."""
    path_length: float
    """Sum over the images of the root of the summed squares of all atoms' steps, Å."""
    residual: float
    """Largest force across the path, eV/Å."""
    is_converged: bool
    images: tuple[Any, ...]
    """ASE atoms, the ends included."""


def sites(atoms: Atoms, centre: str, n: int | None = None) -> list[Site]:
    """The inequivalent anions of a relaxed structure.

    Args:
        atoms: Relaxed.
        centre: Symbol of the centres; of cages element and number, B12.
        n: Ligands; default: as many as the shell has.

    Raises:
        InputError: if there is no such centre, or its shell has no known polyhedron.
    """
    from ninefold.dynamics.shells import follow_shells
    from ninefold.dynamics.trajectory import in_memory

    cell = atoms.cell.array
    trajectory = in_memory(atoms.get_chemical_symbols(), atoms.positions[None], cell, 1.0, source="structure")
    trajectory = with_cages(trajectory, centre)
    positions = next(iter(trajectory.chunks())).positions[0]
    shells = follow_shells(trajectory, centre, n)
    every = isomers_of(shells.n)
    group = _symmetry(atoms)
    found: list[Site] = []
    seen: set[frozenset[int]] = set()
    for segment in shells.segments:
        ligands = tuple(int(ligand) for ligand in segment.ligands)
        cage = _bonded(atoms, ligands) if segment.centre >= len(atoms) else ()
        core = frozenset(cage or (segment.centre,))
        images = {frozenset(int(mapping[atom]) for atom in core) for mapping in group}
        if core in seen:
            continue
        seen |= images
        vectors = segment.vectors[0].astype(float)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = {name: nearest_assignment(unit, one.vertices)[1] for name, one in every.items()}
        name = min(distances, key=lambda name: distances[name])
        place = {ligand: index for index, ligand in enumerate(ligands)}
        operations = {
            tuple(place[int(mapping[ligand])] for ligand in ligands)
            for mapping in group
            if {int(mapping[atom]) for atom in core} == core and all(int(mapping[one]) in place for one in ligands)
        }
        x, y, z = (float(value) for value in positions[segment.centre])
        found.append(
            Site(
                min(core), ligands, name, float(shape_measure(distances[name], shells.n)), len(images),
                tuple(sorted(operations)), (x, y, z), cage,
            )
        )  # fmt: skip
    return found


def ways(atoms: Atoms, site: Site) -> list[Way]:
    """Candidate permutations of an anion, the shortest first.

    Args:
        atoms: The structure that `sites` was given.
        site: One of them.
    """
    vectors = _vectors(atoms, site)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    isomers = isomers_of(len(site.ligands))[site.polyhedron]
    assignment, _ = nearest_assignment(vectors / lengths, isomers.vertices)
    elements = atoms.numbers[list(site.cage)]
    found: dict[tuple[int, ...], str] = {}
    for kind, permutation in _candidates(vectors / lengths, assignment, isomers, turns_alone=bool(site.cage)):
        key = tuple(int(target) for target in permutation)
        # a turn that exchanges C and B of a cage ends in another crystal
        if key != tuple(range(len(key))) and (not site.cage or (elements[permutation] == elements).all()):
            found.setdefault(key, kind)
    groups: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for one in found:
        equivalents = _equivalents(one, site.operations)
        groups.setdefault(min(equivalents), set()).update(equivalents & found.keys())
    result = []
    for members in groups.values():
        first = min(members, key=lambda one: (_displacement(vectors, one), one))
        result.append(Way(first, found[first], len(members), _displacement(vectors, first)))
    return sorted(result, key=lambda way: (way.displacement, way.permutation))


def barrier(
    atoms: Atoms,
    site: Site,
    way: Way,
    calculator: Any,
    fmax: float = 0.05,
    max_steps: int = 300,
    images: int = IMAGES,
    notify: Callable[[int], None] | None = None,
) -> Barrier:
    """The barrier of one way by a nudged elastic band with a climbing image.

    Args:
        atoms: Relaxed with the calculator; its cell is kept.
        site: The anion.
        way: Of `ways`.
        calculator: Shared by all images.
        fmax: Of the forces across the path, eV/Å.
        max_steps: Of the optimizer, in both parts together.
        images: Between the ends.
        notify: Called with the steps done.
    """
    chain = _interpolated(atoms, site, way, images)
    ends = float(atoms.get_potential_energy()) if atoms.calc is not None else None
    found = relaxed_band(chain, calculator, fmax, max_steps, ends, notify)
    return Barrier(
        way, max(found.energies_eV), found.energies_eV, found.path_length, found.residual, found.is_converged,
        tuple(chain),
    )  # fmt: skip


def _bonded(atoms: Atoms, ligands: Sequence[int]) -> tuple[int, ...]:
    """The atom other than hydrogen that is nearest to each ligand."""
    others = np.flatnonzero(atoms.numbers != 1)
    return tuple(int(others[np.argmin(atoms.get_distances(one, others, mic=True))]) for one in ligands)


def _candidates(
    unit: np.ndarray, assignment: np.ndarray, isomers: Isomers, *, turns_alone: bool
) -> list[tuple[str, np.ndarray]]:
    """Permutations of the ligands with the kind of each; the names of kinds in order of preference."""
    n = len(unit)
    ligand_at = np.argsort(assignment)
    found: list[tuple[str, np.ndarray]] = []

    def of_vertices(permutation: np.ndarray) -> np.ndarray:
        return ligand_at[permutation[assignment]]

    found += [(TURN, of_vertices(rotation)) for rotation in isomers.rotations]
    if turns_alone:
        return found
    for neighbour in isomers.neighbours[isomers.squared_distances <= FARTHEST_ISOMER]:
        equivalents = [of_vertices(rotation[neighbour]) for rotation in isomers.rotations]
        found.append((ISOMER, min(equivalents, key=lambda one: _displacement(unit, one))))
    near = unit @ unit.T > np.cos(np.radians(NEIGHBOURING))
    for a in range(n):
        for b in range(a + 1, n):
            if near[a, b]:
                found.append((EXCHANGE, _cycle(n, (a, b))))
                for c in range(b + 1, n):
                    if near[a, c] and near[b, c]:
                        found += [(RING, _cycle(n, (a, b, c))), (RING, _cycle(n, (a, c, b)))]
    return found


def _cycle(n: int, members: Sequence[int]) -> np.ndarray:
    permutation = np.arange(n)
    permutation[list(members)] = [*members[1:], members[0]]
    return permutation


def _equivalents(permutation: tuple[int, ...], operations: Sequence[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """What the site's symmetry makes of a permutation, its reverse included: both have the same barrier."""
    forward = np.array(permutation)
    result = set()
    for operation in operations:
        mapping = np.array(operation)
        back = np.argsort(mapping)
        for one in (forward, np.argsort(forward)):
            result.add(tuple(int(target) for target in mapping[one[back]]))
    return result


def _displacement(vectors: np.ndarray, permutation: Sequence[int] | np.ndarray) -> float:
    return float(np.linalg.norm(vectors[np.asarray(permutation)] - vectors))


def _vectors(atoms: Atoms, site: Site) -> np.ndarray:
    """Shape (n, 3), Å, from the centre to each ligand by the nearest image."""
    return _from_origin(atoms, site, site.ligands)


def _from_origin(atoms: Atoms, site: Site, members: Sequence[int]) -> np.ndarray:
    from ase.geometry import find_mic

    return np.asarray(find_mic(atoms.positions[list(members)] - site.origin, atoms.cell, atoms.pbc)[0])


def _turned(atoms: Atoms, site: Site, way: Way, images: int) -> list[Atoms]:
    """The anion turns as one body, its cage with it; what the turn leaves over is interpolated."""
    from scipy.spatial.transform import Rotation

    target = np.array(way.permutation)
    ligands = _vectors(atoms, site)
    turn, _ = Rotation.align_vectors(ligands[target], ligands)
    bodies = [site.ligands, *([site.cage] if site.cage else [])]
    chain = []
    for share in np.linspace(0, 1, images + 2):
        copy = atoms.copy()
        part = Rotation.from_rotvec(share * turn.as_rotvec())
        for body in bodies:
            vectors = _from_origin(atoms, site, body)
            rest = vectors[target] - turn.apply(vectors)
            copy.positions[list(body)] = np.array(site.origin) + part.apply(vectors) + share * rest
        chain.append(copy)
    return chain


def _interpolated(atoms: Atoms, site: Site, way: Way, images: int) -> list[Atoms]:
    """Ligands go round the centre: their directions and lengths are interpolated, then close contacts are eased."""
    if way.kind == TURN:
        return _turned(atoms, site, way, images)
    vectors = _vectors(atoms, site)
    lengths = np.linalg.norm(vectors, axis=1)
    start = vectors / lengths[:, None]
    target = np.array(way.permutation)
    origin = np.array(site.origin)
    ligands = list(site.ligands)
    pairs = cycles(target) if way.kind == EXCHANGE else []
    chain = []
    for image in range(images + 2):
        share = image / (images + 1)
        mixed = (1 - share) * start + share * start[target]
        for one, other in pairs:
            mixed[[one, other]] = _half_turn(start[one], start[other], share)
        # opposite ligands would meet in the centre: a little to the side gives them a way round
        short = np.linalg.norm(mixed, axis=1) < 0.3
        if short.any():
            mixed[short] += 0.3 * np.cross(start[short], [0.36, 0.48, 0.8])
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        mixed = _apart(mixed) if 0 < image <= images else mixed
        copy = atoms.copy()
        copy.positions[ligands] = origin + mixed * ((1 - share) * lengths + share * lengths[target])[:, None]
        chain.append(copy)
    return chain


def _half_turn(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Two directions on their way round each other, about the one between them; opposite ones go straight."""
    middle, half = (one + other) / 2, (one - other) / 2
    if np.linalg.norm(middle) < 0.3:
        return np.array([(1 - share) * one + share * other, (1 - share) * other + share * one])
    side = np.cross(middle / np.linalg.norm(middle), half)
    arm = np.cos(np.pi * share) * half + np.sin(np.pi * share) * side
    return np.array([middle + arm, middle - arm])


def _apart(directions: np.ndarray, closest: float = 0.85, steps: int = 200) -> np.ndarray:
    """Directions pushed along the sphere until none are closer than a chord, in units of M-H."""
    for _ in range(steps):
        difference = directions[:, None] - directions[None]
        distance = np.linalg.norm(difference, axis=2) + 9 * np.eye(len(directions))
        overlap = np.maximum(0.0, closest - distance)
        if not overlap.any():
            break
        push = (difference / np.maximum(distance, 1e-6)[..., None] * overlap[..., None]).sum(axis=1)
        # two ligands on one place are pushed in directions that differ
        push += 1e-3 * np.cross(directions, _AXES[: len(directions)]) * (overlap.sum(axis=1) > 0)[:, None]
        directions = directions + 0.5 * push
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions


def _symmetry(atoms: Atoms) -> list[np.ndarray]:
    """Permutations of the atoms by the space group's operations."""
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.get_symmetry(cell, symprec=SYMMETRY / 5)
    if found is None:
        raise InputError("structure", atoms.get_chemical_formula(), problem="has no symmetry that can be found")
    fractional = atoms.get_scaled_positions()
    mappings: dict[tuple[int, ...], np.ndarray] = {}
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        moved = fractional @ rotation.T + translation
        steps = moved[:, None] - fractional[None]
        steps -= np.round(steps)
        distances = np.linalg.norm(steps @ atoms.cell.array, axis=2)
        distances[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
        mapping = np.argmin(distances, axis=1)
        if distances.min(axis=1).max() < SYMMETRY and len(set(mapping.tolist())) == len(mapping):
            mappings[tuple(mapping.tolist())] = mapping
    return list(mappings.values())
