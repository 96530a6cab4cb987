"""What a folder is of: written before its first result, so that no other work goes on in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ninefold.atomic_files import write_atomically
from ninefold.errors import InputError


def claim(folder: Path, name: str, what: str, described: dict[str, Any], beside: dict[str, Any] | None = None) -> None:
    """Make a folder that of some work, or see that it is.

    Args:
        folder: Made if it is not there.
        name: Of the file that says what the folder is of.
        what: For people: distillation.
        described: Plain values, all that changes the work.
        beside: Plain values that are written with it, and not compared.

    Raises:
        InputError: if the folder is of other work, or holds other files.
    """
    there = read_json(folder / name)
    if there is not None:
        if different := [key for key, value in described.items() if there.get(key) != value]:
            raise InputError(
                "--out", str(folder), problem=f"holds another {what}: {', '.join(different)} differ",
                allowed="a new folder, or the one that it holds",
            )  # fmt: skip
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError("--out", str(folder), problem="holds other files", allowed="a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / name, described | (beside or {}))


def read_json(path: Path) -> Any:
    """What a JSON file holds; None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    write_atomically(path, json.dumps(value, indent=1).encode())
