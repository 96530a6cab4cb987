"""Content keys: the same content gives the same key, on every machine and in every process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEY_VERSION = 1
"""Enters the key of every stored calculation; rises when a stored value changes its meaning. The schema of documents
is no part of it: a new one orphans no calculation."""
POSITION_DIGITS = 7
"""Digits after the point of lattice vectors (Å) and fractional positions that enter a structure's key."""


def content_key(*parts: Any) -> str:
    """SHA-256 of the parts as canonical JSON, 64 hexadecimal digits.

    Args:
        *parts: Plain JSON values, tuples and numpy scalars or arrays among them. 1 and 1.0 are equal.

    Raises:
        TypeError: if a part has no canonical JSON form.
    """
    text = json.dumps(_canonical(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def file_checksum(path: str) -> str:
    """SHA-256 of a file's bytes; the path itself, where there is no file to read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return path


def structure_key(lattice: Any, species: Sequence[str], positions: Any) -> str:
    """Key of a cell as it stands: no symmetry, no reordering, rounded to `POSITION_DIGITS`.

    Noise may change the key where a number lies on a rounding edge: then a calculation is made again,
    and never a wrong one found.

    Args:
        lattice: shape (3, 3), Å, rows are vectors.
        species: n element symbols.
        positions: shape (n, 3), fractional; positions that differ by whole cells are the same.
    """

    def rounded(value: float) -> float:
        return round(value, POSITION_DIGITS) + 0.0  # -0.0 becomes 0.0

    cell = [[rounded(float(value)) for value in row] for row in lattice]
    sites = [[rounded(float(value) % 1.0) % 1.0 for value in row] for row in positions]
    return content_key(cell, list(species), sites)


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if hasattr(value, "tolist"):  # numpy, without importing it
        return _canonical(value.tolist())
    return value
