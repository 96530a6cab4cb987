"""Fields as a filter names them, and the values that they may be compared with."""

from __future__ import annotations

from typing import Any

from ninefold.errors import InputError
from ninefold.models.quantities import Kind
from ninefold.store.conditions import Field

PREFIX = "_ninefold_"
STANDARD_FIELDS = {
    "chemical_formula_reduced": "formula",
    "chemical_formula_descriptive": "label",
    "space_group_it_number": "space_group_number",
    "space_group_symbol_hermann_mauguin": "space_group_symbol",
}
"""OPTIMADE's name -> ours, where they differ."""

_COMPARED = ("=", "!=", "<", "<=", ">", ">=", "IS KNOWN", "IS UNKNOWN")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "string": (*_COMPARED, "CONTAINS", "STARTS", "ENDS"),
    "integer": _COMPARED,
    "float": _COMPARED,
    "boolean": ("=", "!=", "IS KNOWN", "IS UNKNOWN"),
    "list": ("HAS", "HAS ALL", "HAS ANY", "HAS ONLY", "LENGTH", "IS KNOWN", "IS UNKNOWN"),
}
"""Kind -> what a filter may ask of a field of it."""
SORTABLE: tuple[Kind, ...] = ("string", "integer", "float", "boolean")
"""Kinds by which rows can be sorted."""

_VALUE_TYPES: dict[Kind, tuple[type, ...]] = {
    "string": (str,),
    "list": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "float": (int, float),
}
_VALUE_NAMES: dict[Kind, str] = {
    "string": 'text in double quotes, as in "Re"',
    "list": 'text in double quotes, as in "Re"',
    "boolean": "TRUE or FALSE",
    "integer": "a number",
    "float": "a number",
}


def key_of(name: str) -> str:
    """Our key of a field that a filter names by OPTIMADE's name, by ours, or by ours with the prefix."""
    return STANDARD_FIELDS.get(name, name.removeprefix(PREFIX))


def checked(field: Field, value: Any) -> Any:
    """A value that a field is compared with.

    Raises:
        InputError: if it is of another kind than the field.
    """
    is_flag = isinstance(value, bool)
    if isinstance(value, _VALUE_TYPES[field.kind]) and is_flag == (field.kind == "boolean"):
        return value
    shown = value.key if isinstance(value, Field) else value
    raise InputError("filter", shown, problem=f"cannot be compared with {field.key}", allowed=_VALUE_NAMES[field.kind])
