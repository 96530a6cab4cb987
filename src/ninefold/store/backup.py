"""A backup: one file with every document and blob of a store, that any backend can be filled from.

A gzipped tar archive, so that it can be written and read as a stream: `ninefold.json` says what it is,
`documents/COLLECTION/000000.jsonl` hold documents as JSON lines by ascending id, `blobs/SHA256` the blobs,
`manifest.json`, the last, counts and hashes of all. Nothing is ever unpacked to a path: a member whose name is none of
these is refused.

Hashes tell damage. They do not tell a forger, who can make new ones.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ninefold.atomic_files import ProtectedFileError, writing_atomically
from ninefold.errors import InputError, description
from ninefold.models.lines import decode_lines
from ninefold.store import schema
from ninefold.store.filling import ORDER, Content, Documents, Part, Tally, Tell, canonical, difference

FORMAT = "ninefold backup"
FORMAT_VERSION = 1
CHECK, RESTORE = "check", "restore"
HEAD, MANIFEST = "ninefold.json", "manifest.json"
_MEMBER = re.compile(r"documents/(?P<collection>[a-z]+)/(?P<number>\d{6,})\.jsonl|blobs/(?P<sha256>[0-9a-f]{64})")
MOST_BYTES = 2**31
"""Of one member: what claims to be larger is not read into memory."""


class Backup(NamedTuple):
    """What a backup says of itself."""

    head: dict[str, Any]
    """format, format_version, schema_version, source, created, ninefold."""
    summary: dict[str, Any]
    """See `Tally.summary`."""
    digest: str
    """Of the manifest: tells one backup from another."""

    @property
    def title(self) -> str:
        """For people, and the same for the same backup."""
        return f"the backup of {self.head['source']} made {self.head['created']} ({self.digest[:12]})"


def write_backup(path: Path, parts: Iterable[Part], head: dict[str, Any]) -> Tally:
    """Write a backup; whole or not at all.

    Args:
        path: The file.
        parts: Everything that a store holds, in the order of `filling.parts_of`.
        head: `source`, where they are from, and what else is to be told.

    Raises:
        InputError: if it cannot be written; nothing is left of it then.
    """
    tally, numbers = Tally(), dict.fromkeys(ORDER, 0)
    known = {"format": FORMAT, "format_version": FORMAT_VERSION, "schema_version": schema.SCHEMA_VERSION}
    try:
        with (
            writing_atomically(path) as file,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            _add(archive, HEAD, canonical({**known, **head}))
            for part in parts:
                if isinstance(part, Documents):
                    lines = b"".join(_line(document) for document in part.documents)
                    _add(archive, f"documents/{part.collection}/{numbers[part.collection]:06d}.jsonl", lines)
                    numbers[part.collection] += 1
                    tally.add(part)
                else:
                    content = part.read()
                    _add(archive, f"blobs/{part.sha256}", content)
                    tally.add(part, len(content))
            _add(archive, MANIFEST, canonical(tally.summary()))
    except ProtectedFileError as error:
        raise InputError("FILE", str(path), problem="is a database, and is never overwritten") from error
    except OSError as error:
        raise InputError(
            "FILE", str(path), problem=f"cannot be written: {error.strerror or description(error)}",
            hint="free some space, or name another place",
        ) from error  # fmt: skip
    return tally


def check_backup(path: Path, tell: Tell) -> Backup:
    """Read all of a backup, before anything is made of it.

    Raises:
        InputError: if it is none, is cut off or damaged, or of another version.
    """
    tally = Tally()
    for part in _read(path, tell, CHECK):
        if isinstance(part, dict):
            head, manifest = part["head"], part["manifest"]
            try:
                other = difference(manifest, tally.summary())
            except (KeyError, TypeError) as error:
                raise _damaged(path, "its manifest lacks something") from error
            if other is not None:
                raise _damaged(path, f"it has {other}")
            return Backup(head, manifest, hashlib.sha256(canonical({**head, **manifest})).hexdigest())
        tally.add(part, len(part.read()) if isinstance(part, Content) else 0)
    raise _damaged(path, "it has no end")


def parts_of_backup(path: Path, tell: Tell) -> Iterator[Part]:
    """Everything that a backup holds; raises as `check_backup`."""
    for part in _read(path, tell, RESTORE):
        if not isinstance(part, dict):
            yield part


def _read(path: Path, tell: Tell, stage: str) -> Iterator[Part | dict[str, Any]]:
    """The parts, and at the end a dictionary of `head` and `manifest`."""
    from pydantic import ValidationError

    from ninefold.models.collections import MODELS

    head: dict[str, Any] | None = None
    manifest: dict[str, Any] | None = None
    done = 0
    last = ("", "")
    with _opened(path) as (file, archive):
        for member in archive:
            if manifest is not None:
                raise _damaged(path, "something stands after its end")
            if not member.isreg() or member.size > MOST_BYTES:
                raise _damaged(path, f"{member.name[:80]!r} is no part of a backup")
            stream = archive.extractfile(member)
            content = b"" if stream is None else stream.read()
            if len(content) != member.size:
                raise _damaged(path, "it is cut off")
            if head is None:
                head = _checked_head(path, member.name, content)
                continue
            if member.name == MANIFEST:
                manifest = _object(path, content)
                continue
            found = _MEMBER.fullmatch(member.name)
            if found is None or (found["collection"] or ORDER[0]) not in ORDER:
                raise _damaged(path, f"{member.name[:80]!r} is no part of a backup")
            if (sha256 := found["sha256"]) is not None:
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise _damaged(path, f"the blob {sha256} is not what its name says")
                yield Content(sha256, lambda content=content: content)  # type: ignore[misc]
            else:
                documents = _documents(path, content)
                for document in documents:
                    key = (found["collection"], str(document.get("id")))
                    if last[0] == key[0] and last[1] >= key[1]:
                        raise _damaged(path, f"two documents of {key[0]} are not in order")
                    last = key
                    if stage != CHECK:
                        continue
                    try:
                        MODELS[key[0]].model_validate(document)
                    except ValidationError as error:
                        raise _damaged(path, f"a document of {key[0]} is none: {key[1][:80]!r}") from error
                yield Documents(found["collection"], documents)
            done += 1
            tell(f"{stage} backup", done, None, "parts")
        while file.read(2**20):  # what is left is the padding; its end has the checksum
            pass
    if head is None or manifest is None:
        raise _damaged(path, "it is cut off")
    yield {"head": head, "manifest": manifest}


@contextmanager
def _opened(path: Path) -> Iterator[tuple[gzip.GzipFile, tarfile.TarFile]]:
    try:
        with gzip.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            yield file, archive
    except FileNotFoundError as error:
        raise InputError("FILE", str(path), problem="does not exist") from error
    except (gzip.BadGzipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise _damaged(path, f"it is cut off or no backup ({description(error)})") from error
    except OSError as error:
        raise InputError(
            "FILE", str(path), problem=f"cannot be read: {error.strerror or description(error)}"
        ) from error


def _checked_head(path: Path, name: str, content: bytes) -> dict[str, Any]:
    if name != HEAD:
        raise _damaged(path, "it does not begin as a backup does")
    head = _object(path, content)
    if head.get("format") != FORMAT or not isinstance(head.get("schema_version"), int):
        raise _damaged(path, "it does not begin as a backup does")
    if head.get("format_version") != FORMAT_VERSION or head["schema_version"] > schema.SCHEMA_VERSION:
        raise InputError(
            "FILE", str(path), problem=f"is of a newer ninefold (schema version {head['schema_version']})",
            allowed=f"schema version {schema.SCHEMA_VERSION}", hint="pip install --upgrade ninefold",
        )  # fmt: skip
    if head["schema_version"] < schema.SCHEMA_VERSION:
        raise InputError(
            "FILE", str(path), problem=f"is of schema version {head['schema_version']}",
            allowed=f"schema version {schema.SCHEMA_VERSION}",
            hint="restore it with the ninefold that wrote it, into an SQLite file; then 'ninefold db migrate'",
        )  # fmt: skip
    return {**head, "source": str(head.get("source", "")), "created": str(head.get("created", ""))}


def _documents(path: Path, content: bytes) -> list[dict[str, Any]]:
    try:
        documents = decode_lines(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "a document cannot be read") from error
    if not all(isinstance(document, dict) for document in documents):
        raise _damaged(path, "a document cannot be read")
    return documents


def _object(path: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "what it says of itself cannot be read") from error
    if not isinstance(value, dict):
        raise _damaged(path, "what it says of itself cannot be read")
    return value


def _line(document: dict[str, Any]) -> bytes:
    """A document with its keys in the order in which the store has them."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(
        "FILE", str(path), problem=f"is damaged, or no backup of ninefold's: {problem}",
        hint="take another copy of it; nothing is restored from this one",
    )  # fmt: skip
