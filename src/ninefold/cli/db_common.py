"""What the commands of `ninefold db` share: what stands at an address, progress, words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ninefold.store.state import StoreState

SECONDS_BETWEEN_LINES = 5.0
"""Of progress, where standard error is no terminal."""
SECONDS_WITHOUT = 2.0
"""What is done sooner shows no progress."""


def state_at(address: str, *, must_exist: bool = False) -> StoreState:
    """What stands at an address; what is no store, or none that can be used, is refused."""
    from ninefold.errors import InputError
    from ninefold.store import masked, store_state
    from ninefold.store.schema import SCHEMA_VERSION
    from ninefold.store.state import unfinished

    state, place = store_state(address), masked(address)
    if state.kind == "foreign":
        raise InputError("store", place, problem="is a database, but not one of ninefold's", hint="name another")
    if state.kind == "unfinished":
        raise unfinished(place, state.source)
    if state.kind == "absent" and must_exist:
        raise InputError("store", place, problem="does not exist, or is empty", hint="'ninefold db init' makes one")
    if state.kind == "whole" and not (isinstance(state.version, int) and state.version <= SCHEMA_VERSION):
        raise InputError(
            "store", place, problem=f"has schema version {state.version}, written by a newer ninefold",
            allowed=f"up to {SCHEMA_VERSION}", hint="pip install --upgrade ninefold",
        )  # fmt: skip
    return state


def check_current(address: str, state: StoreState) -> None:
    """Refuse a store of an older ninefold, which opening would change."""
    from ninefold.errors import InputError
    from ninefold.store import masked

    if state.kind == "whole" and not state.is_current and not state.missing_indexes:
        raise InputError(
            "store", masked(address), problem=f"is of an older ninefold (schema version {state.version})",
            hint="'ninefold db migrate --dry-run' says what bringing it up to date would change",
        )  # fmt: skip


@contextmanager
def progress(command: str, kept: str) -> Iterator[Callable[[str, int, int | None, str], None]]:
    """Progress on standard error; an interrupt says what is kept."""
    from ninefold.cli.progress import progress_display
    from ninefold.cli.signals import Interrupted
    from ninefold.flows.progress import announce, listening

    begun = time.monotonic()

    def tell(stage: str, done: int, total: int | None, unit: str) -> None:
        if time.monotonic() - begun > SECONDS_WITHOUT:
            announce(stage, done, total, unit)

    with progress_display(SECONDS_BETWEEN_LINES) as show, listening(show):
        try:
            yield tell
        except Interrupted as interrupt:
            raise Interrupted(interrupt.number, f"{command}: {kept}") from None


def note_writers(store: Any) -> None:
    """Say that a campaign is running: what it writes meanwhile may be there or not."""
    if (holder := store.lease_holder()) is not None:
        typer.echo(f"ninefold: note: in use by {holder}: what it writes meanwhile may be left out", err=True)


def note_lost_blobs(store: Any) -> None:
    """Say that a copy lacks what its source has lost: it is verified against the source, not against what should be."""
    named = {str(row["packings"]) for row in store.iterate("pools", fields=["packings"])}
    if lost := len(named.difference(store.blobs.names())):
        typer.echo(
            f"ninefold: note: {numbered(lost, 'blob')} that pools name cannot be copied: missing in the source; "
            "'ninefold db check' lists them",
            err=True,
        )


def room_for(address: str, state: StoreState) -> str:
    """How much room a migration needs, and how much there is."""
    import shutil

    from ninefold.store import store_file

    file = store_file(address)
    if file is None or state.size is None:
        return ""
    free = shutil.disk_usage(file.resolve().parent).free
    return f"; needs {sized(2 * state.size)} of room meanwhile, of which {sized(free)} are free"


def counted_in(tally: Any) -> str:
    """What a `Tally` has counted."""
    return f"{sum(tally.counts.values())} documents and {tally.blobs} blobs ({sized(tally.size)})"


def sized(size: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def numbered(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
