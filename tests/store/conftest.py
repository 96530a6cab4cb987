import json
from typing import Any, NamedTuple

import pytest

from ninefold.store.sqlite import SQLiteRepository


class Record(NamedTuple):
    """The least that a store takes; lets a test leave fields out or unknown."""

    id: str
    content: dict[str, Any]

    def model_dump_json(self) -> str:
        return json.dumps({"id": self.id, **self.content})


@pytest.fixture(scope="session")
def record():
    return lambda id, **content: Record(id, content)


@pytest.fixture
def store(tmp_path):
    with SQLiteRepository(tmp_path / "ninefold.db", "write") as repository:
        yield repository
