"""Writing the report: all of it or nothing."""

from __future__ import annotations

import os
from pathlib import Path

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError

_HINT = "choose another place with --out (run, resume: --report)"


def check_report_path(path: str | Path) -> None:
    """Refuse a path that the report cannot be written to, before hours of work.

    Args:
        path: Where the report is to go; missing parent folders will be made.

    Raises:
        InputError: if the path is a folder, or its nearest existing folder cannot be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError("report", str(path), problem="is a folder", hint="name a file in it")
    folder = target.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError("report", str(path), problem=f"lies under {folder}, which is not a folder", hint=_HINT)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError("report", str(path), problem=f"cannot be written: no permission for {folder}", hint=_HINT)


def write_report(path: str | Path, html: str) -> None:
    """Write a report so that a reader sees the old file or the whole new one.

    Args:
        path: Target file; missing parent folders are made.
        html: The page, from `render_report`.

    Raises:
        InputError: if the path cannot be written (a folder, no permission, disk full).
    """
    check_report_path(path)
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, html.encode("utf-8"))
    except OSError as error:
        raise InputError(
            "report", str(path), problem=f"cannot be written: {error.strerror or error}", hint=_HINT
        ) from error
