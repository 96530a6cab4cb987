"""Records as JSON lines: what a blob of many plain values holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def encode_lines(records: Iterable[dict[str, Any]]) -> bytes:
    """Plain JSON values, one line each, the same for the same values everywhere."""
    lines = [json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False) for record in records]
    return "".join(f"{line}\n" for line in lines).encode()


def decode_lines(content: bytes) -> list[dict[str, Any]]:
    """The inverse of `encode_lines`."""
    return [json.loads(line) for line in content.splitlines()]


def blob_id(content: bytes) -> str:
    """Name of a blob: SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()
