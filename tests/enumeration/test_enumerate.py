"""Every composition of a space, once: against brute force, published counts, and the laws."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.campaign import parse_campaign, read_campaign
from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.enumeration import ChemicalSpace, count_assignments, enumerate_assignments, neighbours
from ninefold.errors import InputError


def listed(space, **options):
    return [row for table in enumerate_assignments(space, **options) for row in table.assignments()]


@pytest.mark.parametrize(("name", "count", "formulas"), [("wide-12", 59970, 59314), ("wide-9", 41874, 41536)])
def test_published_counts(name, count, formulas):
    [space] = read_campaign(name).space
    assert count_assignments(space) == count
    rows = listed(space)
    assert len(rows) == len(set(rows)) == count
    assert len({row.formula for row in rows}) == formulas


spaces = st.builds(
    lambda centres, cations, n, m, kinds, most, electrons: ChemicalSpace(
        centres=tuple(centres), cations=tuple(cations), n=tuple(sorted(n)), m=tuple(sorted(m)),
        cation_kinds=(1, kinds), max_cations_per_centre=most, electron_counts=tuple(electrons),
    ),
    st.lists(st.sampled_from(["La", "Ti", "Nb", "Cr", "Re", "Fe", "Ni", "Zn"]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["Li", "K", "Mg", "Ba", "La", "Al", "Eu"]), min_size=1, max_size=4, unique=True),
    st.tuples(st.integers(4, 12), st.integers(4, 12)),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    st.integers(1, 3),
    st.integers(1, 7),
    st.lists(st.sampled_from([16, 18]), min_size=1, max_size=2, unique=True),
)  # fmt: skip


def brute_force(space):
    """Every count of every cation, tried one by one."""
    species = [(symbol, charge) for symbol in space.cations for charge in CATION_CHARGES[symbol]]
    for counts in itertools.product(range(space.max_cations_per_centre + 1), repeat=len(species)):
        chosen = [Cation(*item, charge) for (item, charge) in zip(
            ((symbol, count) for (symbol, _), count in zip(species, counts, strict=True)),
            (charge for _, charge in species), strict=True,
        ) if item[1]]  # fmt: skip
        symbols = {cation.symbol for cation in chosen}
        if len(symbols) != len(chosen) or not space.cation_kinds[0] <= len(chosen) <= space.cation_kinds[1]:
            continue
        if sum(counts) > space.max_cations_per_centre:
            continue
        charge = sum(cation.count * cation.charge for cation in chosen)
        for centre, n, m, electrons in itertools.product(
            space.centres, range(space.n[0], space.n[1] + 1), range(space.m[0], space.m[1] + 1), space.electron_counts
        ):
            q = electrons - GROUP[centre] - n
            if q >= 1 and charge == q + m and centre not in symbols:
                yield Assignment(centre, n, q, m, tuple(sorted(chosen)))


@settings(max_examples=40, deadline=None)
@given(spaces)
def test_against_brute_force(space):
    rows = listed(space)
    assert len(rows) == len(set(rows))
    assert set(rows) == set(brute_force(space))


@settings(max_examples=60, deadline=None)
@given(spaces, st.integers(1, 50))
def test_laws(space, chunk):
    rows = listed(space)
    assert count_assignments(space) == len(rows)
    assert listed(space, chunk_size=chunk) == rows, "chunks change nothing"
    for row in rows:
        assert row.electron_count in space.electron_counts
        assert row.cation_charge == row.q + row.m
        assert row.q >= 1


def test_formula_with_two_readings_keeps_both():
    space = ChemicalSpace(centres=("Sc", "Y"), cations=("Li", "Sc", "Y"), n=7, m=0, cation_kinds=2)
    rows = [row for row in listed(space) if row.formula == "Li5YScH7"]
    assert [row.centre for row in rows] == ["Sc", "Y"]


def test_neighbours_have_other_electron_counts():
    iridium = Assignment("Ir", 6, 4, 0, (Cation("Mg", 2, 2),))
    found = {row.formula: row.electron_count for row in neighbours(iridium)}
    assert "Mg2IrH5" in found
    assert all(row.cation_charge == row.q + row.m for row in neighbours(iridium))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"centres": ["Li"]}, ["Li", "not a centre"]),
        ({"cations": ["Re"]}, ["Re", "not a counter-cation"]),
        ({"cations": ["K", "K"]}, ["twice"]),
        ({"n": [1, 3]}, ["within [2, 14]"]),
        ({"n": [9, 7]}, ["[9, 7]", "within [2, 14]"]),
        ({"centres": ["Xx"]}, ["Xx", "not a centre"]),
        ({"cation_kinds": 4}, ["within [1, 3]"]),
        ({"electron_counts": [40]}, ["8 to 24"]),
        ({"max_cations_per_centre": 0}, ["0"]),
    ],
)
def test_impossible_limits(change, words):
    with pytest.raises(InputError) as caught:
        parse_campaign({"name": "x", "space": [{"centres": ["Re"], "cations": ["K"], **change}]})
    for word in words:
        assert word in str(caught.value)
