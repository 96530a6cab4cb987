"""The list of fields is what filters and sorting take: neither more nor less, on every backend."""

import dataclasses

import pytest
from contract import record

from ninefold.api import CandidateRow
from ninefold.errors import InputError
from ninefold.models.candidate import Candidate
from ninefold.models.quantities import BOOKKEEPING, QUANTITIES
from ninefold.store.conditions import queryable
from ninefold.store.fields import candidate_fields
from ninefold.store.filter_fields import OPERATORS
from ninefold.store.values import STATUSES

EXAMPLES = {"string": '"x"', "integer": "1", "float": "0.5", "boolean": "TRUE", "list": '"K"'}
SPELLED = {
    "formula": '"K2ReH9"', "anion": '"[ReH9]2-"', "label": '"K2[ReH9]"', "chemical_system": '"H-K-Re"',
    "centre": '"Re"', "space_group_symbol": '"P-62m"', "status": f'"{sorted(STATUSES)[0]}"', "evidence": '"ML"',
    "elements": '"K"', "cations": '"K"', "anion_class": '"classical"',
}  # fmt: skip
"""Values of fields that take none but chemistry's."""
STAGE = {"stage": "s", "unit": "", "meaning": "m"}


@pytest.fixture
def store(backend):
    """Two campaigns, whose stages agree on one column and not on another."""
    with backend.open() as store:
        one, other = {"density": {**STAGE, "kind": "float"}}, {"phase": {**STAGE, "kind": "string"}}
        store.put(
            "campaigns",
            [
                record("one", name="one", columns={**one, **other}),
                record("two", name="two", columns={**one, "phase": {**STAGE, "kind": "float"}}),
            ],
        )
        store.put("candidates", [record("a", campaign="one", properties={"density": 3.0, "phase": "x"})])
        yield store


def question(field, operator):
    value = SPELLED.get(field.quantity.key, EXAMPLES[field.quantity.kind])
    if operator.startswith("IS "):
        return f"{field.quantity.key} {operator}"
    return f"{field.quantity.key} {operator} {'1' if operator == 'LENGTH' else value}"


def is_taken(store, field, **options):
    try:
        store.find(
            "candidates", properties={field.quantity.key: field.quantity.kind} if field.is_own else {}, **options
        )
    except InputError:
        return False
    return True


def test_each_field_takes_its_operators_and_no_other(store):
    every = list(dict.fromkeys(operator for some in OPERATORS.values() for operator in some))
    for field in candidate_fields(store):
        if field.problem:
            continue
        taken = [operator for operator in every if is_taken(store, field, filter=question(field, operator))]
        assert set(taken) == set(field.operators), field.quantity.key
        assert is_taken(store, field, sort=[(field.quantity.key, "asc")]) == field.is_sortable, field.quantity.key


def test_a_field_that_cannot_be_asked_for_says_so(store):
    [clash] = [field for field in candidate_fields(store) if field.quantity.key == "phase"]
    assert (clash.operators, clash.is_sortable) == ((), False)
    assert clash.problem == "is string in one, float in two: choose a campaign"
    [one] = [field for field in candidate_fields(store, "one") if field.quantity.key == "phase"]
    assert one.quantity.kind == "string"
    assert one.is_sortable


def test_everything_that_can_be_asked_for_is_listed():
    listed = {field.quantity.key for field in candidate_fields()}
    assert listed == set(queryable("candidates"))
    assert listed == {*QUANTITIES, *BOOKKEEPING}
    row = {field.name for field in dataclasses.fields(CandidateRow)} - {"properties"}
    assert row <= listed
    flat = (str, int, float, bool)
    scalars = {
        name for name, field in Candidate.model_fields.items()
        if field.annotation in (*flat, *(kind | None for kind in flat), list[str])
    }  # fmt: skip
    nested = {"minima_record", "dynamics_record", "flags", "ternaries", "stability_notes", "reaction", "schema_version"}
    assert scalars - listed == nested, "what belongs to the nested parts of a candidate"
    assert all(field.quantity.meaning for field in candidate_fields())
