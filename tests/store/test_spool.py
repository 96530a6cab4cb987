"""A spool folder: what is delivered is what a store would have, in any number of deliveries."""

import json

import pytest
from contract import record

from ninefold.models.collections import MODELS
from ninefold.store import open_store, spool
from ninefold.store.spool import Delivered, Spool, SpoolStore, ingest, is_empty


@pytest.fixture
def target(tmp_path):
    with open_store(tmp_path / "target.db", "write") as store:
        yield store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def spooled(tmp_path, folder, name="node"):
    return SpoolStore(open_store(tmp_path / f"{name}.db", "write"), Spool(folder, name))


def writes(store):
    """Every write that a store has."""
    store.insert("pools", [record("a", campaign="c", label="x"), record("b", campaign="c", label="y")])
    store.insert("pools", [record("a", campaign="c", label="changed")])
    store.put("campaigns", [record("c", name="c", status="running")])
    store.put_unless_newer("funnel", [record("f", campaign="c", attempt=2, count_in=1)])
    store.put_unless_newer("funnel", [record("f", campaign="c", attempt=1, count_in=9)])
    store.replace("campaigns", record("c", name="c", status="finished"), {"status": "running"})
    store.replace("campaigns", record("c", name="c", status="lost"), {"status": "running"})
    store.put("faults", [record("1", campaign="c", stage="s"), record("2", campaign="c", stage="t")])
    store.delete("faults", equal={"stage": ["s", "u"]})
    return store.blobs.put(b"content")


def everything(store):
    return {name: list(store.iterate(name)) for name in MODELS}


def test_what_is_delivered_is_what_a_store_would_have(tmp_path, folder, target):
    with open_store(tmp_path / "direct.db", "write") as direct:
        blob = writes(direct)
        expected = everything(direct)
    with spooled(tmp_path, folder) as store:
        assert writes(store) == blob
        assert everything(store) == expected  # the job itself reads what it has written
    done = ingest(folder, target)
    assert (done.blobs, done.damaged) == (1, 0)
    assert done.files >= 1
    assert everything(target) == expected
    assert target.blobs.get(blob) == b"content"
    assert is_empty(folder)
    assert ingest(folder, target) == Delivered()


def test_a_delivery_that_is_cut_short_is_done_again(tmp_path, folder, target, monkeypatch):
    with spooled(tmp_path, folder) as store:
        writes(store)
        expected = everything(store)

    def killed(store, line, apply=spool._apply):
        count = apply(store, line)
        if line["operation"] == "replace":
            raise KeyboardInterrupt
        return count

    with monkeypatch.context() as patch:
        patch.setattr(spool, "_apply", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(folder, target)
    assert not is_empty(folder)
    ingest(folder, target)
    assert everything(target) == expected


def test_records_share_a_file_for_some_seconds_and_are_never_left_behind(tmp_path, folder, monkeypatch):
    store = spooled(tmp_path, folder)
    for number in range(100):
        store.insert("pools", [record(str(number), campaign="c")])
    files = list((folder / "records").iterdir())
    assert len(files) == 1  # the first was written at once, the others wait
    store.close()
    assert len(list((folder / "records").iterdir())) == 2

    monkeypatch.setattr(spool, "FLUSH_SECONDS", 0.1)
    quick = Spool(folder, "quick")
    quick.add("insert", "pools", {"documents": []})
    quick.add("insert", "pools", {"documents": []})
    quick._timer.join()
    assert [sum(1 for _ in (folder / "records" / name).open()) for name in quick.names] == [1, 1]


def test_a_damaged_file_is_set_apart_and_the_others_are_delivered(tmp_path, folder, target):
    with spooled(tmp_path, folder) as store:
        writes(store)
    (folder / "records" / "0-torn.jsonl").write_text('{"operation": "ins')
    (folder / "blobs" / ("0" * 64)).write_bytes(b"no gzip")
    done = ingest(folder, target)
    assert done.damaged == 2
    assert {file.name for file in (folder / "damaged").iterdir()} == {"0-torn.jsonl", "0" * 64}
    assert target.get("pools", "a")["label"] == "x"


def test_two_writers_and_two_deliveries(tmp_path, folder, target):
    for name in ("one", "two"):
        with spooled(tmp_path, folder, name) as store:
            store.insert("pools", [record("shared", campaign="c"), record(name, campaign="c")])
    copies = {file: file.read_text() for file in (folder / "records").iterdir()}
    ingest(folder, target)
    for file, text in copies.items():
        file.write_text(text)
    ingest(folder, target)
    assert [row["id"] for row in target.find("pools")] == ["one", "shared", "two"]
    assert all(json.loads(line)["operation"] == "insert" for text in copies.values() for line in text.splitlines())
