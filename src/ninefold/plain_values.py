"""Results as plain values: what JSON holds, every field by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def plain_values(value: Any) -> Any:
    """Dataclasses and named tuples as mappings, tuples and arrays as lists, at every depth.

    `dataclasses.asdict` leaves a named tuple a tuple, which JSON writes as a list without names.

    Args:
        value: Any; what is none of these is returned as it is.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_values(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain_values(one) for name, one in zip(value._fields, value, strict=True)}
    if isinstance(value, Mapping):
        return {key: plain_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value
