"""Finding and opening the store, the same way for every command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ninefold.errors import InputError, NinefoldError
from ninefold.paths import user_path
from ninefold.store.repository import Repository, StoreError
from ninefold.store.sqlite import SQLiteRepository

ENVIRONMENT = "NINEFOLD_STORE"
DEFAULT = "ninefold.db"

_opened: set[Path] = set()


def resolve_store(option: str | None = None, campaign_store: str | None = None) -> Path:
    """Where the store is: the option, else NINEFOLD_STORE, else the campaign's, else ./ninefold.db.

    Raises:
        InputError: if it names a server: this release stores in SQLite files; or a folder, a device or a pipe.
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
    if "://" in value:
        raise InputError(field, value, problem="is a server's address", allowed="the path of an SQLite file")
    path = user_path(value, field)
    user_path(path.with_name(f"{path.name}-journal") if path.name else path, field)  # the longest name beside a store
    if path.is_dir():
        raise InputError(
            field, value, problem="is a folder", allowed="the path of an SQLite file", hint=f"try {path / DEFAULT}"
        )
    if path.exists() and not path.is_file():
        raise InputError(field, value, problem="is no plain file", allowed="the path of an SQLite file")
    return path


def open_repository(location: str | Path, mode: Literal["read", "write"] = "read") -> Repository:
    """Open a store.

    Args:
        location: What `resolve_store` gave.
        mode: `read` never makes a file; `write` makes one where there is none.

    Raises:
        InputError: see `SQLiteRepository`.
    """
    repository = SQLiteRepository(Path(location), mode)
    _opened.add(Path(location))
    return repository


def find_damage() -> StoreError | None:
    """What is wrong with the documents of the stores that this process has opened, or None.

    Whoever reads a document trusts its shape, which would cost seconds to check for a large store. Where an error
    comes up that nobody foresaw, this tells a damaged store from a fault of ninefold.
    """
    for path in sorted(_opened):
        try:
            with SQLiteRepository(path) as repository:
                if (damage := repository.damage()) is not None:
                    return damage
        except StoreError as error:
            return error
        except NinefoldError:
            continue  # gone, or not ours any more
    return None
