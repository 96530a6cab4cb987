"""What the methods of a store take, whatever its backend: types, defaults, names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Protocol

from ninefold.models.quantities import Kind

Order = tuple[str, str]
"""A field and `asc` or `desc`."""
Scalar = str | int | float | bool | None
"""The value of a flat field; None stands for an unknown one."""
Condition = Scalar | Collection[Scalar]
"""A value that a field must have; of a collection, one of its members."""
NOTHING: Mapping[str, Condition] = MappingProxyType({})
PROPERTIES = "properties"
"""The key of a document below which the values of `Properties` stand."""
Properties = Mapping[str, Kind]
"""Key -> kind of values that a store does not know beforehand: those of the stages of a user's."""
NO_PROPERTIES: Properties = MappingProxyType({})


class RecordLike(Protocol):
    """What can be stored: an identifier and a way to become JSON, as a pydantic model has them."""

    @property
    def id(self) -> str:
        """Unique in its collection."""
        ...

    def model_dump_json(self) -> str:
        """The document as JSON."""
        ...


def check_lease_name(name: str) -> None:
    """Refuse what is no name of a lease.

    Raises:
        ValueError: if it has anything but small letters and underscores; from code, never from users.
    """
    if not re.fullmatch("[a-z_]+", name):
        raise ValueError(f"a lease's name has small letters only, and {name!r} has others")
