"""Ways of permutation, and their barriers in a model whose saddle is known."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations, product

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import BFGS

from ninefold.dynamics.anions.permutations import KINDS, read_cycles, way_of, ways
from ninefold.dynamics.anions.sites import sites
from ninefold.dynamics.paths.band_barrier import barrier
from ninefold.dynamics.paths.bands import relaxed_band
from ninefold.dynamics.paths.images import interpolated
from ninefold.errors import InputError
from ninefold.structures.polyhedra import polyhedra

M_H = 1.7
STIFFNESS, REPULSION = 40.0, 0.5


class Repelling(Calculator):
    """Ligands on stiff springs from one centre, which repel each other as r^-6."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        vectors = self.atoms.positions[1:] - self.atoms.positions[0]
        lengths = np.linalg.norm(vectors, axis=1)
        energy = 0.5 * STIFFNESS * ((lengths - M_H) ** 2).sum()
        push = -STIFFNESS * ((lengths - M_H) / lengths)[:, None] * vectors
        between = vectors[:, None] - vectors[None]
        distances = np.linalg.norm(between, axis=2) + 1e9 * np.eye(len(vectors))
        energy += 0.5 * REPULSION * ((M_H / distances) ** 6).sum()
        push += 6 * REPULSION * M_H**6 * (between / distances[..., None] ** 8).sum(axis=1)
        self.results = {"energy": energy, "forces": np.vstack([-push.sum(axis=0), push])}


def _octahedron() -> Atoms:
    """Along the axes of a cubic cell, whose symmetry it then has."""
    return _relaxed(np.vstack([np.eye(3), -np.eye(3)]))


def _anion(name: str, n: int) -> Atoms:
    return _relaxed(polyhedra(n)[name])


def _relaxed(vertices: np.ndarray) -> Atoms:
    """As far as its symmetry lets it."""
    n = len(vertices)
    atoms = Atoms(f"ReH{n}", positions=[[5, 5, 5], *(5 + M_H * vertices)], cell=np.eye(3) * 10, pbc=True)
    atoms.calc = Repelling()
    BFGS(atoms, logfile=None).run(fmax=1e-4, steps=200)
    return atoms


def test_the_way_of_nine_ligands_leads_over_the_capped_antiprism() -> None:
    """With repulsion alone the saddle between two tricapped prisms is the capped square antiprism."""
    prism, antiprism = (_anion(name, 9) for name in ("tricapped trigonal prism", "capped square antiprism"))
    saddle = antiprism.get_potential_energy() - prism.get_potential_energy()
    assert saddle > 0
    [site] = sites(prism, "Re")
    assert (site.polyhedron, site.equivalent) == ("tricapped trigonal prism", 1)
    isomer = next(way for way in ways(prism, site) if way.kind == "isomer")
    found = barrier(prism, site, isomer, Repelling(), fmax=0.01, max_steps=600)
    assert found.is_converged
    assert found.barrier_eV == pytest.approx(saddle, abs=0.003)


def test_ways_are_reduced_by_the_symmetry_of_the_site() -> None:
    """D3h has three rectangular faces that open alike: one way of three."""
    prism = _anion("tricapped trigonal prism", 9)
    [site] = sites(prism, "Re")
    found = ways(prism, site)
    isomers = [way for way in found if way.kind == "isomer"]
    assert isomers[0].multiplicity >= 3
    assert len({way.permutation for way in found}) == len(found)
    total = sum(way.multiplicity for way in found if way.kind == "turn")
    assert total == 5  # the rotations of D3 less the identity


def test_octahedron_turns_and_pairs() -> None:
    octahedron = _octahedron()
    [site] = sites(octahedron, "Re")
    found = ways(octahedron, site)
    assert sum(way.multiplicity for way in found if way.kind == "turn") == 23
    [ring] = [way for way in found if way.kind == "ring of three"]
    assert (ring.multiplicity, ring.ligands_moved) == (16, 3)
    [pair] = [way for way in found if way.kind == "exchange of two"]
    assert pair.multiplicity == 12


def test_rings_of_five_go_about_a_ligand_or_are_two_of_three() -> None:
    """All of them, counted without symmetry: a ring of a face after one of another that meets it in a corner; and the
    five neighbours of a ligand of the prism."""
    prism = _anion("tricapped trigonal prism", 9)
    [site] = sites(prism, "Re")
    found = ways(prism, site)
    vectors = prism.positions[1:] - prism.positions[0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = unit @ unit.T > np.cos(np.radians(95))
    faces = [one for one in combinations(range(9), 3) if all(near[a, b] for a, b in combinations(one, 2))]
    expected = set()
    for first, second in product(faces, faces):
        if len(shared := set(first) & set(second)) == 1:
            [at] = shared
            one, other = (sorted(set(face) - shared) for face in (first, second))
            for a, b, c, d in product(one, one, other, other):
                if a != b and c != d:
                    cycle = [at, a, b, c, d]
                    start = cycle.index(min(cycle))
                    expected.add(tuple(cycle[start:] + cycle[:start]))
    fours = set()
    for ligand in range(9):
        about = [other for other in range(9) if other != ligand and near[ligand, other]]
        assert len(about) in (4, 5), "of a cap and of the prism"
        # in a ring each has two of the others next to it
        orders = [one for one in permutations(about) if one[0] == about[0]]
        ring, back = (one for one in orders if all(near[a, b] for a, b in pairwise([*one, one[0]])))
        (fours if len(about) == 4 else expected).update({ring, back})
    assert len(fours) == 6
    # and two caps with the two of the prism between them, at each of three edges, both ways round
    assert sum(way.multiplicity for way in found if way.kind == "ring of four") == len(fours) + 6
    # one may be the nearest isomer too, and have its name
    fives = [way for way in found if way.ligands_moved == 5 and way.cycles.count("(") == 1]
    assert sum(way.multiplicity for way in fives) == len(expected)
    others = {"turn", "isomer", "exchange of two", "ring of three", "ring of four"}
    assert {way.kind for way in found if way not in fives} == others
    assert "ring of five" in {way.kind for way in fives}


def test_a_permutation_that_is_asked_for() -> None:
    prism = _anion("tricapped trigonal prism", 9)
    [site] = sites(prism, "Re")
    for way in ways(prism, site):
        asked = way_of(prism, site, read_cycles(way.cycles, 9))
        assert (asked.permutation, asked.displacement) == (way.permutation, pytest.approx(way.displacement))
        assert way.kind in (asked.kind, "isomer")
        if way.kind != "isomer":
            assert asked.multiplicity == way.multiplicity
    far = way_of(prism, site, read_cycles(" (0 1 2)(3 4) ", 9))
    assert (far.permutation, far.kind, far.ligands_moved) == ((1, 2, 0, 4, 3, 5, 6, 7, 8), "cycles of 2 and 3", 5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 3 5", "is no permutation in cycles"),
        ("(0)", "is no permutation in cycles"),
        ("", "is no permutation in cycles"),
        ("(0 3)(3 5)", "names a ligand twice"),
        ("(0 9)", "names ligand 9 of 9, which are numbered from 0"),
    ],
)
def test_what_is_no_permutation_is_told(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_cycles(text, 9)


@pytest.mark.parametrize("n", range(3, 10))
def test_every_shell_has_ways(n: int) -> None:
    """[BH4]- and [BH3] too, none of whose ligands has a neighbour within 95 degrees."""
    for name in polyhedra(n):
        anion = _anion(name, n)
        [site] = sites(anion, "Re")
        found = ways(anion, site)
        assert found
        assert {way.kind for way in found} <= set(KINDS)


def test_displacement_of_a_ring_is_that_of_three_edges() -> None:
    octahedron = _octahedron()
    [site] = sites(octahedron, "Re")
    ring = next(way for way in ways(octahedron, site) if way.kind == "ring of three")
    bond = octahedron.get_distance(0, 1)
    assert ring.displacement == pytest.approx(np.sqrt(3 * 2) * bond, rel=1e-3)


def test_two_ligands_that_exchange_go_round_each_other() -> None:
    """Half-way on straight lines they would be on one place, where nothing has an energy."""
    octahedron = _octahedron()
    [site] = sites(octahedron, "Re")
    pair = next(way for way in ways(octahedron, site) if way.kind == "exchange of two")
    closest = []

    class Watched(Repelling):
        def calculate(self, atoms=None, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            super().calculate(atoms, *arguments, **options)
            closest.append(np.linalg.norm(self.atoms.positions[1:, None] - self.atoms.positions[None, 1:], axis=2)
                           [np.triu_indices(6, 1)].min())  # fmt: skip

    found = barrier(octahedron, site, pair, Watched(), fmax=0.02, max_steps=600)
    assert min(closest) > 0.8
    assert found.is_converged
    assert 0.1 < found.barrier_eV < 20
    assert found.energies_eV[1] < found.energies_eV[3]


FIELD = 0.15
"""eV for each ligand on an axis, in a field with the symmetry of a cube."""


class InField(Repelling):
    """The field -FIELD (x^4 + y^4 + z^4) of each ligand's direction from the middle of the cell."""

    def calculate(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().calculate(*arguments, **options)
        vectors = self.atoms.positions[1:] - self.atoms.cell.sum(axis=0) / 2
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = vectors / lengths
        fourth = (unit**4).sum(axis=1, keepdims=True)
        self.results["energy"] -= FIELD * fourth.sum()
        self.results["forces"][1:] += FIELD * 4 * (unit**3 - fourth * unit) / lengths


def test_the_turn_of_an_octahedron_in_a_cubic_field() -> None:
    """By 90 degrees about one axis: half-way four of its ligands have half the field's energy."""
    octahedron = _octahedron()
    octahedron.calc = InField()
    [site] = sites(octahedron, "Re")
    turns = [way for way in ways(octahedron, site) if way.kind == "turn" and way.ligands_moved == 4]
    quarter = min(turns, key=lambda way: way.displacement)
    found = barrier(octahedron, site, quarter, InField(), fmax=0.01, max_steps=600)
    assert found.is_converged
    assert found.barrier_eV == pytest.approx(4 * FIELD / 2, rel=0.02)


def _cages(second: str = "B") -> Atoms:
    """Two icosahedra of B12H12 along c; the second is turned, or has one other atom."""
    icosahedron = polyhedra(12)["icosahedron"]
    atoms = Atoms(cell=[12.0, 12.0, 24.0], pbc=True)
    for number, turn in enumerate((np.eye(3), [[0, -1, 0], [1, 0, 0], [0, 0, 1]])):
        directions = icosahedron @ np.array(turn, dtype=float).T
        middle = np.array([0.0, 0.0, 12.0 * number])  # a cage on the edge of the cell
        for length, symbol in ((1.70, "B"), (2.90, "H")):
            atoms += Atoms(f"{symbol}12", positions=middle + length * directions)
    atoms.symbols[24] = second
    atoms.wrap()
    return atoms


def test_a_cage_turns_as_one_body_into_the_same_crystal() -> None:
    atoms = _cages()
    found = sites(atoms, "B12")
    assert sum(site.equivalent for site in found) == 2
    for site in found:
        assert sorted(site.cage) == sorted(set(site.cage))
        every = ways(atoms, site)
        assert {way.kind for way in every} == {"turn"}
        assert sum(way.multiplicity for way in every) == 59, "the rotations of an icosahedron less the identity"
        fifth = next(way for way in every if way.cycles.count("(") == 2 and way.ligands_moved == 10)
        chain = interpolated(atoms, site, fifth, 3)
        members = [*site.cage, *site.ligands]
        distances = [image.get_all_distances(mic=True)[np.ix_(members, members)] for image in chain]
        assert all(np.abs(one - distances[0]).max() < 1e-6 for one in distances)
        others = [index for index in range(len(atoms)) if index not in members]
        assert all((image.positions[others] == atoms.positions[others]).all() for image in chain)
        places = [image.get_scaled_positions(wrap=True)[members] for image in (chain[0], chain[-1])]
        steps = places[0][:, None] - places[1][None]
        nearest = np.linalg.norm((steps - np.round(steps)) @ atoms.cell.array, axis=2).min(axis=1)
        assert nearest.max() < 1e-6
        assert np.linalg.norm(chain[0].positions[members[0]] - chain[1].positions[members[0]]) > 0


def test_a_turn_that_exchanges_two_elements_of_a_cage_is_none() -> None:
    atoms = _cages("C")
    with pytest.raises(InputError, match="B11"):
        sites(atoms[24:], "B12")
    [site] = sites(atoms[24:], "B11")
    every = ways(atoms[24:], site)
    assert sum(way.multiplicity for way in every) == 4, "turns about the axis of its carbon"
    assert way_of(atoms[24:], site, every[0].permutation).kind == "turn"
    with pytest.raises(ValueError, match="exchanges two elements of the cage"):
        way_of(atoms[24:], site, [*range(1, 12), 0])


def test_each_image_is_computed_once_a_step() -> None:
    """An optimizer of ASE asks for the forces of a step three times, and a shared calculator remembers one image."""

    class Counted(Repelling):
        calls = 0

        def calculate(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            Counted.calls += 1
            super().calculate(*arguments, **options)

    first = _anion("tricapped trigonal prism", 9)
    chain = [first.copy() for _ in range(5)]
    for image, share in zip(chain, (0.0, 0.1, 0.2, 0.1, 0.0), strict=True):
        image.positions[1] += share
    relaxed_band(chain, Counted(), fmax=1e-9, max_steps=10)
    assert Counted.calls == 3 * 11 + 1, "three images before the first step and after each of ten; the ends are alike"


def test_a_band_without_energies_ends_at_once() -> None:
    octahedron = _octahedron()
    [site] = sites(octahedron, "Re")
    steps = []

    class Undefined(Repelling):
        def calculate(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
            super().calculate(*arguments, **options)
            steps.append(1)
            if len(steps) > 30:
                self.results["forces"] = self.results["forces"] * np.nan

    found = barrier(octahedron, site, ways(octahedron, site)[0], Undefined(), fmax=1e-6, max_steps=600)
    assert not found.is_converged
    assert found.barrier_eV == float("inf")
    assert len(steps) < 60


def test_paths_without_energies_come_last_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    from ninefold.cli.dynamics.paths import _print_rows

    base = {"site": 6, "equivalent_anions": 2, "multiplicity": 6, "path_length": 4.5, "residual": 0.04}
    none = dict.fromkeys(("barrier_eV", "path_length", "residual"))
    _print_rows(
        [
            base | none | {"kind": "exchange of two", "permutation": "(0 1)", "is_converged": False},
            base | none | {"kind": "exchange of two", "permutation": "(0 2)", "is_converged": False},
            base | {"kind": "ring of three", "permutation": "(1 5 7)", "is_converged": True, "barrier_eV": 0.0},
        ],
        "planted",
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("6 ")]
    assert rows[0][-3:] == ["0", "4.50", "0.040"]
    assert [row[-4:] for row in rows[1:]] == [["–", "*", "–", "–"]] * 2
