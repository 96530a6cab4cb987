"""What providers do that none should: each is one line that says what, and no structure comes in."""

import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from ninefold.errors import InputError
from ninefold.imported import provider
from ninefold.imported.read import ImportOptions, read_all

STRUCTURE = {
    "id": "one", "type": "structures", "attributes": {
        "last_modified": None, "elements": ["H", "K"], "nelements": 2, "elements_ratios": [0.5, 0.5],
        "chemical_formula_descriptive": "KH", "chemical_formula_reduced": "HK", "chemical_formula_anonymous": "AB",
        "dimension_types": [1, 1, 1], "nperiodic_dimensions": 3, "lattice_vectors": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
        "cartesian_site_positions": [[0, 0, 0], [2, 2, 2]], "nsites": 2, "species_at_sites": ["K", "H"],
        "species": [{"name": name, "chemical_symbols": [name], "concentration": [1.0]} for name in "KH"],
        "structure_features": [], "_nfold_energy": -3.0,
    },
}  # fmt: skip


@contextmanager
def answering(reply):
    """A server that gives each request what `reply` makes of its path and address: bytes, or pieces of them."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    is_over = threading.Event()

    def one(connection):
        with connection:
            path = connection.recv(65536).split(b" ")[1].decode()
            pieces = reply(path, address)
            for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                if is_over.is_set():
                    return
                try:
                    connection.sendall(piece)
                except OSError:  # the client has gone
                    return

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        is_over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)


def http(body, status="200 OK", length=None, headers=""):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = len(content) if length is None else length
    return f"HTTP/1.0 {status}\r\n{headers}Content-Length: {length}\r\n\r\n".encode() + content


def page(*structures, following=None, **meta):
    return http({"data": list(structures), "links": {"next": following}, "meta": meta})


def with_energy(value, identifier="one"):
    return {**STRUCTURE, "id": identifier, "attributes": {**STRUCTURE["attributes"], "_nfold_energy": value}}


def read(address, **options):
    named = ImportOptions(method="PBE", energy_field="_nfold_energy", **options)
    return read_all([address], named)[0]


def told(reply, **options):
    with answering(reply) as address, pytest.raises(InputError) as caught:
        read(address, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_what_is_right_is_read():
    for following in (None, {"href": None}, ""):
        with answering(lambda path, address, following=following: page(STRUCTURE, following=following)) as address:
            [run] = read(address)
        assert (run.energy_per_atom, run.structure.reduced_formula) == (-3.0, "KH")


def test_pages_are_followed_as_texts_objects_and_relative_addresses():
    pages = {"0": "/v1/structures?p=1", "1": {"href": "ADDRESS/v1/structures?p=2"}, "2": "?p=3", "3": None}

    def reply(path, address):
        place = path.partition("p=")[2] or "0"
        following = json.loads(json.dumps(pages[place]).replace("ADDRESS", address))
        return page(with_energy(-3.0 - int(place), place), following=following)

    with answering(reply) as address:
        assert [run.energy_per_atom for run in read(address)] == [-3.0, -4.0, -5.0, -6.0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (lambda path, address: b"", "cannot be reached"),
        (lambda path, address: b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be reached"),
        (lambda path, address: http(b"<html>busy</html>"), "answers no JSON"),
        (lambda path, address: http(b"[" * 100_000), "answers no JSON"),
        (lambda path, address: http(b"\xff\xfe\x00"), "answers no JSON"),
        (lambda path, address: http([1, 2]), "no answer of an OPTIMADE server"),
        (lambda path, address: http({"structures": []}), "it has no data"),
        (lambda path, address: http({"errors": [{"detail": "in\nrepair"}], "meta": {}}), "was refused: in repair"),
        (lambda path, address: http(b"<html>", "502 Bad Gateway"), "was refused: 502"),
        (
            lambda path, address: http({"errors": [{"detail": "slower, please"}]}, "429 Too Many Requests"),
            "was refused: 429 (slower, please)",
        ),
        (lambda path, address: page(STRUCTURE)[:-20], "was cut off after"),
        (lambda path, address: page(STRUCTURE, more_data_available=True), "is not whole"),
        (lambda path, address: page(STRUCTURE, STRUCTURE), "has structures twice (one)"),
        (lambda path, address: page(STRUCTURE, following=f"{address}{path}"), "the pages have no end"),
        (lambda path, address: page(STRUCTURE, following="file:///etc/hostname"), "is no address"),
        (lambda path, address: http(b"", "302 Found", headers="Location: file:///etc/hostname\r\n"), "302"),
        (
            lambda path, address: page(warnings=[{"detail": "the field _other_x is not known"}]),
            "has no structures: the field _other_x is not known",
        ),
        (lambda path, address: page({"id": 3}), "is JSON of neither"),
        (lambda path, address: page(STRUCTURE, {"id": "2", "type": "references"}), "2' is no structure of OPTIMADE"),
        (lambda path, address: page(STRUCTURE, 7), "is no structure of OPTIMADE"),
    ],
)  # fmt: skip
def test_faults(reply, words):
    assert words in told(reply)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + 400 * "0", "null", "true", '"-3.0"'])
def test_an_energy_that_is_no_finite_number(value):
    """Python's reader of JSON lets NaN, infinities and numbers without end pass."""
    body = page(STRUCTURE, with_energy("VALUE", "bad")).split(b"\r\n\r\n", 1)[1]
    content = body.replace(b'"VALUE"', value.encode())

    def reply(path, address):
        return http(content)

    assert "structure bad' has no number in _nfold_energy" in told(reply)
    with answering(reply) as address:
        named = ImportOptions(method="PBE", energy_field="_nfold_energy")
        runs, left_out = read_all([address], named, skips_bad=True)
    assert [run.energy_per_atom for run in runs] == [-3.0]
    assert len(left_out) == 1
    assert "structure bad" in left_out[0]


def test_a_silent_server_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(provider, "SECONDS", 0.3)

    def reply(path, address):
        time.sleep(2)
        return b""

    start = time.monotonic()
    assert "cannot be reached: timed out" in told(reply)
    assert time.monotonic() - start < 10


def test_a_server_that_sends_byte_by_byte_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(provider, "SECONDS_OF_PAGE", 0.5)

    def reply(path, address):
        yield b"HTTP/1.0 200 OK\r\n\r\n{"
        while True:
            time.sleep(0.05)
            yield b" "

    start = time.monotonic()
    assert "is not sent whole within 0.5 s" in told(reply)
    assert time.monotonic() - start < 10


def test_pages_and_bytes_have_an_end(monkeypatch):
    monkeypatch.setattr(provider, "MOST_PAGES", 3)

    def endless(path, address):
        place = int(path.partition("p=")[2] or 0)
        return page(with_energy(-3.0, str(place)), following=f"/v1/structures?p={place + 1}")

    assert "has more than 3 pages; narrow it with --filter" in told(endless)
    monkeypatch.setattr(provider, "MOST_BYTES", 100)
    assert "answers more than 100 bytes" in told(lambda path, address: page(STRUCTURE))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://user:word@127.0.0.1:9/optimade", "http://***@127.0.0.1' holds a login"),
        ("http://[::1/optimade", "is no address"),
        ("http://127.0.0.1:port/optimade", "nonnumeric port"),
        ("http://127.0.0.1:9/opti made", "cannot be reached"),
        ("http:///optimade", "cannot be reached"),
    ],
)
def test_addresses_that_are_none(address, words):
    with pytest.raises(InputError) as caught:
        read(address)
    assert words in str(caught.value)
    assert "word@" not in str(caught.value)
