"""What a task of a campaign works with, in the process that it runs in: campaign, store, engines."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, description
from ninefold.store import StoreError, open_store

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.engines.settings import EngineSettings
    from ninefold.flows.cached_engine import CachedEngine
    from ninefold.models.method import Method
    from ninefold.store import Store


_workplaces: dict[tuple[str, str, int], Workplace] = {}
"""By settings, store and process: a forked process must not use its parent's."""


class Failure(NamedTuple):
    """A task that the machine, not a structure, kept from being finished: nothing of it is stored."""

    reason: str


class Workplace:
    """Campaign, store and engines of one process; an engine's model is loaded when a task first asks for it."""

    def __init__(self, settings: dict[str, Any], store: str) -> None:
        self.campaign: Campaign = parse_campaign(settings)
        self.store: Store = open_store(store, mode="write")
        self._engines: dict[tuple[str, str], CachedEngine] = {}
        """By settings and, where it is a user's, the content of its code."""

    def engine(self, settings: EngineSettings) -> CachedEngine:
        """The engine of one of the campaign's methods."""
        from ninefold.engines import make_engine
        from ninefold.engines.registry import ENGINES
        from ninefold.flows.cached_engine import CachedEngine

        key = (settings.model_dump_json(), ENGINES.checksum([settings.name]))
        if key not in self._engines:
            self._engines[key] = CachedEngine(make_engine(settings), self.store, self.campaign.name)
        return self._engines[key]


def workplace_for(settings: dict[str, Any], store: str) -> Workplace:
    """The workplace of a campaign in this process, opened once until `close_workplaces`."""
    key = (json.dumps(settings, sort_keys=True), store, os.getpid())
    if key not in _workplaces:
        _workplaces[key] = Workplace(settings, store)
    return _workplaces[key]


def close_workplaces() -> None:
    """Let go of this process's stores and engines: what is opened next is what is there then."""
    own = [key for key in _workplaces if key[-1] == os.getpid()]
    for key in own:
        _workplaces.pop(key).store.close()


def method_of(settings: EngineSettings) -> Method:
    """The method of an engine, without computing anything; the engine is made once in a process for its code."""
    from ninefold.engines.registry import ENGINES

    return _method(type(settings), settings.model_dump_json(), ENGINES.checksum([settings.name]))


@functools.lru_cache(maxsize=16)
def _method(kind: type[EngineSettings], settings: str, code: str) -> Method:  # `code` is part of the key
    from ninefold.engines import make_engine
    from ninefold.models.method import Method

    return Method.of(make_engine(kind.model_validate_json(settings)))


def isolated(task: Callable[..., Any]) -> Callable[..., Any]:
    """What goes wrong with one task ends only that; what goes wrong with the store, files or memory ends the run.

    A composition that cannot be built or searched says so in its result. An exception is no such result, whatever its
    class: it says nothing about the composition.
    """

    @functools.wraps(task)
    def run(*arguments: Any) -> Any:
        try:
            return task(*arguments)
        except (InputError, StoreError, OSError, MemoryError):
            raise
        except Exception as error:  # whatever one composition brings up must not end the others
            return Failure(description(error))

    return run
