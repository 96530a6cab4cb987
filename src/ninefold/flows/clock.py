"""Time stamps as the store writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
