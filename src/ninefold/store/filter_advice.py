"""What is told of a filter that cannot be read: where it stops making sense, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lark.exceptions import UnexpectedEOF, UnexpectedInput

from ninefold.errors import InputError
from ninefold.store.conditions import Field
from ninefold.store.filter_fields import PREFIX, key_of

EXAMPLE = 'example: elements HAS "Li" AND e_above_hull < 0.05'

_CAPITALS = "words of the filter stand in capitals"
_WORDS = frozenset("AND OR NOT HAS ALL ANY ONLY IS KNOWN UNKNOWN CONTAINS STARTS ENDS WITH LENGTH TRUE FALSE".split())
_TRUTHS = {"true": "TRUE", "false": "FALSE", "yes": "TRUE", "no": "FALSE"}
_COMPARED = re.compile(
    r"(?<!\w)(?P<field>[a-z_]\w*)\s*(?P<operator>!=|<=|>=|=|<|>|\bHAS(?:\s+(?:ALL|ANY|ONLY))?\b"
    r"|\bCONTAINS\b|\bSTARTS(?:\s+WITH)?\b|\bENDS(?:\s+WITH)?\b)\s*(?P<value>[A-Za-z\[][^\s()\",]*)"
)
"""A field compared with a word without quotes."""
_LISTED = re.compile(r",\s*(?P<value>[A-Z]\w*)")


def syntax_error(text: str, error: UnexpectedInput, fields: Mapping[str, Field]) -> InputError:
    """Where a filter cannot be parsed, and the usual slip that explains it."""
    place = len(text) if isinstance(error, UnexpectedEOF) else max(error.pos_in_stream or 0, 0)
    rest = text[place : place + 20]
    where = f"at column {place + 1}, near {rest!r}" if rest.strip() else "at its end"
    return InputError(
        "filter",
        text,
        problem=f"is not an OPTIMADE filter: stops making sense {where}",
        hint=_advice(text, fields),
    )


def _advice(text: str, fields: Mapping[str, Field]) -> str:
    """The usual slips: single quotes, doubled equal signs, words in lower case."""
    if "'" in text:
        return "text stands in double quotes"
    if "==" in text:
        return "equality is one ="
    bare = re.sub(r'"[^"]*"', "", text)
    if told := hint(text, fields):
        return told
    if words := sorted(set(re.findall(r"\b(and|or|not|has|all|any|only|contains|like|in|is|true|false)\b", bare))):
        return f"{_CAPITALS} ({', '.join(words)})"
    return EXAMPLE


def hint(text: str, fields: Mapping[str, Field], only: str | None = None) -> str | None:
    """What to write instead of a word without quotes, a truth value in small letters or a field alone.

    Args:
        text: The filter.
        fields: By name, those that the filter may name.
        only: Look at this word alone.
    """
    bare = re.sub(r'"[^"]*"', lambda found: " " * len(found.group()), text)
    for found in _COMPARED.finditer(bare):
        name, operator, value = found["field"], " ".join(found["operator"].split()), found["value"]
        field = fields.get(key_of(name))
        if field is None or value in _WORDS or (only is not None and value != only):
            continue
        if field.kind == "boolean":
            truth = _TRUTHS.get(value.lower())
            return f"TRUE and FALSE stand in capitals: {name} {operator} {truth or 'TRUE'}"
        if field.kind in ("string", "list"):
            return f'text stands in double quotes: {name} {operator} "{value}"'
        return f"{name} is a number, as in {name} {operator} 1"
    if only is None and (listed := _LISTED.search(bare)):
        return f'text stands in double quotes: "{listed["value"]}"'
    alone = text.removeprefix("NOT").strip()
    found_alone = fields.get(alone.removeprefix(PREFIX))
    if only is None and found_alone is not None and found_alone.kind == "boolean":
        return f"a field is compared with a value: {alone} = {'FALSE' if text.startswith('NOT') else 'TRUE'}"
    return None
