"""What a filter means, as a table to read; test_contract.py compares random ones with plain Python."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES

CANDIDATES = {
    "a": {
        "formula": "K2ReH9", "label": "K2[ReH9]", "elements": ["H", "K", "Re"], "cations": ["K"], "centre": "Re",
        "n": 9, "m": 0, "q": 2, "e_above_hull": -0.01, "rank": 1, "is_known": True, "is_pareto": True,
        "source": "host:K2ReH9",
    },
    "b": {
        "formula": "Mg3CrH8", "label": "Mg3[CrH7]H", "elements": ["Cr", "H", "Mg"], "cations": ["Mg"], "centre": "Cr",
        "n": 7, "m": 1, "q": 5, "e_above_hull": 0.02, "rank": 2, "is_known": True, "is_pareto": False,
        "source": "random",
    },
    "c": {
        "formula": "Li5MoH11", "label": "Li5[MoH9]H2", "elements": ["H", "Li", "Mo"], "cations": ["Li"],
        "centre": "Mo", "n": 9, "m": 2, "q": 3, "e_above_hull": 0.2, "rank": 3, "is_known": False, "is_pareto": True,
        "source": "100%",
    },
    "d": {
        "formula": "KLi2ReH9", "label": 'a "quoted" \\ one', "elements": ["H", "K", "Li", "Re"],
        "cations": ["K", "Li"], "centre": "Re", "n": 9, "m": 0, "q": 3, "e_above_hull": None, "rank": None,
        "is_known": False, "is_pareto": None, "source": None,
    },
    "e": {
        "formula": "k2reh9", "label": "under_score", "elements": ["H", "Re"], "cations": None, "centre": "Re", "n": 8,
        "m": 0, "q": 0, "e_above_hull": 0.02, "rank": 5, "is_known": False, "is_pareto": None, "source": "100x",
    },
}  # fmt: skip
"""d and e have unknown values; e has nothing in capitals and no list of cations."""

TABLE = [
    # everything
    (None, "abcde"),
    ("   ", "abcde"),
    # comparisons
    ("n = 9", "acd"),
    ("n=9", "acd"),
    ("n = 9.0", "acd"),
    ("n != 9", "be"),
    ("n > 7", "acde"),
    ("n >= 8", "acde"),
    ("n < 8", "b"),
    ("n <= 8", "be"),
    ("e_above_hull < 0", "a"),
    ("e_above_hull < 2e-2", "a"),
    ("e_above_hull <= 2E-2", "abe"),
    ("e_above_hull > -.5", "abce"),
    ("n < 99999999999999999999999", "abcde"),
    ("n > -99999999999999999999999", "abcde"),
    ('formula = "K2ReH9"', "a"),
    ('formula > "K2ReH9"', "bcde"),
    ('formula <= "KLi2ReH9"', "ad"),
    ('id = "c"', "c"),
    # constant first
    ("9 = n", "acd"),
    ("8 > n", "b"),
    ("8 <= n", "acde"),
    ('"K2ReH9" = formula', "a"),
    # spellings
    ("_ninefold_n = 9", "acd"),
    ('chemical_formula_reduced = "K2ReH9"', "a"),
    ('chemical_formula_descriptive = "K2[ReH9]"', "a"),
    # booleans
    ("is_known = TRUE", "ab"),
    ("is_known = FALSE", "cde"),
    ("is_known != TRUE", "cde"),
    ("is_pareto = TRUE", "ac"),
    ("is_pareto != TRUE", "b"),
    # precedence: NOT before AND before OR
    ("n = 9 AND m = 0 OR q = 5", "abd"),
    ("q = 5 OR n = 9 AND m = 0", "abd"),
    ("n = 9 AND (m = 0 OR q = 5)", "ad"),
    ("(q = 5 OR n = 9) AND m = 1", "b"),
    ("NOT n = 9 AND m = 0", "e"),
    ("NOT (n = 9 AND m = 0)", "bce"),
    ("NOT n = 9 OR m = 2", "bce"),
    ("NOT (NOT (n = 9))", "acd"),
    ("n = 9 AND NOT centre = \"Re\" AND m = 2", "c"),
    ("n = 7 OR n = 8 OR m = 2", "bce"),
    # unknown is neither true nor false
    ("e_above_hull >= -100 OR e_above_hull < -100", "abce"),
    ("NOT e_above_hull < 0.1", "c"),
    ("e_above_hull < 0.1 OR n = 9", "abcde"),
    ("NOT (e_above_hull < 0.1 AND n = 9)", "bce"),
    ("e_above_hull IS UNKNOWN", "d"),
    ("e_above_hull IS KNOWN", "abce"),
    ("NOT e_above_hull IS KNOWN", "d"),
    ("is_pareto IS UNKNOWN", "de"),
    ("cations IS UNKNOWN", "e"),
    ("score IS UNKNOWN", "abcde"),
    ('NOT source = "random"', "ace"),
    # lists
    ('elements HAS "K"', "ad"),
    ('elements HAS "k"', "ad"),
    ('NOT elements HAS "K"', "bce"),
    ('elements HAS ALL "K", "Re"', "ad"),
    ('elements HAS ALL "K","Li"', "d"),
    ('elements HAS ANY "Cr", "Mo"', "bc"),
    ('elements HAS ONLY "H", "K", "Re"', "ae"),
    ('elements HAS ONLY "H", "K", "Re", "Li"', "ade"),
    ('NOT elements HAS ONLY "H", "K", "Re", "Li"', "bc"),
    ("elements LENGTH 3", "abc"),
    ("elements LENGTH = 3", "abc"),
    ("elements LENGTH > 2", "abcd"),
    ("elements LENGTH != 3", "de"),
    ("elements LENGTH 0", ""),
    ("elements LENGTH < 99999999999999999999", "abcde"),
    # an unknown list
    ('cations HAS "K"', "ad"),
    ('NOT cations HAS "K"', "bc"),
    ('cations HAS ONLY "K"', "a"),
    ('NOT cations HAS ONLY "K"', "bcd"),
    ("cations LENGTH 0", ""),
    ("cations LENGTH >= 0", "abcd"),
    # text, case-sensitive, nothing in it is a pattern
    ('formula CONTAINS "ReH"', "ad"),
    ('formula STARTS WITH "K"', "ad"),
    ('formula STARTS "K"', "ad"),
    ('formula ENDS WITH "H9"', "ad"),
    ('formula ENDS "h9"', "e"),
    ('formula CONTAINS ""', "abcde"),
    ('source CONTAINS "%"', "c"),
    ('source STARTS "100%"', "c"),
    ('source ENDS "%"', "c"),
    ('label CONTAINS "_"', "e"),
    ('label CONTAINS "["', "abc"),
    ('label CONTAINS "*"', ""),
    # escapes
    (r'label CONTAINS "\""', "d"),
    (r'label CONTAINS "\\"', "d"),
    (r'label = "a \"quoted\" \\ one"', "d"),
    (r'label STARTS "a \"quoted"', "d"),
    # what would be SQL is only text
    ("label = \"' OR 1=1 --\"", ""),
    ("label = \"x'); DROP TABLE candidates; --\"", ""),
    (r'label = "\" OR 1=1 --"', ""),
    ('label CONTAINS "%\' OR \'1\'=\'1"', ""),
    ('label = "NULL"', ""),
]  # fmt: skip

REFUSED = [
    # filter, what its message must hold
    ("n =", ["not an OPTIMADE filter", "end"]),
    ("n = 9 AND", ["not an OPTIMADE filter", "end"]),
    ("n == 9", ["not an OPTIMADE filter", "4"]),
    ("n = 9)", ["not an OPTIMADE filter", "')'"]),
    ("formula = 'K2ReH9'", ["not an OPTIMADE filter", "11"]),
    ("formula = K2ReH9", ["not an OPTIMADE filter", "'K2ReH9'"]),
    ("n = 9; DROP TABLE candidates", ["not an OPTIMADE filter", "'; DROP"]),
    ("n' = 9", ["not an OPTIMADE filter"]),
    ("NOT NOT n = 9", ["not an OPTIMADE filter"]),
    ("is_known", ["not an OPTIMADE filter"]),
    ("elements LENGTH 2.5", ["not an OPTIMADE filter"]),
    ("n = 9 m = 0", ["AND"]),
    ("e_abov_hull < 0.1", ["'e_abov_hull' is not a field", "e_above_hull"]),
    ("_other_n = 9", ["'_other_n' is not a field"]),
    ("doc = 9", ["'doc' is not a field"]),
    ("lattice.a = 9", ["lattice.a"]),
    ("status = ranked", ['text stands in double quotes: status = "ranked"']),
    ('n = "9"', ["'9' cannot be compared with n", "allowed: a number"]),
    ("n = TRUE", ["cannot be compared with n", "allowed: a number"]),
    ("formula = 9", ["9 cannot be compared with formula", "allowed: text in"]),
    ("is_known = 1", ["1 cannot be compared with is_known", "allowed: TRUE or FALSE"]),
    ("is_known > FALSE", ["is_known", ">", "allowed: =, !="]),
    ("e_above_hull < e_above_references", ["e_above_hull", "e_above_references"]),
    ("elements HAS 3", ["3 cannot be compared with elements", "allowed: text in"]),
    ('elements = "K"', ["'elements' is a list", "allowed: HAS"]),
    ('elements CONTAINS "i"', ["'elements' is", "CONTAINS"]),
    ("n CONTAINS 9", ["'n' is", "CONTAINS"]),
    ('formula HAS "K"', ["'formula' is", "HAS"]),
    ("formula LENGTH 3", ["'formula' is", "LENGTH"]),
    ('elements HAS < "K"', ["operator", "does not know"]),
    ('elements HAS ANY < "K"', ["operator", "does not know"]),
    ('elements:cations HAS "K":"K"', ["does not know"]),
    ("1 < 2", ["field"]),
    ('"a" = "b"', ["field"]),
    ('formula = "\udcff"', ["UTF-8"]),
    ('formula STARTS "\udcff"', ["UTF-8"]),
]


@pytest.fixture(scope="module")
def candidates(lasting_backend, record):
    with lasting_backend.open() as store:
        store.put("candidates", [record(id, **content) for id, content in CANDIDATES.items()])
        yield store


def matches(repository, text):
    return "".join(document["id"] for document in repository.find("candidates", text))


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_filter_matches(candidates, text, expected):
    assert matches(candidates, text) == expected
    assert candidates.count("candidates", text) == len(expected)


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_refused_in_one_line(candidates, text, words):
    with pytest.raises(InputError) as caught:
        candidates.find("candidates", text)
    message = str(caught.value)
    assert message.startswith("filter: ")
    assert "\n" not in message
    assert [word for word in words if word not in message] == []
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["(" * 2000 + "n=9" + ")" * 2000, " AND ".join(["n=9"] * 1500)])
def test_too_large_is_refused_not_a_crash(candidates, text):
    with pytest.raises(InputError, match="filter: "):
        candidates.count("candidates", text)


@settings(max_examples=200, deadline=None)
@given(st.text("nm=9<>()\"'\\ ANDORTHSK%_-;.,:\0\n", max_size=25))
def test_any_text_is_answered_or_refused(candidates, text):
    with contextlib.suppress(InputError):
        candidates.count("candidates", text)


def test_examples_of_the_documentation_run(candidates):
    page = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
    examples = re.search(r"```optimade\n(.*?)```", page, re.DOTALL)[1].strip().splitlines()
    assert len(examples) == 20
    for text in examples:
        candidates.count("candidates", text)


@pytest.mark.parametrize("key", list(QUANTITIES))
def test_every_quantity_can_be_asked(candidates, key):
    assert candidates.count("candidates", f"{key} IS KNOWN OR {key} IS UNKNOWN") == len(CANDIDATES)
