"""What a campaign says of its rules."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from ninefold.keys import file_checksum
from ninefold.rules.rule import Mode
from ninefold.settings import Settings

Score = Annotated[float, Field(ge=0, le=1)]
"""A factor of the prior."""


class RuleParameters(Settings):
    """How one rule is set; what is left out stays as the rule has it."""

    like: str | None = None
    """Copy this rule under the new name: a rule by parameters alone."""
    mode: Mode | None = None
    """gate rejects, score lowers the prior, off does nothing."""
    low: float | None = None
    """Smallest value allowed."""
    high: float | None = None
    """Largest value allowed."""
    allowed: tuple[float, ...] | None = Field(default=None, min_length=1)
    """Values allowed, in place of bounds."""
    softness: float | None = Field(default=None, gt=0)
    """How far outside its bounds a value scores 1/e."""
    levels: dict[float, Score] | None = Field(default=None, min_length=1)
    """Score by value, 0 to 1, in place of bounds."""
    otherwise: Score | None = None
    """Score of a value that `levels` does not list."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} lies above high {self.high:g}, so that no value is allowed")
        return self


class RuleSetFile(Settings):
    """A rule set as its YAML file has it."""

    name: str
    description: str = ""
    rules: dict[str, RuleParameters]
    """Rule -> parameters; a built-in rule that is not named keeps its own."""


class RuleSettings(Settings):
    """Which compositions may pass, and what the others score."""

    set: str = "takagi"
    """A shipped rule set (takagi, group-wall, exploratory) or a YAML file."""
    overrides: dict[str, RuleParameters] = Field(default_factory=dict)
    """Rule -> parameters that differ from the set's."""
    files: tuple[str, ...] = ()
    """Rules of your own: FILE.py for every rule in it, FILE.py:NAME or module:NAME; relative to the campaign file."""
    neighbours: bool = False
    """Carry along what lies one hydrogen beside a survivor (n±1, m±1), outside the electron count's gate, marked."""

    def content(self) -> dict[str, Any]:
        """The settings with the bytes of their files in place of paths: what decides, wherever the files lie.

        Rules that installed packages announce are part of it: they judge without being named.
        """
        from ninefold.rules.registry import RULES

        values = self.model_dump(mode="json")
        values["files"] = [
            file_checksum(name) if name.endswith(".py") else RULES.checksum([name]) for name in self.files
        ]
        if announced := RULES.checksum(RULES.announced()):
            values["announced"] = announced
        if self.set.endswith((".yaml", ".yml")):
            values["set"] = file_checksum(self.set)
        return values
