"""Documents of the MongoDB backend on their way to the server: without one."""

import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from ninefold.store.mongo_queries import restored, stored
from ninefold.store.mongo_writes import FEWEST, MOST, write_all

KEYS = st.text(st.sampled_from('abé.$%:"\\,{}\0 '), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from('ab.$%:"\\,{} '), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def keys(value):
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(inner)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS.filter(lambda key: not key.startswith("_")), VALUES, max_size=4))
def test_a_document_comes_back_whatever_its_keys_and_whoever_wrote_it_as_text(content):
    document = {"id": "a", **content}
    for text in (to_json(document).decode(), json.dumps(document), json.dumps(document, ensure_ascii=False, indent=1)):
        there = stored(text)
        assert not [key for key in keys(there) if set(key) & set(".$\0")]
        assert restored(there) == document


@pytest.mark.parametrize("count", [0, 1, FEWEST, FEWEST + 1, 3 * FEWEST + 1, 2 * MOST, 5 * MOST + 1])
def test_every_document_is_sent_once_in_messages_that_a_server_takes(count):
    sent = []

    def write(part):
        sent.append(part)  # an append is one step, of whichever thread
        return len(part)

    documents = [{"_id": number} for number in range(count)]
    done = write_all(documents, write)
    assert (done.number, done.left, done.error) == (count, [], None)
    assert sorted(document["_id"] for part in sent for document in part) == list(range(count))
    assert all(1 <= len(part) <= MOST for part in sent)
    assert len(sent) > 1 or count <= FEWEST


def test_two_messages_are_under_way_at_once():
    both = threading.Barrier(2, timeout=20)

    def write(part):
        both.wait()
        return len(part)

    assert write_all([{"_id": number} for number in range(2 * FEWEST)], write).error is None


@pytest.mark.parametrize("failing", [{0}, {1}, {0, 1}, {4}])
def test_what_was_not_sent_is_told_with_the_first_error(failing):
    documents = [{"_id": number} for number in range(6 * MOST)]
    written = []

    def write(part):
        place = part[0]["_id"] // MOST
        if place in failing:
            raise OSError(place)
        written.extend(part)
        return len(part)

    done = write_all(documents, write)
    assert isinstance(done.error, OSError)
    assert done.error.args[0] in failing
    assert done.number == len(written)
    assert {document["_id"] for document in done.left} == set(range(6 * MOST)) - {each["_id"] for each in written}
    assert done.left == sorted(done.left, key=lambda document: document["_id"])
