"""Whether a worker's folders have room: a job that is taken on a full disk fails, and three of them end it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ninefold.errors import InputError

LEAST_FREE_MB = 20.0
"""A shard's store and records take some megabytes; a DFT code that needs more says so itself."""


def check_room(what: str, folder: Path | None) -> None:
    """Refuse to take a job where nothing more can be written.

    Args:
        what: The folder is for.
        folder: None: the system's for temporary files.

    Raises:
        InputError: naming the folder and what is free there.
    """
    place = (Path(tempfile.gettempdir()) if folder is None else folder).absolute()
    place = next((each for each in (place, *place.parents) if each.exists()), place)  # it may be made yet
    try:
        free = shutil.disk_usage(place).free / 1e6
    except OSError as error:
        raise InputError(what, str(place), problem=f"cannot be looked at: {error.strerror}") from error
    if free < LEAST_FREE_MB:
        raise InputError(
            what, str(place), problem=f"has {free:.0f} MB free; no job is taken", allowed=f"{LEAST_FREE_MB:g} MB",
            hint="free some space on this node",
        )  # fmt: skip
