"""What a campaign says of its rules."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ninefold.keys import file_checksum
from ninefold.rules.rule import Mode
from ninefold.settings import Settings


class RuleParameters(Settings):
    """How one rule is set; what is left out stays as the rule has it."""

    like: str | None = None
    """Copy this rule under the new name: a rule by parameters alone."""
    mode: Mode | None = None
    """gate rejects, score lowers the prior, off does nothing."""
    low: float | None = Field(default=None, allow_inf_nan=False)
    """Smallest value allowed."""
    high: float | None = Field(default=None, allow_inf_nan=False)
    """Largest value allowed."""
    allowed: tuple[float, ...] | None = None
    """Values allowed, in place of bounds."""
    softness: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """How far outside its bounds a value scores 1/e."""
    levels: dict[float, float] | None = None
    """Score by value, in place of bounds."""
    otherwise: float | None = Field(default=None, ge=0, le=1)
    """Score of a value that `levels` does not list."""


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
    """Python files with rules of your own; relative to the campaign file."""
    neighbours: bool = False
    """Carry along what lies one hydrogen beside a survivor (n±1, m±1), outside the electron count's gate, marked."""

    def content(self) -> dict[str, Any]:
        """The settings with the bytes of their files in place of paths: what decides, wherever the files lie."""
        values = self.model_dump(mode="json")
        values["files"] = [file_checksum(file) for file in self.files]
        if self.set.endswith((".yaml", ".yml")):
            values["set"] = file_checksum(self.set)
        return values
