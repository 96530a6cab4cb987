"""Saved queries of a campaign file: a filter, an order and columns under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from ninefold.errors import InputError
from ninefold.models.quantities import Kind
from ninefold.settings import Settings


def _separated(value: Any) -> Any:
    """A text with commas as the list that it stands for."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
"""A list, or one text with commas between, as the command line takes it."""


class SavedQuery(Settings):
    """A question about candidates, for `ninefold query --saved NAME`. Never changes a result."""

    filter: str | None = None
    """OPTIMADE filter; default: everything."""
    sort: Names = ("rank",)
    """Fields to sort by, `-` before one for descending."""
    fields: Names = ()
    """Columns, by key, or `all`; default: those of `ninefold query`."""


def check_query(query: SavedQuery, columns: Mapping[str, Kind], *, may_have_more: bool = False) -> None:
    """Refuse a saved query that could not be asked.

    Args:
        query: As it stands in the campaign file.
        columns: Column -> kind, of what stages of the user's store.
        may_have_more: Whether there may be further columns, so that an unknown field is passed over.

    Raises:
        InputError: with `filter`, `sort` or `fields`, what is wrong, and where.
    """
    from ninefold.store.conditions import queryable, sortable
    from ninefold.store.listing import fields_of, sort_order

    known = queryable("candidates", columns)

    def check_filter() -> None:
        if query.filter and query.filter.strip():
            from ninefold.store.filters import to_sql  # reads the grammar, and means the same for every backend

            to_sql(query.filter, "candidates", columns)

    def check_order() -> None:
        for field, direction in sort_order(",".join(query.sort)):
            if not (may_have_more and field.removeprefix("_ninefold_") not in known):
                sortable(known, field, direction)

    def check_fields() -> None:
        if query.fields:
            fields_of(",".join(query.fields), columns, "fields")

    for check in (check_filter, check_order, check_fields):
        try:
            check()
        except InputError as error:
            if not (may_have_more and error.problem == "is not a field"):
                raise
