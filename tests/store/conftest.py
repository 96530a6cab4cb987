import contract
import pytest

from ninefold.store.sqlite import SQLiteStore


@pytest.fixture(scope="session")
def record():
    return contract.record


@pytest.fixture
def store(tmp_path):
    """An SQLite store."""
    with SQLiteStore(tmp_path / "ninefold.db", "write") as store:
        yield store


@pytest.fixture(params=list(contract.BACKENDS))
def backend(request, tmp_path):
    """An empty place for a store, of every kind."""
    found = contract.BACKENDS[request.param](tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="module", params=list(contract.BACKENDS))
def lasting_backend(request, tmp_path_factory):
    """As `backend`, one for all tests of a module: for random ones, which keep apart by themselves."""
    found = contract.BACKENDS[request.param](tmp_path_factory.mktemp("store"))
    yield found
    found.close()
