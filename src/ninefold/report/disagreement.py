"""On which candidates a campaign's methods disagree by more than the window, said beside every list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ninefold.report.text import number, unit_of
from ninefold.stages.uncertainty import DISAGREE

FIELDS = ("formula", "method_spread", "flags")
"""Of a row, what is read here."""
_MANY = 6
"""Names in a sentence."""


def disputed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a flag says it of, the most disputed first: not where DFT has judged.

    Args:
        rows: With `FIELDS`.
    """
    found = [row for row in rows if any(text.startswith(DISAGREE) for text in row.get("flags") or ())]
    return sorted(found, key=lambda row: (-(row.get("method_spread") or 0.0), str(row.get("formula"))))


def named(row: Mapping[str, Any]) -> str:
    """Li3MoH9 (0.168 eV/atom)."""
    return f"{row['formula']} ({number(row.get('method_spread'), 3)} {unit_of('method_spread')})"


def disagreement_note(rows: Iterable[dict[str, Any]]) -> str | None:
    """One sentence, or None where the methods agree.

    Args:
        rows: As in `disputed`.
    """
    found = disputed(rows)
    if not found:
        return None
    more = f" and {len(found) - _MANY} more" if len(found) > _MANY else ""
    return (
        "The campaign's methods disagree by more than the window on "
        f"{', '.join(named(row) for row in found[:_MANY])}{more}: 'ninefold verify' computes "
        f"{'it' if len(found) == 1 else 'these'} before others."
    )
