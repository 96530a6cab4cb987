"""What a campaign may cost: compositions are released in parts until one of these limits is reached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from ninefold.errors import InputError
from ninefold.settings import Settings

_FORM = "core-hours=NUMBER, candidates=NUMBER, until=DATE, or none"
_KEYS = {"core-hours": "core_hours", "candidates": "candidates", "until": "until"}


class Budget(Settings):
    """Limits on what is released; what has been released is computed to its end."""

    core_hours: float | None = Field(default=None, gt=0, le=1e9)
    """Core time of the searches of all runs of the campaign, with what later rounds and further methods of the released
    compositions are expected to take. Reference phases come on top."""
    candidates: int | None = Field(default=None, ge=1, le=10**9)
    """Compositions in all runs of the campaign."""
    until: str | None = None
    """ISO 8601; without a time the end of that day, without a zone UTC. No composition is released after it."""

    @field_validator("until")
    @classmethod
    def _check_until(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("is no date; allowed: YYYY-MM-DD or YYYY-MM-DDTHH:MM") from None
        if len(text) <= len("YYYY-MM-DD"):
            moment += timedelta(days=1)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.core_hours is None and self.candidates is None and self.until is None:
            raise ValueError("names no limit; allowed: core_hours, candidates, until")
        return self

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Budget | None:
        """What a user writes as `--budget core-hours=500`, once for each limit; `none` for no limit.

        Raises:
            InputError: naming the option and what came.
        """
        field = "--budget"
        if list(texts) == ["none"]:
            return None
        values: dict[str, str] = {}
        for text in texts:
            key, _, value = text.partition("=")
            if key not in _KEYS or not value:
                raise InputError(field, text, problem="is no limit", allowed=_FORM)
            if _KEYS[key] in values:
                raise InputError(field, text, problem=f"names {key} a second time")
            values[_KEYS[key]] = value
        return cls.checked(values, field)

    def __str__(self) -> str:
        """For people: `500 core-hours, 1000 candidates, until 2026-12-25T00:00:00+00:00`."""
        parts = (
            None if self.core_hours is None else f"{self.core_hours:g} core-hours",
            None if self.candidates is None else f"{self.candidates} candidates",
            None if self.until is None else f"until {self.until}",
        )
        return ", ".join(part for part in parts if part is not None)
