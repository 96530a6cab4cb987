"""The same random documents and filters give the same on SQLite and on MongoDB, also where chemistry has a spelling."""

import itertools

import pytest
from contract import BACKENDS, DOCUMENTS, FILTERS, ORDERS, Record
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.errors import InputError

FORMULAS = ("K2ReH9", "Mg2FeH6", "Li3CrH8", "TiH2", "K2TcH9")
SYSTEMS = ("H-K-Re", "Fe-H-Mg", "Cr-H-Li", "H-Ti", "H-K-Tc")
GROUPS = ("P6_3/mmc", "Fm-3m", "P-62m", "P4/mmm")
PROPERTIES = {"density": "float", "shells": "integer", "phase": "string", "is_open": "boolean", "sites": "list"}

CHEMISTRY = st.fixed_dictionaries(
    {
        "formula": st.none() | st.sampled_from(FORMULAS), "chemical_system": st.none() | st.sampled_from(SYSTEMS),
        "space_group_symbol": st.none() | st.sampled_from(GROUPS),
        "centre": st.none() | st.sampled_from(["Re", "Fe", "Tc"]),
        "anion": st.none() | st.sampled_from(["[ReH9]2-", "[FeH6]4-"]),
        "properties": st.none() | st.fixed_dictionaries(
            {}, optional={
                "density": st.none() | st.sampled_from([0.1 + 0.2, 3, 3.5]), "shells": st.none() | st.integers(0, 3),
                "phase": st.none() | st.sampled_from(["cubic", "cubic x", "", "k\n"]),
                "is_open": st.none() | st.booleans(),
                "sites": st.none() | st.lists(st.sampled_from(["K", "Re"]), unique=True),
            },
        ),
    }
)  # fmt: skip
ASKED = st.sampled_from(
    [
        'formula = "ReK2H9"', 'formula CONTAINS "K2"', 'formula ENDS WITH "H9"', 'chemical_system STARTS "H-K"',
        'centre != "Re"',
        'chemical_system CONTAINS "T"', 'space_group_symbol = "P6_3/mmc"', 'space_group_symbol CONTAINS "mm"',
        'anion STARTS "[Re"', "density > 0.3", "density = 0.30000000000000004", "NOT shells >= 2", "shells IS UNKNOWN",
        'phase ENDS WITH "x"', 'phase CONTAINS "c"', 'phase != "k"', 'phase ENDS WITH "k"',
        "is_open = FALSE", "is_open != TRUE",
        'sites HAS ANY "K", "Re"', 'NOT sites HAS ONLY "K"', 'sites HAS ALL "K", "Re"',
        "sites LENGTH >= 1", "NOT sites LENGTH 1",
    ]
)  # fmt: skip
MIXED = st.recursive(
    ASKED | FILTERS.map(lambda filter: filter[0]),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format), st.tuples(inner, inner).map(lambda two: "({}) AND ({})".format(*two)),
        st.tuples(inner, inner).map(lambda two: "({}) OR ({})".format(*two)),
    ),
    max_leaves=5,
)  # fmt: skip
FURTHER_ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["density", "phase", "shells", "is_open", "formula", "rank"]), st.sampled_from(["asc", "desc"])
    ),
    max_size=2,
)
_examples = itertools.count()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    backends = [BACKENDS[name](tmp_path_factory.mktemp("store")) for name in ("SQLite by path", "MongoDB")]
    opened = [backend.open() for backend in backends]
    yield opened
    for store, backend in zip(opened, backends, strict=True):
        store.close()
        backend.close()


def answer(store, *arguments, **options):
    try:
        return store.find(*arguments, **options)
    except InputError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(
    DOCUMENTS, st.lists(CHEMISTRY, min_size=6, max_size=6), MIXED, ORDERS, FURTHER_ORDERS, st.none() | st.integers(0, 4)
)
def test_the_same_documents_and_filters_give_the_same(stores, documents, chemistry, text, order, further, limit):
    campaign = f"campaign {next(_examples)}"
    rows = [
        {"id": f"{campaign}:{k}", "campaign": campaign, **flat, **more}
        for k, (flat, more) in enumerate(zip(documents, chemistry, strict=False))
    ]
    for store in stores:
        store.put("candidates", [Record(row["id"], row) for row in rows])
    asked = {"equal": {"campaign": campaign}, "properties": PROPERTIES, "sort": [*further, *order]}
    found, other = (answer(store, "candidates", text, limit=limit, **asked) for store in stores)
    assert other == found
    fields = ["id", "density", "n", "sites", "formula"]
    first, second = (answer(store, "candidates", text, fields=fields, offset=1, **asked) for store in stores)
    assert second == first


WRONG = [
    'formula = "XxH9"', "centre = Re", "densty > 3", "n = ", 'n = "7"', "elements = 3", 'n HAS "K"', "NOT",
    "is_open > TRUE", 'space_group_symbol = "P999"', "n = 7 n = 8", "a.b = 3", '$where = "1"', "{n: 7}",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_filter_is_told_alike(stores, text):
    messages = []
    for store in stores:
        with pytest.raises(InputError) as error:
            store.find("candidates", text, properties=PROPERTIES)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
