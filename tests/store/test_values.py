"""What chemistry spells in several ways is asked in the store's spelling; what nothing can match is refused."""

import moyopy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import formula_of
from ninefold.errors import InputError
from ninefold.store.filter_parsing import transform
from ninefold.store.grammar import FilterTransformer
from ninefold.structures.symmetry import bare_symbol, named, standard_symbol


class Words(FilterTransformer):
    """A backend that says what it was asked."""

    def compare(self, field, operator, value):
        return f"{field.key} {operator} {value}"

    def match(self, field, how, value):
        return f"{field.key} {how} {value}"

    def has(self, field, how, values):
        return f"{field.key} HAS {how} {','.join(values)}"

    def length(self, field, operator, number):
        return f"{field.key} LENGTH {operator} {number}"

    def known(self, field, is_known):
        return f"{field.key} {is_known}"

    def negate(self, part):
        return f"not({part})"

    def all_of(self, parts):
        return f"({' and '.join(parts)})"

    def any_of(self, parts):
        return f"({' or '.join(parts)})"


def translated(text, collection="candidates"):
    return transform(text, Words, collection)


TRANSLATED = [
    # formulas: reduced, in order, without brackets, D and T as H
    ('formula = "K4Re2H18"', "formula = K2ReH9"),
    ('chemical_formula_reduced = "H9K2Re"', "formula = K2ReH9"),
    ('chemical_formula_reduced = "H18K4Re2"', "formula = K2ReH9"),
    ('formula = "K2[ReH9]"', "formula = K2ReH9"),
    ('formula = "K₂ReH₉"', "formula = K2ReH9"),
    ('NOT formula = "K2ReD9"', "not(formula = K2ReH9)"),
    ('formula != "K4Re2D18"', "formula != K2ReH9"),
    ('"D9K2Re" = formula', "formula = K2ReH9"),
    ('formula > "K4Re2H18"', "formula > K4Re2H18"),
    # parts of formulas
    ('formula STARTS WITH "K2Re"', "formula STARTS K2Re"),
    ('formula STARTS "T"', "formula STARTS T"),
    ('formula STARTS "KL"', "formula STARTS KL"),
    ('formula CONTAINS "ReD9"', "formula CONTAINS ReH9"),
    ('formula ENDS "D"', "formula ENDS H"),
    ('formula ENDS "D9"', "formula ENDS H9"),
    ('formula CONTAINS "Dy"', "formula CONTAINS Dy"),
    ('formula CONTAINS "eH"', "formula CONTAINS eH"),
    ('formula CONTAINS "₉"', "formula CONTAINS 9"),
    ('formula CONTAINS ""', "formula CONTAINS "),
    # anions
    ('anion = "[ReH₉]²⁻"', "anion = [ReH9]2-"),
    ('anion = "[D9Re]2-"', "anion = [ReH9]2-"),
    ('anion CONTAINS "D9"', "anion CONTAINS H9"),
    ('anion CONTAINS "ReD9]"', "anion CONTAINS ReH9]"),
    ('anion ENDS "²⁻"', "anion ENDS 2-"),
    # chemical systems: sorted
    ('chemical_system = "K-Re-H"', "chemical_system = H-K-Re"),
    ('chemical_system = "Re-D-K"', "chemical_system = H-K-Re"),
    ('NOT chemical_system = "k-re-h"', "not(chemical_system = H-K-Re)"),
    ('chemical_system STARTS WITH "H-Li"', "chemical_system STARTS H-Li"),
    ('chemical_system STARTS "D-K"', "chemical_system STARTS H-K"),
    ('chemical_system CONTAINS "a-R"', "chemical_system CONTAINS a-R"),
    ('chemical_system CONTAINS "Ca-C"', "chemical_system CONTAINS Ca-C"),
    ('chemical_system ENDS "-Re"', "chemical_system ENDS -Re"),
    # space groups: blanks, underscores, full symbols, settings
    ('space_group_symbol = "P -6 2 m"', "space_group_symbol = P-62m"),
    ('space_group_symbol_hermann_mauguin = "P 63/m m c"', "space_group_symbol = P6_3/mmc"),
    ('space_group_symbol != "P63/mmc"', "space_group_symbol != P6_3/mmc"),
    ('space_group_symbol = "F 4/m -3 2/m"', "space_group_symbol = Fm-3m"),
    ('space_group_symbol = "P 1 21/n 1"', "space_group_symbol = P2_1/c"),
    ('space_group_symbol = "R-3m:H"', "space_group_symbol = R-3m"),
    ('space_group_symbol = "Cmca"', "space_group_symbol = Cmce"),
    ('space_group_symbol STARTS "P -6"', "space_group_symbol STARTS P-6"),
    ('space_group_symbol STARTS "P 6_3/m m"', "space_group_symbol STARTS P6_3/mm"),
    ('space_group_symbol STARTS "P 63/m"', "(space_group_symbol = P6_3/m or space_group_symbol = P6_3/mcm"
     " or space_group_symbol = P6_3/mmc)"),
    # elements
    ('elements HAS "re"', "elements HAS ALL Re"),
    ('elements HAS "D"', "elements HAS ALL H"),
    ('elements HAS ANY "D", "H", "LI"', "elements HAS ANY H,Li"),
    ('cations HAS ONLY "k"', "cations HAS ONLY K"),
    ('centre = "re"', "centre = Re"),
    # words
    ('status = "No structure"', "status = no_structure"),
    ('anion_class = "H2-ligand"', "anion_class = h2_ligand"),
    # text of one spelling
    ('source = "k4re2h18"', "source = k4re2h18"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TRANSLATED)
def test_a_value_is_asked_in_the_store_s_spelling(text, expected):
    assert translated(text) == expected


REFUSED = [
    ('formula = "k2reh9"', "is no formula", 'formula = "K2ReH9"'),
    ('formula = "[ReH9]2-"', "is an ion", 'anion = "[ReH9]2-"'),
    ('formula = "K1.5ReH9"', "is no formula", "CONTAINS"),
    ('chemical_formula_reduced STARTS WITH "H9K2"', "in no formula of the store", 'elements HAS ALL "H", "K"'),
    ('formula CONTAINS "ReK2"', "rising electronegativity", "HAS ALL"),
    ('formula CONTAINS "H9K"', "hydrogen last", "HAS ALL"),
    ('formula CONTAINS "reh"', "is no part of a formula", "K2Re"),
    ('formula STARTS "e"', "is no part of a formula", "K2Re"),
    ('formula CONTAINS "Xx2"', "'Xx', which is no element", "K2Re"),
    ('formula CONTAINS "%"', "is no part of a formula", "K2Re"),
    ('anion = "ReH9"', "carries no charge", "[ReH9]2-"),
    ('anion STARTS "ReH9"', "begins no anion", "["),
    ('chemical_system = "K-Rh-Xx"', "'Xx' is no element", "Re"),
    ('chemical_system = ""', "names no element", "H-K-Re"),
    ('chemical_system STARTS "K-Re-H"', "symbols are sorted", '"H-K-Re"'),
    ('chemical_system CONTAINS "k-re"', "'re', which is no element", "H-Li"),
    ('space_group_symbol = "P-62n"', "is no Hermann-Mauguin symbol", "P-62m"),
    ('space_group_symbol = "189"', "is no Hermann-Mauguin symbol", "space_group_number"),
    ('space_group_symbol CONTAINS "7"', "is no part of a Hermann-Mauguin symbol", "P6_3"),
    ('elements HAS "Xx"', "is no element", '"Re"'),
    ('elements HAS "K2"', "is no element", '"Re"'),
    ('cations HAS ANY "K", "Potassium"', "'Potassium' is no element", '"Re"'),
    ('centre = "rhenium"', "is no element", '"Re"'),
    ('status = "done"', "never has", "no_hull"),
    ('NOT anion_class = "class"', "never has", "classical, h2_ligand"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem", "allowed"), REFUSED)
def test_what_nothing_can_match_is_refused(text, problem, allowed):
    with pytest.raises(InputError) as caught:
        translated(text)
    assert problem in str(caught.value)
    assert allowed in str(caught.value).partition(problem)[2]


def test_a_store_answers(tmp_path, record):
    from ninefold.store.sqlite import SQLiteStore

    rows = {
        "a": {"formula": "K2ReH9", "elements": ["H", "K", "Re"], "chemical_system": "H-K-Re", "centre": "Re",
              "space_group_symbol": "P-62m"},
        "b": {"formula": "Na2ReH9", "elements": ["H", "Na", "Re"], "chemical_system": "H-Na-Re", "centre": "Re",
              "space_group_symbol": "P6_3/mmc"},
        "c": {"formula": "KTcH8", "elements": ["H", "K", "Tc"], "chemical_system": "H-K-Tc", "centre": "Tc",
              "space_group_symbol": None},
    }  # fmt: skip
    with SQLiteStore(tmp_path / "s.db", "write") as repository:
        repository.put("candidates", [record(id, **content) for id, content in rows.items()])
        for text, expected in (
            ('formula = "K4Re2H18"', "a"), ('NOT formula = "K2ReD9"', "bc"), ('chemical_system = "K-Re-H"', "a"),
            ('space_group_symbol = "P 63/m m c"', "b"), ('space_group_symbol STARTS "P63"', "b"),
            ('NOT space_group_symbol STARTS "P63"', "a"), ('NOT elements HAS "tc"', "ab"), ('elements HAS "re"', "ab"),
            ('NOT centre = "tc"', "ab"),
        ):  # fmt: skip
            assert "".join(row["id"] for row in repository.find("candidates", text)) == expected, text


@given(
    st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 9), min_size=2, max_size=4), st.integers(1, 3), st.data()
)
def test_every_spelling_of_a_formula_and_every_part_of_it_is_understood(amounts, factor, data):
    from math import gcd

    divisor = gcd(*amounts.values())
    stored = formula_of({symbol: amount // divisor for symbol, amount in amounts.items()})
    order = data.draw(st.permutations(sorted(amounts)))
    written = "".join(f"{symbol}{amounts[symbol] * factor}" for symbol in order)
    assert translated(f'formula = "{written}"') == f"formula = {stored}"
    system = "-".join(sorted(amounts))
    assert translated(f'chemical_system = "{"-".join(order)}"') == f"chemical_system = {system}"
    for field, text in (("formula", stored), ("chemical_system", system)):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, len(text)))
        for how, piece in (("STARTS", text[:end]), ("ENDS", text[start:]), ("CONTAINS", text[start:end])):
            assert translated(f'{field} {how} "{piece}"') == f"{field} {how} {piece}"


@pytest.mark.parametrize("hall_number", range(1, 531, 7))
def test_every_spelling_of_a_space_group_is_understood(hall_number):
    entry = moyopy.HallSymbolEntry(hall_number)
    stored = named(entry.number).symbol
    for symbol in (entry.hm_short, entry.hm_full):
        for written in (symbol, symbol.replace("_", ""), symbol.replace(" ", ""), bare_symbol(symbol)):
            assert standard_symbol(written) == stored


def test_a_bare_symbol_stands_for_one_space_group():
    groups = {}
    for hall_number in range(1, 531):
        entry = moyopy.HallSymbolEntry(hall_number)
        for symbol in (entry.hm_short, entry.hm_full):
            groups.setdefault(bare_symbol(symbol), set()).add(entry.number)
    assert all(len(numbers) == 1 for numbers in groups.values())
