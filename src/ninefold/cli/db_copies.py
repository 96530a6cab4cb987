"""Commands that carry a store elsewhere: `ninefold db backup | restore | copy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ninefold.cli.db_common import (
    check_current,
    counted_in,
    note_lost_blobs,
    note_writers,
    progress,
    sized,
    state_at,
)
from ninefold.cli.options import StoreOption
from ninefold.cli.outputs import ForceOption


def backup(
    file: Annotated[Path, typer.Argument(help="Archive to write: NAME.tar.gz.", metavar="FILE")],
    store: StoreOption = None,
    force: ForceOption = False,
) -> None:
    """Write every document and blob of a store to one file, from which any kind of store can be restored."""
    import ninefold
    from ninefold.cli.locate import store_address
    from ninefold.cli.outputs import check_output
    from ninefold.clock import now
    from ninefold.store import masked, open_store, store_file
    from ninefold.store.backup import write_backup
    from ninefold.store.filling import parts_of
    from ninefold.store.locate import store_place

    address = store_address(store)
    check_current(address, state_at(address, must_exist=True))
    file = check_output(file, "FILE", force=force, store=store_file(address))
    head = {"source": store_place(address), "created": now(), "ninefold": ninefold.__version__}
    with open_store(address) as opened, progress("backup", f"{file} was not written") as tell:
        note_writers(opened)
        note_lost_blobs(opened)
        tally = write_backup(file, parts_of(opened, tell, "back up"), head)
    typer.echo(f"{counted_in(tally)} of {masked(address)} in {file} ({sized(file.stat().st_size)})")


def restore(
    file: Annotated[Path, typer.Argument(help="Archive that 'ninefold db backup' wrote.", metavar="FILE")],
    store: StoreOption = None,
) -> None:
    """Fill an empty store, or one that is not there, from a backup. Interrupted, the same command goes on."""
    from ninefold.cli.locate import store_address
    from ninefold.paths import user_path
    from ninefold.store import masked, open_store
    from ninefold.store.backup import check_backup, parts_of_backup
    from ninefold.store.filling import fill
    from ninefold.store.store import EXECUTOR

    address, file = store_address(store), user_path(file, "FILE")
    with progress("restore", "the same command goes on") as tell:
        found = check_backup(file, tell)
        with open_store(address, "fill") as target, target.lease(EXECUTOR, "restore"):
            tally = fill(target, parts_of_backup(file, tell), found.title, tell, found.summary)
    typer.echo(f"{counted_in(tally)} of {found.title} in {masked(address)}; verified")


def copy(
    source: Annotated[str, typer.Argument(help="Store to read, a file or URI.")],
    target: Annotated[
        str, typer.Argument(help="Store to fill: empty, not there, or the begun copy of the same source.")
    ],
) -> None:
    """Copy a store into another of any kind, and verify it. Interrupted, the same command goes on."""
    from ninefold.errors import InputError
    from ninefold.store import masked, open_store
    from ninefold.store.filling import fill, parts_of
    from ninefold.store.locate import checked_address, is_same_store, store_place
    from ninefold.store.store import EXECUTOR

    origin, address = checked_address(source, "SOURCE"), checked_address(target, "TARGET")
    check_current(origin, state_at(origin, must_exist=True))
    if is_same_store(origin, address):
        raise InputError("TARGET", masked(address), problem="is the source", allowed="another store")
    name = f"the store {store_place(origin)}"
    with (
        open_store(origin) as opened,
        progress("copy", "the same command goes on") as tell,
        open_store(address, "fill") as filled,
        filled.lease(EXECUTOR, "copy"),
    ):
        note_writers(opened)
        note_lost_blobs(opened)
        tally = fill(filled, parts_of(opened, tell, "copy"), name, tell, None)
    typer.echo(f"{counted_in(tally)} of {masked(origin)} in {masked(address)}; verified")
