import json
import os
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.errors import InputError
from ninefold.store import BlobError, StoreError
from ninefold.store.blobs import FolderBlobs
from ninefold.store.shards import Shard, is_whole, read_records, read_shard, shard_folder, write_records, write_shard

RECORDS = [{"formula": "K2ReH9", "positions": [0.1, 1 / 3, 1e-300]}, {"b": None, "a": "é\u2028\n\r\x85"}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4))
def test_what_is_read_is_what_was_written(tmp_path_factory, records):
    shard = write_shard(tmp_path_factory.mktemp("shards"), iter(records))
    assert shard.count == len(records)
    assert read_shard(shard) == records


def test_the_folder_is_made_where_it_is_missing(tmp_path):
    assert read_shard(write_shard(tmp_path / "not" / "there", RECORDS)) == RECORDS


def test_a_job_carries_name_and_count(tmp_path):
    shard = write_shard(tmp_path, RECORDS)
    assert Shard.from_dict(json.loads(json.dumps(shard.to_dict())), tmp_path) == shard


def test_same_content_same_name_one_file(tmp_path):
    first = write_shard(tmp_path, RECORDS)
    second = write_shard(tmp_path, [dict(reversed(record.items())) for record in RECORDS])
    assert first == second
    assert files(tmp_path) == [first.path]


def test_other_content_other_name(tmp_path):
    shards = [write_shard(tmp_path, records) for records in ([], RECORDS, RECORDS[:1], RECORDS[::-1])]
    assert len({shard.sha256 for shard in shards}) == 4
    assert sorted(files(tmp_path)) == sorted(shard.path for shard in shards)


def test_the_folder_stands_beside_the_store(tmp_path):
    assert shard_folder(tmp_path / "ninefold.db") == tmp_path / "ninefold.db.files"


def test_no_byte_of_the_content_can_change_unseen(tmp_path):
    shard = write_shard(tmp_path, RECORDS)
    content = shard.path.read_bytes()
    for place in range(len(content)):
        shard.path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        if 4 <= place < 10:  # time and system in gzip's header say nothing of the content
            assert read_shard(shard) == RECORDS
        else:
            with pytest.raises(StoreError, match=r"^blob: .* is corrupted"):
                read_shard(shard)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_truncated(tmp_path, kept):
    shard = write_shard(tmp_path, RECORDS)
    content = shard.path.read_bytes()
    shard.path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(StoreError, match=r"blob: .* is corrupted.*restore it") as caught:
        read_shard(shard)
    assert str(shard.path) in str(caught.value)


def test_another_shard_in_its_place(tmp_path):
    shard, other = write_shard(tmp_path, RECORDS), write_shard(tmp_path, RECORDS[:1])
    shard.path.write_bytes(other.path.read_bytes())
    with pytest.raises(StoreError, match="does not match its name"):
        read_shard(shard)


def test_fewer_records_than_the_job_says(tmp_path):
    shard = write_shard(tmp_path, RECORDS)
    with pytest.raises(BlobError, match="has 2 records where 3 are expected"):
        read_shard(Shard(shard.folder, shard.sha256, 3))


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_writing_again_mends_what_is_damaged(tmp_path, damage):
    shard = write_shard(tmp_path, RECORDS)
    assert is_whole(shard)
    damage(shard.path)
    assert not is_whole(shard)
    assert write_shard(tmp_path, RECORDS) == shard
    assert read_shard(shard) == RECORDS
    assert files(tmp_path) == [shard.path]


def test_the_error_comes_back_from_a_worker(tmp_path):
    error = pickle.loads(pickle.dumps(BlobError("a/b", "is missing")))
    assert (error.place, error.problem, error.exit_code) == ("a/b", "is missing", 1)
    assert str(error) == str(BlobError("a/b", "is missing"))


def test_missing(tmp_path):
    shard = write_shard(tmp_path, RECORDS)
    shard.path.unlink()
    with pytest.raises(StoreError, match=r"is missing.*ninefold resume") as caught:
        read_shard(shard)
    assert caught.value.exit_code == 1


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "shards").touch()
    with pytest.raises(InputError, match=r"store: .* cannot be written: .*resume") as caught:
        write_shard(tmp_path / "shards", RECORDS)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing(tmp_path, monkeypatch, step):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync" if step == "fsync" else "pathlib.Path.replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_shard(tmp_path, RECORDS)
    monkeypatch.undo()
    assert files(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the kernel")
def test_a_file_that_may_not_grow_leaves_nothing(tmp_path):
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            write_shard(tmp_path, [{"x": os.urandom(20_000).hex()}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(tmp_path) == []


def test_what_is_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_shard(tmp_path, [{"energy": float("nan")}])
    assert files(tmp_path) == []


def test_records_in_a_blob(tmp_path):
    blobs = FolderBlobs(tmp_path)
    name = write_records(blobs, iter(RECORDS))
    assert name == write_shard(tmp_path, RECORDS).sha256
    assert read_records(blobs, name) == RECORDS
    assert blobs.get(name).count(b"\n") == 2
    with pytest.raises(BlobError, match="holds no records"):
        read_records(blobs, blobs.put(b"\x00\xff"))


@pytest.fixture
def older(tmp_path):
    """Records in a file as stores up to schema 2 name it."""
    shard = write_shard(tmp_path, RECORDS)
    shard.path.rename(tmp_path / shard.sha256[:2] / f"{shard.sha256[2:]}.jsonl.gz")
    return shard


def test_files_of_an_older_store_are_found(tmp_path, older):
    assert older.path.name.endswith(".jsonl.gz")
    assert read_shard(older) == RECORDS
    assert write_shard(tmp_path, RECORDS) == older
    assert files(tmp_path) == [older.path]
    older.path.write_bytes(b"x")
    assert write_shard(tmp_path, RECORDS) == older
    assert read_shard(older) == RECORDS
    assert len(files(tmp_path)) == 1
    FolderBlobs(tmp_path).delete(older.sha256)
    assert files(tmp_path) == []


def test_a_name_does_not_lead_out_of_the_folder(tmp_path):
    (tmp_path / "blobs").mkdir()
    secret = tmp_path / "secret.gz"
    secret.write_bytes(b"x")
    for name in ("../secret", "..", "/" + str(secret)):
        with pytest.raises(BlobError, match="is no SHA-256"):
            FolderBlobs(tmp_path / "blobs").delete(name)
    assert secret.exists()
