"""Element data, formulas and volumes against pymatgen and what is published."""

import itertools
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition, Element, Species

from ninefold.chemistry.anions import AnionClass, Assignment, Cation
from ninefold.chemistry.compounds import PROVENANCE, known_compounds, read_compounds
from ninefold.chemistry.elements import CATION_CHARGES, ELECTRONEGATIVITY, GROUP, SYMBOLS
from ninefold.chemistry.formula import formula_of, parse_formula
from ninefold.chemistry.table import CandidateTable
from ninefold.chemistry.volumes import HYDRIDE_VOLUME, additive_volume, anion_volume, cation_volume
from ninefold.errors import InputError
from ninefold.rules.builtin import _ATOMIC_MASS


@pytest.mark.parametrize("symbol", ELECTRONEGATIVITY)
def test_electronegativity(symbol):
    # pymatgen has no value for some elements: not a number is unequal to itself
    if Element(symbol).X == Element(symbol).X:
        assert pytest.approx(Element(symbol).X, abs=0.011) == ELECTRONEGATIVITY[symbol]


@pytest.mark.parametrize("symbol", GROUP)
def test_group(symbol):
    assert Element(symbol).group == GROUP[symbol]


@pytest.mark.parametrize("symbol", sorted(set(_ATOMIC_MASS) - {"Tc"}))
def test_mass(symbol):
    assert _ATOMIC_MASS[symbol] == pytest.approx(float(Element(symbol).atomic_mass), abs=0.03)


def test_symbols_by_atomic_number():
    assert [Element.from_Z(number).symbol for number in range(1, 119)] == list(SYMBOLS)


def test_every_cation_has_an_electronegativity():
    assert set(CATION_CHARGES) <= set(ELECTRONEGATIVITY)


@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 40), min_size=1, max_size=5))
def test_formula_round_trip(amounts):
    text = formula_of(amounts)
    assert parse_formula(text) == {symbol: amounts[symbol] for symbol in parse_formula(text)}
    assert Composition(text) == Composition(amounts)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [("K2ReH9", {"K": 2, "Re": 1, "H": 9}), ("Mg(AlH4)2", {"Mg": 1, "Al": 2, "H": 8}), ("CO", {"C": 1, "O": 1})],
)
def test_parse(text, amounts):
    assert parse_formula(text) == amounts


@pytest.mark.parametrize("text", ["", "k2reh9", "K2ReH9)", "(K", "K2Re-H9", "Kx", "2K", "K1.5H"])
def test_malformed(text):
    with pytest.raises(InputError, match="formula"):
        parse_formula(text)


def test_chemists_order():
    assert formula_of({"H": 11, "W": 1, "Li": 5}) == "Li5WH11"


def test_volume_of_the_prototype():
    [compound] = [compound for compound in known_compounds() if compound.formula == "K2ReH9"]
    # a = 9.607 Å, c = 5.508 Å, Z = 3: Abrahams, Ginsberg & Knox (1964)
    assert additive_volume(compound.assignment) == pytest.approx(9.607**2 * 5.508 * 3**0.5 / 2 / 3, rel=0.02)


@pytest.mark.parametrize("compound", known_compounds(), ids=lambda compound: compound.formula)
def test_known_compounds_are_neutral(compound):
    assert compound.assignment.cation_charge == compound.assignment.q + compound.assignment.m
    assert compound.provenance in PROVENANCE
    assert (compound.assignment.electron_count == 18) != bool(compound.violates)


def test_compounds_that_thresholds_were_fitted_to_are_marked(tmp_path):
    fitted = {compound.formula for compound in known_compounds() if compound.fitted}
    assert {"K2ReH9", "Mg3CrH8", "Li6NbH11"} <= fitted
    assert all(compound.assignment.n >= 7 for compound in known_compounds() if compound.fitted)
    path = tmp_path / "compounds.yaml"
    path.write_text(
        "- {centre: Re, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, provenance: derived, fitted: perhaps}\n"
    )
    with pytest.raises(InputError, match=r"fitted: 'perhaps'.*true or false"):
        read_compounds(path)


def test_a_formula_stands_once_and_every_reference_is_named():
    formulas = [compound.formula for compound in known_compounds()]
    assert len(set(formulas)) == len(formulas)
    for compound in known_compounds():
        assert compound.doi or re.search(r"(?:19|20)\d\d", compound.source), compound.formula


@pytest.mark.parametrize(
    ("listed", "sibling"),
    [
        ("Na3ReH8", "Na3WH9"),  # both in the title of one paper
        ("K2ReH9", "K2TcH9"),
        ("K2ReH9", "KNaReH9"),
        ("K2ReH9", "BaReH9"),
        ("Na3RuH7", "Na3OsH7"),
        ("Na3RuH7", "Na3FeH7"),
        ("Cs3OsH9", "Rb3OsH9"),
        ("Cs3OsH9", "K3OsH9"),
        ("K2PtH6", "Li2PtH6"),
        ("Ca2OsH6", "Mg2OsH6"),
        ("Sr2FeH6", "SrMg2FeH8"),
        ("Na3IrH6", "Na3RhH6"),
        ("K3MnH5", "Cs3MnH5"),
        ("Mg3ReH7", "LiMg2RuH7"),
    ],
)
def test_series_are_complete(listed, sibling):
    assert {listed, sibling} <= {compound.formula for compound in known_compounds()}


def test_predicted_compounds_are_not_listed():
    predicted = {"Mg2IrH6", "Li3FeH7", "BaMnH9", "Li3RuH7", "Na3MoH9", "Li5TiH9"}
    assert not predicted & {compound.formula for compound in known_compounds()}


def test_compounds_of_the_package_carry_what_their_publications_say():
    by_formula = {compound.formula: compound for compound in known_compounds()}
    tungsten = by_formula["Na3WH9"]
    assert (tungsten.pressure_GPa, tungsten.temperature_K) == (7.8, 1400)
    assert tungsten.doi == by_formula["Na3ReH8"].doi == "10.1021/acs.inorgchem.4c02691"
    assert by_formula["SrMg2FeH8"].space_group == 164
    assert by_formula["K3ZnH5"].structure_type == "Cs3CoCl5"
    for compound in known_compounds():
        assert compound.doi is None or compound.doi.startswith("10."), compound.formula
        assert compound.pressure_GPa is None or 0 < compound.pressure_GPa < 50, compound.formula


GOOD = "formula: K2ReH9, centre: Re, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, provenance: from memory"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("K2ReH9", ["compound 1", "mapping"]),
        ("{" + GOOD.replace(", provenance: from memory", "") + "}", ["compound 1", "'provenance'", "missing"]),
        ("{" + GOOD + ", pressure: 5}", ["'pressure'", "pressure_GPa"]),
        (
            "{" + GOOD.replace("from memory", "hearsay") + "}",
            ["K2ReH9: provenance", "published, from memory, derived"],
        ),
        ("{" + GOOD.replace("n: 9", "n: true") + "}", ["n: True", "whole number from 1 to 14"]),
        ("{" + GOOD.replace("n: 9", "n: 9.0") + "}", ["n: 9.0"]),
        ("{" + GOOD.replace("K: 2", "K: 2.5") + "}", ["cations.K", "2.5"]),
        ("{" + GOOD.replace("K: 2", "K: -2") + "}", ["cations.K", "-2"]),
        ("{" + GOOD.replace("{K: 2}", "K2") + "}", ["cations", "symbol: number"]),
        ("{" + GOOD.replace("centre: Re", "centre: [Re]") + "}", ["centre", "Re"]),
        ("{" + GOOD.replace("centre: Re", "centre: 2024-01-01") + "}", ["centre", "2024"]),
        ("{" + GOOD.replace("formula: K2ReH9", "formula: KReH") + "}", ["KReH", "K2ReH9"]),
        ("{" + GOOD.replace("source: x", "source: 5") + "}", ["source", "text"]),
        ("{" + GOOD + ", pressure_GPa: .nan}", ["pressure_GPa", "0 to 1000"]),
        ("{" + GOOD + ", space_group: 300}", ["space_group", "1 to 230"]),
        ("{centre: Y, n: 9, q: 6, m: 0, cations: {Y: 2}, source: x, provenance: from memory}", ["Y", "centre too"]),
    ],
)
def test_a_broken_entry_is_named_with_key_value_and_what_is_allowed(tmp_path, entry, words):
    path = tmp_path / "mine.yaml"
    path.write_text(f"- {entry}\n")
    with pytest.raises(InputError) as caught:
        read_compounds(path)
    for word in ["mine.yaml", *words]:
        assert word in str(caught.value)


SALINE = [
    ("Li", 1, 4.083**3 / 4),
    ("Na", 1, 4.880**3 / 4),
    ("K", 1, 5.704**3 / 4),
    ("Rb", 1, 6.037**3 / 4),
    ("Cs", 1, 6.376**3 / 4),
    ("Mg", 2, 4.517**2 * 3.021 / 2),
    ("Ca", 2, 5.948 * 3.600 * 6.817 / 4),
    ("Sr", 2, 6.382 * 3.882 * 7.318 / 4),
    ("Ba", 2, 6.802 * 4.175 * 7.845 / 4),
]
"""Cation, hydride ions and volume per formula unit, Å³: rock salt, rutile and cotunnite cells of the literature."""


@pytest.mark.parametrize(("symbol", "hydrides", "volume"), SALINE)
def test_hydride_and_cation_increments_fill_the_saline_hydrides(symbol, hydrides, volume):
    assert cation_volume(symbol) + hydrides * HYDRIDE_VOLUME == pytest.approx(volume, rel=0.025)


@pytest.mark.parametrize("symbol", ["Al", "Sc", "Y", "La"])
def test_trivalent_cations_fill_what_their_radii_say(symbol):
    # a line in the cube of Shannon's radius, six-coordinate: the increments were drawn from such radii
    radius = float(Species(symbol, 3).get_shannon_radius("VI", radius_type="ionic"))
    assert cation_volume(symbol) == pytest.approx(3.2 + 11.4 * radius**3, abs=0.6)


def test_lanthanides_lie_between_yttrium_and_lanthanum():
    assert cation_volume("Y") < cation_volume("Gd") == cation_volume("Yb") < cation_volume("La")
    assert cation_volume("Gd") == pytest.approx(13.5, abs=1)
    assert cation_volume("Be") < cation_volume("Al") < cation_volume("Li")


@pytest.mark.parametrize(
    ("centre", "n", "volume"),
    [
        ("Fe", 6, 6.443**3 / 4 - 2 * 7.8),  # Mg2FeH6, Didisheim et al., Inorg. Chem. 23, 1953 (1984)
        ("Ru", 6, 6.651**3 / 4 - 2 * 7.8),  # Mg2RuH6, from memory
        ("Os", 6, 6.682**3 / 4 - 2 * 7.8),  # Mg2OsH6, from memory
        ("Re", 9, 9.607**2 * 5.508 * 0.75**0.5 / 3 - 2 * 34.0),  # K2ReH9
    ],
)
def test_anion_increments_are_what_published_cells_leave_to_the_anion(centre, n, volume):
    assert anion_volume(centre, n) == pytest.approx(volume, rel=0.04)


def test_an_anion_grows_with_every_hydrogen():
    volumes = [anion_volume("Re", n) for n in range(1, 14)]
    assert volumes[0] == pytest.approx(30 - 6.5, abs=1)
    steps = [after - before for before, after in itertools.pairwise(volumes)]
    assert all(5 <= step <= 9 for step in steps), "a hydrogen takes some 7 Å³"


@given(st.integers(1, 12), st.integers(0, 3), st.lists(st.sampled_from(sorted(CATION_CHARGES)), max_size=3))
def test_volumes_add_up(n, m, cations):
    counted = tuple(Cation(symbol, count + 1, 1) for count, symbol in enumerate(cations))
    parts = anion_volume("Re", n) + m * HYDRIDE_VOLUME
    parts += sum((count + 1) * cation_volume(symbol) for count, symbol in enumerate(cations))
    assert additive_volume(Assignment("Re", n, 2, m, counted)) == pytest.approx(parts)


CHEMISTS = [
    (Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),)), 7, 18, "[ReH9]2-"),
    (Assignment("Mo", 9, 3, 2, (Cation("Li", 5, 1),)), 6, 18, "[MoH9]3-"),
    (Assignment("Cr", 7, 5, 1, (Cation("Mg", 3, 2),)), 2, 18, "[CrH7]5-"),
    (Assignment("Fe", 6, 4, 0, (Cation("Mg", 2, 2),)), 2, 18, "[FeH6]4-"),
    (Assignment("Mn", 6, 5, 1, (Cation("Mg", 3, 2),)), 1, 18, "[MnH6]5-"),
    (Assignment("Ir", 6, 3, 0, (Cation("Li", 3, 1),)), 3, 18, "[IrH6]3-"),
    (Assignment("Co", 5, 4, 0, (Cation("Mg", 2, 2),)), 1, 18, "[CoH5]4-"),
    (Assignment("Ni", 4, 4, 0, (Cation("Mg", 2, 2),)), 0, 18, "[NiH4]4-"),
    (Assignment("Pt", 4, 2, 0, (Cation("K", 2, 1),)), 2, 16, "[PtH4]2-"),
    (Assignment("Pt", 6, 2, 0, (Cation("K", 2, 1),)), 4, 18, "[PtH6]2-"),
    (Assignment("Pd", 2, 2, 0, (Cation("Li", 2, 1),)), 0, 14, "[PdH2]2-"),
]
"""Reading of a compound, oxidation state and valence electrons of its metal as chemists give them, its anion."""


@pytest.mark.parametrize(("assignment", "state", "electrons", "anion"), CHEMISTS, ids=lambda value: str(value)[:40])
def test_oxidation_state_and_electrons_as_chemists_give_them(assignment, state, electrons, anion):
    assert assignment.oxidation_state == state
    assert assignment.electron_count == electrons
    assert assignment.anion == anion
    hydrides = {0: "", 1: " + 1 H-", 2: " + 2 H-"}[assignment.m]
    assert assignment.label == f"{formula_of(assignment.amounts)} = {anion}{hydrides}"
    assert assignment.chemical_system == Composition(assignment.amounts).chemical_system
    # the charges of the formula, hydrogen as hydride, add up to nothing
    charges = {"H": -1, assignment.centre: state, **{cation.symbol: cation.charge for cation in assignment.cations}}
    assert sum(charges[symbol] * count for symbol, count in assignment.amounts.items()) == 0
    # at 18 electrons the state follows from the group and n alone
    assert (state == 2 * assignment.n + Element(assignment.centre).group - 18) == (electrons == 18)


@pytest.mark.parametrize("n", range(1, 13))
def test_nine_hydrogens_are_the_last_classical_hydride(n):
    assert Assignment("Re", n, 2, 0, ()).anion_class == (AnionClass.CLASSICAL if n <= 9 else AnionClass.H2_LIGAND)


def test_readings_have_an_order():
    rows = [assignment for assignment, *_ in CHEMISTS]
    assert [row.centre for row in sorted(rows)] == sorted(row.centre for row in rows)


def test_columns_are_the_readings_of_their_rows():
    rows = [assignment for assignment, *_ in CHEMISTS]
    table = CandidateTable.from_assignments(rows)
    assert list(table.assignments()) == rows
    assert list(table.oxidation_state) == [state for _, state, *_ in CHEMISTS]
    assert list(table.electron_count) == [electrons for _, _, electrons, _ in CHEMISTS]
    assert list(table.group) == [Element(row.centre).group for row in rows]
    assert list(table.cation_charge) == [row.q + row.m for row in rows]
    assert list(table.cation_count) == [sum(cation.count for cation in row.cations) for row in rows]


@pytest.mark.parametrize(
    ("key", "wrong", "allowed"), [("n", 0, "1 to 14"), ("n", 15, "1 to 14"), ("q", 0, "1 to 20"), ("m", -1, "0 to 20"),
                                  ("q", 21, "1 to 20"), ("m", 21, "0 to 20"), ("n", 9.5, "1 to 14")]
)  # fmt: skip
def test_a_compound_beyond_what_can_be_is_refused(tmp_path, key, wrong, allowed):
    entry = {
        "centre": "Re",
        "n": 9,
        "q": 2,
        "m": 0,
        "cations": {"K": 2},
        "source": "x",
        "provenance": "derived",
        key: wrong,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump([entry]))
    with pytest.raises(InputError, match=f"{key}.*{allowed}"):
        read_compounds(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("n", "q", "m", "cations"), [(1, 1, 0, {"K": 1}), (14, 20, 20, {"Mg": 20}), (2, 1, 0, {"Li": 1})]
)
def test_a_compound_at_the_edge_is_read(tmp_path, n, q, m, cations):
    entry = {"centre": "Re", "n": n, "q": q, "m": m, "cations": cations, "source": "x", "provenance": "from memory"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump([entry]))
    [compound] = read_compounds(tmp_path / "mine.yaml")
    assert (compound.assignment.n, compound.assignment.q, compound.assignment.m) == (n, q, m)


def test_columns_of_mixed_cations():
    mixed = Assignment("W", 9, 3, 0, (Cation("K", 1, 1), Cation("Mg", 1, 2)))
    heavy = Assignment("Re", 9, 2, 2, (Cation("K", 2, 1), Cation("Mg", 1, 2)))
    plain = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))
    table = CandidateTable.from_assignments([mixed, heavy, plain])
    assert list(table.assignments([2, 0])) == [plain, mixed]
    means = [(0.82 + 1.31) / 2, (2 * 0.82 + 1.31) / 3, 0.82]  # Pauling
    assert table.cation_electronegativity == pytest.approx(means, abs=0.005)
    assert table.centre_electronegativity == pytest.approx([2.36, 1.9, 1.9], abs=0.05)
    charges = {item: item[1] for item in table.species}
    assert list(table.max_over_cations(charges)) == [2, 2, 1]
