"""The syntax of CIF 1.1 and of the part of CIF 2.0 that structures use: data blocks, items, loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ninefold.structures.reading.model import UnreadableError

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?")
_TRIPLE = ("'''", '"""')


class _Token(NamedTuple):
    text: str
    is_quoted: bool
    line: int


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
    blocks: list[Block] = []
    tokens = list(_tokens(text))
    place, in_frame = 0, False
    while place < len(tokens):
        token = tokens[place]
        word = "" if token.is_quoted else token.text.lower()
        place += 1
        if word.startswith("data_"):
            blocks.append(Block(token.text[5:]))
            in_frame = False
        elif word.startswith("save_"):
            in_frame = len(word) > len("save_")  # a frame holds definitions, no data
        elif not blocks:
            raise UnreadableError(f"is no CIF: line {token.line} stands before any data_ block")
        elif word == "loop_":
            place = _read_loop(Block("") if in_frame else blocks[-1], tokens, place, token.line)
        elif word.startswith("_"):
            if place >= len(tokens) or _is_keyword(tokens[place]):
                raise UnreadableError(f"is broken at line {token.line}: {token.text} has no value")
            if not in_frame:
                _put(blocks[-1], _item(token), [_known(tokens[place])], token.line)
            place += 1
        else:
            raise UnreadableError(f"is broken at line {token.line}: {token.text[:40]!r} belongs to no item")
    return blocks


def _read_loop(block: Block, tokens: list[_Token], place: int, line: int) -> int:
    names: list[str] = []
    while place < len(tokens) and not tokens[place].is_quoted and tokens[place].text.startswith("_"):
        names.append(_item(tokens[place]))
        place += 1
    values: list[str | None] = []
    while place < len(tokens) and not _is_keyword(tokens[place]):
        values.append(_known(tokens[place]))
        place += 1
    if not names or len(values) % len(names):
        raise UnreadableError(f"is broken: the loop of line {line} has {len(names)} columns and {len(values)} values")
    block.loops.append(tuple(names))
    for index, name in enumerate(names):
        _put(block, name, values[index :: len(names)], line)
    return place


def _put(block: Block, name: str, values: list[str | None], line: int) -> None:
    if name in block.columns and block.columns[name] != values:
        raise UnreadableError(f"gives {name} twice in the block {block.name!r}, again at line {line}")
    block.columns[name] = values


def _item(token: _Token) -> str:
    return token.text.lower().replace(".", "_")


def _known(token: _Token) -> str | None:
    return None if token.text in ("?", ".") and not token.is_quoted else token.text


def _is_keyword(token: _Token) -> bool:
    word = token.text.lower()
    return not token.is_quoted and (word.startswith(("_", "data_", "save_")) or word in ("loop_", "stop_", "global_"))


def _tokens(text: str) -> Iterator[_Token]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        number = index + 1
        if line.startswith(";"):
            ends = next((end for end in range(index + 1, len(lines)) if lines[end].startswith(";")), None)
            if ends is None:
                raise UnreadableError(f"is cut off: the text that begins at line {number} has no end")
            yield _Token("\n".join([line[1:], *lines[index + 1 : ends]]).strip(), True, number)
            lines[ends] = " " + lines[ends][1:]
            index = ends
            continue
        at = 0
        while at < len(line):
            if line[at].isspace():
                at += 1
                continue
            if line[at] == "#":
                break
            if line.startswith(_TRIPLE, at):
                rest = "\n".join([line[at + 3 :], *lines[index + 1 :]])
                inside, mark, after = rest.partition(line[at : at + 3])
                if not mark:
                    raise UnreadableError(f"is cut off: the text that begins at line {number} has no end")
                yield _Token(inside, True, number)
                index += inside.count("\n")
                line, at = after.split("\n", 1)[0], 0
            elif line[at] in "'\"":
                closing = re.compile(re.escape(line[at]) + r"(?=\s|$)").search(line, at + 1)
                if closing is None:
                    raise UnreadableError(f"is broken at line {number}: a quote that is not closed")
                yield _Token(line[at + 1 : closing.start()], True, number)
                at = closing.end()
            else:
                end = at
                while end < len(line) and not line[end].isspace():
                    end += 1
                yield _Token(line[at:end], False, number)
                at = end
        index += 1
