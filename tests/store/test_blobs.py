"""Blobs in a folder, and the lines of plain values that most of them hold."""

import os
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.errors import InputError
from ninefold.models.lines import blob_id, decode_lines, encode_lines
from ninefold.store import BlobError, StoreError
from ninefold.store.blobs import FolderBlobs, blob_folder

RECORDS = [{"formula": "K2ReH9", "positions": [0.1, 1 / 3, 1e-300]}, {"b": None, "a": "é\u2028\n\r\x85"}]
CONTENT = encode_lines(RECORDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def file(blobs):
    """Of a blob."""
    return blobs.file(blobs.put(CONTENT))


def files(blobs):
    return [path for path in blobs.folder.rglob("*") if path.is_file()]


# lines


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4))
def test_lines_come_back(records):
    content = encode_lines(iter(records))
    assert decode_lines(content) == records
    assert content.count(b"\n") == len(records)


def test_the_order_of_keys_changes_no_line_and_that_of_lines_does():
    assert encode_lines([dict(reversed(record.items())) for record in RECORDS]) == CONTENT
    others = [encode_lines(records) for records in ([], RECORDS, RECORDS[:1], RECORDS[::-1])]
    assert len(set(others)) == 4


def test_what_is_not_a_number_is_no_line():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_lines([{"energy": float("nan")}])


def test_a_stage_names_a_blob_as_the_store_does(blobs):
    assert blob_id(CONTENT) == blobs.put(CONTENT)


# files


def test_the_folder_stands_beside_the_store(tmp_path):
    assert blob_folder(tmp_path / "ninefold.db") == tmp_path / "ninefold.db.files"


def test_the_folder_is_made_where_it_is_missing(tmp_path):
    blobs = FolderBlobs(tmp_path / "not" / "there")
    assert blobs.get(blobs.put(CONTENT)) == CONTENT


def test_one_content_is_one_file(blobs, file):
    assert blobs.file(blobs.put(CONTENT)) == file
    other = blobs.file(blobs.put(CONTENT[:-1]))
    assert sorted(files(blobs)) == sorted([file, other])


def test_no_byte_of_a_file_can_change_unseen(blobs, file):
    name, content = blob_id(CONTENT), file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        if 4 <= place < 10:  # time and system in gzip's header say nothing of the content
            assert blobs.get(name) == CONTENT
        else:
            with pytest.raises(StoreError, match=r"^blob: .* is corrupted"):
                blobs.get(name)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named(blobs, file, kept):
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(StoreError, match=r"blob: .* is corrupted.*restore it") as caught:
        blobs.get(blob_id(CONTENT))
    assert str(file) in str(caught.value)


def test_another_blob_in_its_place(blobs, file):
    file.write_bytes(blobs.file(blobs.put(b"other")).read_bytes())
    with pytest.raises(StoreError, match="does not match its name"):
        blobs.get(blob_id(CONTENT))


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_writing_again_mends_what_is_damaged(blobs, file, damage):
    name = blob_id(CONTENT)
    assert blobs.is_whole(name)
    damage(file)
    assert not blobs.is_whole(name)
    assert blobs.put(CONTENT) == name
    assert blobs.get(name) == CONTENT
    assert files(blobs) == [file]


def test_the_error_comes_back_from_a_worker():
    error = pickle.loads(pickle.dumps(BlobError("a/b", "is missing")))
    assert (error.place, error.problem, error.exit_code) == ("a/b", "is missing", 1)
    assert str(error) == str(BlobError("a/b", "is missing"))


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "blobs").touch()
    with pytest.raises(InputError, match=r"store: .* cannot be written: .*resume") as caught:
        FolderBlobs(tmp_path / "blobs").put(CONTENT)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing(blobs, monkeypatch, step):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync" if step == "fsync" else "pathlib.Path.replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        blobs.put(CONTENT)
    monkeypatch.undo()
    assert files(blobs) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the kernel")
def test_a_file_that_may_not_grow_leaves_nothing(blobs):
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            blobs.put(os.urandom(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(blobs) == []


def test_files_of_an_older_store_are_found(blobs, file):
    """Stores up to schema 2 name them otherwise."""
    name, older = blob_id(CONTENT), file.with_suffix(".jsonl.gz")
    file.rename(older)
    assert blobs.file(name) == older
    assert blobs.get(name) == CONTENT
    assert blobs.put(CONTENT) == name
    assert files(blobs) == [older]
    older.write_bytes(b"x")
    assert blobs.put(CONTENT) == name
    assert blobs.get(name) == CONTENT
    assert len(files(blobs)) == 1
    blobs.delete(name)
    assert files(blobs) == []


def test_a_name_does_not_lead_out_of_the_folder(tmp_path, blobs):
    blobs.folder.mkdir()
    secret = tmp_path / "secret.gz"
    secret.write_bytes(b"x")
    for name in ("../secret", "..", "/" + str(secret)):
        with pytest.raises(BlobError, match="is no SHA-256"):
            blobs.delete(name)
    assert secret.exists()
