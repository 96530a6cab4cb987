"""What a command may write to: asked before any work, the same way by every command.

- A store, what belongs to it (log, lock, shards) and an input of the same command are never written to.
- Another file that is there is replaced with `--force` alone.
- A report of the same campaign and store, known by what stands in it, is replaced without asking: it follows from the
  store.
- A folder of structures says in a manifest what each command wrote. With `--force` a command's earlier files go when
  the new ones are there; a file of the user's, or one that was changed since, stays.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.atomic_files import is_database, write_atomically
from ninefold.errors import InputError
from ninefold.paths import user_path
from ninefold.store import store_file
from ninefold.store.locate import store_place

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace files that are there; never a store or an input of this command.")
]

MANIFEST = ".ninefold-manifest.json"
"""In a folder of structures: command -> file -> SHA-256 of what it wrote."""
_BESIDE_A_STORE = ("-wal", "-shm", "-journal", ".lock")
_SHARDS = ".files"
_FORCE = "--force replaces it, or name another"
_HEAD = 4096
"""Bytes of a report in which its generator and its title stand."""


def check_output(
    path: Path,
    field: str = "--out",
    *,
    force: bool = False,
    can_force: bool = True,
    store: Path | None = None,
    inputs: Iterable[Path] = (),
    report_of: tuple[str, str] | None = None,
    makes_folders: bool = False,
) -> Path:
    """Refuse a file that must not be replaced, or cannot be written.

    Args:
        path: The file to write.
        field: The option, for the error.
        force: Whether the user allows to replace a file.
        can_force: Whether the command has `--force`.
        store: The command's store, whether it is there or not.
        inputs: Files that the command reads.
        report_of: A campaign and its store's identity: a report of both may be replaced.
        makes_folders: Whether missing folders will be made.

    Returns:
        The file, with `~` replaced by the home folder.

    Raises:
        InputError: if the file must not be written to.
    """
    path = user_path(path, field)
    with _explaining(field, path):
        _check_protected(path, field, store, inputs)
        if path.is_dir():
            raise InputError(field, str(path), problem="is a folder", hint="name a file in it")
        _check_folder(path.absolute().parent, path, field, makes_folders)
        if path.is_file() and not force and not (report_of is not None and is_report_of(path, *report_of)):
            of_another = report_of is not None and is_report_of(path, report_of[0])
            problem = "is a report of another store" if of_another else "exists already"
            hint = _FORCE if can_force else "name another"
            raise InputError(field, str(path), problem=problem, hint=f"{hint}: {field} FILE" if report_of else hint)
    return path


def store_identity(address: str, report: Path) -> str:
    """What tells the store of a report from others: its place as seen from the report's folder.

    A folder may move with both; a store that is made anew at its place is the same. Hashed, because reports are handed
    on and a path tells names.

    Args:
        address: Of the store.
        report: The file of the report.
    """
    file = store_file(address)
    folder = user_path(report, "report").absolute().parent.resolve()
    where = store_place(address) if file is None else os.path.relpath(file.resolve(), folder)
    return hashlib.sha256(where.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def free_report(campaign: str, address: str) -> Path:
    """Where a report goes that nobody gave a place: NAME-report.html, or NAME-report-2.html where that is another's."""
    for number in itertools.count(1):
        path = Path(f"{campaign}-report{'' if number == 1 else f'-{number}'}.html")
        if not os.path.lexists(path) or is_report_of(path, campaign, store_identity(address, path)):
            break
    return path


def check_output_folder(
    folder: Path,
    field: str = "--out",
    *,
    pattern: str,
    command: str = "",
    force: bool = False,
    store: Path | None = None,
    inputs: Iterable[Path] = (),
) -> None:
    """Refuse a folder that holds files of the names to be written, or of this command, or cannot be written to.

    Args:
        folder: Where files are to go; made later, with its parents.
        field: The option, for the error.
        pattern: Of the names that will be written, as in `Path.glob`.
        command: As the manifest names it: what it wrote before will be removed.
        force: Whether the user allows to replace files.
        store: The command's store.
        inputs: Files that the command reads.

    Raises:
        InputError: if the folder must not be written to.
    """
    with _explaining(field, folder):
        _check_protected(folder, field, store, ())
        if folder.exists() and not folder.is_dir():
            raise InputError(field, str(folder), problem="is a file", allowed="a folder")
        _check_folder(folder.absolute(), folder, field, True)
        present = sorted({*folder.glob(pattern), *_earlier(folder, command)}) if folder.is_dir() else []
        for file in present:
            _check_protected(file, field, store, inputs)
        if present and not force:
            raise InputError(
                field, str(folder), problem=f"holds {len(present)} file(s) of an earlier result ({present[0].name})",
                hint="--force replaces those of the same command and leaves others, or name another folder",
            )  # fmt: skip


def record_written(folder: Path, command: str, files: Iterable[Path], *, removes_earlier: bool = True) -> None:
    """Note what a command has written into a folder, and remove what it wrote before and has not written now.

    Args:
        folder: The folder.
        command: As the manifest is to name it; files of other commands are left.
        files: What was written.
        removes_earlier: Otherwise the files are added to what the command wrote before.
    """
    manifest = _manifest(folder)
    earlier, written = manifest.get(command, {}), {file.name: _checksum(file) for file in files}
    if removes_earlier:
        for name in earlier.keys() - written.keys():
            if (file := folder / name).is_file() and not file.is_symlink() and _checksum(file) == earlier[name]:
                file.unlink()
    else:
        written = {**earlier, **written}
    text = json.dumps({**manifest, command: written}, indent=1, sort_keys=True)
    with _explaining("--out", folder):
        write_atomically(folder / MANIFEST, f"{text}\n".encode())


def _earlier(folder: Path, command: str) -> list[Path]:
    return [file for name in _manifest(folder).get(command, {}) if (file := folder / name).exists()]


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    """What commands wrote into a folder; empty where no manifest can be read. Names in it stay inside the folder."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        command: {name: checksum for name, checksum in files.items() if Path(name).name == name}
        for command, files in content.items()
        if isinstance(files, dict)
    }


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def files_in(campaign: Campaign) -> list[Path]:
    """The files that a campaign names: rules, structure sources, weights, compounds."""
    return [path for text in _texts(campaign.to_dict()) if _may_be_path(text) and (path := Path(text)).is_file()]


def is_report_of(path: Path, campaign: str, store: str | None = None) -> bool:
    """Whether a file is a report that ninefold wrote of this campaign.

    Args:
        path: The file.
        campaign: Its name.
        store: The store that it must be of; None for any.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return False
    is_of_store = store is None or f'<meta name="ninefold-store" content="{store}">' in head
    return is_of_store and '<meta name="generator" content="ninefold ' in head and f"<title>{campaign}: " in head


def _check_protected(path: Path, field: str, store: Path | None, inputs: Iterable[Path]) -> None:
    target = path.resolve()
    if (owner := _owner(target, store)) is not None:
        problem = "is a store" if owner == target else f"belongs to the store {owner.name}"
        raise InputError(field, str(path), problem=f"{problem} and is never overwritten", hint="name another")
    for file in inputs:
        if _is_same(file, path):
            raise InputError(
                field, str(path), problem="is an input of this command and is never overwritten", hint="name another"
            )


@contextmanager
def _explaining(field: str, path: Path) -> Iterator[None]:
    """What the file system says of a name (too long, not permitted) as the user's error."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a null byte
        problem = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise InputError(field, str(path), problem=problem) from error


def _owner(target: Path, store: Path | None) -> Path | None:
    """The store that a path is or belongs to."""
    candidates = [target]
    candidates += [
        target.with_name(target.name.removesuffix(ending)) for ending in _BESIDE_A_STORE if _ends(target.name, ending)
    ]
    candidates += [
        folder.with_name(folder.name.removesuffix(_SHARDS))
        for folder in (target, *target.parents)
        if _ends(folder.name, _SHARDS)
    ]
    for candidate in candidates:
        if is_database(candidate) or _is_begun(candidate) or (store is not None and _is_same(candidate, store)):
            return candidate
    return None


def _is_begun(path: Path) -> bool:
    """Whether a file is a store that a killed run had only begun: still empty, beside its lock."""
    return path.is_file() and path.stat().st_size == 0 and path.with_name(f"{path.name}.lock").exists()


def _ends(name: str, ending: str) -> bool:
    return name.endswith(ending) and name != ending


def _is_same(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:  # at least one is not there yet
        return first.resolve() == second.resolve()


def _check_folder(folder: Path, path: Path, field: str, makes_folders: bool) -> None:
    while makes_folders and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.exists():
        raise InputError(field, str(path), problem=f"lies in a folder that does not exist: {folder}", hint="make it")
    if not folder.is_dir():
        raise InputError(field, str(path), problem=f"lies under {folder}, which is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(field, str(path), problem=f"cannot be written: no permission for {folder}")


def _may_be_path(text: str) -> bool:
    return len(text) < 1024 and "\0" not in text


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
