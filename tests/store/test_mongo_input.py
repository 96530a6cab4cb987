"""What people may give wrongly to a store on a MongoDB server: one line, nothing written, no password anywhere."""

import logging
import sys
import traceback

import pytest
import yaml
from contract import BACKENDS, record

import mongo_server
from ninefold.cli.main import main
from ninefold.errors import InputError, NinefoldError
from ninefold.store import open_store


@pytest.fixture
def backend(tmp_path):
    found = BACKENDS["MongoDB"](tmp_path)
    found.open().close()
    yield found
    found.close()


@pytest.fixture
def database(backend):
    return mongo_server.client()[backend.address.rpartition("/")[2].partition("?")[0]]


def contents(database):
    return {name: list(database[name].find(sort=[("_id", 1)])) for name in sorted(database.list_collection_names())}


def ended(monkeypatch, capsys, *arguments):
    """Exit code, output, and lines on standard error."""
    monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    return end.value.code, told.out, told.err.splitlines()


CODE = (
    '{"$ne": null}', '{"$where": "sleep(9000)"}', "$where", "a'; return true; '", '"}, {"$gt": ""', "a\0b",
    "' OR '1'='1",
)  # fmt: skip
"""What a query language would take for an operator or an end of text."""


@pytest.mark.parametrize("text", CODE)
def test_a_value_is_never_an_operator(backend, text):
    rows = [record("K2ReH9", campaign="a", label="x", rank=1), record(text, campaign=text, label=text, rank=2)]
    with backend.open() as store:
        store.put("candidates", rows)
        for field in ("id", "campaign", "label"):
            assert [row["id"] for row in store.find("candidates", equal={field: text}, sort=[("rank", "asc")])] == [
                text
            ]
            assert store.count("candidates", equal={field: [text, "y"]}) == 1
        assert list(store.get_many("candidates", [text])) == [text]
        assert [row["id"] for row in store.iterate("candidates", equal={"campaign": text})] == [text]
        if "\0" not in text:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            for sign in ("=", "CONTAINS", "STARTS", "ENDS"):
                assert [row["id"] for row in store.find("candidates", f'label {sign} "{quoted}"')] == [text]
        assert store.delete("candidates", equal={"campaign": text}) == 1
        assert store.count("candidates") == 1


@pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, ["a", {"$ne": None}], b"a"])
def test_an_object_is_no_value(backend, value):
    with backend.open() as store:
        store.put("candidates", [record("a", campaign="a")])
        for call in (store.find, store.count, store.delete):
            with pytest.raises((TypeError, KeyError)):
                call("candidates", equal={"campaign": value})
        with pytest.raises(KeyError):
            store.find("candidates", equal={"$where": "1"})
        assert store.count("candidates") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", '{"$where": "1"}'],
        ["query", '$where = "1"'],
        ["query", 'formula = "x"; DROP'],
        ["query", "--sort", "$natural"],
        ["query", "--sort", "a.$b"],
        ["query", "--fields", "$where"],
        ["query", "-c", '{"$ne": null}'],
        ["show", '{"$ne": null}'],
        ["status", "-c", "$ne"],
        ["report", "-c", '{"$gt": ""}'],
    ],
    ids=" ".join,
)
def test_operators_on_the_command_line_are_refused_in_one_line(
    backend, database, monkeypatch, capsys, tmp_path, arguments
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINEFOLD_STORE", backend.address)
    with backend.open() as store:
        campaign = record(
            "a", name="a", created="2026-01-01", status="finished", columns={}, methods=["m"], settings={}
        )
        store.put("campaigns", [campaign])
        store.put("candidates", [record("a:1", campaign="a", is_best=True, formula="K2ReH9")])
    before = contents(database)
    code, out, lines = ended(monkeypatch, capsys, *arguments)
    assert code == 2
    assert out == ""
    [line] = lines
    assert line.startswith("ninefold: error: ")
    assert contents(database) == before


@pytest.mark.parametrize("name", ['{"$ne": null}', "$where", "a.b$c", "../x", "a\nb"])
def test_a_campaign_by_an_operators_name_is_refused_before_anything_is_written(
    backend, database, monkeypatch, capsys, tmp_path, name
):
    before = contents(database)
    content = {"name": name, "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}], "store": None}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({key: value for key, value in content.items() if value}))
    code, _, lines = ended(monkeypatch, capsys, "run", str(tmp_path / "c.yaml"), "--store", backend.address)
    assert code == 2
    assert "name" in lines[-1]
    assert contents(database) == before


# the password


def secret_of(address):
    password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    if not password:
        pytest.skip("the server asks for no login")
    return password


def all_texts(error, caplog):
    """The error, what it was raised from, and every record of every logger at its most talkative."""
    chain = "".join(traceback.format_exception(error))
    return chain + repr(error) + "".join(map(logging.Formatter().format, caplog.records))


def test_no_log_record_at_any_level_holds_the_password(backend, caplog):
    secret = secret_of(backend.address)
    caplog.set_level(logging.DEBUG)
    with backend.open() as store, store.lease("executor", "a test"):
        store.put("candidates", [record("a")])
        store.blobs.put(b"content")
    assert [one for one in caplog.records if one.name.startswith("pymongo")]
    assert secret not in all_texts(ValueError(), caplog)


WRONG = {
    "password": lambda address, secret: address.replace(secret, "geheim"),
    "host": lambda address, secret: address.replace("@", "@127.0.0.1:9,").replace(
        "?", "?serverSelectionTimeoutMS=300&"
    ),
    "port": lambda address, secret: "mongodb://ada:geheim@127.0.0.1:9/db?serverSelectionTimeoutMS=300",
    "TLS": lambda address, secret: f"{address}&tls=true&serverSelectionTimeoutMS=500",
    "mechanism": lambda address, secret: f"{address}&authMechanism=MONGODB-X509",
    "source": lambda address, secret: address.replace("authSource=admin", "authSource=nowhere"),
    "option": lambda address, secret: f"{address}&no=such&tls=perhaps",
    "database": lambda address, secret: address.replace("ninefold_test", "a$b"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("mode", ["read", "write"])
def test_no_error_traceback_or_log_holds_a_password(backend, caplog, what, mode):
    secret = secret_of(backend.address)
    caplog.set_level(logging.DEBUG)
    address, error = WRONG[what](backend.address, secret), ValueError("none")
    try:
        open_store(address, mode).close()
    except NinefoldError as caught:
        error = caught
    # some of these may work on some servers
    assert isinstance(error, InputError) or what in ("host", "source", "option", "mechanism")
    told = all_texts(error, caplog)
    assert "\n" not in str(error)
    assert secret not in told
    assert "geheim" not in told
