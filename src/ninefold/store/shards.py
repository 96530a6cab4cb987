"""Records between jobs: lists of plain JSON values, one a line, in a blob."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ninefold.store.blobs import BlobError, Blobs, FolderBlobs


def write_records(blobs: Blobs, records: Iterable[dict[str, Any]]) -> str:
    """Write records; the same records in the same order have one name, whatever the order of their keys.

    Args:
        blobs: Where to.
        records: Plain JSON values; NaN and infinity are none.

    Returns:
        SHA-256 of the blob.

    Raises:
        InputError: see `Blobs.put`.
    """
    return blobs.put(_lines(records))


def read_records(blobs: Blobs, sha256: str) -> list[dict[str, Any]]:
    """The records of a blob.

    Raises:
        BlobError: if it is missing, is not what its name says, or holds no records.
    """
    content = blobs.get(sha256)
    try:
        return [json.loads(line) for line in content.splitlines()]
    except (ValueError, RecursionError) as error:  # another kind of blob
        raise BlobError(sha256, "holds no records: its lines are not JSON") from error


def _lines(records: Iterable[dict[str, Any]]) -> bytes:
    lines = (json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False) for record in records)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


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
        return FolderBlobs(self.folder).file(self.sha256)

    def to_dict(self) -> dict[str, Any]:
        """What a job carries; the folder follows from the store."""
        return {"sha256": self.sha256, "count": self.count}

    @classmethod
    def from_dict(cls, value: dict[str, Any], folder: Path) -> Shard:
        """The inverse of `to_dict`."""
        return cls(folder, value["sha256"], value["count"])


def shard_folder(store: str | Path) -> Path:
    """Where a store's blobs are: beside it."""
    path = Path(store)
    return path.with_name(f"{path.name}.files")


def write_shard(folder: Path, records: Iterable[dict[str, Any]]) -> Shard:
    """Write records into a folder; see `write_records`."""
    content = _lines(records)
    return Shard(folder, FolderBlobs(folder).put(content), content.count(b"\n"))


def read_shard(shard: Shard) -> list[dict[str, Any]]:
    """The records of a shard.

    Raises:
        BlobError: see `read_records`; and if there are more or fewer than the shard says.
    """
    records = read_records(FolderBlobs(shard.folder), shard.sha256)
    if len(records) != shard.count:
        raise BlobError(str(shard.path), f"has {len(records)} records where {shard.count} are expected")
    return records


def is_whole(shard: Shard) -> bool:
    """Whether a shard can be read: what cannot is to be computed again."""
    try:
        read_shard(shard)
    except BlobError:
        return False
    return True
