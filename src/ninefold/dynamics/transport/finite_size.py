"""Diffusion in cells of different widths: in a small one an ion meets its own images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ninefold.dynamics.statistics.slopes import NORMAL_QUANTILE, Interval
from ninefold.dynamics.transport.diffusion import Transport
from ninefold.plain_values import plain_values

SAME_WIDTH = 0.1
"""Å. Cells whose narrowest widths differ by less are of one width."""


class SizeCheck(NamedTuple):
    """A narrower cell against the widest one at a temperature."""

    temperature_K: float | None
    widths: tuple[float, float]
    """Narrowest widths of both cells, Å, the narrower one first."""
    sources: tuple[str, str]
    ratio: Interval | None
    """Coefficient in the narrower cell over that in the wider one; None where one is not resolved."""

    @property
    def differs(self) -> bool | None:
        """Whether the interval leaves out 1; None without one."""
        return None if self.ratio is None else not self.ratio.low <= 1 <= self.ratio.high

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return plain_values(self) | {"differs": self.differs}


def finite_size(found: Sequence[Transport]) -> list[SizeCheck]:
    """Compare runs at one temperature in cells of different widths, each with the widest of them.

    Args:
        found: Of one species.
    """
    rows = []
    for temperature in dict.fromkeys(one.temperature_K for one in found):
        alike = [one for one in found if one.temperature_K == temperature]
        widest = max(alike, key=lambda one: one.width)
        rows += [
            SizeCheck(temperature, (one.width, widest.width), (one.source, widest.source), _ratio(one, widest))
            for one in sorted(alike, key=lambda one: one.width)
            if widest.width - one.width > SAME_WIDTH
        ]
    return rows


def _ratio(one: Transport, other: Transport) -> Interval | None:
    """Of two coefficients with log-normal errors that are independent."""
    if not (one.diffusion.is_resolved and other.diffusion.is_resolved):
        return None
    first, second = one.diffusion.coefficient, other.diffusion.coefficient
    errors = [math.log(each.high / each.low) / (2 * NORMAL_QUANTILE) for each in (first, second)]
    factor = math.exp(NORMAL_QUANTILE * math.hypot(*errors))
    value = first.value / second.value
    return Interval(value, value / factor, value * factor)
