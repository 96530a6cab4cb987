"""Finding and opening the store, the same way for every command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ninefold.errors import InputError
from ninefold.store.repository import Repository
from ninefold.store.sqlite import SQLiteRepository

ENVIRONMENT = "NINEFOLD_STORE"
DEFAULT = "ninefold.db"


def resolve_store(option: str | None = None, campaign_store: str | None = None) -> Path:
    """Where the store is: the option, else NINEFOLD_STORE, else the campaign's, else ./ninefold.db.

    Raises:
        InputError: if it names a server: this release stores in SQLite files.
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
    path = Path(value).expanduser()
    if path.is_dir():
        raise InputError(
            field, value, problem="is a folder", allowed="the path of an SQLite file", hint=f"try {path / DEFAULT}"
        )
    return path


def open_repository(location: str | Path, mode: Literal["read", "write"] = "read") -> Repository:
    """Open a store.

    Args:
        location: What `resolve_store` gave.
        mode: `read` never makes a file; `write` makes one where there is none.

    Raises:
        InputError: see `SQLiteRepository`.
    """
    return SQLiteRepository(Path(location), mode)
