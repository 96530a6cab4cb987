"""Facts that a server did not take before the retries ended: files of the user's, written when it answers again.

A relaxation costs minutes and a DFT calculation hours, so that its record outlives the server that it was meant for.
Facts alone are kept: their id is the hash of their content, and to insert one late, or twice, does no harm. Rows and
counts are made from facts anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ninefold.atomic_files import write_atomically
from ninefold.store.arguments import RecordLike


class Kept(NamedTuple):
    """A record that was kept, as it was to be stored."""

    id: str
    text: str

    def model_dump_json(self) -> str:
        """The document as JSON."""
        return self.text


def folder_of(place: str) -> Path:
    """Where what is meant for a store is kept on this machine.

    Args:
        place: Of the store: see `ninefold.store.locate.store_place`.
    """
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "ninefold" / "undelivered" / hashlib.sha256(place.encode()).hexdigest()[:16]


def keep(place: str, collection: str, texts: Sequence[str]) -> Path | None:
    """Write documents, one a line, to a file of their own.

    Returns:
        The file; None where it cannot be written.
    """
    file = folder_of(place) / f"{collection}-{uuid.uuid4().hex}.jsonl"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, "".join(f"{text}\n" for text in texts).encode())
    except OSError:
        return None
    return file


def deliver(place: str, insert: Callable[[str, Sequence[RecordLike]], int]) -> int:
    """Insert what is kept for a store, and forget it; two processes may do so at once.

    Args:
        place: Of the store: see `ninefold.store.locate.store_place`.
        insert: `Store.insert`; what it raises leaves the file as it is.

    Returns:
        How many documents were new.
    """
    number = 0
    for file in sorted(folder_of(place).glob("*.jsonl")):
        with suppress(FileNotFoundError):  # another process has delivered it
            lines = file.read_text(encoding="utf-8").splitlines()
            number += insert(file.name.rpartition("-")[0], [Kept(json.loads(line)["id"], line) for line in lines])
            file.unlink(missing_ok=True)
    return number
