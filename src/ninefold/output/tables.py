"""Tables: CSV, JSON, parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ninefold.models.quantities import QUANTITIES, Quantity
from ninefold.output.target import write_whole

NO_COLUMNS: Mapping[str, Quantity] = MappingProxyType({})


def rows_to_csv(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """Rows as CSV with a header; lists joined by blanks, unknown values empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        writer.writerow([_cell(row.get(key)) for key in keys])
    return buffer.getvalue()


def write_table(
    rows: Sequence[dict[str, Any]],
    keys: Sequence[str],
    path: Path,
    kind: str,
    columns: Mapping[str, Quantity] = NO_COLUMNS,
) -> None:
    """Write a table.

    Args:
        rows: Plain values.
        keys: Columns.
        path: File.
        kind: csv, json or parquet.
        columns: Unit and meaning of keys that are none of ninefold's quantities.

    Raises:
        InputError: if the file cannot be written.
    """
    if kind == "csv":
        content = rows_to_csv(rows, keys).encode("utf-8")
    elif kind == "json":
        content = (json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    else:
        content = _parquet(rows, keys, {**QUANTITIES, **columns})
    write_whole(path, content, "--out")


def _parquet(rows: Sequence[dict[str, Any]], keys: Sequence[str], quantities: Mapping[str, Quantity]) -> bytes:
    """A parquet file whose columns carry unit and meaning, with the right type even where nothing is known."""
    import pyarrow
    import pyarrow.parquet

    types = {
        "string": pyarrow.string(),
        "integer": pyarrow.int64(),
        "float": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
        "list": pyarrow.list_(pyarrow.string()),
    }
    columns, fields = [], []
    for key in keys:
        column, about = pyarrow.array([row.get(key) for row in rows]), quantities.get(key)
        if about is not None and pyarrow.types.is_null(column.type):
            column = column.cast(types[about.kind])
        columns.append(column)
        metadata = {"unit": about.unit, "meaning": about.meaning} if about is not None else None
        fields.append(pyarrow.field(key, column.type, metadata=metadata))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(fields)), buffer)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return " ".join(str(item) for item in value) if isinstance(value, list) else value
