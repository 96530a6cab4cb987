"""Screening of complex transition-metal hydrides whose anions hold seven or more hydrogens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ninefold.api import Results

__version__ = "0.1.0"


def open(store: str | Path | None = None) -> Results:
    """Open a store's results for reading: candidates, structures, entries for phase diagrams. See docs/python.md.

    Args:
        store: Path or URI, as `--store` takes it; default: NINEFOLD_STORE, else ./ninefold.db.

    Raises:
        InputError: if there is no store, or its address cannot be used.
    """
    from ninefold.api import Results  # so that `import ninefold` costs nothing

    return Results(store)
