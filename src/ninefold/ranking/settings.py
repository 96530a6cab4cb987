"""What a campaign says of its ranking."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from ninefold.ranking.terms import TERMS
from ninefold.settings import Settings
from ninefold.thermo.settings import Condition

DEFAULT_WEIGHTS = {"stability": 0.6, "prior": 0.2, "hydrogen": 0.1, "convergence": 0.1}


class RankingSettings(Settings):
    """Weights of the ranking's terms; a term that is not named weighs nothing."""

    weights: dict[str, float] = Field(default=DEFAULT_WEIGHTS, min_length=1)
    """Term -> weight: stability, prior, hydrogen, convergence, novelty, free_energy, window, survival, pseudorotation,
    or FILE.py:NAME of your own, relative to the campaign file. Only their ratios count."""
    stability_scale_eV_per_atom: float = Field(default=0.05, gt=0, le=1)
    """Hull distance at which the stability term has fallen to 1/e."""

    at: Condition | None = None
    """Temperature and hydrogen pressure at which candidates are ranked: by hull distances there, and the fields of the
    synthesis (`lowest_pressure`, ...) are of there. Default: by the static hull, and of 973 K and 5 GPa."""

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            TERMS.check_setting(name)
            if weight < 0:
                raise ValueError(f"the weight {weight:g} of {name!r} must be a number from 0 on")
        total = sum(weights.values())
        if total == float("inf"):
            raise ValueError("the weights are too large: their sum must be finite")
        if total == 0:
            raise ValueError("all weights are 0; at least one must count")
        return weights

    def content(self) -> dict[str, Any]:
        """The settings with the bytes of their files in place of paths: what decides, wherever the files lie."""
        values = self.model_dump(mode="json")
        if self.at is None:
            values.pop("at")  # a ranking without it is what it always was
        values["weights"] = {TERMS.checksum([name]) or name: weight for name, weight in self.weights.items()}
        return values
