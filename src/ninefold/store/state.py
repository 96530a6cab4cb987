"""What stands at an address before it is opened as a store: nothing, a store of some version, or something else."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ninefold.errors import InputError


class StoreState(NamedTuple):
    """What stands at an address."""

    kind: Literal["absent", "whole", "unfinished", "foreign"]
    """absent: no file or database, or an empty one. unfinished: a copy or restore into it was interrupted. foreign: not
    of ninefold."""
    documents: dict[str, int]
    """Collection -> documents, those of an older version included; empty unless it is whole."""
    version: int | None = None
    """Of the schema."""
    is_current: bool = False
    """Whether schema, columns and indexes are those of this ninefold."""
    size: int | None = None
    """Bytes, where the backend can say."""
    source: str | None = None
    """What an unfinished one will hold."""
    missing_indexes: tuple[str, ...] = ()


def unfinished(location: str, source: str | None) -> InputError:
    """The error for a store that was to be filled and is not full."""
    return InputError(
        "store", location, problem=f"holds a part of {source or 'another store'}: a copy or restore was interrupted",
        hint="give that command again, which goes on where it stopped",
    )  # fmt: skip


def of_another_source(location: str, there: str, wanted: str) -> InputError:
    """The error for a store that holds a part of something else."""
    return InputError(
        "store", location, problem=f"holds a part of {there}, not of {wanted}",
        hint="finish that, or name one that is empty",
    )  # fmt: skip


def not_empty(location: str, documents: int) -> InputError:
    """The error for a store that holds something where an empty one is needed."""
    return InputError(
        "store", location, problem=f"is not empty: it holds {documents} documents or blobs",
        hint="name one that is empty, or that is not there",
    )  # fmt: skip
