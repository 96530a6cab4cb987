"""What every store promises, on every backend."""

import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import threading
import time

import pytest
from contract import DOCUMENTS, FILTERS, FUZZY, ORDERS, WORDS, Record, in_order, quoted, record
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.errors import InputError, NinefoldError
from ninefold.models.candidate import Candidate
from ninefold.store import BlobError, StoreError, open_store
from ninefold.store.schema import COLLECTIONS, REVISIONS

CANDIDATE = Candidate(
    id="a", campaign="c", formula="K2ReH9", anion="[ReH9]2-", label="K2[ReH9]", chemical_system="H-K-Re",
    elements=["H", "K", "Re"], nelements=3, centre="Re", cations=["K"], cation_counts={"K": 2}, group=7, n=9, q=2, m=0,
    electron_count=18, oxidation_state=7, anion_class="classical", prior=0.1 + 0.2, status="ranked",
    composition="a", method="", e_above_hull=-1e-17, is_known=True, verdicts=[{"rule": "x", "value": None}],
)  # fmt: skip


@pytest.fixture
def store(backend):
    with backend.open() as store:
        yield store


@pytest.fixture
def five(store):
    put(
        store, record("a", n=7, rank=2), record("b", n=7, rank=3), record("c", n=9, rank=1),
        record("d", n=9, rank=None), record("e", n=7),
    )  # fmt: skip
    return store


def put(store, *records):
    store.put("candidates", records)


def ids(store, *args, **options):
    return "".join(document["id"] for document in store.find("candidates", *args, **options))


def numbers(store):
    return {row["id"]: row["n"] for row in store.find("candidates")}


def outputs(*processes):
    """What processes print, all started before any is read."""
    texts = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return texts


def together(*processes):
    """Let processes that wait for a line on their standard input go on at once."""
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return outputs(*processes)


# documents in, documents out


def test_document_comes_back_whole(store):
    put(store, CANDIDATE)
    assert store.get("candidates", "a") == CANDIDATE.model_dump(mode="json")
    assert Candidate.model_validate(store.get("candidates", "a")) == CANDIDATE
    assert store.find("candidates") == [CANDIDATE.model_dump(mode="json")]


def test_what_is_asked_for_is_what_was_put(store):
    put(store, CANDIDATE)
    [row] = store.find("candidates", fields=["prior", "e_above_hull", "is_known", "elements", "score", "n"])
    assert row == {
        "prior": 0.1 + 0.2, "e_above_hull": -1e-17, "is_known": True, "elements": ["H", "K", "Re"], "score": None,
        "n": 9,
    }  # fmt: skip
    [row] = store.find("candidates", fields=["n", "verdicts", "no such field"])
    assert row == {"n": 9, "verdicts": [{"rule": "x", "value": None}], "no such field": None}


def test_keys_may_hold_what_a_database_takes_for_its_own(store):
    nested = {"a.b": 1, "$where": {"x%y": [{"$set": 2}]}, "%2E": 3, "": {"ä": None}}
    put(store, record("a", n=1, settings=nested), record("b", n=2, **{"x.y": 5}))
    assert store.get("candidates", "a") == {"id": "a", "n": 1, "settings": nested}
    assert store.find("candidates", "n = 2") == [{"id": "b", "n": 2, "x.y": 5}]
    assert store.find("candidates", "n = 1", fields=["settings", "n"]) == [{"settings": nested, "n": 1}]
    assert store.replace("candidates", record("a", n=3, settings=nested), {"n": 1})
    assert store.get("candidates", "a") == {"id": "a", "n": 3, "settings": nested}


def test_get_of_what_is_not_there(store):
    assert store.get("candidates", "a") is None
    assert store.get_many("candidates", []) == {}


def test_get_many_takes_any_number_of_ids(store):
    put(store, *(record(f"{k:04d}", n=k) for k in range(1200)))
    found = store.get_many("candidates", [f"{k:04d}" for k in range(0, 2400, 2)])
    assert sorted(found) == [f"{k:04d}" for k in range(0, 1200, 2)]


def test_collections_are_apart(store):
    put(store, record("a", n=1))
    store.put("references", [record("a", name="KH")])
    assert store.count("candidates") == store.count("references") == 1
    assert store.get("references", "a")["name"] == "KH"


UNKNOWN = {
    "get": lambda store: store.get("nonsense", "a"),
    "find": lambda store: store.find("nonsense"),
    "count": lambda store: store.count("nonsense"),
    "put": lambda store: store.put("nonsense", [record("a")]),
    "insert": lambda store: store.insert("nonsense", [record("a")]),
    "replace": lambda store: store.replace("nonsense", record("a"), {}),
    "delete": lambda store: store.delete("nonsense", equal={"id": "a"}),
    "iterate": lambda store: list(store.iterate("nonsense")),
}


@pytest.mark.parametrize("what", list(UNKNOWN))
def test_an_unknown_collection_is_an_error_of_code(store, what):
    with pytest.raises(KeyError):
        UNKNOWN[what](store)


# writing


def test_put_replaces_by_id(store):
    put(store, record("a", n=7), record("b", n=7))
    put(store, record("a", n=8), record("a", n=9))
    assert numbers(store) == {"a": 9, "b": 7}


def test_insert_leaves_what_is_there(store):
    put(store, record("a", n=7))
    assert store.insert("candidates", [record("a", n=9), record("b", n=1), record("b", n=2)]) == 1
    assert store.insert("candidates", [record("a", n=9), record("b", n=2)]) == 0
    assert store.insert("candidates", []) == 0
    assert numbers(store) == {"a": 7, "b": 1}


@pytest.mark.parametrize("method", ["put", "insert"])
def test_nothing_is_written_where_a_record_cannot_be_serialised(store, method):
    class Broken:
        id = "z"

        def model_dump_json(self):
            raise ValueError("cannot be serialised")

    put(store, record("a", n=1))
    with pytest.raises(ValueError, match="cannot be serialised"):
        getattr(store, method)("candidates", [record("a", n=2), record("b", n=2), Broken()])
    assert numbers(store) == {"a": 1}
    put(store, record("c", n=3))
    assert ids(store) == "ac"


SWAPS = [
    # expected, whether the document {"n": 7, "campaign": "c", "is_known": True} is replaced
    ({}, True),
    ({"n": 7}, True),
    ({"n": 7.0}, True),
    ({"n": 8}, False),
    ({"n": None}, False),
    ({"rank": None}, True),
    ({"rank": 1}, False),
    ({"n": 7, "campaign": "c", "is_known": True, "score": None}, True),
    ({"n": 7, "campaign": "d"}, False),
    ({"is_known": False}, False),
]


@pytest.mark.parametrize(("expected", "is_replaced"), SWAPS)
def test_replace_where_fields_are_as_expected(store, expected, is_replaced):
    put(store, record("a", n=7, campaign="c", is_known=True), record("b", n=7, campaign="c", is_known=True))
    assert store.replace("candidates", record("a", n=1), expected) is is_replaced
    assert numbers(store) == {"a": 1 if is_replaced else 7, "b": 7}


def test_replace_makes_no_document(store):
    assert store.replace("candidates", record("a", n=1), {}) is False
    assert store.count("candidates") == 0


@pytest.mark.parametrize(("collection", "field"), REVISIONS.items())
def test_a_newer_document_is_kept(store, collection, field):
    for revision, value in ((3, "third"), (2, "late"), (3, "again"), (1, "later still")):
        store.put_unless_newer(collection, [record("a", **{field: revision}, campaign=value)])
    assert store.get(collection, "a")["campaign"] == "again"
    store.put_unless_newer(collection, [record("a", **{field: 2}, campaign="late"), record("b", **{field: 0})])
    assert [(row["id"], row[field]) for row in store.find(collection)] == [("a", 3), ("b", 0)]


def test_a_document_that_says_no_revision_is_older_than_any(store):
    store.put("funnel", [record("a", stage="of an older store")])
    store.put_unless_newer("funnel", [record("a", attempt=0, stage="new")])
    assert store.get("funnel", "a")["stage"] == "new"


def test_revisions_are_fields_of_numbers(store):
    assert {COLLECTIONS[collection][field] for collection, field in REVISIONS.items()} == {"integer"}
    with pytest.raises(KeyError):
        store.put_unless_newer("structures", [record("a")])


def test_of_several_documents_each_newer_one_is_kept(store):
    put(store, record("a", revision=3, n=3), record("b", revision=1, n=1), record("c", n=0))
    new = [record(id, revision=2, n=2) for id in "abcd"] + [record("d", revision=1, n=1)]
    store.put_unless_newer("candidates", new)
    assert numbers(store) == {"a": 3, "b": 2, "c": 2, "d": 2}
    store.put_unless_newer("candidates", [record("b", revision=2, n=9), record("e", revision=0, n=0)])
    assert numbers(store) == {"a": 3, "b": 9, "c": 2, "d": 2, "e": 0}


def test_count_and_delete(five):
    assert five.count("candidates") == 5
    assert five.count("candidates", "n = 7") == 3
    assert five.delete("candidates", "n = 7") == 3
    assert ids(five) == "cd"
    with pytest.raises(InputError):
        five.delete("candidates", "m =")
    assert five.delete("candidates", equal={"id": ["c", "x"]}) == 1
    assert ids(five) == "d"


def test_a_deletion_of_everything_is_refused(five):
    for filter in (None, "", "  "):
        with pytest.raises(ValueError, match="everything"):
            five.delete("candidates", filter)
    assert five.delete("candidates", equal={"id": []}) == 0
    assert five.count("candidates") == 5


def test_reader_sees_what_another_wrote(backend):
    with backend.open() as writer:
        put(writer, record("a"))
        with backend.open("read") as reader:
            assert ids(reader) == "a"
            put(writer, record("b"))
            assert ids(reader) == "ab"


WRITES = {
    "put": lambda store: put(store, record("a")),
    "insert": lambda store: store.insert("candidates", [record("a")]),
    "replace": lambda store: store.replace("candidates", record("a"), {}),
    "delete": lambda store: store.delete("candidates", "n = 7"),
    "blob": lambda store: store.blobs.put(b"x"),
    "blob deleted": lambda store: store.blobs.delete("0" * 64),
}


@pytest.mark.parametrize("what", list(WRITES))
def test_reader_writes_nothing(backend, what):
    backend.open().close()
    with backend.open("read") as reader, pytest.raises(NinefoldError, match="cannot be written") as caught:
        WRITES[what](reader)
    assert "\n" not in str(caught.value)


def test_a_missing_store_is_not_made_by_reading(backend):
    for _ in range(2):
        with pytest.raises(InputError, match=r"^store: .*does not exist") as caught:
            open_store(backend.missing, "read")
    assert "\n" not in str(caught.value)


# asking


SORTS = [
    ([], "abcde"),
    ([("rank", "asc")], "cabde"),
    ([("rank", "desc")], "bacde"),  # unknown last both ways, ties by id
    ([("n", "desc"), ("rank", "asc")], "cdabe"),
    ([("_ninefold_n", "asc"), ("rank", "desc")], "baecd"),
    ([("id", "desc")], "edcba"),
]


@pytest.mark.parametrize(("sort", "expected"), SORTS)
def test_sort(five, sort, expected):
    assert ids(five, sort=sort) == expected


def test_limit_and_offset(five):
    assert ids(five, limit=2) == "ab"
    assert ids(five, limit=2, offset=2) == "cd"
    assert ids(five, offset=4) == "e"
    assert ids(five, limit=0) == ""
    assert ids(five, offset=9) == ""
    assert ids(five, "n = 7", sort=[("rank", "desc")], limit=1) == "b"
    assert ids(five, limit=10**30) == "abcde"
    assert ids(five, offset=10**30) == ""


@pytest.mark.parametrize("sort", [("nonsense", "asc"), ("n; DROP TABLE candidates", "asc"), ("n", "sideways")])
def test_sort_by_nonsense_is_refused(five, sort):
    with pytest.raises(InputError, match="sort: "):
        ids(five, sort=[sort])


EQUAL = [
    ({"n": 7}, "abe"),
    ({"n": 7.0}, "abe"),
    ({"n": [7, 9]}, "abcde"),
    ({"n": (9,)}, "cd"),
    ({"n": {8}}, ""),
    ({"n": []}, ""),
    ({"rank": None}, "de"),
    ({"rank": [None, 1]}, "cde"),
    ({"rank": [1, 2], "n": 7}, "a"),
    ({"id": ["a", "x", "e", "a"]}, "ae"),
    ({"id": "abe"}, ""),
    ({"id": "\udcff"}, ""),
    ({"id": ["\udcff", "a"]}, "a"),
    ({"n": 10**30}, ""),
    ({"rank": [1, *range(1000, 3000), 2.0, None]}, "acde"),
    ({"id": [f"{k}" for k in range(2000)] + ["d", "x\0y"]}, "d"),
]


@pytest.mark.parametrize(("equal", "expected"), EQUAL)
def test_values_of_code(five, equal, expected):
    assert ids(five, equal=equal) == expected
    assert five.count("candidates", equal=equal) == len(expected)
    assert ids(five, "n = 7", equal=equal) == "".join(id for id in expected if id in "abe")


@pytest.mark.parametrize(
    ("equal", "error"),
    [
        ({"nonsense": 1}, KeyError), ({"elements": "K"}, KeyError), ({"n": "7"}, TypeError), ({"n": True}, TypeError),
        ({"id": 7}, TypeError), ({"is_known": 1}, TypeError), ({"n": [7, "9"]}, TypeError),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_errors_of_code(five, equal, error):
    with pytest.raises(error):
        five.find("candidates", equal=equal)
    if not isinstance(next(iter(equal.values())), list):
        with pytest.raises(error):
            five.replace("candidates", record("a"), equal)


@pytest.mark.parametrize("name", ['a" OR "a"="a', "a\\", "a'b", "", "n = 7) OR (n = 8", "ä\0\n", "%", "$ne", "a.b"])
def test_values_of_code_are_no_filter(store, name):
    put(store, record("x", campaign=name, n=7), record("y", campaign="other", n=7), record("z", campaign=name, n=8))
    assert ids(store, equal={"campaign": name}) == "xz"
    assert ids(store, "n = 7 OR n = 8", equal={"campaign": name}) == "xz"
    assert ids(store, "n = 7", equal={"campaign": name, "n": 8}) == ""
    assert store.count("candidates", "NOT n = 8", equal={"campaign": name}) == 1
    with pytest.raises(InputError):
        store.find("candidates", "n = 7) OR (n = 8", equal={"campaign": name})
    assert store.delete("candidates", "n = 7", equal={"campaign": name}) == 1
    assert store.delete("candidates", equal={"campaign": name}) == 1
    assert ids(store) == "y"


TEXTS = ["k", "k\n", "\nk", "K", "a.b", "axb", "(x)", "[x]", "\\d", "7", "^k", "k$", "k|K", "é", "x*", "$where", "ſ"]


@pytest.mark.parametrize("word", list(FUZZY))
def test_text_is_matched_as_it_stands(store, word):
    put(store, *(record(f"{k:02d}", label=text) for k, text in enumerate(TEXTS)))
    for want in TEXTS:
        found = store.find("candidates", f"label {word} {quoted(want)}", fields=["label"])
        assert [row["label"] for row in found] == [have for have in TEXTS if FUZZY[word](have, want)]


_examples = itertools.count()


def written(store, documents):
    """Random documents in a campaign of their own, as they should come back."""
    campaign = f"campaign {next(_examples)}"
    rows = [{"id": f"{campaign}:{k}", "campaign": campaign, **content} for k, content in enumerate(documents)]
    store.put("candidates", [Record(row["id"], row) for row in rows])
    return campaign, rows


@pytest.fixture(scope="module")
def lasting(lasting_backend):
    with lasting_backend.open() as store:
        yield store


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS, FILTERS, ORDERS, st.integers(0, 4), st.none() | st.integers(0, 4))
def test_filters_and_sorting_agree_with_plain_python(lasting, documents, filter, sort, offset, limit):
    text, function = filter
    campaign, rows = written(lasting, documents)
    equal = {"campaign": campaign}
    expected = in_order([row for row in rows if function(row) is True], sort)
    end = None if limit is None else offset + limit
    assert lasting.find("candidates", text, equal=equal, sort=sort) == expected
    assert lasting.find("candidates", text, equal=equal, sort=sort, offset=offset, limit=limit) == expected[offset:end]
    assert lasting.count("candidates", text, equal=equal) == len(expected)
    assert list(lasting.iterate("candidates", text, equal=equal, page=2)) == in_order(expected, [])
    assert lasting.delete("candidates", text, equal=equal) == len(expected)
    assert lasting.count("candidates", equal=equal) == len(rows) - len(expected)


@settings(max_examples=60, deadline=None)
@given(
    DOCUMENTS,
    st.dictionaries(st.sampled_from(["n", "rank"]), st.lists(st.sampled_from([None, 0, 1, 2, 7, 8, 9]), max_size=3)),
    st.dictionaries(st.sampled_from(["label", "source"]), st.lists(st.none() | st.sampled_from(WORDS), max_size=3)),
)
def test_values_of_code_agree_with_plain_python(lasting, documents, whole, text):
    campaign, rows = written(lasting, documents)
    equal = {**whole, **text}
    expected = [row["id"] for row in rows if all(row[field] in values for field, values in equal.items())]
    found = lasting.find("candidates", equal={"campaign": campaign, **equal}, fields=["id"])
    assert [row["id"] for row in found] == expected


# paging

NAMES = ["z", "K", "H2 molecule", 'quote"d', "back\\slash", "é", "[ReH9]2-", "m", "\uffff", "\U0001d7d7"]


@pytest.fixture
def references(store):
    names = [record(f"a:{name}", campaign="a", name=name, n=k) for k, name in enumerate(NAMES)]
    store.put("references", [*names, record("b:other", campaign="b", name="other")])
    return store


@pytest.mark.parametrize("page", [None, 1, 2, 3, 9, 10, 11, 100])
def test_every_document_comes_once_whatever_the_page(references, page):
    rows = list(references.iterate("references", equal={"campaign": "a"}, fields=["name"], page=page))
    assert rows == [{"id": f"a:{name}", "name": name} for name in sorted(NAMES)]
    whole = list(references.iterate("references", 'campaign = "a"', page=page))
    assert [row["n"] for row in whole] == sorted(range(len(NAMES)), key=NAMES.__getitem__)


def test_after_an_id(five):
    assert ids(five, after="b") == "cde"
    assert ids(five, after="bb") == "cde"
    assert ids(five, "n = 7", after="a", limit=1) == "b"
    assert ids(five, after="e") == ""
    with pytest.raises(ValueError, match="after or sort"):
        five.find("candidates", after="a", sort=[("n", "asc")])


# values that a store does not know beforehand


DENSE = 0.1 + 0.2
MEASURED = {"density": "float", "shells": "integer", "phase": "string", "is_open": "boolean", "sites": "list"}


@pytest.fixture
def measured(store):
    values = {
        "a": {"density": DENSE, "shells": 3, "phase": "cubic x", "is_open": True, "sites": ["K", "Re"]},
        "b": {"density": 3.5, "shells": 2, "phase": "cubic", "is_open": False, "sites": ["Re"]},
        "c": {"density": 10, "shells": 10, "phase": "x", "is_open": False, "sites": []},
        "d": {"density": None},
        "e": {},
    }
    put(store, *(record(key, n=number, properties=content) for number, (key, content) in enumerate(values.items())))
    put(store, record("f", n=7))
    return store


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("density > 3", "bc"), ("_ninefold_density > 3", "bc"), ("density = 3.5", "b"), ("3.5 < density", "c"),
        ("NOT density > 3", "a"), ("density IS KNOWN", "abc"), ("density IS UNKNOWN", "def"), ("shells = 3", "a"),
        ('phase = "cubic"', "b"), ('phase STARTS "cubic"', "ab"), ('phase ENDS WITH "x"', "ac"),
        ("is_open = TRUE", "a"), ("is_open = FALSE", "bc"), ('sites HAS "Re"', "ab"), ('sites HAS ONLY "Re"', "bc"),
        ("sites LENGTH 0", "c"),
        ("density > 3 AND n < 2", "b"), ("density > 3 OR n = 7", "bcf"),
    ],
)  # fmt: skip
def test_properties_are_asked_for_by_name(measured, text, expected):
    assert ids(measured, text, properties=MEASURED) == expected


def test_properties_are_sorted_by_and_given_to_the_last_bit(measured):
    assert ids(measured, sort=[("density", "desc")], properties=MEASURED) == "cbadef"
    assert ids(measured, sort=[("_ninefold_shells", "asc")], properties=MEASURED) == "bacdef"
    for fields in (["id", "density", "n", "is_open", "sites"], ["n", "density", "properties"]):  # flat; with the nested
        rows = measured.find("candidates", fields=fields, properties=MEASURED)
        assert [list(row) for row in rows] == [fields] * 6
        assert [row["density"] for row in rows] == [DENSE, 3.5, 10, None, None, None]
    first = measured.find("candidates", fields=["id", "density", "n", "is_open", "sites"], properties=MEASURED)[0]
    assert first == {"id": "a", "density": DENSE, "n": 0, "is_open": True, "sites": ["K", "Re"]}


def test_a_property_is_known_where_it_is_named_and_no_flat_field_is_replaced(measured):
    with pytest.raises(InputError, match="'densty' is not a field; allowed: density"):
        measured.find("candidates", "densty > 3", properties=MEASURED)
    with pytest.raises(InputError, match="'density' is not a field"):
        measured.find("candidates", "density > 3")
    with pytest.raises(InputError, match="cannot be compared with density; allowed: a number"):
        measured.find("candidates", 'density = "high"', properties=MEASURED)
    with pytest.raises(InputError, match="'sites' cannot be sorted by"):
        measured.find("candidates", sort=[("sites", "asc")], properties=MEASURED)
    assert ids(measured, "n = 1", properties={"n": "string"}) == "b"
    for key in ("x'y", 'a"b', "Density", "a b", "", "a.b"):
        with pytest.raises(ValueError, match="no name of a property"):
            measured.find("candidates", properties={key: "float"})


def test_pages_while_another_process_writes(backend, store):
    old = [f"{k:04d}" for k in range(0, 1000, 4)]
    store.put("calculations", [record(id, kind="old") for id in old])
    writer = backend.process("""
print("ready", flush=True)
for k in range(10**9):
    name = f"{k * 7 % 1000:04d}-{k}"
    store.insert("calculations", [record(name, kind="new")])
    if k % 3 == 0:
        store.delete("calculations", equal={"id": name})
""")
    assert writer.stdout.readline() == "ready\n"
    try:
        before = store.count("calculations")
        for page in (3, 50, 1000):
            rows = [row["id"] for row in store.iterate("calculations", fields=["kind"], page=page)]
            assert rows == sorted(set(rows))
            assert [id for id in rows if "-" not in id] == old
        deadline = time.monotonic() + 30
        while store.count("calculations") == before:  # else nothing was tested
            assert time.monotonic() < deadline
    finally:
        writer.kill()
        writer.communicate()


# several processes, and the sudden end of one


def test_two_processes_that_insert_the_same_count_it_once(backend):
    backend.open().close()
    code = """
print("ready", flush=True)
sys.stdin.readline()
print(sum(store.insert("calculations", [record(f"{k}", kind=sys.argv[2])]) for k in range(60)))
"""
    counts = [int(text) for text in together(*(backend.process(code, name) for name in "ab"))]
    assert sum(counts) == 60
    with backend.open("read") as reader:
        kinds = [row["kind"] for row in reader.find("calculations", fields=["kind"])]
    assert [kinds.count("a"), kinds.count("b")] == counts


def test_a_swap_has_one_winner(backend):
    with backend.open() as store:
        store.put("calculations", [record(f"{k}", kind="free") for k in range(60)])
    code = """
print("ready", flush=True)
sys.stdin.readline()
mine = lambda id: record(id, kind=sys.argv[2])
print(*(k for k in range(60) if store.replace("calculations", mine(f"{k}"), {"kind": "free"})))
"""
    first, second = (set(text.split()) for text in together(*(backend.process(code, name) for name in "ab")))
    assert first | second == {f"{k}" for k in range(60)}
    assert not first & second
    with backend.open("read") as reader:
        assert {row["id"] for row in reader.find("calculations", equal={"kind": "a"})} == first


def test_a_counter_that_two_processes_raise_loses_nothing(backend):
    with backend.open() as store:
        put(store, record("c", n=0))
    code = """
print("ready", flush=True)
sys.stdin.readline()
for _ in range(40):
    while True:
        n = store.get("candidates", "c")["n"]
        if store.replace("candidates", record("c", n=n + 1), {"n": n}):
            break
"""
    together(*(backend.process(code) for _ in "ab"))
    with backend.open("read") as reader:
        assert numbers(reader) == {"c": 80}


def test_a_killed_writer_loses_nothing_that_it_acknowledged(backend):
    code = """
import itertools
for k in itertools.count():
    name = f"{sys.argv[2]}-{k}"
    store.insert("calculations", [record(name, kind="x" * 2000)])
    sha256 = store.blobs.put(name.encode() * 500)
    print(name, sha256, flush=True)
"""
    acknowledged = {}
    for turn in range(4):
        process = backend.process(code, turn)
        lines = [process.stdout.readline() for _ in range(1 + 9 * turn)]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
        process.communicate()
        acknowledged.update(line.split() for line in lines)
        with backend.open("read") as reader:
            there = {row["id"]: row["kind"] for row in reader.iterate("calculations")}
            assert set(acknowledged) <= set(there)
            assert set(there.values()) == {"x" * 2000}
            for name, sha256 in acknowledged.items():
                assert reader.blobs.get(sha256) == name.encode() * 500


# blobs

CONTENT = b'{"positions": [0.1, 0.3333333333333333]}\n' * 40
NAME = "0a" * 32
"""Of the form that names have, and of nothing that is stored."""


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_a_blob_comes_back(lasting, content):
    import hashlib

    name = lasting.blobs.put(content)
    assert name == hashlib.sha256(content).hexdigest()
    assert lasting.blobs.get(name) == content


def test_a_blob_is_there_until_it_is_deleted(store):
    name = store.blobs.put(CONTENT)
    assert store.blobs.put(CONTENT) == name
    assert store.blobs.has(name)
    assert store.blobs.is_whole(name)
    store.blobs.delete(name)
    store.blobs.delete(name)
    assert not store.blobs.has(name)
    assert not store.blobs.is_whole(name)
    with pytest.raises(BlobError, match=r"^blob: .* is missing; restore it"):
        store.blobs.get(name)
    assert store.blobs.put(CONTENT) == name
    assert store.blobs.get(name) == CONTENT


def test_a_large_blob_that_cannot_be_compressed_comes_back(store):
    content = random.Random(1).randbytes(3_000_000)
    assert store.blobs.get(store.blobs.put(content)) == content


def _other(raw, backend, store):
    return backend.raw_blob(store.blobs.put(b"other"))


DAMAGE = {
    "empty": lambda raw, *_: b"",
    "cut in the middle": lambda raw, *_: raw[: len(raw) // 2],
    "without its last byte": lambda raw, *_: raw[:-1],
    "another": _other,
    "no file of ours": lambda raw, *_: b"x" * len(raw),
    "one bit": lambda raw, *_: raw[:-12] + bytes([raw[-12] ^ 1]) + raw[-11:],
}


@pytest.mark.parametrize("how", list(DAMAGE))
def test_a_damaged_blob_is_told_and_written_anew(backend, store, how):
    name = store.blobs.put(CONTENT)
    backend.set_raw_blob(name, DAMAGE[how](backend.raw_blob(name), backend, store))
    assert store.blobs.has(name)
    assert not store.blobs.is_whole(name)
    with pytest.raises(
        BlobError, match=r"^blob: .* is corrupted.*'ninefold resume' makes it anew where a search still"
    ) as caught:
        store.blobs.get(name)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, StoreError)
    assert store.blobs.put(CONTENT) == name
    assert store.blobs.get(name) == CONTENT


@pytest.mark.parametrize("name", ["", "x", "../" * 21 + "x", NAME.upper(), NAME[:-1], NAME + "\n", f"/{NAME[1:]}"])
def test_what_is_no_name_of_a_blob(store, name):
    for method in (store.blobs.get, store.blobs.has, store.blobs.delete):
        with pytest.raises(BlobError, match="is no SHA-256"):
            method(name)


def test_a_blob_that_two_processes_write(backend):
    backend.open().close()
    code = """
print("ready", flush=True)
sys.stdin.readline()
print(*(store.blobs.put(f"{k}".encode() * 5000) for k in range(20)))
"""
    first, second = (text.split() for text in together(*(backend.process(code) for _ in "ab")))
    assert first == second
    with backend.open("read") as reader:
        for k, name in enumerate(first):
            assert reader.blobs.get(name) == f"{k}".encode() * 5000


# leases

HOLD = """
import time
with store.lease("executor", "run of quickstart") as lease:
    lease.note({"stage": "prescreen", "done": 3})
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def held(backend):
    process = backend.process(HOLD)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_executor_is_refused_with_the_first_ones_purpose(backend, store):
    with held(backend) as process:
        with pytest.raises(InputError, match="run of quickstart") as caught, store.lease("executor", "resume"):
            pass
        assert str(process.pid) in str(caught.value)
        assert caught.value.exit_code == 2
        assert "run of quickstart" in store.lease_holder()
        assert store.lease_progress() == {"stage": "prescreen", "done": 3}
        put(store, record("a"))  # others may write


def test_a_lease_is_freed_when_its_holder_is_killed(backend, store):
    with held(backend) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.lease_holder() is None
        assert store.lease_progress() == {}
        with store.lease("executor", "resume"):
            assert "resume" in store.lease_holder()
        assert store.lease_holder() is None


def test_a_lease_is_freed_by_an_error(store):
    with pytest.raises(ZeroDivisionError), store.lease("executor", "run"):
        raise ZeroDivisionError
    with store.lease("executor", "run"), pytest.raises(InputError), store.lease("executor", "run"):
        pass
    assert store.lease_holder() is None


def test_a_holder_notes_how_far_it_is(store):
    with store.lease("executor", "run") as lease:
        assert store.lease_progress() == {}
        lease.note({"stage": "prescreen", "note": "x" * 500})
        lease.note({"stage": "rank"})
        assert store.lease_progress() == {"stage": "rank"}
    assert store.lease_progress() == {}


def test_leases_of_other_names_are_apart(store):
    with store.lease("executor", "run"), store.lease("ingest", "reads a spool folder"):
        assert "run" in store.lease_holder()
        assert "spool" in store.lease_holder("ingest")
    with pytest.raises(ValueError, match="small letters"), store.lease("../x", "run"):
        pass


# where a handle may be used


def _count(store):
    try:
        return store.count("candidates")
    except StoreError as error:
        return str(error)


def _in_child(store, connection):
    with store:
        connection.send(_count(store))
    connection.close()


@pytest.mark.filterwarnings("ignore:This process")
def test_a_handle_in_a_forked_process_works_or_is_refused(five):
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_in_child, args=(five, there))
    child.start()
    there.close()
    answer = here.recv()
    child.join()
    assert child.exitcode == 0
    assert answer == 5 or ("opened in another process" in answer and "\n" not in answer)
    put(five, record("f"))  # the child's end has closed nothing here
    assert five.count("candidates") == 6
    assert os.getpid() != child.pid


def test_a_handle_in_another_thread_works_or_is_refused(five):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(_count(five)))
    thread.start()
    thread.join()
    [answer] = answers
    assert answer == 5 or ("opened in another thread" in answer and "\n" not in answer)
    assert five.count("candidates") == 5


def test_a_closed_handle_is_refused(backend):
    store = backend.open()
    store.close()
    store.close()
    with pytest.raises(StoreError):
        store.count("candidates")
