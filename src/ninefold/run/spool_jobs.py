"""Jobs in a spool folder: what a node without a database gets, and what it gives back.

    jobs/KIND/NAME       waits; the first in the order of names goes first
    running/WORKER/NAME  has been taken by a worker, by renaming it
    workers/WORKER       changes as long as the worker lives
    done/NAME            has ended, or was given back
    cancelled/NAME       is to be stopped
    records/ blobs/      what jobs have stored: see `ninefold.store.spool`
    stored/JOB           ids of what a job has stored that has not ended yet: see `ninefold.run.spool_stored`

A name holds priority, job and launch. Every file is written whole or not at all, and belongs to one side at a time.
"""

from __future__ import annotations

import base64
import errno
import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError
from ninefold.flows.known import Known
from ninefold.models.collections import MODELS
from ninefold.models.lines import decode_lines
from ninefold.store.blobs import BlobError

if TYPE_CHECKING:
    from ninefold.store import Store

JOBS, RUNNING, WORKERS, DONE, CANCELLED = "jobs", "running", "workers", "done", "cancelled"
IN_FOLDER = "spool"
"""Host of a launch whose job lies in a spool folder: the folder's server, not a lease, tells whether it is lost."""
_HIGHEST = 10**9
FACTS = (
    "compositions", "references", "pools", "searches", "minima", "structures", "calculations", "properties",
    "vibrations", "trajectories", "dynamics",
)  # fmt: skip
_LONGEST_ID = 200
_JOB_NAME = re.compile(r"\d+-\d+-\d+")


class JobName(NamedTuple):
    """What a job's file is called by."""

    priority: int
    job: int
    launch: int

    def __str__(self) -> str:
        return f"{_HIGHEST - self.priority:010d}-{self.job}-{self.launch}"

    @classmethod
    def of(cls, name: str) -> JobName:
        """The inverse."""
        order, job, launch = name.split("-")
        return cls(_HIGHEST - int(order), int(job), int(launch))


def make_folder(folder: Path) -> None:
    """Make a spool folder, or complete it.

    Raises:
        InputError: if it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JOBS, RUNNING, WORKERS, DONE, CANCELLED):
            (folder / name).mkdir(exist_ok=True)
            if not os.access(folder / name, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(
            "spool", str(folder), problem=f"cannot be written to: {error.strerror}",
            hint="name a folder that login and compute nodes share, and that is yours",
        ) from error  # fmt: skip


def write(file: Path, content: dict[str, Any]) -> None:
    """Write a job or a result."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, gzip.compress(json.dumps(content).encode(), compresslevel=5, mtime=0))


def read(file: Path) -> dict[str, Any]:
    """The inverse.

    Raises:
        OSError: if it is not there any more, or damaged.
    """
    try:
        content = json.loads(gzip.decompress(file.read_bytes()))
    except (EOFError, ValueError) as error:
        raise OSError(None, f"is damaged ({type(error).__name__})", str(file)) from error
    assert isinstance(content, dict)
    return content


def names_in(folder: Path) -> list[str]:
    """Files that are whole, in order; none where there is no folder."""
    with suppress(FileNotFoundError):
        return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    return []


def is_job_name(name: str) -> bool:
    """Whether a file is called as those of jobs are."""
    return _JOB_NAME.fullmatch(name) is not None


def job_names_in(folder: Path) -> list[str]:
    """Files of jobs in a folder, in order; what somebody else has put there is none."""
    return [name for name in names_in(folder) if is_job_name(name)]


def moved(file: Path, target: Path) -> bool:
    """Whether this call has moved a file: of two that try, one does."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    except FileNotFoundError:
        return False
    return True


def inputs_of(store: Store, campaign: str, shard: dict[str, Any] | None, known: Known | None = None) -> dict[str, Any]:
    """What a job reads of a store: the campaign, its faults and methods, the records that its shard names, and others.

    Args:
        store: To read from.
        campaign: Its name.
        shard: What the job computes; None if it computes none.
        known: What else the job looks up.

    Returns:
        `records`, documents by collection; `blobs`, contents by name; `elsewhere`, names of blobs that are whole and
        need not be read.
    """
    known = known or Known()
    records: dict[str, dict[str, Any]] = {name: {} for name in MODELS}
    blobs: dict[str, str] = {}
    of_campaign = {"campaign": campaign}
    if (document := store.get("campaigns", campaign)) is not None:
        records["campaigns"][campaign] = document
    records["faults"] = {row["id"]: row for row in store.iterate("faults", equal=of_campaign)}
    if shard is None:
        return {"records": {}, "blobs": {}, "elsewhere": []}
    content = store.blobs.get(shard["blob"])
    blobs[shard["blob"]] = _text(content)
    wanted = {*_texts(decode_lines(content)), *known.records}
    seen: set[str] = set()
    # what the lines name, and what that names in turn: pool and packings, minima and structures, calculations
    while wanted := wanted - seen:
        seen |= wanted
        found: list[dict[str, Any]] = []
        for collection in FACTS:
            rows = store.get_many(collection, sorted(wanted))
            records[collection].update(rows)
            found += rows.values()
        starts = sorted(key for key in wanted if key in records["structures"])
        for start in range(0, len(starts), 500):
            for row in store.find("calculations", equal={"start": starts[start : start + 500]}):
                records["calculations"][row["id"]] = row
                found.append(row)
        wanted = set(_texts(found))
    for pool in records["pools"].values():
        with suppress(BlobError):  # it is made anew where it is needed
            blobs[pool["packings"]] = _text(store.blobs.get(pool["packings"]))
    for name in known.read:
        with suppress(BlobError):
            blobs[name] = _text(store.blobs.get(name))
    named = {row[name] for row in records["vibrations"].values() for name in ("force_constants", "spectrum")}
    named |= {name for row in records["properties"].values() for name in row["values"].get("spectra", ())}
    # without them a record would not count as known
    whole = known.whole | {name for name in named if name and store.blobs.is_whole(name)}
    methods = {row.get("method") for rows in records.values() for row in rows.values()}
    records["methods"] = store.get_many("methods", sorted(key for key in methods if isinstance(key, str)))
    by_name = {name: list(rows.values()) for name, rows in records.items() if rows}
    return {"records": by_name, "blobs": blobs, "elsewhere": sorted(whole - set(blobs))}


def put_inputs(store: Store, inputs: dict[str, Any]) -> None:
    """The inverse, into a store of the node's."""
    for content in inputs["blobs"].values():
        store.blobs.put(gzip.decompress(base64.b64decode(content)))
    for collection, documents in inputs["records"].items():
        model = MODELS[collection]
        store.put(collection, [model.model_validate(document) for document in documents])


def _text(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=5, mtime=0)).decode()


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value that may be an id."""
    if isinstance(value, str):
        if 0 < len(value) <= _LONGEST_ID:
            yield value
    elif isinstance(value, dict):
        yield from _each_text(value.values())
    elif isinstance(value, list | tuple):
        yield from _each_text(value)


def _each_text(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from _texts(value)
