"""The answer to a question about candidates: rows in an order, read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.api.rows import CandidateRow
from ninefold.models.quantities import QUANTITIES, Kind, Quantity
from ninefold.store.listing import fields_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from ninefold.store.arguments import Order
    from ninefold.store.store import Store

PAGE = 1000
"""Rows read at once."""
_DTYPES: dict[Kind, str] = {"string": "string", "integer": "Int64", "float": "float64", "boolean": "boolean"}
"""Kind -> type of a column that may hold unknown values."""


class Candidates:
    """The candidates that match, in order: iterate over them, take `len`, or make a `frame`.

    Which they are, and their order, is read when the question is asked (some 100 bytes each); the rows are read as they
    are needed, so that memory does not grow with their number. A row that is deleted meanwhile is left out.

    Args:
        store: Open; it has to stay open.
        filter: OPTIMADE filter.
        equal: As in `Store.find`.
        sort: Likewise.
        limit: Rows at most.
        columns: What stages of the user's have stored.

    Raises:
        InputError: if the filter or the order cannot be understood.
    """

    def __init__(
        self,
        store: Store,
        filter: str | None,
        equal: Mapping[str, str | bool],
        sort: Sequence[Order],
        limit: int | None,
        columns: Mapping[str, Quantity],
    ) -> None:
        self._store, self._columns = store, dict(columns)
        found = store.find(
            "candidates", filter, equal=equal, sort=sort, limit=limit, fields=["id"], properties=self._kinds
        )
        self._ids: list[str] = [row["id"] for row in found]

    @property
    def ids(self) -> list[str]:
        """Ids of the rows, in order."""
        return list(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[CandidateRow]:
        keys = [*QUANTITIES, "composition"]
        for row in self._rows([*keys, *self._columns]):
            yield CandidateRow(
                **{key: row[key] for key in keys}, properties={key: row[key] for key in self._columns}
            )  # fmt: skip

    def frame(self, columns: str | Sequence[str] | None = None) -> DataFrame:
        """The rows as a pandas DataFrame, one column for each field, by its key.

        `frame.attrs["units"]` holds the unit of each column that has one. Unknown values are NaN in floats and NA
        elsewhere; lists (`elements`) are tuples.

        Args:
            columns: Keys, or one text with commas between; default: every quantity, and what stages of yours have
                stored.

        Raises:
            InputError: if one is no field.
        """
        import pandas

        text = columns if isinstance(columns, str) else ",".join(columns or ["all"])
        keys = list(dict.fromkeys(fields_of(text, self._columns, "columns")))
        known = {**self._columns, **QUANTITIES}
        values: dict[str, list[Any]] = {key: [] for key in keys}
        for row in self._rows(keys):
            for key in keys:
                values[key].append(row[key])
        frame = pandas.DataFrame({key: _series(values[key], known[key].kind) for key in keys})
        frame.attrs["units"] = {key: known[key].unit for key in keys if known[key].unit}
        return frame

    def __repr__(self) -> str:
        return f"Candidates({len(self)} of {self._store.location!r})"

    @property
    def _kinds(self) -> dict[str, Kind]:
        return {key: column.kind for key, column in self._columns.items()}

    def _rows(self, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
        fields = list(dict.fromkeys(["id", *keys]))
        for start in range(0, len(self._ids), PAGE):
            page = self._ids[start : start + PAGE]
            rows = self._store.find("candidates", equal={"id": page}, fields=fields, properties=self._kinds)
            found = {row["id"]: row for row in rows}
            yield from (found[key] for key in page if key in found)


def _series(values: list[Any], kind: Kind) -> Any:
    import pandas

    if kind == "list":
        return pandas.Series([None if value is None else tuple(value) for value in values], dtype=object)
    return pandas.Series(values, dtype=_DTYPES[kind])
