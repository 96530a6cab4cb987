"""Shards: lists of records in files named by their content.

A shard is written to a temporary file, flushed to the disk and renamed, so it is either there whole
or not there; its name is the hash of its content, so what is read is what was written.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ninefold.errors import InputError
from ninefold.files import write_atomically
from ninefold.store.repository import StoreError


class ShardError(StoreError):
    """A shard is missing or not what its name says.

    Args:
        path: The file.
        problem: What is wrong with it.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"shard: {str(path)!r} {problem}; restore it, or delete it: 'ninefold resume' makes it anew")

    def __reduce__(self) -> tuple[object, ...]:  # survives a worker process
        return (ShardError, (self.path, self.problem))


@dataclass(frozen=True)
class Shard:
    """Where records are."""

    folder: Path
    sha256: str
    """Of the uncompressed content."""
    count: int
    """Records."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / self.sha256[:2] / f"{self.sha256[2:]}.jsonl.gz"

    def to_dict(self) -> dict[str, Any]:
        """What a job carries; the folder follows from the store."""
        return {"sha256": self.sha256, "count": self.count}

    @classmethod
    def from_dict(cls, value: dict[str, Any], folder: Path) -> Shard:
        """The inverse of `to_dict`."""
        return cls(folder, value["sha256"], value["count"])


def shard_folder(store: str | Path) -> Path:
    """Where a store's shards are: beside it."""
    path = Path(store)
    return path.with_name(f"{path.name}.files")


def write_shard(folder: Path, records: Iterable[dict[str, Any]]) -> Shard:
    """Write records of plain JSON values; what stands damaged under their name is written anew.

    Raises:
        InputError: if the folder cannot be written or the disk is full; nothing is left behind.
    """
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False) for record in records]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8")
    shard = Shard(folder, hashlib.sha256(content).hexdigest(), len(lines))
    if is_whole(shard):
        return shard
    try:
        shard.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(shard.path, gzip.compress(content, compresslevel=6, mtime=0))
    except OSError as error:
        raise InputError(
            "store", str(folder), problem=f"cannot be written: {error.strerror}",
            hint="free or name another place, then 'ninefold resume'",
        ) from error  # fmt: skip
    return shard


def read_shard(shard: Shard) -> list[dict[str, Any]]:
    """The records of a shard.

    Raises:
        ShardError: if the file is missing, or its content is not what its name says.
    """
    return [json.loads(line) for line in _content(shard).splitlines()]


def is_whole(shard: Shard) -> bool:
    """Whether a shard can be read: what cannot is to be computed again."""
    try:
        _content(shard)
    except ShardError:
        return False
    return True


def _content(shard: Shard) -> bytes:
    try:
        content = gzip.decompress(shard.path.read_bytes())
    except FileNotFoundError as error:
        raise ShardError(shard.path, "is missing") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ShardError(shard.path, f"is corrupted ({error})") from error
    if hashlib.sha256(content).hexdigest() != shard.sha256:
        raise ShardError(shard.path, "is corrupted: its content does not match its name")
    if (lines := content.count(b"\n")) != shard.count:
        raise ShardError(shard.path, f"has {lines} records where {shard.count} are expected")
    return content
