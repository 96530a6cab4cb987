"""Documents as the models that they were written from."""

from typing import ClassVar

import pytest
from contract import record
from pydantic import BaseModel, ConfigDict

from ninefold.store import StoreError
from ninefold.store.records import find_damage, insert, read, read_all, read_many, replace, write


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    collection: ClassVar[str] = "calculations"
    id: str
    kind: str
    numbers: tuple[int, ...] = ()


class Phase(BaseModel):
    collection: ClassVar[str] = "references"
    id: str
    name: str


RESULTS = [Computed(id=f"{k}", kind="relax" if k % 2 else "pool", numbers=(k, k + 1)) for k in range(7)]


def test_a_record_comes_back(store):
    write(store, [*RESULTS, Phase(id="0", name="KH"), Computed(id="x", kind="late")])
    assert read(store, Computed, "3") == RESULTS[3]
    assert read(store, Phase, "0") == Phase(id="0", name="KH")
    assert read(store, Computed, "nothing") is None
    assert read_many(store, Computed, ["1", "2", "nothing"]) == {"1": RESULTS[1], "2": RESULTS[2]}
    assert list(read_all(store, Computed, page=2)) == [*RESULTS, Computed(id="x", kind="late")]
    assert list(read_all(store, Computed, equal={"kind": "relax"})) == RESULTS[1::2]
    assert list(read_all(store, Computed, 'kind = "pool"', equal={"id": ["0", "1"]})) == RESULTS[:1]


def test_insert_and_replace(store):
    assert insert(store, RESULTS[:3]) == 3
    assert insert(store, [Computed(id="0", kind="other"), RESULTS[3], Phase(id="0", name="KH")]) == 2
    assert read(store, Computed, "0") == RESULTS[0]
    assert replace(store, Computed(id="0", kind="other"), {"kind": "relax"}) is False
    assert replace(store, Computed(id="0", kind="other"), {"kind": "pool"}) is True
    assert read(store, Computed, "0").kind == "other"


REFUSED = [
    # what is stored, what the error says
    ({"kind": "relax", "numbers": [1, "two"]}, ["numbers.1: ", "integer", "'two'"]),
    ({"numbers": []}, ["kind: ", "is missing"]),
    ({"kind": "relax", "extra": 5}, ["extra: ", "5"]),
    ({"kind": "x" * 2000, "numbers": ["y" * 2000]}, ["numbers.0: ", "2002 characters"]),
]


@pytest.mark.parametrize(("content", "words"), REFUSED)
def test_what_the_model_refuses_is_a_damaged_store(store, content, words):
    store.put("calculations", [record("good", kind="relax"), record("bad", **content)])
    for use in (
        lambda: read(store, Computed, "bad"),
        lambda: list(read_all(store, Computed)),
        lambda: read_many(store, Computed, ["good", "bad"]),
    ):
        with pytest.raises(StoreError) as caught:
            use()
        message = str(caught.value)
        assert message.startswith(
            f"store: {store.location!r} is damaged: the document 'bad' in calculations cannot be read"
        )
        assert [word for word in words if word not in message] == []
        assert "\n" not in message
        assert len(message) < 1200
        assert caught.value.exit_code == 1
    assert str(find_damage(store, {"calculations": Computed})) == message
    assert read(store, Computed, "good") == Computed(id="good", kind="relax")
    store.delete("calculations", equal={"id": "bad"})
    assert find_damage(store, {"calculations": Computed}) is None
