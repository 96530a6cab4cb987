"""Everything that can be asked of candidates: what filters, sorting, tables and their documentation know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.models.quantities import BOOKKEEPING, QUANTITIES, Quantity
from ninefold.store.filter_fields import OPERATORS, SORTABLE, STANDARD_FIELDS
from ninefold.store.listing import check_campaign, stage_columns

if TYPE_CHECKING:
    from ninefold.store.store import Store


class CandidateField(NamedTuple):
    """A field of candidates, and what can be done with it."""

    quantity: Quantity
    is_own: bool = False
    """Whether a stage of the user's has stored it."""
    problem: str | None = None
    """Why it can be neither filtered nor sorted by."""

    @property
    def operators(self) -> tuple[str, ...]:
        """What a filter may ask of it."""
        return () if self.problem else OPERATORS[self.quantity.kind]

    @property
    def is_sortable(self) -> bool:
        """Whether rows can be sorted by it."""
        return not self.problem and self.quantity.kind in SORTABLE

    @property
    def optimade(self) -> str | None:
        """OPTIMADE's own name of it, where there is one."""
        return next((name for name, key in STANDARD_FIELDS.items() if key == self.quantity.key), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.quantity._asdict(), "optimade": self.optimade, "operators": list(self.operators),
            "sortable": self.is_sortable, "own": self.is_own, "problem": self.problem,
        }  # fmt: skip


def candidate_fields(store: Store | None = None, campaign: str | None = None) -> list[CandidateField]:
    """Every field of candidates, those of stages of the user's last.

    Args:
        store: Open, or None: ninefold's own fields alone.
        campaign: Whose stages count, which must be in the store; None for all.
    """
    found = [CandidateField(quantity) for quantity in (QUANTITIES | BOOKKEEPING).values()]
    if store is None:
        return found
    check_campaign(store, campaign)
    columns, clashes = stage_columns(store, campaign)
    found += [CandidateField(quantity, is_own=True) for quantity in columns.values()]
    for key, told in clashes.items():
        quantity = Quantity(key, "string", "", key, "")
        found.append(CandidateField(quantity, is_own=True, problem=f"is {told}: choose a campaign"))
    return found
