"""Commands that look after a store: `ninefold db init | check | migrate | backup | restore | copy | rebuild`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from ninefold.cli.db_common import check_current, numbered, progress, room_for, state_at
from ninefold.cli.db_copies import backup, copy, restore
from ninefold.cli.options import JsonOption, StoreOption, print_json


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
    state = state_at(address)
    if state.kind == "absent":
        with open_store(address, "write"):
            state = state_at(address)
        typer.echo(f"Made an empty store: {masked(address)} (schema version {state.version})")
        return
    check_current(address, state)
    campaigns = state.documents.get("campaigns", 0)
    typer.echo(
        f"There already: {masked(address)} (schema version {state.version}, {numbered(campaigns, 'campaign')}, "
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
    check_current(address, state_at(address, must_exist=True))
    findings, rebuilt, found = Findings(), views_of.Rebuilt(), list[Problem]()
    counts: Counter[str] = Counter()

    def note(problem: Problem) -> None:
        counts[problem.kind] += 1
        if json:
            found.append(problem)
        else:
            typer.echo(f"{problem.kind}: {problem.text}")

    with open_store(address) as opened, progress("check", "nothing was changed") as tell:
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
            typer.echo(
                "Rows of an older ninefold differ where its rules or hulls did; 'ninefold db rebuild' makes them anew"
            )
        typer.echo(f"{numbered(counts.total(), 'problem')} in {masked(address)}")
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
    state = state_at(address, must_exist=True)
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
        typer.echo(f"Likely to take {duration(max(seconds, 1.0))}{room_for(address, state)}")
    if dry_run:
        typer.echo("Nothing was changed.")
        return
    begun = time.monotonic()
    with open_store(address, "write"):
        pass
    typer.echo(
        f"Brought up to date: {masked(address)} (schema version {SCHEMA_VERSION}, {duration(time.monotonic() - begun)})"
    )


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
    check_current(address, state_at(address, must_exist=True))
    done, changed = views_of.Rebuilt(), 0

    def told() -> Iterator[views_of.Change]:
        nonlocal changed
        for change in views_of.changes(opened, done, tell):
            typer.echo(f"candidates {change.id!r} of {change.campaign}: {change.what}")
            changed += 1
            yield change

    with open_store(address, "read" if dry_run else "write") as opened, progress("rebuild", "do it again") as tell:
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
    word = "to write" if dry_run else "written"
    typer.echo(f"{numbered(done.rows, 'row')} made from the facts, {changed} {word}: {masked(address)}")
    if done.failed:
        raise typer.Exit(1)
