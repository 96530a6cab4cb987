"""Pages of a store: every document once, in the order of the ids, few at a time."""

from __future__ import annotations

import pytest

from ninefold.store import open_repository
from ninefold.store.documents import ReferenceDocument
from ninefold.store.paging import pages


@pytest.fixture
def repository(tmp_path):
    with open_repository(tmp_path / "pages.db", mode="write") as store:
        store.put("references", [reference(name, "a") for name in NAMES] + [reference("other", "b")])
        yield store


NAMES = ["z", "K", "H2 molecule", 'quote"d', "back\\slash", "é", "[ReH9]2-", "m"]


def reference(name: str, campaign: str) -> ReferenceDocument:
    return ReferenceDocument(
        id=f"{campaign}:{name}", campaign=campaign, name=name, formula="K", chemical_system="K", elements=["K"],
        kind="element", energy_per_atom=-1.0, space_group_number=229, volume_per_atom=70.0, is_converged=True,
        engine="e", structure=None, source="s", mark="src",
    )  # fmt: skip


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8, 9, 100])
def test_every_document_comes_once_whatever_the_page(repository, page):
    rows = list(pages(repository, "references", {"campaign": "a"}, ["name"], page=page))
    assert sorted(row["name"] for row in rows) == sorted(NAMES)
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_no_more_than_a_page_is_read_at_once(repository, monkeypatch):
    read = []
    find = repository.find

    def counted(*arguments, **options):
        rows = find(*arguments, **options)
        read.append((len(rows), options["fields"]))
        return rows

    monkeypatch.setattr(repository, "find", counted)
    rows = pages(repository, "references", {"campaign": "a"}, ["name"], page=3)
    next(rows)
    assert read == [(3, ["id", "name"])]
    list(rows)
    assert [number for number, _ in read] == [3, 3, 2]
