"""The base of every settings model: strict, immutable, and the same in YAML and Python."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ninefold.errors import InputError, listed

_OF_NUMBERS = frozenset({
    "greater_than_equal", "less_than_equal", "int_parsing", "int_type", "int_from_float", "float_parsing", "float_type",
    "finite_number",
})  # fmt: skip
"""Types of pydantic's complaints about a number."""
_OF_LISTS = frozenset({"tuple_type", "list_type"})
_OF_MAPPINGS = frozenset({"dict_type", "model_type", "model_attributes_type"})


class Settings(BaseModel):
    """A piece of a campaign file. Unknown keys are errors, values do not change after reading.

    Each science layer owns the settings it needs; `ninefold.campaign` puts them together.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,  # a comparison with NaN is always false: it would pass here and fail hours later
    )

    @classmethod
    def checked(cls, data: Any, where: str, *, are_options: bool = False) -> Self:
        """The settings of a file other than a campaign's, or of a command.

        Args:
            data: What YAML gave, or the command line.
            where: The file or the command, for the error.
            are_options: Whether each field is an option of the command of the same name, which the error names.

        Raises:
            InputError: naming file, field and value, if a value cannot be used.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            place = f"{where}: {field}".removesuffix(": ")
            if are_options and len(first["loc"]) == 1:
                place = f"--{field.replace('_', '-')}"
            needed = shape_needed(cls, first)
            text = first["msg"].removeprefix("Value error, ")
            problem = "is not allowed" if needed else f"is not allowed: {text[:1].lower()}{text[1:]}"
            raise InputError(
                place, first["input"], problem=problem, allowed=needed or number_range(cls, first)
            ) from error


def model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model whose keys stand at a location of a file; None where no model's do."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and isinstance(part, str):
            info = current.model_fields.get(part)
            current = info.annotation if info else None
        for _ in range(3):  # Optional[tuple[Model, ...]] -> Model
            if isinstance(current, type) and issubclass(current, BaseModel):
                break
            inner = [
                argument
                for argument in typing.get_args(current)
                if argument is not Ellipsis and argument is not type(None)
            ]
            current = inner[-1] if inner else None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def shape_needed(model: type[BaseModel], complaint: Mapping[str, Any]) -> str | None:
    """What must stand where a list or a mapping does not: `a list of mappings with the keys temperature_K, ...`.

    Args:
        model: Of the settings that were read.
        complaint: One of pydantic's.

    Returns:
        None if the complaint is of something else.
    """
    if complaint["type"] not in (*_OF_LISTS, *_OF_MAPPINGS):
        return None
    part = model_at(model, tuple(complaint["loc"]))
    keys = "" if part is None else f" with the keys {listed(list(part.model_fields), 8)}"
    if complaint["type"] == "dict_type":
        return f"a mapping of names to mappings{keys}" if keys else "a mapping"
    if complaint["type"] in _OF_MAPPINGS:
        return f"a mapping{keys}"
    return f"a list of mappings{keys}" if keys else "a list"


def number_range(model: type[BaseModel], complaint: Mapping[str, Any]) -> str | None:
    """Both ends of what a number may be, as an error says what is allowed: `2 to 1000`.

    Args:
        model: Of the settings that were read.
        complaint: One of pydantic's, whose own text names one end, or none where the value is no number.

    Returns:
        None if the complaint is of something else, or the field has no two ends that are allowed themselves.
    """
    if complaint["type"] not in _OF_NUMBERS or not complaint["loc"]:
        return None
    *parents, name = complaint["loc"]
    owner = model_at(model, tuple(parents))
    info = None if owner is None else owner.model_fields.get(str(name))
    if info is None:
        return None
    low = next((each.ge for each in info.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in info.metadata if hasattr(each, "le")), None)
    if low is None or high is None:
        return None
    return " to ".join(f"{end:g}" if isinstance(end, float) else str(end) for end in (low, high))
