"""A candidate's row from facts: its composition, and what the search found with one method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.record import Record
from ninefold.models.search import Minimum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from ninefold.models.method import Method
    from ninefold.models.search import MinimaRecord


def _shared(model: type[BaseModel], but: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the fields of a model that a row has under the same name and with the same meaning."""
    return tuple(name for name in model.model_fields if name in Candidate.model_fields and name not in but)


_OF_COMPOSITION = _shared(CompositionRecord, but={*Record.model_fields, "verdicts"})
_OF_BEST = _shared(Minimum)
_OF_REJECTED = ("shortest_m_h", "shortest_h_h", "shortest_m_m")


def row_id(composition: str, method: str) -> str:
    """Id of a composition's row with a method."""
    return f"{composition}-{method[:8]}"


def candidate_row(composition: CompositionRecord, method: Method, minima: MinimaRecord | None) -> Candidate:
    """The row of a composition with one method, before its hull.

    Args:
        composition: Of the campaign.
        method: Whose energies.
        minima: What the search found; None before one is finished.
    """
    values: dict[str, Any] = {name: getattr(composition, name) for name in _OF_COMPOSITION}
    values |= {
        "id": row_id(composition.id, method.id), "composition": composition.id, "method": method.id,
        "status": "selected",
    }  # fmt: skip
    if minima is not None:
        values |= _of_minima(composition, method, minima)
    return Candidate(**values)


def _of_minima(composition: CompositionRecord, method: Method, record: MinimaRecord) -> dict[str, Any]:
    each = [energy for energy in record.lowest_by_round if energy is not None]
    best = record.minima[0] if record.minima and record.minima[0].is_valid else None
    values: dict[str, Any] = {
        "minima_record": record.id,
        "minima": record.minima,
        "status": "searched" if best else "no_structure",
        "structures_found": sum(minimum.is_valid for minimum in record.minima),
        "reasons": record.reasons,
        "relaxations": record.relaxations,
        "search_rounds": len(record.lowest_by_round),
        "search_spread": max(each) - min(each) if len(each) > 1 else None,
        "lowest_by_round": record.lowest_by_round,
        "is_coordination_kept": best is not None if record.minima else None,
        "engine": method.label,  # of the search, also where it left no structure: of two such rows one tells which
    }
    if best is not None:
        values |= {name: getattr(best, name) for name in _OF_BEST}
        values["evidence"] = method.evidence
    elif record.minima:
        # no structure of this anion: what the lowest one is, so that the rules on results say why not
        rejected = record.minima[0]
        values["is_coordination_kept"] = all(number == composition.n for number in rejected.coordination_numbers)
        values |= {name: getattr(rejected, name) for name in _OF_REJECTED}
    return values
