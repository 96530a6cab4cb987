"""Calling a rule: what it returns is checked, and what it raises is told with its name and file."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np

from ninefold.chemistry.table import CandidateTable
from ninefold.errors import InputError
from ninefold.rules.anion import NeedsCations
from ninefold.rules.results import ResultTable
from ninefold.rules.rule import Rule, Stage, Table
from ninefold.user_code import calling

_COLUMNS = (
    *(column.name for column in dataclasses.fields(CandidateTable)),
    *(name for name, value in vars(CandidateTable).items() if isinstance(value, (property, cached_property))),
)
"""What a rule on compositions may read."""


@contextmanager
def named(rule: Rule) -> Iterator[None]:
    """Name rule and file in an error: the rule may be a user's, and raise anything.

    Raises:
        InputError: in place of anything that is raised, but `NeedsCations`.
    """
    try:
        yield
    except NeedsCations:
        raise
    except InputError as error:
        raise InputError(
            f"rule {rule.name}", error.value, problem=f"({error.field}) {error.problem}", allowed=error.allowed,
            hint="; ".join(filter(None, [error.hint, f"in {rule.origin}"])),
        ) from error  # fmt: skip
    except AttributeError as error:
        if not isinstance(error.obj, (CandidateTable, ResultTable)):
            with calling(f"rule {rule.name}", rule.origin):
                raise
        raise _no_column(rule, error) from error
    except (Exception, SystemExit):
        with calling(f"rule {rule.name}", rule.origin):
            raise


def _no_column(rule: Rule, error: AttributeError) -> InputError:
    """What a rule asked of a table that has no such attribute."""
    if isinstance(error.obj, ResultTable):
        allowed, hint = "table.column(KEY), table.text(KEY)", "'ninefold fields' lists the keys"
    else:
        allowed = ", ".join(_COLUMNS)
        close = difflib.get_close_matches(error.name or "", _COLUMNS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "a rule on results says stage=Stage.RESULT"
    return InputError(
        f"rule {rule.name}", error.name, problem=f"is not a column of {rule.stage}s", allowed=allowed,
        hint=f"{hint}; in {rule.origin}",
    )  # fmt: skip


def values_of(rule: Rule, table: Table) -> np.ndarray:
    """A rule's values, shape (n_rows,).

    Raises:
        InputError: if it raises, or returns anything but one number per row.
    """
    with named(rule):
        values = np.asarray(rule.value(table))
    if values.shape != (len(table),) or values.dtype.kind not in "iufb":
        raise InputError(
            f"rule {rule.name}", rule.origin,
            problem=f"returns shape {values.shape} of {values.dtype}", allowed=f"numbers of shape ({len(table)},)",
        )  # fmt: skip
    if values.dtype.kind == "f":
        # a result that is not there yet is NaN; infinity less an infinite bound is no score in either stage
        is_wrong = ~np.isfinite(values) if rule.stage is Stage.COMPOSITION else np.isinf(values)
        if is_wrong.any():
            raise InputError(
                f"rule {rule.name}", rule.origin, problem=f"returns {values[is_wrong][0]}", allowed="finite numbers"
            )
    return values
