"""The base of every stored record."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 4
"""Rises when a stored record changes its fields or their meaning. No part of any calculation's id."""


class Record(BaseModel):
    """A document of one collection, found by its id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: ClassVar[str]
    """Where records of this kind are stored."""
    id: str
    """Unique in its collection."""
    schema_version: int = SCHEMA_VERSION
