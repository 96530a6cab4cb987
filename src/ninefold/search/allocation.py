"""Where a campaign spends its searches: successive halving over its compositions.

Every composition is searched once. Each further round searches again, with new random draws, the half
of the last round's compositions that lie lowest against the hull: a composition 200 meV/atom above it
does not come down by a better structure, one at 10 may. (Jamieson & Talwalkar, AISTATS 51, 240 (2016).)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Prospect(NamedTuple):
    """A composition as the next round sees it."""

    id: str
    above_hull: float | None
    """eV/atom, to the hull of other compositions or to a lower structure of its own, whichever is more; None where
    there is no structure yet, or no hull."""
    can_be_ranked: bool = True
    """Not a complex of H2 ligands, and not rejected by a rule."""


def in_round(total: int, number: int) -> int:
    """Compositions that the round of this number searches; the first, 1, searches all."""
    return math.ceil(total / 2 ** (number - 1))


def promising(prospects: Sequence[Prospect], number: int) -> list[str]:
    """Ids of the compositions for a round, the most promising first.

    Those without a structure come after all that have one: there may be no such anion, or the search was unlucky.

    Args:
        prospects: Every composition of the campaign.
        number: Of the round, 2 or more.
    """
    able = [prospect for prospect in prospects if prospect.can_be_ranked]
    order = sorted(able, key=lambda item: (item.above_hull is None, item.above_hull or 0.0, item.id))
    return [prospect.id for prospect in order[: in_round(len(able), number)]]
