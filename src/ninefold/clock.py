"""Time stamps as the store writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_between(start: str, end: str | None = None) -> float:
    """Seconds from one time stamp to another, or to the present; never negative."""
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())
