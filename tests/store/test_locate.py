import subprocess
import sys
from pathlib import Path

import pytest

from ninefold.cli.main import main
from ninefold.errors import InputError
from ninefold.store import masked, open_store, public_address, resolve_store, store_file
from ninefold.store.locate import is_same_store, store_place

ORDER = [
    # --store, NINEFOLD_STORE, the campaign's store -> the store
    ("option.db", "environment.db", "campaign.db", "option.db"),
    ("option.db", None, None, "option.db"),
    (None, "environment.db", "campaign.db", "environment.db"),
    (None, None, "campaign.db", "campaign.db"),
    (None, None, None, "ninefold.db"),
    ("", "", "", "ninefold.db"),
    ("~/a.db", None, None, str(Path.home() / "a.db")),
    ("sqlite:///a.db", "environment.db", None, "a.db"),
    (None, "SQLite:////tmp/a b%20.db", None, "/tmp/a b%20.db"),
    (None, None, "sqlite:///~/a.db", str(Path.home() / "a.db")),
    ("sqlite:///../a#b.db", None, None, "../a#b.db"),
]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)


@pytest.mark.parametrize(("option", "environment", "campaign", "expected"), ORDER)
def test_first_that_is_given(monkeypatch, option, environment, campaign, expected):
    if environment is not None:
        monkeypatch.setenv("NINEFOLD_STORE", environment)
    assert resolve_store(option, campaign) == expected


REFUSED = [
    # --store, what the error shows of it
    (
        "mongodb://ada:hush@/db",
        "'mongodb://***@/db' is no address of a MongoDB server; allowed: mongodb://USER:PASSWORD@",
    ),
    ("mongodb+srv://", "'mongodb+srv://' is no address of a MongoDB server"),
    (
        "MongoDB://ada:p@ss/w@host/db?tlsCertificateKeyFilePassword=hush",
        "'mongodb://***@host/db?***' is no address of a",
    ),
    ("mongodb:/ada:hush@host/db", "'mongodb:/***@host/db' is no address of a MongoDB server"),
    ("mongodb:ada:hush@host/db", "'mongodb:***@host/db' is no address of a MongoDB server"),
    ("mongodb://ada:hush@host:port/db", "'mongodb://***@host:port/db' is no address of a MongoDB server"),
    ("mongodb://ada:hush@host/db?nonsense=hush", "'mongodb://***@host/db?***' is no address of a MongoDB server"),
    ("mongodb://ada:hu%sh@host/db", "'mongodb://***@host/db' is no address of a MongoDB server"),
    ("mongodb://ada:hush@host/d.b", "names a database 'd.b' that MongoDB does not allow"),
    ("mongo://ada:hush@host/db", "'mongo://***@host/db' begins with mongo:, which is no kind of store"),
    (
        "postgresql://host",
        "postgresql:, which is no kind of store or server that this version knows; allowed: the path of an",
    ),
    ("file:///a.db", "begins with file:"),
    ("sqlite://a.db", "names no file after sqlite:///"),
    ("sqlite://ada:hush@host/a.db", "'sqlite://***@host/a.db' names no file after sqlite:///"),
    ("sqlite:///", "names no file after sqlite:///"),
    ("sqlite:a.db", "names no file after sqlite:///"),
    (
        "ada:hush@host:27017/db?x=hush",
        "'***@host:27017/db?***' holds a login and begins with no scheme; allowed: the path",
    ),
    ("ada:hush@host", "'***@host' holds a login and begins with no scheme"),
    ("mongodb://ada:hush@host/db?tls=true&tlsCAFile=/no/hush", "option tlsCAFile names a file that cannot be read"),
    ("mongodb://ada:hush@host/db?socketTimeoutMS=hush", "option socketTimeoutMS has a value that it does not take"),
    ("mongodb://ada:hush@host/db?tls=true&hush=1", "option 2 of the address is not known"),
    ("mongodb://ada:hush@host/db?hush", "option 1 of the address is not known"),
    ("sqlite:///:memory:", "names no file"),
    ("sqlite:///a.db?mode=ro", "has options"),
    ("sqlite:///folder", "is a folder"),
    ("a\0b", "null byte"),
    ("x" * 300, "too long"),
]


@pytest.mark.parametrize(("address", "words"), REFUSED)
def test_what_is_no_store_is_refused_without_its_password(monkeypatch, tmp_path, address, words):
    (tmp_path / "folder").mkdir()

    def check(prefix, error):
        text = str(error.value)
        assert text.startswith(prefix)
        assert words in text
        assert "\n" not in text
        assert "hush" not in text
        assert "p@ss" not in text

    with pytest.raises(InputError) as error:
        resolve_store(address)
    check("--store: ", error)
    with pytest.raises(InputError) as error:
        resolve_store(None, address)
    check("store: ", error)
    with pytest.raises(InputError) as error:
        open_store(address, "write")
    check("store: ", error)
    if "\0" not in address:  # no environment holds it
        monkeypatch.setenv("NINEFOLD_STORE", address)
        with pytest.raises(InputError) as error:
            resolve_store()
        check("NINEFOLD_STORE: ", error)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


SHOWN = [
    ("ninefold.db", "ninefold.db"),
    ("runs/a:b@c.db", "runs/a:b@c.db"),
    ("ada@lab.db", "ada@lab.db"),
    ("sqlite:////tmp/a@b?.db", "sqlite:////tmp/a@b?.db"),
    ("mongodb://host:27017/db", "mongodb://host:27017/db"),
    ("mongodb://ada:p@ss@one,two/db", "mongodb://***@one,two/db"),
    ("mongodb://host/db?password=x", "mongodb://host/db?***"),
    ("mongodb://ada:hush@host", "mongodb://***@host/ninefold"),
    ("mongodb://host/?tls=true", "mongodb://host/ninefold?***"),
]


@pytest.mark.parametrize(("address", "expected"), SHOWN)
def test_an_address_is_shown_without_secrets(address, expected):
    assert masked(address) == expected


PUBLIC = [
    ("ninefold.db", "ninefold.db"),
    ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
    ("mongodb://host:27017/db", "mongodb://host:27017/db"),
    ("mongodb://host", "mongodb://host/ninefold"),
    ("mongodb://ada:hush@one,two:3/db?tls=true", "mongodb://one,two:3/db?tls=true"),
    (
        "mongodb+srv://ada:hush@host/db?tlsCertificateKeyFilePassword=x&replicaSet=r&authMechanismProperties=TOKEN:y",
        "mongodb+srv://host/db?replicaSet=r",
    ),
]


@pytest.mark.parametrize(("address", "expected"), PUBLIC)
def test_an_address_that_is_stored_with_jobs_has_no_login(address, expected):
    assert public_address(address) == expected
    assert public_address(expected) == expected


SAME = [
    # two addresses, whether they name one store
    ("mongodb://localhost/db", "mongodb://127.0.0.1/db", True),
    ("mongodb://localhost:27017/db", "mongodb://[::1]/db", True),
    ("mongodb://ada:hush@LOCALHOST/db?tls=true", "mongodb://127.0.0.1:27017/db", True),
    ("mongodb://localhost", "mongodb://127.0.0.1/ninefold", True),
    ("mongodb://one,two:27018/db", "mongodb://two:27018,one:27017/db", True),
    ("mongodb://localhost/db", "mongodb://127.0.0.1:27018/db", False),
    ("mongodb://localhost/db", "mongodb://127.0.0.2/db", False),
    ("mongodb://localhost/db", "mongodb://localhost/other", False),
    ("mongodb://localhost/db", "localhost/db", False),
    ("folder/../a.db", "sqlite:///a.db", True),
    ("a.db", "b.db", False),
]


@pytest.mark.parametrize(("first", "second", "is_same"), SAME)
def test_one_store_has_one_place_however_its_address_is_written(first, second, is_same):
    assert is_same_store(first, second) == is_same_store(second, first) == is_same
    assert (store_place(first) == store_place(second)) == is_same
    assert "hush" not in store_place(first)


def test_a_hard_link_is_the_same_store(tmp_path):
    (tmp_path / "a.db").write_text("")
    (tmp_path / "b.db").hardlink_to(tmp_path / "a.db")
    assert is_same_store("a.db", "b.db")


def test_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"store: 'folder' is a folder.*try folder/ninefold.db"):
        resolve_store(None, "folder")


@pytest.mark.parametrize("address", ["a.db", "./a.db", "sqlite:///a.db", "~/a.db", "sqlite:///~/a.db"])
def test_open(tmp_path, monkeypatch, address):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match="does not exist"):
        open_store(address)
    with open_store(address, "write") as store:
        assert store.location.endswith("a.db")
        assert store.count("candidates") == 0
    assert (tmp_path / "a.db").is_file()
    assert store_file(address).resolve() == tmp_path / "a.db"
    with open_store(tmp_path / "a.db") as store:
        assert store.location == str(tmp_path / "a.db")


def test_no_backend_is_imported_before_a_store_is_opened():
    code = "import sys, ninefold.store; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"sqlite3", "pydantic", "lark", "pymongo"} & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    "address", ["mongodb://ada:hush@127.0.0.1:9/db?serverSelectionTimeoutMS=100", "sqlite:///no.db"]
)
@pytest.mark.parametrize("command", ["status", "query", "show K2ReH9", "resume", "export -o x.csv", "report"])
def test_every_command_takes_an_address(monkeypatch, capsys, command, address):
    monkeypatch.setattr(sys, "argv", ["ninefold", *command.split(), "--store", address])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert end.value.code == 2
    assert "hush" not in told.err + told.out
    assert ("cannot be reached: no answer within 0.1 s" if "mongodb" in address else "does not exist") in told.err
