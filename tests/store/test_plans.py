"""How the databases answer what is asked: no query of the program reads a whole collection that grows with use.

`ASKED` lists the queries by collection, fields that must have a value, order, and filter. That it is complete is a test
as well: the commands run on a watched store, and the calls in the source are counted.
"""

import ast
import itertools
import json
import sys
from pathlib import Path

import pytest
from contract import Record, in_order
from hypothesis import given, settings
from hypothesis import strategies as st

import mongo_server
import ninefold
from ninefold.cli.main import main
from ninefold.models.quantities import QUANTITIES
from ninefold.store import mongo_reads, open_store, schema
from ninefold.store.conditions import queryable, sorted_by
from ninefold.store.sqlite import SQLiteStore
from ninefold.store.sqlite_queries import order, where

BEST = {"campaign": "c7", "is_best": True}
RANK = [("rank", "asc")]
ASKED = [
    # collection, equal, sort, filter
    # `query`, of all campaigns and of one; `--all-methods`; `export`; `report`; `run`
    ("candidates", {"is_best": True}, RANK, None),
    ("candidates", {}, RANK, None),
    ("candidates", BEST, RANK, None),
    ("candidates", {"campaign": "c7"}, RANK, None),
    ("candidates", BEST, [("rank", "asc"), ("e_above_hull", "asc")], None),
    ("candidates", BEST, [], None),
    # filters of the documentation, by the fields that have an index
    ("candidates", BEST, RANK, 'elements HAS "Li" AND e_above_hull < 0.05'),
    ("candidates", {"is_best": True}, RANK, "e_above_hull < 0.05"),
    ("candidates", {"is_best": True}, RANK, 'centre = "Re"'),
    ("candidates", BEST, RANK, 'formula = "K7ReH9"'),
    ("candidates", {"is_best": True}, RANK, 'chemical_system = "H-K-Re"'),
    ("candidates", {"is_best": True}, RANK, 'n = 9 AND status = "ranked"'),
    ("candidates", {"is_best": True}, RANK, "space_group_number = 62"),
    ("candidates", {"is_best": True}, RANK, "score > 0.9"),
    # `show`
    ("candidates", {"id": "c7:7"}, RANK, None),
    ("candidates", {"id": "c7:7", "campaign": "c7"}, RANK, None),
    *(("candidates", {key: "x7", **BEST}, RANK, None) for key in ("composition", "label", "anion", "formula")),
    *(("candidates", {key: "x7", "is_best": True}, RANK, None) for key in ("composition", "label", "anion", "formula")),
    ("candidates", {"composition": ["x7", "x8"]}, [], None),
    ("candidates", {"campaign": ["c7", "c8"], "formula": ["x7", "x8"]}, [], None),
    # `verify`, `status`, rows written anew
    ("candidates", {"campaign": "c7", "method": "m"}, [], None),
    ("candidates", {"campaign": "c7", "method": ["m"]}, [], "e_above_hull < 0.05"),
    ("candidates", {"campaign": "c7", "method": "m", "label": ["x7", "x8"]}, [], None),
    ("candidates", {"campaign": "c7", "composition": "x7"}, [], None),
    ("candidates", {"id": "c7:7", "revision": 1}, [], None),
    ("candidates", {"campaign": "c7", "is_competitor": False, "is_best": True}, [], None),
    ("candidates", {"campaign": "c7", "is_competitor": False, "is_best": True, "status": "selected"}, [], None),
    ("campaigns", {"name": "c7"}, [], None),
    ("campaigns", {"id": "c7"}, [], None),
    *((name, {"campaign": "c7"}, [], None) for name in schema.COLLECTIONS if "campaign" in schema.COLLECTIONS[name]),
    *((name, {"id": "c7:7"}, [], None) for name in schema.COLLECTIONS),
    *(
        (name, {"campaign": "c7"}, [("created", "desc")], None)
        for name in ("pools", "searches", "calculations", "properties")
    ),
    ("pools", {"label": ""}, [], None),
    ("minima", {"label": ["x7", "x8"]}, [], None),
    ("minima", {"method": "x7"}, [], None),
    ("compositions", {"chemical_system": "x7"}, [], None),
    ("calculations", {"final": ["x7", "x8"], "kind": "relax"}, [], None),
    ("calculations", {"method": "x7"}, [], None),
    ("calculations", {"method": "x7", "kind": "relax"}, [], None),
    ("calculations", {"start": ["x7", "x8"]}, [], None),
    ("calculations", {"start": "x7", "kind": "relax", "method": "x8"}, [], None),
    ("references", {"structure": "x7"}, [], None),
    ("references", {"campaign": ["c7", "c8"]}, [], None),
    ("references", {"campaign": "c7", "method": "m"}, [], None),
    ("references", {"campaign": "c7", "name": "x7"}, [], None),
    ("funnel", {"campaign": "c7", "stage": "s"}, [], None),
    ("funnel", {"id": "c7:7", "attempt": 1}, [], None),
    ("faults", {"campaign": "c7", "stage": "s"}, [], None),
    ("faults", {"campaign": "c7", "stage": ["s", "t"]}, [], None),
    ("faults", {"id": "c7:7", "attempt": 1}, [], None),
    # `compress`, `vibrations`, `map`, `facts`, and rows made anew with what they found
    ("vibrations", {"method": "x7"}, [], None),
    ("dynamics", {"structure": "x7"}, [], None),
    ("trajectories", {"structure": "x7"}, [], None),
    ("properties", {"stage": "x7"}, [], None),
    ("properties", {"method": "m", "stage": "x7"}, [], None),
    ("compositions", {"campaign": "c7", "chemical_system": "x7"}, [], None),
    ("candidates", {"campaign": "c7", "chemical_system": "x7", "method": "m"}, [], None),
    ("candidates", {"campaign": "c7", "is_competitor": False, "status": "selected"}, [], None),
]
WHOLE = {"campaigns", "methods", "vibrations"}
"""Collections of which a command may read all: they grow by one document with a campaign or a potential, or by
some with a campaign's finalists."""
BY_ANY_FIELD = [("candidates", BEST, [(key, "asc")], None) for key, item in QUANTITIES.items() if item.kind != "list"]
"""`query --sort`: what the campaign's index leaves is sorted."""
IDS = [f"{name}: {sorted(equal)} by {[key for key, _ in sort]} if {text}" for name, equal, sort, text in ASKED]


def shape(collection, equal, sort, filter):
    return collection, frozenset(equal), tuple(field for field, _ in sort), bool(filter)


# SQLite


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Plans rest on the declared statistics, not on what is stored."""
    with open_store(tmp_path_factory.mktemp("plans") / "s.db", "write") as store:
        yield store


def sqlite_plan(store, collection, equal, sort, text, after=None):
    condition = where(collection, text, equal, after)
    by = order(sorted_by(queryable(collection), sort))
    sql = f'EXPLAIN QUERY PLAN SELECT doc FROM "{collection}" WHERE {condition.sql} ORDER BY {by}'
    return [row[3] for row in store._connection.execute(f"{sql} LIMIT 50", condition.parameters)]


@pytest.mark.parametrize(("collection", "equal", "sort", "text"), [*ASKED, *BY_ANY_FIELD])
def test_sqlite_reads_an_index(empty, collection, equal, sort, text):
    plan = sqlite_plan(empty, collection, equal, sort, text)
    assert not [step for step in plan if step.startswith(f"SCAN {collection}") and "USING INDEX" not in step], plan


@pytest.mark.parametrize(
    ("collection", "equal", "index"),
    [
        ("candidates", {"campaign": "c"}, "candidates_campaign"),
        ("calculations", {"campaign": "c"}, "calculations_campaign"),
    ],
)
def test_sqlite_reads_pages_in_the_order_of_an_index(empty, collection, equal, index):
    plan = sqlite_plan(empty, collection, equal, [], None, after="x")
    assert plan == [f"SEARCH {collection} USING INDEX {index} (campaign=? AND id>?)"]


@pytest.mark.parametrize("equal", [{}, {"is_best": True}, BEST])
def test_sqlite_sorts_nothing_for_the_first_page_of_a_ranking(empty, equal):
    assert "TEMP B-TREE" not in " ".join(sqlite_plan(empty, "candidates", equal, RANK, None))


@pytest.mark.parametrize("field", ["formula", "label", "anion", "composition", "chemical_system"])
def test_sqlite_takes_the_rare_value_before_the_campaign(empty, field):
    plan = sqlite_plan(empty, "candidates", {field: "x", **BEST}, RANK, None)
    assert plan[0].startswith(f"SEARCH candidates USING INDEX candidates_{field} ")


def test_sqlite_makes_a_missing_index_when_the_store_is_opened_for_writing(tmp_path):
    path = tmp_path / "s.db"

    def there():
        with open_store(path) as store:
            return dict(store._read("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL", ()))

    open_store(path, "write").close()
    declared = there()
    assert set(declared) == {f"{name}_{index}" for name in schema.INDEXED for index in schema.indexes_of(name)}
    with open_store(path, "write") as store:
        store._connection.execute("DROP INDEX candidates_rank")
        store._connection.execute("DROP INDEX candidates_label")
        store._connection.execute("CREATE INDEX candidates_label ON candidates (formula)")
        store._connection.execute("DELETE FROM sqlite_stat1")
    assert there() != declared
    open_store(path, "write").close()
    assert there() == declared
    with open_store(path) as store:
        assert len(store._read("SELECT * FROM sqlite_stat1", ())) == len(declared)


# MongoDB


@pytest.fixture(scope="module")
def filled():
    """A database with so many documents that no planner would read all of them for a few."""
    mongo_server.server()
    name = mongo_server.unused_database()
    with open_store(mongo_server.address_of(name), "write") as store:
        for collection, fields in schema.COLLECTIONS.items():
            rows = [
                Record(
                    f"c{k % 100}:{k}",
                    {field: value_of(field, kind, k) for field, kind in fields.items() if field != "id"},
                )
                for k in range(4000 if collection == "candidates" else 1000)
            ]
            store.put(collection, rows)
        yield store


def value_of(field, kind, number):
    text = {"campaign": f"c{number % 100}", "name": f"c{number}", "method": f"x{number % 200}"}
    if field == "is_best":
        return number // 100 % 4 == 0
    return {
        "string": text.get(field, f"x{number}"), "integer": number, "float": number / 100, "boolean": number % 2 == 0,
        "list": [f"E{number}"],
    }[kind]  # fmt: skip


class Explained:
    """A collection that notes the plans of what it is asked."""

    def __init__(self, collection, plans):
        self._collection, self._plans = collection, plans

    def find(self, query, *arguments, **options):
        self._plans.append(self._collection.find(query, *arguments, **options).explain())
        return self._collection.find(query, *arguments, **options)

    def aggregate(self, stages, hint=None, **options):
        command = {
            "aggregate": self._collection.name,
            "pipeline": stages,
            "cursor": {},
            **({"hint": hint} if hint else {}),
        }
        self._plans.append(self._collection.database.command("explain", command))
        return self._collection.aggregate(stages, **options, **({"hint": hint} if hint else {}))

    def __getattr__(self, name):
        return getattr(self._collection, name)


@pytest.fixture
def plans(filled, monkeypatch):
    found = []
    really = mongo_reads.MongoReads._collection
    monkeypatch.setattr(mongo_reads.MongoReads, "_collection", lambda self, name: Explained(really(self, name), found))
    return found


@pytest.mark.parametrize(("collection", "equal", "sort", "text"), ASKED, ids=IDS)
def test_mongodb_reads_an_index(filled, plans, collection, equal, sort, text):
    filled.find(collection, text, equal=equal, sort=sort, fields=["id"], limit=20)
    if not sort:
        list(filled.iterate(collection, text, equal=equal, fields=["id"]))
    assert plans
    for plan in plans:
        assert "COLLSCAN" not in str(plan)
        assert "Seq Scan" not in str(plan)
        assert {"IXSCAN", "IDHACK", "EXPRESS_IXSCAN"} & set(words(plan)) or "Index Scan" in str(plan)


def words(plan):
    return {value for key, value in pairs(plan) if key == "stage" and isinstance(value, str)}


def pairs(plan):
    if isinstance(plan, dict):
        yield from plan.items()
    for value in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from pairs(value)


@pytest.mark.parametrize("equal", [{}, {"is_best": True}, BEST])
def test_mongodb_sorts_nothing_for_the_first_page_of_a_ranking(filled, plans, equal):
    filled.find("candidates", equal=equal, sort=RANK, fields=["id"], limit=2)
    assert len(plans) == 1
    assert "Sort Key" not in str(plans)
    assert "SORT" not in words(plans[0])


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("n = 3999 AND e_above_hull > 0.5", "n_id"),
        ("n >= 0 AND e_above_hull > 39.9", "e_above_hull_id"),
    ],
)
def test_mongodb_reads_the_range_of_the_fewest_where_an_order_begins_with_too_few(filled, plans, text, index):
    found = filled.find("candidates", text, sort=RANK, fields=["rank"], limit=20)
    assert [row["rank"] for row in found] == ([3999] if index == "n_id" else list(range(3991, 4000)))
    assert len(plans) == 3  # the beginning of the order; the known ranks, and the unknown ones
    assert "rank_id" in str(plans[0])
    assert all(index in str(plan) for plan in plans[1:])


_examples = itertools.count()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 4), st.none() | st.integers(0, 3)), max_size=9),
    st.integers(1, 6), st.integers(1, 5), st.sampled_from(["asc", "desc"]),
    st.sampled_from([None, "n = 1", "n > 1", "n != 2"]),
)  # fmt: skip
def test_a_first_page_is_that_of_all_wherever_the_search_for_it_ends(filled, rows, scanned, limit, direction, text):
    campaign = f"page {next(_examples)}"
    documents = [
        {"id": f"{campaign}:{k}", "campaign": campaign, "rank": rank, "n": n} for k, (rank, n) in enumerate(rows)
    ]
    filled.put("candidates", [Record(document["id"], document) for document in documents])
    matches = {None: lambda n: True, "n = 1": lambda n: n == 1, "n > 1": lambda n: n > 1, "n != 2": lambda n: n != 2}
    expected = [
        row["id"]
        for row in in_order(documents, [("rank", direction)])
        if text is None or (row["n"] is not None and matches[text](row["n"]))
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ninefold.store.mongo_plans.SCANNED", scanned)
        found = filled.find(
            "candidates", text, equal={"campaign": campaign}, sort=[("rank", direction)], limit=limit, fields=["id"]
        )
    assert [row["id"] for row in found] == expected[:limit]


def test_unknown_values_are_in_the_order_of_the_ids_whether_null_or_absent(filled):
    rows = [Record(f"u:{k:03d}", {"campaign": "u", **({"rank": None} if k % 2 else {})}) for k in range(300)]
    filled.put("candidates", rows)
    expected = [row.id for row in rows]
    for equal in ({"campaign": "u"}, {"campaign": "u", "rank": None}, {"rank": None}):
        for sort in ([], RANK, [("rank", "desc")], [("rank", "asc"), ("n", "asc")]):
            found = filled.find("candidates", "rank IS UNKNOWN", equal=equal, sort=sort, fields=["id"])
            assert [row["id"] for row in found if row["id"] < "v" and row["id"] > "u"] == expected
            assert filled.find("candidates", equal=equal, sort=sort, fields=["id"], limit=300)[-1]["id"] <= "u:299"
        assert [row["id"] for row in filled.iterate("candidates", equal=equal) if row["id"] > "u"] == expected


def test_an_iteration_survives_a_lost_cursor(filled, monkeypatch):
    from pymongo.errors import CursorNotFound

    rows = iter(range(10**9))

    def failing(cursor, size):
        found = list(itertools.islice(cursor, size))
        if next(rows) % 2:
            raise CursorNotFound("cursor id 1 not found", 43)
        return found

    monkeypatch.setattr(mongo_reads, "islice", failing)
    ids = [row["id"] for row in filled.iterate("structures", fields=["id"], page=400)]
    assert ids == sorted(f"c{k % 100}:{k}" for k in range(1000))


# that the list is complete


def test_every_query_of_the_commands_is_in_the_list(finished, monkeypatch, capsys, tmp_path):
    asked = []

    def watched(really):
        def call(self, collection, filter=None, **options):
            asked.append((collection, options.get("equal", {}), options.get("sort", ()), filter))
            return really(self, collection, filter, **options)

        return call

    for name in ("find", "count", "delete"):
        monkeypatch.setattr(SQLiteStore, name, watched(getattr(SQLiteStore, name)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINEFOLD_STORE", str(finished / "ninefold.db"))
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["ninefold", "query", "--json"])
    run()
    rows = json.loads(capsys.readouterr().out)
    for arguments in (
        ["query", "n = 9"], ["query", "-c", rows_campaign(finished)], ["query", "n >= 7", "--all-methods"],
        ["show", rows[0]["formula"]], ["status"], ["status", "--json"], ["report", "-o", "r.html"],
        ["export", "--out", "t.csv"], ["export", "--out", "s.cif"], ["fields"],
    ):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        run()
    known = {shape(*each) for each in ASKED}
    unknown = {
        each
        for each in (shape(*one) for one in asked)
        if each not in known and not (each[0] in WHOLE and each[1] <= {"id", "name"})
    }
    # a filter narrows what the same query without it reads
    unknown = {each for each in unknown if (*each[:3], False) not in known}
    assert asked
    assert unknown == set()


def run():
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0, sys.argv


def rows_campaign(folder):
    with open_store(folder / "ninefold.db") as store:
        [document] = store.find("campaigns", fields=["name"])
    return document["name"]


def test_every_query_of_the_source_that_names_its_fields_is_in_the_list():
    known = {(collection, frozenset(equal)) for collection, equal, _, _ in ASKED}
    found = set()
    for file in sorted(Path(ninefold.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            first = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            equal = next((keyword.value for keyword in node.keywords if keyword.arg == "equal"), None)
            if node.func.attr in ("find", "iterate", "count", "delete") and first in schema.COLLECTIONS:
                names = [key.value if isinstance(key, ast.Constant) else None for key in getattr(equal, "keys", [None])]
                if None not in names:
                    found.add((first, frozenset(names)))
    assert len(found) > 15
    assert {
        each for each in found if each not in known and not (each[0] in WHOLE and each[1] <= {"id", "name"})
    } == set()
