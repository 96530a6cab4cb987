"""The base of every settings model: strict, immutable, and the same in YAML and Python."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ninefold.errors import InputError


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
    def checked(cls, data: Any, where: str) -> Self:
        """The settings of a file other than a campaign's.

        Args:
            data: What YAML gave.
            where: The file, for the error.

        Raises:
            InputError: naming file, field and value, if a value cannot be used.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            problem = f"is not allowed: {first['msg'][0].lower()}{first['msg'][1:]}"
            raise InputError(f"{where}: {field}".removesuffix(": "), first["input"], problem=problem) from error
