"""The base of every settings model: strict, immutable, and the same in YAML and Python."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A piece of a campaign file. Unknown keys are errors, values do not change after reading.

    Each science layer owns the settings it needs; `ninefold.campaign` puts them together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)
