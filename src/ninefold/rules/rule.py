"""What a rule is: a small function over columns, with a name, bounds, a reason and a source.

The same function judges one composition and a million. To add one, make a `Rule` in a Python file
that the campaign names, or announce it by the entry point group `ninefold.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

TOLERANCE = 1e-6
"""Bounds are inclusive; 1.66 - 1.31 is 0.34999999999999987 in floats and meets a bound of 0.35."""

Table = Any
"""A `CandidateTable`, or for a rule on results a `ResultTable`; sized, one row per composition."""
Column = Callable[[Table], np.ndarray]
Bound = float | Column | None


class Mode(StrEnum):
    """What a rule does with a composition outside its bounds."""

    GATE = "gate"
    """Rejects it."""
    SCORE = "score"
    """Lowers its prior; never rejects."""
    OFF = "off"
    """Nothing; the rule is not computed."""


class Stage(StrEnum):
    """When a rule can be judged."""

    COMPOSITION = "composition"
    """From the formula and its assignment; its table is a `CandidateTable`."""
    RESULT = "result"
    """From the relaxed structure and its energies; its table is a `ResultTable`."""


@dataclass(frozen=True)
class Rule:
    """A rule over the columns of a table.

    Args:
        name: Unique among the rules of a campaign; lower case with underscores.
        value: Column of values, shape (n_rows,), from the table.
        meaning: One line: what the value is and what the bound says.
        source: Where the rule or its threshold stands; "from memory" is an honest source.
        unit: Unit of the value; empty for none.
        low: Smallest value allowed (inclusive): a number, a column, or None.
        high: Largest value allowed (inclusive): a number, a column, or None.
        allowed: Set of values allowed, in place of bounds.
        softness: How far outside its bounds a value scores 1/e, in the value's unit.
        levels: Score by value, in place of bounds and softness; values not listed score `otherwise`.
        otherwise: See `levels`.
        mode: What it does unless a rule set says otherwise.
        stage: Whether it judges compositions, before any structure, or results.
    """

    name: str
    value: Column
    meaning: str
    source: str
    unit: str = ""
    low: Bound = None
    high: Bound = None
    allowed: tuple[float, ...] | None = None
    softness: float = 1.0
    levels: Mapping[float, float] | None = None
    otherwise: float = 0.5
    mode: Mode = Mode.SCORE
    stage: Stage = Stage.COMPOSITION
    origin: str = field(default="ninefold", compare=False)
    """File or package it came from, for error messages."""

    PARAMETERS = ("mode", "low", "high", "allowed", "softness", "levels", "otherwise")

    def bounds(self, table: Table) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Smallest and largest value allowed, numbers or shape (n_rows,)."""
        low = self.low(table) if callable(self.low) else -np.inf if self.low is None else self.low
        high = self.high(table) if callable(self.high) else np.inf if self.high is None else self.high
        return low, high

    def passed(self, table: Table, values: np.ndarray) -> np.ndarray:
        """Shape (n_rows,), whether each value lies within the bounds."""
        if self.allowed is not None:
            return _distance_to_set(values, self.allowed) <= TOLERANCE
        low, high = self.bounds(table)
        return (values >= low - TOLERANCE) & (values <= high + TOLERANCE)

    def score(self, table: Table, values: np.ndarray) -> np.ndarray:
        """Shape (n_rows,), 1 within the bounds, falling to 0 outside; or by `levels`."""
        if self.levels is not None:
            distinct, places = np.unique(values, return_inverse=True)  # groups and counts: few distinct values
            scores = np.full(len(distinct), self.otherwise)
            for value, score in self.levels.items():
                scores[np.abs(distinct - float(value)) <= TOLERANCE] = score
            return scores[places]
        if self.allowed is not None:
            outside = _distance_to_set(values, self.allowed)
        else:
            low, high = self.bounds(table)
            outside = np.maximum(low - values, values - high)
        scores = np.ones(len(values))
        misses = outside > TOLERANCE  # most rows meet most bounds: the exponential is for the others
        scores[misses] = np.exp(-outside[misses] / self.softness)
        return scores

    def bound_texts(self, table: Table) -> list[str]:
        """The bound of each row of a table, for people."""
        if self.levels is not None:
            return ["score by value"] * len(table)
        if self.allowed is not None:
            return [f"in {{{', '.join(f'{value:g}' for value in self.allowed)}}}"] * len(table)
        every = (np.broadcast_to(np.atleast_1d(bound), (len(table),)).tolist() for bound in self.bounds(table))
        pairs = list(zip(*every, strict=True))
        texts = {pair: _interval_text(*map(float, pair)) for pair in set(pairs)}
        return [texts[pair] for pair in pairs]

    def to_dict(self) -> dict[str, Any]:
        """What it is and how it is set, as plain values."""
        return {
            "name": self.name,
            "mode": self.mode.value,
            "stage": self.stage.value,
            "unit": self.unit,
            "meaning": self.meaning,
            "low": "by composition" if callable(self.low) else self.low,
            "high": "by composition" if callable(self.high) else self.high,
            "allowed": list(self.allowed) if self.allowed is not None else None,
            "softness": self.softness,
            "levels": {f"{key:g}": value for key, value in self.levels.items()} if self.levels else None,
            "otherwise": self.otherwise,
            "source": self.source,
            "origin": self.origin,
        }


@dataclass(frozen=True)
class Verdict:
    """What one rule says of one composition."""

    rule: str
    mode: str
    value: float | None
    """None where a result is not there yet."""
    unit: str
    bound: str
    passed: bool | None
    """None where it cannot be judged yet."""
    score: float
    reason: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _interval_text(low: float, high: float) -> str:
    if np.isinf(low) and np.isinf(high):
        return "none"
    if np.isinf(low):
        return f"<= {high:g}"
    if np.isinf(high):
        return f">= {low:g}"
    return f"= {low:g}" if low == high else f"{low:g} to {high:g}"


def _distance_to_set(values: np.ndarray, allowed: tuple[float, ...]) -> np.ndarray:
    """Shape (n_rows,), how far each value is from the nearest one allowed."""
    if not allowed:
        return np.full(len(values), np.inf)
    nearest = np.abs(values - allowed[0])
    for other in allowed[1:]:
        nearest = np.minimum(nearest, np.abs(values - other))
    return nearest
