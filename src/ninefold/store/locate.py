"""Finding and opening the store, the same way for every command: by path, or by URI.

The scheme of a URI chooses the backend. A backend is a module with `check_address(address, field) -> str`, which
refuses what cannot be a store of its kind before any work is done, `open_address(address, mode) -> Store`, and
`state_of(address) -> StoreState`, which changes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ninefold.errors import InputError, NinefoldError
from ninefold.store.state import StoreState
from ninefold.store.store import Mode, Store, StoreError

ENVIRONMENT = "NINEFOLD_STORE"
LOGIN_ENVIRONMENT = "NINEFOLD_STORE_LOGIN"
"""The address with its login, for the processes that a run starts."""
DEFAULT = "ninefold.db"

BACKENDS = {
    "sqlite": "ninefold.store.sqlite",
    "mongodb": "ninefold.store.mongo",
    "mongodb+srv": "ninefold.store.mongo",
}
"""Scheme -> module of the backend, imported when a store of it is opened. A path is SQLite's."""
_ALLOWED = "the path of an SQLite file, or sqlite:///relative.db, sqlite:////absolute.db, mongodb://USER:PASSWORD@HOST/DATABASE"
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]+):(?P<rest>/.*)|(?P<known>sqlite|mongodb(\+srv)?):(?P<bare>.*)",
    re.DOTALL | re.IGNORECASE,
)
"""Without both slashes too: a misspelt address must not become a file's name, nor be printed with its password."""

_LOGIN = re.compile(r"[^/@:]+:[^/]*@(?=[^/])")
"""`user:password@` at the beginning, of an address whose scheme was forgotten."""

_opened: set[str] = set()
_instead: dict[str, Callable[[Mode], Store]] = {}
"""Address -> what opens another store in its place."""


def resolve_store(option: str | None = None, campaign_store: str | None = None) -> str:
    """Where the store is: the option, else NINEFOLD_STORE, else the campaign's, else ./ninefold.db.

    Returns:
        What `open_store` takes: the path of an SQLite file, or the URI of a server, unchanged. Show it to nobody but
        by `masked`.

    Raises:
        InputError: if no backend of this version knows it; or it is a folder, a device or a pipe.
    """
    field, value = next(
        (field, value)
        for field, value in (
            ("--store", option),
            (ENVIRONMENT, os.environ.get(ENVIRONMENT)),
            ("store", campaign_store),
            ("store", DEFAULT),
        )
        if value
    )  # fmt: skip
    return checked_address(value, field)


def checked_address(value: str, field: str) -> str:
    """An address that a user gave by a name of its own; see `resolve_store`."""
    backend, address = _backend_of(value, field)
    checked: str = backend.check_address(address, field)
    return checked


def open_store(uri: str | Path, mode: Mode = "read") -> Store:
    """Open a store.

    Args:
        uri: `sqlite:///relative.db`, `sqlite:////absolute.db`, or a path of an SQLite file, with or without `~`;
            `mongodb://user:password@host/database`, or without login, which is then looked for: see docs/mongodb.md.
        mode: `read` never makes a store; `write` makes one where there is none.

    Raises:
        InputError: if no backend knows the address, there is no store (read), or it cannot be made or written.
        StoreError: if the store is damaged, or another process holds it.
    """
    if (opener := _instead.get(str(uri))) is not None:
        return opener(mode)
    backend, address = _backend_of(str(uri), "store")
    checked = backend.check_address(address, "store")
    store: Store = backend.open_address(checked, mode)
    _opened.add(str(uri))
    return store


@contextmanager
def opened_instead(uri: str, opener: Callable[[Mode], Store]) -> Iterator[None]:
    """Open another store where a job asks for one, for nodes that do not reach it.

    Args:
        uri: As the job has it.
        opener: Gives the other one.
    """
    _instead[uri] = opener
    try:
        yield
    finally:
        del _instead[uri]


def store_state(uri: str | Path) -> StoreState:
    """What stands at an address; nothing is made, changed or brought up to date."""
    backend, address = _backend_of(str(uri), "store")
    state: StoreState = backend.state_of(backend.check_address(address, "store"))
    return state


def is_same_store(first: str, second: str) -> bool:
    """Whether two addresses name one store: by the file that they lead to, or by hosts and database."""
    files = [store_file(uri) for uri in (first, second)]
    here, there = files
    if here is not None and there is not None and here.exists() and there.exists():
        return here.samefile(there)  # a link with another name, too
    return store_place(first) == store_place(second)


def store_place(uri: str | Path) -> str:
    """What is the same in every address of one store, however it is written: its file, or hosts and database."""
    from ninefold.store.mongo_address import parse

    if (file := store_file(uri)) is not None:
        return str(file.resolve())
    parts = parse(str(uri))
    return masked(uri) if parts is None else f"{parts.place[0]}://{','.join(parts.place[1:-1])}/{parts.place[-1]}"


def public_address(uri: str | Path) -> str:
    """An address as it may be stored with jobs: without user and password, which `open_store` finds where they run."""
    scheme, _ = _split(str(uri))
    if scheme not in ("mongodb", "mongodb+srv"):
        return str(uri)
    from ninefold.store.mongo_address import parse

    parts = parse(str(uri))
    return masked(uri) if parts is None else parts.public()


def offer_login(uri: str | Path) -> None:
    """Let this process and those that it starts open a store by its public address."""
    if public_address(uri) != str(uri):
        os.environ[LOGIN_ENVIRONMENT] = str(uri)


def store_file(uri: str | Path) -> Path | None:
    """The file that a store is, or None for a server: what no output may be written over."""
    backend, address = _backend_of(str(uri), "store")
    return Path(address).expanduser() if backend.__name__ == BACKENDS["sqlite"] else None


def masked(uri: str | Path) -> str:
    """An address as it may be shown: without user name, password and options, which may hold another one.

    >>> masked("mongodb://ada:secret@db.example.org/screen?tls=true")
    'mongodb://***@db.example.org/screen?***'
    >>> masked("mongodb://db.example.org")
    'mongodb://db.example.org/ninefold'
    """
    text = str(uri)
    scheme, rest = _split(text)
    if text.startswith("sqlite:///") or (scheme is None and not _LOGIN.match(text)):
        return text
    if scheme in ("mongodb", "mongodb+srv"):
        from ninefold.store.mongo_address import parse

        if (parts := parse(text)) is not None:
            return parts.shown()
    # to the last @: a password may hold one that nobody has escaped
    without_user = re.sub(r"^(/*).*@", r"\1***@", rest, flags=re.DOTALL)
    shown = re.sub(r"[?#].*", "?***", without_user, flags=re.DOTALL)
    return shown if scheme is None else f"{scheme}:{shown}"


def find_damage() -> StoreError | None:
    """What is wrong with the documents of the stores that this process has opened, or None.

    Whoever reads a document trusts its shape, which would cost seconds to check for a large store. Where an error
    comes up that nobody foresaw, this tells a damaged store from a fault of ninefold.
    """
    from ninefold.models.collections import MODELS
    from ninefold.store.records import find_damage as find_damage_in

    for uri in sorted(_opened):
        try:
            with open_store(uri) as store:
                if (damage := find_damage_in(store, MODELS)) is not None:
                    return damage
        except StoreError as error:
            return error
        except NinefoldError:
            continue  # deleted since, or replaced by a file that is no store
    return None


def _backend_of(value: str, field: str) -> tuple[Any, str]:
    """The module that knows an address, and the address as that module takes it."""
    scheme, rest = _split(value)
    if scheme is None:
        if _LOGIN.match(value):
            problem = "holds a login and begins with no scheme"
            raise InputError(field, masked(value), problem=problem, allowed=_ALLOWED)
        return import_module(BACKENDS["sqlite"]), value
    if scheme not in BACKENDS:
        problem = f"begins with {scheme}:, which is no kind of store or server that this version knows"
        raise InputError(field, masked(value), problem=problem, allowed=_ALLOWED)
    return import_module(BACKENDS[scheme]), _path_of(value, rest, field) if scheme == "sqlite" else value


def _split(value: str) -> tuple[str | None, str]:
    """Scheme and the rest behind its colon; no scheme for a path."""
    found = _ADDRESS.fullmatch(value)
    if found is None:
        return None, value
    return (found["scheme"] or found["known"]).lower(), found["rest"] or found["bare"]


def _path_of(value: str, rest: str, field: str) -> str:
    """The path in `sqlite:///path`: the file's name as it is, nothing escaped."""
    path = rest.removeprefix("///")
    if path == rest or not path:
        raise InputError(field, masked(value), problem="names no file after sqlite:///", allowed=_ALLOWED)
    if path == ":memory:" or "?" in path:
        raise InputError(
            field, value, problem="has options, or names no file", allowed=_ALLOWED,
            hint="a file whose name holds a question mark is given by its path",
        )  # fmt: skip
    return path
