"""Parsing a filter by the grammar of the specification, for the transformer of a backend."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib.resources import files
from typing import TypeVar

from lark import Lark
from lark.exceptions import UnexpectedInput, VisitError

from ninefold.errors import InputError
from ninefold.store.arguments import NO_PROPERTIES, Properties
from ninefold.store.conditions import queryable
from ninefold.store.filter_advice import syntax_error
from ninefold.store.grammar import FilterTransformer

Result = TypeVar("Result")


def transform(
    text: str,
    make: Callable[[str, str, Properties], FilterTransformer[Result]],
    collection: str,
    properties: Properties = NO_PROPERTIES,
) -> Result:
    """Parse a filter and translate it.

    Args:
        text: OPTIMADE filter, not blank.
        make: The backend's transformer.
        collection: Whose fields the filter may name.
        properties: What else it may name; see `Store.find`.

    Raises:
        InputError: on a syntax error, with its position; on an unknown field, with near ones; on a
            value of the wrong kind; on a form that is optional in OPTIMADE and unknown here.
    """
    try:
        text.encode("utf-8")
        result: Result = make(collection, text, properties).transform(_parser().parse(text))
        return result
    except UnicodeEncodeError as error:
        raise InputError("filter", text, problem="is not text in UTF-8") from error
    except UnexpectedInput as error:
        raise syntax_error(text, error, queryable(collection, properties)) from error
    except VisitError as error:
        if isinstance(error.orig_exc, InputError):
            raise error.orig_exc from error
        raise
    except RecursionError as error:
        raise InputError("filter", f"{text[:40]}...", problem="is nested too deeply") from error


@functools.cache
def _parser() -> Lark:
    grammars = [item for item in files("optimade").joinpath("grammar").iterdir() if item.name.endswith(".lark")]
    newest = max(grammars, key=lambda item: [int(digits) for digits in re.findall(r"\d+", item.name)])
    # all tokens are kept because the grammar's TRUE and FALSE are bare words, which lark would drop
    return Lark(newest.read_text(encoding="utf-8"), maybe_placeholders=False, keep_all_tokens=True)
