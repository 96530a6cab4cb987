"""Space groups as files name them: operations, Hall symbols, Hermann-Mauguin symbols with their settings."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import moyopy
import numpy as np

from ninefold.structures.reading.model import UnreadableError

PARTS = 120
"""Translations are counted in this share of a cell edge: it holds eighths, twelfths and fifths."""
_ROUNDED = 0.35
"""In those parts, by how much a translation may be off: 0.333 is a third."""
_METRIC = 2e-3
"""By how much an operation may change an edge's square or a scalar product, as a share of the edges: 0.1% of an edge,
0.1 degrees of an angle."""
_LATTICES = {1: "P", 2: "I", 3: "R", 4: "F", 5: "A", 6: "B", 7: "C"}
# symbols of before 1992, whose glide planes are named by one of their two directions (Acta Cryst. A 48, 727 (1992))
_FORMER = {
    "Abm2": 191, "Bma2": 192, "B2cm": 193, "C2mb": 194, "Cm2a": 195, "Ac2m": 196, "Aba2": 203, "Bba2": 204,
    "B2cb": 205, "C2cb": 206, "Cc2a": 207, "Ac2a": 208, "Cmca": 304, "Ccmb": 305, "Abma": 306, "Acam": 307,
    "Abam": 307, "Bbcm": 308, "Bmab": 309, "Cmma": 316, "Cmmb": 317, "Abmm": 318, "Acmm": 319, "Bmcm": 320,
    "Bmam": 321,
}  # fmt: skip
_FORMER_TWO_ORIGINS = {
    "Ccca": (322, 323), "Cccb": (324, 325), "Abaa": (326, 327), "Acaa": (328, 329), "Bbcb": (330, 331),
    "Bbab": (332, 333),
}  # fmt: skip
_SUFFIX = re.compile(
    r"\s*(?::\s*([HRSZ]|[12]?[abc-]*[123]?(?<!:))|\(?\s*origin(?:\s+choice)?\s*([12])\s*\)?|\s([HSZR]))\s*$", re.I
)


class Group(NamedTuple):
    """Symmetry operations: x -> rotations @ x + translations / PARTS."""

    rotations: np.ndarray
    """shape (n, 3, 3), whole numbers."""
    translations: np.ndarray
    """shape (n, 3), whole numbers from 0 to PARTS - 1."""

    @property
    def codes(self) -> np.ndarray:
        """A number for each operation, sorted; shape (n,)."""
        return np.sort(_codes(self.rotations, self.translations))

    def is_same(self, other: Group) -> bool:
        """Whether the operations are those of another group."""
        return np.array_equal(self.codes, other.codes)


IDENTITY = Group(np.eye(3, dtype=int)[None], np.zeros((1, 3), dtype=int))


def group_of(texts: Iterable[str]) -> Group:
    """The group of operations written as `-x+y,-x,z+1/3`.

    Raises:
        UnreadableError: if one cannot be read, or they are no group.
    """
    rotations, translations = zip(*(_operation(text) for text in texts), strict=True)
    return _checked(_unique(np.array(rotations), np.array(translations)))


def centred(group: Group, vectors: np.ndarray) -> Group:
    """A group with every product of its operations and translations; vectors in PARTS, shape (m, 3)."""
    count, more = len(group.rotations), len(vectors)
    return _checked(
        _unique(
            np.repeat(group.rotations, more, axis=0),
            np.repeat(group.translations, more, axis=0) + np.tile(vectors, (count, 1)),
        )
    )


def shelx_group(latt: int, texts: Sequence[str]) -> Group:
    """The group of SHELX's LATT and SYMM: the identity is left out, and a positive LATT adds the inversion."""
    if abs(latt) not in _LATTICES:
        raise UnreadableError(f"gives LATT {latt}; allowed: 1 to 7, or -1 to -7")
    operations = [_operation("x,y,z"), *(_operation(text) for text in texts)]
    rotations, translations = (np.array(part) for part in zip(*operations, strict=True))
    if latt > 0:
        rotations, translations = np.concatenate([rotations, -rotations]), np.concatenate([translations, -translations])
    half, third = PARTS // 2, PARTS // 3
    vectors = {
        "P": [], "I": [(half, half, half)], "R": [(2 * third, third, third), (third, 2 * third, 2 * third)],
        "F": [(0, half, half), (half, 0, half), (half, half, 0)], "A": [(0, half, half)], "B": [(half, 0, half)],
        "C": [(half, half, 0)],
    }[_LATTICES[abs(latt)]]  # fmt: skip
    return centred(Group(rotations, translations), np.array([(0, 0, 0), *vectors]))


@functools.cache
def setting(hall_number: int) -> Group:
    """The operations of one of the 530 settings."""
    entry = moyopy.HallSymbolEntry(hall_number)
    found = moyopy.operations_from_number(entry.number, setting=moyopy.Setting.hall_number(hall_number))
    translations = np.round(np.array(found.translations) * PARTS).astype(int) % PARTS
    return Group(np.array(found.rotations).round().astype(int), translations)


def by_hall_symbol(symbol: str) -> list[int]:
    """Hall numbers of a Hall symbol; empty if it is none of the 530."""
    return _hall_symbols().get(_spaced(symbol.replace("=", '"')), [])


def by_number(number: int) -> list[int]:
    """Hall numbers of a space group's number, the standard setting first."""
    return [hall for hall in range(1, 531) if _entry(hall).number == number]


def by_symbol(symbol: str) -> list[int]:
    """Hall numbers that a Hermann-Mauguin symbol may mean: short or full, with or without blanks, `:2`, `:H`, `Z`.

    Origins and axes that the symbol leaves open are all there. A short monoclinic symbol means unique axis b in the
    tables; those of other axes come after it.
    """
    text = symbol.strip().replace("_", "").replace("−", "-")
    found = _symbols().get(_tight(text))
    if found:
        return list(found)
    match = _SUFFIX.search(text)
    if match is None:
        return []
    suffix = next(part for part in match.groups() if part).upper()
    suffix = {"S": "1", "Z": "2"}.get(suffix, suffix)  # as the ICSD writes the two origins
    halls = _symbols().get(_tight(text[: match.start()]), [])
    exact = [hall for hall in halls if _entry(hall).setting.upper() == suffix]
    return exact or [hall for hall in halls if _entry(hall).setting.upper()[:1] == suffix]


def number_of_hall(hall_number: int) -> int:
    """The space group's number of a Hall number."""
    return int(_entry(hall_number).number)


def name_of_hall(hall_number: int) -> str:
    """Full symbol and setting, for messages: `F 4_1/d -3 2/m :2`."""
    entry = _entry(hall_number)
    return f"{entry.hm_full} :{entry.setting}" if entry.setting else entry.hm_full


def hall_symbol(hall_number: int) -> str:
    """The Hall symbol of a Hall number: `R 3 -2"`, for which moyopy's table has `R 3 -2=`."""
    return str(_entry(hall_number).hall_symbol).replace("=", '"')


def unique_axis(hall_number: int) -> str | None:
    """a, b or c for a monoclinic setting."""
    entry = _entry(hall_number)
    return entry.setting.lstrip("-")[0] if 3 <= entry.number <= 15 else None


def type_number(group: Group) -> int | None:
    """The number of the space group type of some operations, in whatever cell; None if they are of none."""
    basis = _primitive_basis(group)
    inverse = np.linalg.inv(basis)
    rotations = np.einsum("ij,njk,kl->nil", inverse, group.rotations, basis).round().astype(int)
    translations = (group.translations / PARTS) @ inverse.T
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    try:
        found = moyopy.SpaceGroup(rotations[first].tolist(), (translations[first] % 1.0).tolist())
    except (ValueError, TypeError):
        return None
    return int(found.number)


def keeps_cell(group: Group, cell: np.ndarray) -> bool:
    """Whether the operations leave a cell's lengths and angles as they are; cell in Å, rows, shape (3, 3)."""
    metric = cell @ cell.T
    edges = np.sqrt(np.diag(metric))
    moved = np.einsum("nji,jk,nkl->nil", group.rotations, metric, group.rotations)
    return bool((np.abs(moved - metric) / np.outer(edges, edges) < _METRIC).all())


@functools.cache
def _entry(hall_number: int) -> moyopy.HallSymbolEntry:
    return moyopy.HallSymbolEntry(hall_number)


@functools.cache
def _symbols() -> dict[str, list[int]]:
    """Symbol without blanks -> Hall numbers."""
    names: dict[str, list[int]] = {}
    for hall in range(1, 531):
        entry = _entry(hall)
        words = entry.hm_full.replace("_", "").split()
        short = " ".join(word for word in words if word != "1") if 3 <= entry.number <= 15 else entry.hm_short
        for name in {_tight(entry.hm_full), _tight(short)}:
            names.setdefault(name, []).append(hall)
    former = {name: (hall,) for name, hall in _FORMER.items()} | _FORMER_TWO_ORIGINS
    for name, former_halls in former.items():
        names.setdefault(_tight(name), []).extend(former_halls)
    for hall in range(489, 531):  # cubic: `F m 3 m` of before 1983 is `F m -3 m`
        short = _tight(_entry(hall).hm_short)
        if "-3" in short and hall not in names.setdefault(short.replace("-3", "3"), []):
            names[short.replace("-3", "3")].append(hall)
    for numbers in names.values():
        numbers.sort(key=lambda hall: (unique_axis(hall) not in (None, "b"), hall))
    return names


@functools.cache
def _hall_symbols() -> dict[str, list[int]]:
    names: dict[str, list[int]] = {}
    for hall in range(1, 531):
        names.setdefault(_spaced(hall_symbol(hall)), []).append(hall)
    return names


def _tight(symbol: str) -> str:
    return "".join(symbol.split()).replace("_", "").lower()


def _spaced(symbol: str) -> str:
    return " ".join(symbol.replace("_", " ").lower().split())  # a blank tells `P 3 2` from `P 32`


def _operation(text: str) -> tuple[list[list[int]], list[int]]:
    rows, shifts = [], []
    parts = re.sub(r"^\s*\d+\s+(?=[-+xyzXYZ])", "", text).lower().replace(" ", "").split(",")
    if len(parts) != 3:
        raise UnreadableError(f"gives the symmetry operation {text!r}, which has no three coordinates")
    for part in parts:
        row, shift, rest = [0, 0, 0], Fraction(0), part
        while rest:
            match = re.match(r"([+-]?)(?:([xyz])|(\d+/\d+|\d*\.?\d+))", rest)
            if match is None or (match.group(3) or "").endswith("/0"):
                raise UnreadableError(f"gives the symmetry operation {text!r}, which cannot be read")
            sign = -1 if match.group(1) == "-" else 1
            if match.group(2):
                row["xyz".index(match.group(2))] += sign
            else:
                shift += sign * Fraction(match.group(3))
            rest = rest[match.end() :]
        counted = float(shift * PARTS)
        if abs(counted - round(counted)) > _ROUNDED:
            raise UnreadableError(f"gives the symmetry operation {text!r}, whose translation is of no space group")
        rows.append(row)
        shifts.append(round(counted) % PARTS)
    if abs(round(np.linalg.det(np.array(rows)))) != 1 or np.abs(rows).max() > 1:
        raise UnreadableError(f"gives the symmetry operation {text!r}, which is none of a space group")
    return rows, shifts


def _codes(rotations: np.ndarray, translations: np.ndarray) -> np.ndarray:
    powers = 3 ** np.arange(9)
    digits = ((rotations.reshape(*rotations.shape[:-2], 9) + 1) * powers).sum(axis=-1)
    moved = translations % PARTS
    return digits * PARTS**3 + (moved * PARTS ** np.arange(3)).sum(axis=-1)


def _unique(rotations: np.ndarray, translations: np.ndarray) -> Group:
    _, first = np.unique(_codes(rotations, translations), return_index=True)
    first.sort()
    return Group(rotations[first], translations[first] % PARTS)


def _checked(group: Group) -> Group:
    codes = group.codes
    if not np.isin(IDENTITY.codes, codes).all():
        raise UnreadableError("gives symmetry operations without the identity")
    products = np.einsum("aij,bjk->abik", group.rotations, group.rotations)
    shifts = np.einsum("aij,bj->abi", group.rotations, group.translations) + group.translations[:, None]
    if np.abs(products).max() > 1 or not np.isin(_codes(products, shifts), codes).all():
        raise UnreadableError("gives symmetry operations that are no group: one is missing or wrong")
    return group


def _primitive_basis(group: Group) -> np.ndarray:
    """Columns span the lattice of all pure translations."""
    is_pure = (group.rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    rows = [list(map(int, row)) for row in (*group.translations[is_pure], *(PARTS * np.eye(3, dtype=int)))]
    basis = []
    for column in range(3):
        while sum(row[column] != 0 for row in rows) > 1:  # Euclid's algorithm on the rows
            pivot = min((row for row in rows if row[column]), key=lambda row: abs(row[column]))
            for row in rows:
                if row is not pivot and (factor := row[column] // pivot[column]):
                    row[:] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
        lead = next(row for row in rows if row[column])
        basis.append(lead)
        rows = [row for row in rows if row is not lead]
    return np.array(basis).T / PARTS
