"""Commands that look after a store: `ninefold db init | check | migrate | backup | restore | copy | rebuild`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.store.state import StoreState

SECONDS_BETWEEN_LINES = 5.0
"""Of progress, where standard error is no terminal."""
SECONDS_WITHOUT = 2.0
"""What is done sooner shows no progress."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True, help="Look after a store: make, check, copy, back up, bring up to date.")
    for command in (init, check, migrate, backup, restore, copy, rebuild):
        group.command()(command)
    app.add_typer(group, name="db")


def init(store: StoreOption = None) -> None:
    """Make an empty store; one that is there stays as it is."""
    from ninefold.cli.locate import store_address
    from ninefold.store import masked, open_store

    address = store_address(store)
    state = _state(address)
    if state.kind == "absent":
        with open_store(address, "write"):
            state = _state(address)
        typer.echo(f"Made an empty store: {masked(address)} (schema version {state.version})")
        return
    _check_current(address, state)
    campaigns = state.documents.get("campaigns", 0)
    typer.echo(
        f"There already: {masked(address)} (schema version {state.version}, {_number(campaigns, 'campaign')}, "
        f"{sum(state.documents.values())} documents); nothing was changed"
    )


def check(
    store: StoreOption = None,
    views: Annotated[
        bool, typer.Option("--views/--no-views", help="Also make the candidates' rows anew, and compare.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Look for lost, damaged and contradictory documents and blobs; changes nothing. Exit code 1 if there are any."""
    from collections import Counter

    from ninefold.cli.locate import store_address
    from ninefold.flows import rebuild as views_of
    from ninefold.store import masked, open_store
    from ninefold.store.checking import KINDS, Findings, Problem, problems

    address = store_address(store)
    _check_current(address, _state(address, must_exist=True))
    findings, rebuilt, found = Findings(), views_of.Rebuilt(), list[Problem]()
    counts: Counter[str] = Counter()

    def note(problem: Problem) -> None:
        counts[problem.kind] += 1
        if json:
            found.append(problem)
        else:
            typer.echo(f"{problem.kind}: {problem.text}")

    with open_store(address) as opened, _progress("check", "nothing was changed") as tell:
        for problem in problems(opened, findings, tell):
            note(problem)
        if views:
            for change in views_of.changes(opened, rebuilt, tell):
                note(Problem("views", f"candidates {change.id!r} of {change.campaign}: {change.what}"))
            for name, reason in rebuilt.failed.items():
                note(Problem("views", f"{name}: its rows cannot be made: {reason}"))
    if json:
        print_json(
            {
                "documents": findings.documents, "blobs": findings.blobs,
                "blobs_without_owner": findings.without_owner, "rows_compared": rebuilt.rows if views else None,
                "unfinished": rebuilt.unfinished, "problems": [problem._asdict() for problem in found],
            }
        )  # fmt: skip
    else:
        documents = ", ".join(f"{count} {name}" for name, count in findings.documents.items() if count)
        typer.echo(f"Documents: {documents or 'none'}")
        typer.echo(f"Blobs: {findings.blobs}, of which {findings.without_owner} are what jobs handed to each other")
        if views:
            left = "".join(f"; {name} is {status} and was left out" for name, status in rebuilt.unfinished.items())
            typer.echo(f"Rows compared with the facts: {rebuilt.rows}{left}")
        for kind, meaning in KINDS.items():
            if counts[kind]:
                typer.echo(f"{counts[kind]} {meaning}")
        if counts["views"]:
            typer.echo("'ninefold db rebuild' makes the rows anew")
        typer.echo(f"{_number(counts.total(), 'problem')} in {masked(address)}")
    if counts.total():
        raise typer.Exit(1)


def migrate(
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Bring a store of an older ninefold up to date. Opening an SQLite store does the same without saying so."""
    from ninefold.cli.locate import store_address
    from ninefold.errors import InputError
    from ninefold.report.text import duration
    from ninefold.store import masked, open_store, store_file
    from ninefold.store.migrations import CHANGES, DOCUMENTS_PER_SECOND
    from ninefold.store.schema import SCHEMA_VERSION

    address = store_address(store)
    state = _state(address, must_exist=True)
    if state.is_current:
        typer.echo(f"Up to date: {masked(address)} (schema version {state.version})")
        return
    if store_file(address) is None and state.version != SCHEMA_VERSION:
        raise InputError(
            "store", masked(address), problem=f"has schema version {state.version}, in which no ninefold has written a "
            "MongoDB database", hint="copy or restore the store into another database",
        )  # fmt: skip
    if state.version is not None and SCHEMA_VERSION >= state.version >= min(CHANGES):
        steps = range(state.version, SCHEMA_VERSION)
        for version in steps:
            typer.echo(f"{version} -> {version + 1}: {CHANGES[version]}")
        if not steps:
            typer.echo(
                f"missing indexes: {', '.join(state.missing_indexes)}"
                if state.missing_indexes
                else "columns: those of fields that were added since are filled from the documents"
            )
        counts = ", ".join(f"{count} {name}" for name, count in state.documents.items() if count)
        typer.echo(f"Documents: {counts or 'none'}")
        seconds = sum(state.documents.values()) * max(len(steps), 1) / DOCUMENTS_PER_SECOND
        typer.echo(f"Likely to take {duration(max(seconds, 1.0))}{_room(address, state)}")
    if dry_run:
        typer.echo("Nothing was changed.")
        return
    begun = time.monotonic()
    with open_store(address, "write"):
        pass
    typer.echo(
        f"Brought up to date: {masked(address)} (schema version {SCHEMA_VERSION}, {duration(time.monotonic() - begun)})"
    )


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

    address = store_address(store)
    _check_current(address, _state(address, must_exist=True))
    file = check_output(file, "FILE", force=force, store=store_file(address))
    head = {"source": _name(address), "created": now(), "ninefold": ninefold.__version__}
    with open_store(address) as opened, _progress("backup", f"{file} was not written") as tell:
        _note_writers(opened)
        tally = write_backup(file, parts_of(opened, tell, "back up"), head)
    typer.echo(f"{_told(tally)} of {masked(address)} in {file} ({_bytes(file.stat().st_size)})")


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
    with _progress("restore", "the same command goes on") as tell:
        found = check_backup(file, tell)
        with open_store(address, "fill") as target, target.lease(EXECUTOR, "restore"):
            tally = fill(target, parts_of_backup(file, tell), found.title, tell, found.summary)
    typer.echo(f"{_told(tally)} of {found.title} in {masked(address)}; verified")


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
    from ninefold.store.locate import checked_address, is_same_store
    from ninefold.store.store import EXECUTOR

    origin, address = checked_address(source, "SOURCE"), checked_address(target, "TARGET")
    _check_current(origin, _state(origin, must_exist=True))
    if is_same_store(origin, address):
        raise InputError("TARGET", masked(address), problem="is the source", allowed="another store")
    name = f"the store {_name(origin)}"
    with (
        open_store(origin) as opened,
        _progress("copy", "the same command goes on") as tell,
        open_store(address, "fill") as filled,
        filled.lease(EXECUTOR, "copy"),
    ):
        _note_writers(opened)
        tally = fill(filled, parts_of(opened, tell, "copy"), name, tell, None)
    typer.echo(f"{_told(tally)} of {masked(origin)} in {masked(address)}; verified")


def rebuild(
    store: StoreOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the rows that would be written, and write none.")
    ] = False,
) -> None:
    """Make the candidates' rows of finished campaigns anew from the facts; nothing is computed by an engine."""
    from ninefold.cli.locate import store_address
    from ninefold.flows import rebuild as views_of
    from ninefold.store import masked, open_store
    from ninefold.store.store import EXECUTOR

    address = store_address(store)
    _check_current(address, _state(address, must_exist=True))
    done, changed = views_of.Rebuilt(), 0

    def told() -> Iterator[views_of.Change]:
        nonlocal changed
        for change in views_of.changes(opened, done, tell):
            typer.echo(f"candidates {change.id!r} of {change.campaign}: {change.what}")
            changed += 1
            yield change

    with open_store(address, "read" if dry_run else "write") as opened, _progress("rebuild", "do it again") as tell:
        if dry_run:
            for _ in told():
                pass
        else:
            with opened.lease(EXECUTOR, "rebuild"):
                views_of.apply(opened, told())
    for name, status in done.unfinished.items():
        typer.echo(f"{name} is {status}: 'ninefold resume {name}' makes its rows")
    for name, reason in done.failed.items():
        typer.echo(f"{name}: its rows cannot be made, and were left as they are: {reason}")
    word = "would be written" if dry_run else "were written"
    typer.echo(f"{_number(done.rows, 'row')} made from the facts, {changed} {word}: {masked(address)}")
    if done.failed:
        raise typer.Exit(1)


def _state(address: str, *, must_exist: bool = False) -> StoreState:
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


def _check_current(address: str, state: StoreState) -> None:
    """Refuse a store of an older ninefold, which opening would change."""
    from ninefold.errors import InputError
    from ninefold.store import masked

    if state.kind == "whole" and not state.is_current and not state.missing_indexes:
        raise InputError(
            "store", masked(address), problem=f"is of an older ninefold (schema version {state.version})",
            hint="'ninefold db migrate --dry-run' says what bringing it up to date would change",
        )  # fmt: skip


@contextmanager
def _progress(command: str, kept: str) -> Iterator[Callable[[str, int, int | None, str], None]]:
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


def _note_writers(store: Any) -> None:
    """Say that a campaign is running: what it writes meanwhile may be there or not."""
    if (holder := store.lease_holder()) is not None:
        typer.echo(f"ninefold: note: in use by {holder}: what it writes meanwhile may be left out", err=True)


def _name(address: str) -> str:
    """A store as its copies name it: the same however the address was written, and without login and options."""
    from ninefold.store import public_address, store_file

    file = store_file(address)
    return public_address(address).partition("?")[0] if file is None else str(file.resolve())


def _room(address: str, state: StoreState) -> str:
    """How much room a migration needs, and how much there is."""
    import shutil

    from ninefold.store import store_file

    file = store_file(address)
    if file is None or state.size is None:
        return ""
    free = shutil.disk_usage(file.resolve().parent).free
    return f"; needs {_bytes(2 * state.size)} of room meanwhile, of which {_bytes(free)} are free"


def _told(tally: Any) -> str:
    return f"{sum(tally.counts.values())} documents and {tally.blobs} blobs ({_bytes(tally.size)})"


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
