"""The bytes and the text of a file: compression, byte order marks, encodings."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ninefold.structures.reading.model import UnreadableError

LARGEST = 2_000_000_000
"""Bytes of a file after decompression: a long trajectory, and no more than a machine can hold."""
_OPENERS: dict[bytes, tuple[str, Callable[..., object]]] = {
    b"\x1f\x8b": (".gz", gzip.open), b"BZh": (".bz2", bz2.open), b"\xfd7zXZ\x00": (".xz", lzma.open),
}  # fmt: skip
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}  # fmt: skip


class Content(NamedTuple):
    """What stands in a file."""

    name: str
    """Of the file, without an ending for compression."""
    data: bytes
    """Not compressed."""
    is_compressed: bool


def content_of(path: Path) -> Content:
    """A file's bytes, decompressed where its first bytes say that it is compressed, whatever its name.

    Raises:
        UnreadableError: if it is damaged or too large.
    """
    with path.open("rb") as file:
        head = file.read(8)
    name = path.name
    for magic, (ending, opener) in _OPENERS.items():
        if head.startswith(magic):
            try:
                with opener(path, "rb") as stream:  # type: ignore[attr-defined]
                    data = stream.read(LARGEST + 1)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise UnreadableError(f"is compressed and damaged: {error}") from error
            _check_size(len(data))
            return Content(name[: -len(ending)] if name.lower().endswith(ending) else name, data, True)
    _check_size(path.stat().st_size)
    return Content(name, path.read_bytes(), False)


def has_mark(data: bytes) -> bool:
    """Whether a text begins with a byte order mark."""
    return data.startswith(tuple(_MARKS))


def text_of(data: bytes) -> str:
    """A text by its byte order mark, else as UTF-8, else as Latin-1, in which every byte is a letter."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:4096]:
        raise UnreadableError("is no text")
    for name in (encoding, "utf-8") if encoding else ("utf-8", "latin-1"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    raise UnreadableError("is no text in the encoding that its byte order mark says")


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise UnreadableError(f"holds more than {LARGEST / 1e9:.0f} GB")
