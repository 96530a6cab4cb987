"""The syntax of CIF 1.1 and of the part of CIF 2.0 that structures use: data blocks, items, loops."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.structures.reading.model import UnreadableError

if TYPE_CHECKING:
    from gemmi import cif

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?")
_BLANKS = {0x0B: " ", 0x0C: " ", 0x1A: " ", 0xA0: " "}
"""What is no blank of a CIF and stands for one: vertical tabs, page feeds, the end of a DOS file, unbroken blanks."""
_SECOND = re.compile(r"#\\#CIF_2")
_TRIPLE = re.compile(r"('''|\"\"\")(.*?)\1", re.DOTALL)
_SAID = {
    "unterminated 'string'": "a quote that is not closed",
    "unterminated text field": "a text between semicolons that has no end",
    "Wrong number of values": "values that do not fill the columns and rows of the loop",
    "parse error": "what belongs to no item",
}
"""What the parser says -> ours."""


@dataclass
class Block:
    """One data block; names in lower case, with `_` for the dot of CIF 2.0's names."""

    name: str
    columns: dict[str, list[str | None]] = field(default_factory=dict)
    """Item -> its values in order, one where it stands alone; None for the unknown `?` and the absent `.`."""
    loops: list[tuple[str, ...]] = field(default_factory=list)

    def column(self, *names: str) -> list[str | None]:
        """The values of the first of these items that is there and known; empty if none."""
        for name in names:
            if any(value is not None for value in self.columns.get(name, [])):
                return self.columns[name]
        return []

    def value(self, *names: str) -> str | None:
        """The one value of the first of these items that has one."""
        return next((value for value in self.column(*names) if value is not None), None)

    def number(self, *names: str) -> float | None:
        """The one number of an item, without its uncertainty."""
        text = self.value(*names)
        return None if text is None else number_of(text, names[0])


def number_of(text: str, name: str) -> float:
    """A number such as `0.2420(3)`.

    Raises:
        UnreadableError: if it is none.
    """
    match = _NUMBER.fullmatch(text.strip().replace("−", "-"))
    if match is None:
        raise UnreadableError(f"gives {text!r} for {name}, which is no number")
    return float(match.group(1))


def blocks_of(text: str) -> list[Block]:
    """The data blocks of a CIF.

    Raises:
        UnreadableError: with the line, if it breaks the syntax.
    """
    from gemmi import cif

    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_BLANKS)
    if _SECOND.match(text):  # gemmi reads CIF 1.1
        text = _TRIPLE.sub(lambda match: f"\n;{match.group(2)}\n;\n", text)
    try:
        document = cif.read_string(text, check_level=0)  # one item twice with one value is no harm
    except ValueError as error:
        raise _broken(str(error), text.split("\n")) from error
    return [_block(each) for each in document]


def _broken(message: str, lines: list[str]) -> UnreadableError:
    """What the parser says, `string:LINE:COLUMN(BYTE): what`, in our words and with the text of the line."""
    match = re.match(r"string:(\d+)[^ ]*:? (?:in [^:]*: )?(.*)", message, re.DOTALL)
    if match is None:
        return UnreadableError(f"is broken: {message}")
    line, what = int(match[1]), match[2]
    if "block header" in what:
        return UnreadableError(f"is no CIF: line {line} stands before any data_ block")
    said = next((ours for theirs, ours in _SAID.items() if theirs in what), what)
    text = lines[line - 1].strip() if line <= len(lines) else ""
    return UnreadableError(f"is broken at line {line}: {said}: {text[:40]!r}")


def _block(found: cif.Block) -> Block:
    block = Block(found.name.strip())
    for item in found:
        pair: Any = item.pair
        if pair is not None:
            _put(block, _item(pair[0]), [pair[1]], item.line_number)
        elif item.loop is not None:
            names = tuple(_item(tag) for tag in item.loop.tags)
            block.loops.append(names)
            values = item.loop.values
            for place, name in enumerate(names):
                _put(block, name, values[place :: len(names)], item.line_number)
    return block


def _put(block: Block, name: str, raw: list[str], line: int) -> None:
    from gemmi import cif

    if "" in raw:
        raise UnreadableError(f"is broken at line {line}: {name} has no value")
    values = [None if cif.is_null(value) else cif.as_string(value).strip() for value in raw]
    if name in block.columns and block.columns[name] != values:
        raise UnreadableError(f"gives {name} twice in the block {block.name!r}, again at line {line}")
    block.columns[name] = values


def _item(tag: str) -> str:
    return tag.lower().replace(".", "_")
