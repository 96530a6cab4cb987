"""POSCAR as VASP reads it: https://www.vasp.at/wiki/index.php/POSCAR."""

from __future__ import annotations

import re

import numpy as np

from ninefold.structures.reading.model import (
    HYDROGENS,
    ReadStructure,
    UnreadableError,
    element_of,
    fixed_atoms_note,
    plain_structure,
)

_SYMBOL = re.compile(r"([A-Za-z]{1,2})(?:[_/].*)?")
"""`Fe`, `Fe_pv`, `Fe/3f2a...`: an element, its potential, its potential's checksum."""
_NAMES_HINT = "name the elements in the line above the numbers of atoms, e.g. Mg Fe H"


def read_poscar(text: str) -> ReadStructure:
    """The structure of a POSCAR or CONTCAR.

    Raises:
        UnreadableError: if it is broken, or does not name its elements.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) < 8:
        raise UnreadableError("is no POSCAR: it has fewer than 8 lines")
    notes: list[str] = []
    factors = _scale(lines[1])
    cell = np.array([_numbers(lines, 2 + row, 3) for row in range(3)])
    if abs(np.linalg.det(cell)) < 1e-9:
        raise UnreadableError("holds no periodic structure: its cell has no volume")
    if len(factors) == 1 and factors[0] < 0:  # the volume of the cell
        factors = np.full(3, (-factors[0] / abs(float(np.linalg.det(cell)))) ** (1 / 3))
    cell = cell * factors
    at = 5
    words = lines[at].split()
    if words and not re.fullmatch(r"\d+", words[0]):
        names = [_name(word) for word in words]
        at += 1
        counts = _counts(lines, at, len(names))
    else:
        counts = _counts(lines, at, None)
        names = _names_elsewhere(lines[0], counts)
        notes.append(f"elements taken from the comment line: {' '.join(names)}")
    at += 1
    is_selective = lines[at : at + 1] != [] and lines[at].strip()[:1].lower() == "s"
    at += is_selective
    is_cartesian = at < len(lines) and lines[at].strip()[:1].lower() in ("c", "k")
    at += 1
    total = sum(counts)
    points = np.array([_numbers(lines, at + row, 3) for row in range(total)])
    if is_selective:
        flags = [lines[at + row].split()[3:6] for row in range(total)]
        held = sum(any(flag.strip(".")[:1].lower() == "f" for flag in row) for row in flags)
        if held:
            notes.append(fixed_atoms_note(held, total))
    symbols = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    positions = (points * factors) @ np.linalg.inv(cell) if is_cartesian else points
    return plain_structure(cell, symbols, positions, notes)


def _scale(line: str) -> np.ndarray:
    """One factor, or one for each Cartesian component."""
    values: list[float] = []
    for word in line.split():
        try:
            values.append(_float(word))
        except ValueError:
            break  # a comment follows
    count = 3 if len(values) >= 3 else 1
    chosen = np.array(values[:count])
    if not values or not np.isfinite(chosen).all() or (chosen == 0).any() or (count == 3 and (chosen < 0).any()):
        raise UnreadableError(
            f"is no POSCAR: line 2 is {line.strip()[:40]!r}", "a factor, a negative volume, or three positive factors"
        )
    return chosen


def _numbers(lines: list[str], row: int, count: int) -> list[float]:
    words = lines[row].split() if row < len(lines) else []
    try:
        values = [_float(word) for word in words[:count]]
    except ValueError:
        values = []
    if len(values) < count:
        found = repr(lines[row].strip()[:40]) if row < len(lines) else "missing"
        raise UnreadableError(f"is broken at line {row + 1}, which should hold {count} numbers: {found}")
    return values


def _float(word: str) -> float:
    return float(re.sub(r"(?<=[\d.])[dD](?=[+-]?\d)", "e", word))  # Fortran writes 1.0D0


def _name(word: str) -> str:
    match = _SYMBOL.fullmatch(word)
    element = element_of(match.group(1)) if match else None
    if element is None:
        raise UnreadableError(f"names {word!r}, which is no element", _NAMES_HINT)
    return element


def _counts(lines: list[str], row: int, names: int | None) -> list[int]:
    words = lines[row].split() if row < len(lines) else []
    counts: list[int] = []
    for word in words:
        if not word.isdecimal():
            break  # a comment follows
        counts.append(int(word))
    if not counts or (names is not None and len(counts) != names):
        wanted = "numbers of atoms" if names is None else f"{names} numbers of atoms"
        raise UnreadableError(f"is broken at line {row + 1}, which should hold {wanted}: {' '.join(words)[:40]!r}")
    if sum(counts) > 100_000:
        raise UnreadableError(f"says that it holds {sum(counts)} atoms", "up to 100000")
    return counts


def _names_elsewhere(comment: str, counts: list[int]) -> list[str]:
    """Elements from a comment line that names as many as there are numbers: `Mg Fe H`, `Mg2 Fe1 H6`, `Mg2FeH6`."""
    words = comment.split()
    formula = re.findall(r"[A-Z][a-z]?\d*", comment)
    if len(words) == 1 and "".join(formula) == words[0]:  # as in a formula, no number means one
        words = [word if word[-1].isdigit() else f"{word}1" for word in formula]
    found = [re.fullmatch(r"([A-Z][a-z]?)(\d*)", word) for word in words]
    names = [element_of(match.group(1)) for match in found if match]
    amounts = [match.group(2) for match in found if match]
    if (
        len(names) == len(words) == len(counts)
        and all(names)
        and len({"H" if name in HYDROGENS else name for name in names}) == len(names)
        and all(not amount or int(amount) == count for amount, count in zip(amounts, counts, strict=True))
    ):
        return [str(name) for name in names]
    raise UnreadableError(
        f"has no element symbols, and its comment line {comment.strip()[:40]!r} does not name {len(counts)}",
        _NAMES_HINT,
    )
