from pathlib import Path

import pytest

from ninefold.errors import InputError
from ninefold.store import open_repository, resolve_store
from ninefold.store.repository import Repository

ORDER = [
    # --store, NINEFOLD_STORE, the campaign's store -> the store
    ("option.db", "environment.db", "campaign.db", "option.db"),
    ("option.db", None, None, "option.db"),
    (None, "environment.db", "campaign.db", "environment.db"),
    (None, None, "campaign.db", "campaign.db"),
    (None, None, None, "ninefold.db"),
    ("", "", "", "ninefold.db"),
    ("~/a.db", None, None, str(Path.home() / "a.db")),
]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)


@pytest.mark.parametrize(("option", "environment", "campaign", "expected"), ORDER)
def test_first_that_is_given(monkeypatch, option, environment, campaign, expected):
    if environment is not None:
        monkeypatch.setenv("NINEFOLD_STORE", environment)
    assert resolve_store(option, campaign) == Path(expected)


@pytest.mark.parametrize("address", ["mongodb://host/db", "postgresql://host", "mongodb+srv://host"])
def test_address_of_a_server(monkeypatch, address):
    with pytest.raises(InputError, match=r"^--store: .*server's address; allowed: the path"):
        resolve_store(address)
    monkeypatch.setenv("NINEFOLD_STORE", address)
    with pytest.raises(InputError, match=r"^NINEFOLD_STORE: "):
        resolve_store()


def test_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"store: 'folder' is a folder.*try folder/ninefold.db"):
        resolve_store(None, "folder")


def test_open(tmp_path):
    with open_repository("a.db", "write") as repository:
        assert repository.location.endswith("a.db")
        assert all(
            callable(getattr(repository, name)) for name in ("put", "get", "get_many", "find", "count", "delete")
        )
    assert {name for name in vars(Repository) if not name.startswith("_")} <= set(dir(repository))
    with pytest.raises(InputError, match="does not exist"):
        open_repository("b.db")
