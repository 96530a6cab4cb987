"""What SQLite is asked for a filter, line by line; and that it answers from its indexes."""

import enum
import types
import typing
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field

from ninefold.errors import InputError
from ninefold.models.candidate import Candidate
from ninefold.models.collections import MODELS
from ninefold.models.quantities import QUANTITIES
from ninefold.store.filters import to_sql
from ninefold.store.schema import COLLECTIONS, INDEXED


def test_comparisons():
    assert to_sql(None) == ("1", ())
    assert to_sql("  ") == ("1", ())
    assert to_sql("n=9") == ('"n" = ?', (9,))
    assert to_sql("n != 9") == ('"n" != ?', (9,))
    assert to_sql("e_above_hull <= -2.5e-2") == ('"e_above_hull" <= ?', (-0.025,))
    assert to_sql("9 < n") == ('"n" > ?', (9,))
    assert to_sql("9 >= n") == ('"n" <= ?', (9,))
    assert to_sql('"Re" = centre') == ('"centre" = ?', ("Re",))
    assert to_sql("is_known = TRUE") == ('"is_known" = ?', (True,))
    assert to_sql("group = 7") == ('"group" = ?', (7,))


def test_fields():
    assert to_sql("_ninefold_group = 7") == to_sql("group = 7")
    assert to_sql("space_group_it_number = 225") == ('"space_group_number" = ?', (225,))
    assert to_sql('space_group_symbol_hermann_mauguin = "Fm-3m"') == ('"space_group_symbol" = ?', ("Fm-3m",))
    assert to_sql('chemical_formula_reduced = "H9K2Re"') == ('"formula" = ?', ("K2ReH9",))
    assert to_sql('formula != "ReK2H9"') == ('"formula" != ?', ("K2ReH9",))
    assert to_sql('formula > "ReK"') == ('"formula" > ?', ("ReK",))


def test_text():
    assert to_sql('source STARTS WITH "host:"') == ('"source" GLOB ?', ("host:*",))
    assert to_sql('source STARTS "host:"') == ('"source" GLOB ?', ("host:*",))
    assert to_sql('source ENDS WITH "x"') == ('"source" GLOB ?', ("*x",))
    assert to_sql('source CONTAINS "a*b?c[d"') == ('"source" GLOB ?', ("*a[*]b[?]c[[]d*",))
    assert to_sql(r'label = "\"\\"') == ('"label" = ?', ('"\\',))


def test_known():
    assert to_sql("rank IS KNOWN") == ('"rank" IS NOT NULL', ())
    assert to_sql("rank IS UNKNOWN") == ('"rank" IS NULL', ())


def test_lists():
    members = 'SELECT 1 FROM json_each("elements") WHERE value'
    assert to_sql('elements HAS "K"') == (
        f'CASE WHEN "elements" IS NOT NULL THEN EXISTS ({members} = ?) END', ("K",)
    )  # fmt: skip
    assert to_sql('elements HAS ALL "K", "H", "K"') == (
        f'CASE WHEN "elements" IS NOT NULL THEN EXISTS ({members} = ?) AND EXISTS ({members} = ?) END', ("K", "H")
    )  # fmt: skip
    assert to_sql('elements HAS ANY "K", "H"') == (
        f'CASE WHEN "elements" IS NOT NULL THEN EXISTS ({members} IN (?, ?)) END', ("K", "H")
    )  # fmt: skip
    assert to_sql('elements HAS ONLY "K", "H"') == (
        f'CASE WHEN "elements" IS NOT NULL THEN NOT EXISTS ({members} NOT IN (?, ?)) END', ("K", "H")
    )  # fmt: skip
    assert to_sql("elements LENGTH 3") == ('json_array_length("elements") = ?', (3,))
    assert to_sql("elements LENGTH >= 3") == ('json_array_length("elements") >= ?', (3,))


def test_precedence():
    assert to_sql("n=7 OR m=0 AND q=2") == ('("n" = ? OR ("m" = ? AND "q" = ?))', (7, 0, 2))
    assert to_sql("(n=7 OR m=0) AND q=2") == ('(("n" = ? OR "m" = ?) AND "q" = ?)', (7, 0, 2))
    assert to_sql("NOT n=7 AND m=0") == ('(NOT ("n" = ?) AND "m" = ?)', (7, 0))
    assert to_sql("NOT (n=7 AND m=0)") == ('NOT (("n" = ? AND "m" = ?))', (7, 0))


ADVICE = [
    ("formula = 'K2ReH9'", "text stands in double quotes"),
    ("n == 9", "equality is one ="),
    ("n = 9 and m = 0", r"words of the filter stand in capitals \(and\)"),
    ("is_known = true", "TRUE and FALSE stand in capitals: is_known = TRUE"),
    ("NOT is_known != False", "TRUE and FALSE stand in capitals: is_known != FALSE"),
    ("n = 9 AND is_known=yes", "capitals: is_known = TRUE"),
    ("is_known", "compared with a value: is_known = TRUE"),
    ("engine = chgnet", 'text stands in double quotes: engine = "chgnet"'),
    ("formula = K2ReH9", 'text stands in double quotes: formula = "K2ReH9"'),
    ("_ninefold_formula = K2ReH9", 'double quotes: _ninefold_formula = "K2ReH9"'),
    ("n = 7 OR anion != [ReH9]2-", r'double quotes: anion != "\[ReH9\]2-"'),
    ("space_group_symbol = P6_3/mmc AND n = 9", 'double quotes: space_group_symbol = "P6_3/mmc"'),
    ("elements HAS Li", 'double quotes: elements HAS "Li"'),
    ('elements HAS ALL "Li", Mo', 'double quotes: "Mo"'),
    ("source CONTAINS host", 'double quotes: source CONTAINS "host"'),
    ("n = nine", "n is a number"),
    ('formula like "K%"', r"capitals \(like\)"),
    ("n ~ 9", "example: elements HAS"),
]


@pytest.mark.parametrize(("text", "words"), ADVICE)
def test_usual_slips_are_named(text, words):
    with pytest.raises(InputError, match=words):
        to_sql(text)


def test_each_collection_has_its_own_fields():
    assert to_sql('stage = "rank"', "funnel") == ('"stage" = ?', ("rank",))
    with pytest.raises(InputError, match="'stage' is not a field"):
        to_sql('stage = "rank"')
    with pytest.raises(InputError, match="'n' is not a field"):
        to_sql("n = 9", "references")


UNASKED = {"schema_version", "neighbour_of"}
"""Flat fields that no column stands for: nobody filters or sorts by them."""
KINDS = {str: "string", int: "integer", float: "float", bool: "boolean"}


def flat_fields(model):
    """Field -> kind of a model's scalars and lists of strings; Literal, Enum and None are seen through."""
    return {
        name: kind
        for name, field in model.model_fields.items()
        if name not in UNASKED and (kind := _kind(field.annotation))
    }


def _kind(annotation):
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = {_kind(part) for part in typing.get_args(annotation) if part is not types.NoneType}
        return kinds.pop() if len(kinds) == 1 else None
    if typing.get_origin(annotation) is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is typing.Literal:
        return _kind(type(typing.get_args(annotation)[0]))
    if typing.get_origin(annotation) in (list, tuple) and _kind(typing.get_args(annotation)[0]) == "string":
        return "list"
    if isinstance(annotation, type):
        return next(
            (
                kind
                for base, kind in KINDS.items()
                if base in annotation.__mro__[:-1] and (base is not int or bool not in annotation.__mro__)
            ),
            None,
        )
    return None


def test_flat_fields_of_a_model():
    class Colour(enum.StrEnum):
        RED = "red"

    class Model(BaseModel):
        id: str
        count: int
        energy: float | None = None
        flag: Optional[bool]  # noqa: UP045
        colour: Colour
        word: Literal["a", "b"] | None
        limited: Annotated[int, Field(gt=0)]
        names: list[str]
        pair: tuple[str, ...]
        either: int | str
        nested: dict[str, int]
        numbers: list[int]
        anything: Any
        schema_version: int = 1

    assert flat_fields(Model) == {
        "id": "string", "count": "integer", "energy": "float", "flag": "boolean", "colour": "string", "word": "string",
        "limited": "integer", "names": "list", "pair": "list",
    }  # fmt: skip


def test_every_collection_has_a_model():
    assert set(MODELS) == set(COLLECTIONS) == set(INDEXED)


READ_WITH_THE_DOCUMENT = {"other_assignments", "flags", "ternaries", "notes", "species", "searches", "reaction"}
READ_WITH_THE_DOCUMENT |= {"stability_notes", "minima_record", "rules", "methods"}
READ_WITH_THE_DOCUMENT |= {"dynamics_record", "trajectories", "warnings", "forces"}
"""Sentences, labels and references to other documents: nobody filters or sorts by them."""


@pytest.mark.parametrize("collection", list(MODELS))
def test_the_table_of_fields_is_that_of_the_models(collection):
    flat = flat_fields(MODELS[collection])
    unasked = READ_WITH_THE_DOCUMENT
    if collection == "compositions":  # its candidates repeat what is asked for
        unasked = unasked | (set(flat_fields(Candidate)) - set(COLLECTIONS["compositions"]))
    assert {name: kind for name, kind in flat.items() if name not in unasked} == COLLECTIONS[collection]
    assert set(INDEXED[collection]) <= set(COLLECTIONS[collection])
    assert "list" not in {COLLECTIONS[collection][field] for field in INDEXED[collection]}
    assert COLLECTIONS[collection]["id"] == "string"


def test_every_flat_value_of_a_candidate_is_a_quantity():
    nested = {
        "verdicts",
        "minima",
        "reasons",
        "decomposition",
        "known",
        "conditions",
        "terms",
        "properties",
        "verification",
        "formation",
    }
    nested |= {"lowest_by_round", "flags", "ternaries", "stability_notes", "reaction", "cation_counts"}
    of_the_store = {"schema_version", "composition", "minima_record", "dynamics_record", "revision"}
    assert set(Candidate.model_fields) - nested - of_the_store == set(QUANTITIES)


PLANS = [
    # order, filter
    ('"rank" ASC NULLS LAST, id', None),
    ('"e_above_hull" ASC NULLS LAST, id', "e_above_hull < 0.05"),
    ("id", 'campaign = "c"'),
    ("id", 'formula = "K2ReH9"'),
]


@pytest.mark.parametrize(("order", "text"), PLANS)
def test_the_usual_questions_use_an_index(store, order, text):
    where, parameters = to_sql(text)
    sql = f"EXPLAIN QUERY PLAN SELECT doc FROM candidates WHERE {where} ORDER BY {order} LIMIT 50"
    plan = " ".join(row[3] for row in store._connection.execute(sql, parameters))
    assert "USING INDEX candidates_" in plan


def test_a_page_of_one_campaign_is_read_from_its_index(store):
    sql = "EXPLAIN QUERY PLAN SELECT doc FROM candidates WHERE campaign = 'c' AND id > 'x' ORDER BY id LIMIT 50"
    plan = " ".join(row[3] for row in store._connection.execute(sql))
    assert "candidates_campaign (campaign=? AND id>?)" in plan
    assert "TEMP B-TREE" not in plan
