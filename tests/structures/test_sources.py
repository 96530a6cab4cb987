"""What the structure sources offer: the composition asked for, neutral, n ligands on every centre."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from structure_samples import ASSIGNMENTS, K2REH9

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.volumes import additive_volume
from ninefold.errors import InputError
from ninefold.search import build_pool
from ninefold.search.budget import SearchBudget
from ninefold.structures.hosts import HOSTS, _grown, _orders, decorated_host
from ninefold.structures.packing import NO_COMPLEX, random_rotation
from ninefold.structures.polyhedra import M_H_DISTANCE
from ninefold.structures.proposal import MAX_CONSECUTIVE_FAILURES, Exhausted, Stream
from ninefold.structures.prototypes import fits, prototype_host
from ninefold.structures.rigid_units import CELL_ANGLES, SWELL, random_cell, random_units
from ninefold.structures.sources import OUR_NAMES, anchored, check_source, load_source, source_label, sources_checksum
from ninefold.structures.symmetric_units import symmetric_units
from ninefold.structures.symmetry import space_group

SOURCES = {
    "host": (decorated_host, 1.0),
    "random": (random_units, SWELL),
    "prototype": (prototype_host, 1.0),
    "symmetric": (symmetric_units, SWELL),
}
ANY_SOURCE = st.sampled_from(sorted(SOURCES))
ANY_SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=120, deadline=None)
@given(ANY_SOURCE, st.sampled_from(sorted(ASSIGNMENTS)), st.integers(1, 4), ANY_SEED)
def test_every_packing_is_what_was_asked(name, formula, formula_units, seed):
    source, swell = SOURCES[name]
    assignment, failures = ASSIGNMENTS[formula], Counter()
    try:
        packing = source(assignment, formula_units, np.random.default_rng(seed), failures)
    except Exhausted:
        return
    if packing is None:
        assert sum(failures.values()) == 1
        return
    assert not failures
    assert packing.source.startswith(f"{name}:")
    assert packing.source.endswith(f"Z{formula_units}")
    amounts = {symbol: count * formula_units for symbol, count in assignment.amounts.items()}
    assert Counter(packing.symbols) == amounts
    assert packing.charges.sum() == pytest.approx(0, abs=1e-9)
    assert np.linalg.det(packing.cell) == pytest.approx(additive_volume(assignment) * formula_units * swell)
    assert packing.to_structure().composition.as_dict() == amounts

    symbols = np.array(packing.symbols)
    assert set(packing.owner) <= {NO_COMPLEX, *range(formula_units)}
    for complex_ in range(formula_units):
        members = np.flatnonzero(packing.owner == complex_)
        assert symbols[members[0]] == assignment.centre
        assert list(symbols[members[1:]]) == ["H"] * assignment.n
        assert packing.charges[members].sum() == pytest.approx(-assignment.q)
        arms = packing.positions[members[1:]] - packing.positions[members[0]]
        np.testing.assert_allclose(np.linalg.norm(arms, axis=1), M_H_DISTANCE[assignment.centre], rtol=1e-9)
    outside = packing.owner == NO_COMPLEX
    for cation in assignment.cations:
        assert set(packing.charges[outside & (symbols == cation.symbol)]) == {float(cation.charge)}
    assert (symbols[outside] == "H").sum() == assignment.m * formula_units


@settings(max_examples=25, deadline=None)
@given(ANY_SOURCE, st.integers(1, 4), ANY_SEED)
def test_a_seed_gives_one_packing(name, formula_units, seed):
    source, _ = SOURCES[name]
    one, other = (source(K2REH9, formula_units, np.random.default_rng(seed), Counter()) for _ in range(2))
    if one is None:
        assert other is None
        return
    assert one.source == other.source
    assert one.symbols == other.symbols
    np.testing.assert_array_equal(one.cell, other.cell)
    np.testing.assert_array_equal(one.positions, other.positions)


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("formula_units", [1, 2, 3, 4])
def test_as_many_as_wanted_come_and_they_differ(name, formula_units):
    source, _ = SOURCES[name]
    packings = list(Stream(name, source, K2REH9, formula_units, np.random.default_rng(0), Counter()).draw(12))
    assert len(packings) == 12
    assert len({packing.positions.tobytes() for packing in packings}) == 12


def test_a_source_that_never_delivers_is_given_up():
    asked = []

    def barren(assignment, formula_units, rng, failures):
        asked.append(formula_units)
        failures["barren"] += 1

    failures = Counter()
    stream = Stream("barren", barren, K2REH9, 1, np.random.default_rng(0), failures)
    assert list(stream.draw(4)) == []
    assert failures["barren"] == len(asked) == MAX_CONSECUTIVE_FAILURES
    assert not stream.is_open
    assert list(stream.draw(4)) == []
    assert len(asked) == MAX_CONSECUTIVE_FAILURES


def test_a_source_that_takes_too_long_is_ended_and_that_is_told():
    failures = Counter()
    stream = Stream("slow", lambda *_: None, K2REH9, 2, np.random.default_rng(0), failures, seconds=-1.0)
    assert list(stream.draw(4)) == []
    assert failures == {"slow Z=2: ended by the wall-clock guard": 1}


def test_an_error_in_a_source_ends_it_alone_and_is_told():
    failures = Counter()

    def buggy(assignment, formula_units, rng, failures):
        raise ZeroDivisionError("by nothing")

    stream = Stream("mine", buggy, K2REH9, 1, np.random.default_rng(0), failures)
    assert list(stream.draw(3)) == []
    assert failures == {"mine Z=1: ZeroDivisionError: by nothing": 1}


def test_another_composition_than_asked_is_refused():
    failures = Counter()

    def other(assignment, formula_units, rng, failures):
        return decorated_host(ASSIGNMENTS["Mg3CrH8"], formula_units, rng, failures)

    assert list(Stream("mine", other, K2REH9, 1, np.random.default_rng(0), failures).draw(3)) == []
    assert failures == {"mine Z=1: gave another composition than asked": 1}


# a source of one's own


def test_a_function_named_by_its_path_is_a_source(tmp_path, monkeypatch):
    module = tmp_path / "my_sources.py"
    module.write_text("def mine(assignment, formula_units, rng, failures):\n    return None\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    check_source("my_sources:mine")
    assert load_source("my_sources:mine").__name__ == "mine"
    before = sources_checksum([*OUR_NAMES, "my_sources:mine"])
    module.write_text(module.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert sources_checksum([*OUR_NAMES, "my_sources:mine"]) != before
    assert sources_checksum(OUR_NAMES) == ""


def test_a_function_of_a_file_is_a_source(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def mine(assignment, formula_units, rng, failures):\n    return None\n", encoding="utf-8")
    check_source(f"{file}:mine")
    assert load_source(f"{file}:mine")(K2REH9, 1, None, None) is None
    assert anchored("mine.py:mine", tmp_path) == f"{file}:mine"
    assert anchored("hosts", tmp_path) == "hosts"
    assert anchored("host.cif", tmp_path) == f"{tmp_path}/host.cif"
    labels = {name: source_label(name) for name in ("hosts", "x/mine.py:mine", "a.b:mine", "/x/host.cif")}
    assert labels == {"hosts": "hosts", "x/mine.py:mine": "mine", "a.b:mine": "mine", "/x/host.cif": "host.cif"}
    before = sources_checksum([f"{file}:mine"])
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert sources_checksum([f"{file}:mine"]) != before
    with pytest.raises(InputError, match="cannot be loaded"):
        load_source(f"{file}:other")


def test_the_example_of_the_documentation_works(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "extend.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "def chains" in block]
    (tmp_path / "my_sources.py").write_text(code, encoding="utf-8")
    source = load_source(f"{tmp_path / 'my_sources.py'}:chains")
    budget = SearchBudget(sources=(f"{tmp_path / 'my_sources.py'}:chains",), pool=5)
    pool = build_pool(K2REH9, budget, seed=0)
    assert pool.count_in == 5
    assert pool.reasons["not made: chains hold one anion and no hydride"] > 0
    assert source(K2REH9, 1, np.random.default_rng(0), Counter()).source == "chain"


# a host of one's own


def write_cif(path, symbols, sites, a=5.0):
    Structure(Lattice.cubic(a), symbols, sites).to(filename=str(path), fmt="cif")
    return str(path)


def test_a_structure_file_is_a_host(tmp_path):
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 3.0), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    path = tmp_path / "rutile.cif"
    rutile.to(filename=str(path), fmt="cif")
    check_source(str(path))
    source, failures = load_source(str(path)), Counter()
    packing = source(K2REH9, 2, np.random.default_rng(0), failures)
    assert packing.source == "file:rutile:Z2"
    assert Counter(packing.symbols) == {"K": 4, "Re": 2, "H": 18}
    for assignment, formula_units in ((K2REH9, 1), (ASSIGNMENTS["Mg3CrH8"], 2)):
        with pytest.raises(Exhausted, match="no file of this stoichiometry and size"):
            source(assignment, formula_units, np.random.default_rng(0), failures)


def test_a_host_that_cannot_be_one_is_told(tmp_path):
    alone = write_cif(tmp_path / "alone.cif", ["Re"], [[0, 0, 0]])
    with pytest.raises(InputError, match="holds Re alone"):
        load_source(alone)
    close = write_cif(tmp_path / "close.cif", ["Re", "K"], [[0, 0, 0], [0.05, 0, 0]])
    with pytest.raises(InputError, match="atoms that overlap"):
        load_source(close)
    broken = tmp_path / "broken.cif"
    broken.write_text("data_nothing", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        load_source(str(broken))
    with pytest.raises(ValueError, match="does not exist"):
        check_source(str(tmp_path / "absent.cif"))


@pytest.mark.parametrize("name", ["nowhere:mine", "math:nothing", "math:pi"])
def test_a_path_that_leads_nowhere_is_told(name):
    with pytest.raises(InputError, match=r"structures\.sources"):
        load_source(name)


def test_a_name_that_is_no_source_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="symmetric_units"):
        check_source("guess")


# prototypes


def test_prototypes_have_the_stoichiometry_and_hold_antifluorite():
    names = {fit.name for fit in fits(K2REH9, 1)}
    assert "AB2_cF12_225_a_c" in names  # fluorite: K2PtCl6's metals
    for formula_units in (1, 2, 3, 4):
        for fit in fits(K2REH9, formula_units):
            roles = dict(fit.roles)
            counts = Counter(roles[site.specie.symbol] for site in fit.structure)
            assert counts == {"centre": formula_units, "cation": 2 * formula_units}


def test_a_composition_without_prototypes_says_so():
    failures = Counter()
    stream = Stream("prototypes", prototype_host, ASSIGNMENTS["Li5MoH11"], 3, np.random.default_rng(0), failures)
    assert list(stream.draw(5)) == []
    assert failures == {"no prototype of this stoichiometry and size": 1}  # said once, not asked again


@pytest.mark.parametrize(("formula_units", "reached"), [(1, 5), (2, 8), (4, 8)])
def test_every_host_with_a_cell_of_the_size_is_used(formula_units, reached):
    rng = np.random.default_rng(1)
    packings = Stream("hosts", decorated_host, K2REH9, formula_units, rng, Counter()).draw(150)
    names = {packing.source.split(":")[1] for packing in packings}
    assert names <= set(HOSTS)
    assert len(names) == reached


@pytest.mark.parametrize(
    ("name", "holes"),
    [
        ("sc", 1),
        ("fcc", 3),
        ("bcc", 6),
        ("hcp", 6),
        ("simple hexagonal", 2),
        ("tetragonal", 1),
        ("double hexagonal", 4),
        ("diamond", 6),
    ],
)
def test_voids_are_the_holes_of_the_textbook(name, holes):
    # fcc: two tetrahedral and one octahedral hole per centre; bcc: six tetrahedral; hexagonal: two prisms;
    # diamond: one tetrahedral and two hexagonal
    _, centres, voids = _grown(name, len(HOSTS[name][1]), 0)
    assert len(centres) == len(HOSTS[name][1])
    assert len(voids) == holes


@pytest.mark.parametrize("name", sorted(HOSTS))
@pytest.mark.parametrize("doubling", [0, 1, 2])
def test_a_larger_cell_has_the_same_holes_more_often(name, doubling):
    basis = len(HOSTS[name][1])
    holes = len(_grown(name, basis, 0)[2])
    for formula_units in (2, 3, 4):
        if formula_units % basis == 0 and (grown := _grown(name, formula_units, doubling)) is not None:
            assert len(grown[2]) == holes * formula_units // basis


@settings(max_examples=100, deadline=None)
@given(ANY_SEED, st.floats(50, 2000))
def test_random_cells_are_right_handed_of_the_volume_and_not_flat(seed, volume):
    cell = random_cell(volume, np.random.default_rng(seed))
    lengths = np.linalg.norm(cell, axis=1)
    assert np.linalg.det(cell) == pytest.approx(volume)
    assert np.linalg.det(cell) / lengths.prod() > 0.3
    for one, other in ((0, 1), (0, 2), (1, 2)):
        angle = np.degrees(np.arccos(cell[one] @ cell[other] / lengths[one] / lengths[other]))
        assert CELL_ANGLES[0] - 1e-6 <= angle <= CELL_ANGLES[1] + 1e-6


@settings(max_examples=50, deadline=None)
@given(ANY_SEED)
def test_random_rotations_rotate(seed):
    turn = random_rotation(np.random.default_rng(seed))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_random_rotations_prefer_no_direction():
    rng = np.random.default_rng(0)
    ends = np.array([random_rotation(rng)[:, 2] for _ in range(4000)])
    np.testing.assert_allclose(ends.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(ends.T @ ends / len(ends), np.eye(3) / 3, atol=0.03)


# different cations on the sites of one kind


def test_different_cations_take_whole_orbits_of_a_host(tmp_path):
    # Fe2P, the metals of K2ReH9: two orbits for the cations, which a random distribution nearly always mixes
    fe2p = Structure.from_spacegroup(
        "P-62m", Lattice.hexagonal(5.87, 3.46), ["Fe", "Fe", "P", "P"],
        [[0.257, 0, 0], [0.591, 0, 0.5], [0, 0, 0.5], [1 / 3, 2 / 3, 0]],
    )  # fmt: skip
    fe2p.to_file(str(tmp_path / "fe2p.cif"))
    source = load_source(str(tmp_path / "fe2p.cif"))
    rng, seen = np.random.default_rng(0), set()
    for _ in range(12):
        packing = source(ASSIGNMENTS["KLiReH9"], 3, rng, Counter())
        metals = packing.to_structure()
        metals.remove_species(["H"])
        assert space_group(metals).number == 189
        potassium = list(metals.indices_from_symbol("K"))
        seen.add(metals.distance_matrix[potassium][:, potassium].max().round(2))
    assert len(seen) == 2


def test_voids_of_two_kinds_are_shared_by_kind():
    # fcc: one octahedral void and two tetrahedral ones for one Li and two Mg
    assignment = Assignment("Ru", 6, 5, 0, (Cation("Li", 1, 1), Cation("Mg", 2, 2)))
    cell = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.5
    voids = np.array([[0.25] * 3, [0.5] * 3, [0.75] * 3]) @ cell
    [order] = _orders(assignment, cell, np.zeros((1, 3)), voids, np.empty((0, 3)))
    assert order[0] == 1  # Li, the first of the cations, in the octahedral one
