"""Searches that ask for calculations instead of making them: one by itself, or many that share an engine's batches.

A search is a generator: it yields a request and is sent the results. What drives it decides what is computed together;
what it does with the results depends on its own requests alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from pymatgen.core import Structure

from ninefold.engines import Engine, RelaxSettings

Outcome = TypeVar("Outcome")


class Request(NamedTuple):
    """Structures to relax, or to evaluate as they stand."""

    structures: list[Structure]
    settings: RelaxSettings | None = None
    """None for an evaluation."""


Search = Generator[Request, list[Any], Outcome]
"""Yields requests; is sent the results of each, in the order of its structures; returns its outcome."""


def run_alone(search: Search[Outcome], engine: Engine) -> Outcome:
    """Run one search.

    Args:
        search: Not begun.
        engine: Computes each request by itself.
    """
    try:
        request = next(search)
        while True:
            request = search.send(_results(engine, request))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def run_together(
    searches: Iterable[Search[Outcome]], engine: Engine, width: int
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Run many searches whose requests share the engine's batches.

    Requests of one kind go to the engine as one batch, those with most structures first; the others wait and gather.

    Args:
        searches: Not begun; the next is taken when one ends, so that it may be made while others run.
        engine: Computes; what it raises ends all searches.
        width: Searches at a time.

    Yields:
        Place and outcome of each search as it ends, or what it raised: that ends no other.
    """
    source = enumerate(searches)
    waiting: list[_Waiting[Outcome]] = []
    finished: list[tuple[int, Outcome | Exception]] = []

    def advance(place: int, search: Search[Outcome], results: list[Any] | None) -> None:
        try:
            request = next(search) if results is None else search.send(results)
        except StopIteration as end:
            finished.append((place, end.value))
        except Exception as error:  # whatever one search brings up must not end the others
            finished.append((place, error))
        else:
            waiting.append(_Waiting(place, search, request))

    while True:
        yield from finished  # before another begins, which may have to wait for its pool
        finished.clear()
        begun = list(islice(source, width - len(waiting)))
        for place, search in begun:
            advance(place, search, None)
        if not waiting:
            if not begun:
                return
            continue
        groups: dict[RelaxSettings | None, _Group[Outcome]] = {}
        for item in waiting:
            groups.setdefault(item.request.settings, _Group()).add(item)
        chosen = max(groups.values(), key=lambda group: len(group.structures))
        results = iter(_results(engine, Request(chosen.structures, chosen.members[0].request.settings)))
        waiting = [item for item in waiting if item not in chosen.members]
        for item in chosen.members:
            advance(item.place, item.search, list(islice(results, len(item.request.structures))))


@dataclass(eq=False)
class _Waiting(Generic[Outcome]):
    """A search and what it waits for."""

    place: int
    search: Search[Outcome]
    request: Request


@dataclass
class _Group(Generic[Outcome]):
    """Requests that can be computed together."""

    members: list[_Waiting[Outcome]] = field(default_factory=list)
    structures: list[Structure] = field(default_factory=list)

    def add(self, item: _Waiting[Outcome]) -> None:
        self.members.append(item)
        self.structures += item.request.structures


def _results(engine: Engine, request: Request) -> list[Any]:
    if request.settings is None:
        return list(engine.evaluate(request.structures))
    return list(engine.relax(request.structures, request.settings))
