"""What a campaign says of stability."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ninefold.errors import FieldError
from ninefold.settings import Settings

TEMPERATURE_RANGE = (100.0, 1200.0)
"""K; where the equation of state of hydrogen holds."""
PRESSURE_RANGE = (1e-9, 10.0)
"""GPa; where the equation of state of hydrogen holds."""


class Condition(Settings):
    """A temperature and a hydrogen pressure, which is also the pressure on the solids."""

    temperature_K: float = Field(ge=TEMPERATURE_RANGE[0], le=TEMPERATURE_RANGE[1])
    """K."""
    pressure_GPa: float = Field(ge=PRESSURE_RANGE[0], le=PRESSURE_RANGE[1])
    """GPa; 1 bar is 1e-4."""


SYNTHESIS = Condition(temperature_K=973, pressure_GPa=5)
"""Of a large-volume press, where candidates are to be made unless a campaign says otherwise."""


class CompleteSearch(Settings):
    """A search of every composition of the candidates' chemical systems, with a smaller budget than theirs."""

    relaxations: int = Field(default=5, ge=2, le=1_000)
    """Of each composition that is no candidate and no made compound, of both kinds together; fewer than a candidate
    has. Its pool (16 structures for each) and single points (4 for each) are smaller in proportion."""


class StabilitySettings(Settings):
    """How compositions are judged against their competitors."""

    conditions: tuple[Condition, ...] = (
        Condition(temperature_K=300, pressure_GPa=1e-4),
        Condition(temperature_K=973, pressure_GPa=5),
    )
    """Where the hull is built with hydrogen gas, besides the static hull: ambient, and a large-volume press."""
    candidates_compete: bool = True
    """Whether the hull holds the campaign's other candidates, which may never have been made, or references alone."""
    search_known_compounds: bool = True
    """Whether made compounds of these systems that are no candidates are searched too, so that they compete
    on equal terms."""
    complete_search: CompleteSearch | None = None
    """Whether every other complex hydride of these systems (docs/synthesis.md, "How complete a hull is") is searched
    too, once and with a low budget, so that it competes; `true` for the usual budget. Default: not."""
    hydrogen: Literal["calibrated", "own"] = "calibrated"
    """Energy of hydrogen gas: fitted to binary hydrides where the engine has been calibrated (docs/trust.md), else and
    with `own` that of the engine's own molecule. What was used stands with the reference phase."""
    noise_eV_per_atom: float = Field(default=0.020, ge=0, le=1)
    """Search noise assumed for a candidate whose own was not measured (one search only), eV/atom; used for the
    range of ranks and never printed as an uncertainty."""

    @field_validator("complete_search", mode="before", json_schema_input_type=bool | CompleteSearch | None)
    @classmethod
    def _read_complete_search(cls, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return CompleteSearch() if value else None
        if not isinstance(value, (dict, CompleteSearch)):
            raise ValueError("must be true, false or {relaxations: NUMBER}")
        return value

    @model_validator(mode="after")
    def _check_complete_search(self) -> Self:
        if self.complete_search is not None and not self.candidates_compete:
            raise FieldError(
                "complete_search", self.complete_search.model_dump(),
                "has no effect with candidates_compete: false, which leaves out of every hull what nobody has made",
                "leave one of them out",
            )  # fmt: skip
        return self
