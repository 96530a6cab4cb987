"""Measured patterns: files of columns, read and checked."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ninefold.diffraction.radiation import Radiation, two_theta_of
from ninefold.errors import InputError, description
from ninefold.paths import readable_file

FEWEST_POINTS = 50
"""Of a pattern; fewer hold no peaks with a background between them."""
MOST_POINTS = 500_000
AXES = ("2theta", "q", "d")
"""What the first column may be: degrees, 1/Å (4π sin θ / λ), Å."""
_SEPARATORS = re.compile(r"[\s,;]+")
_ROW = "two or three numbers in every row: position, intensity, and its error if all have one"
_LARGEST = 32 * 2**20
_HEADER_LINES = 200
"""Lines before the first row of numbers; a file with more text than that is no pattern."""


@dataclass(frozen=True)
class MeasuredPattern:
    """Intensity against angle."""

    two_theta: NDArray[np.float64]
    """shape (n,), rising, degrees."""
    intensity: NDArray[np.float64]
    """shape (n,), any scale."""
    error: NDArray[np.float64] | None = None
    """shape (n,), of the intensity, where the file has it."""
    header: tuple[str, ...] = ()
    """Lines of text before the numbers."""

    def within(self, low: float | None, high: float | None) -> MeasuredPattern:
        """The part between two angles, degrees; None is no limit."""
        inside = np.ones(len(self.two_theta), dtype=bool)
        if low is not None:
            inside &= self.two_theta >= low
        if high is not None:
            inside &= self.two_theta <= high
        error = None if self.error is None else self.error[inside]
        return MeasuredPattern(self.two_theta[inside], self.intensity[inside], error, self.header)


def read_pattern(path: Path, radiation: Radiation, axis: str = "2theta") -> MeasuredPattern:
    """Read columns of a text file (xy, xye, csv): position, intensity, and its error if there is a third.

    Lines that begin with #, !, ; or a quote are comments; text before the first row of numbers is a header. Columns
    stand apart by blanks, commas or semicolons.

    Args:
        path: The file.
        radiation: Makes angles of `q` and `d`.
        axis: One of `AXES`.

    Raises:
        InputError: if the file cannot be read, is empty, or holds rows that are no pattern; the row is named.
    """
    if axis not in AXES:
        raise InputError("--axis", axis, allowed=", ".join(AXES))
    field = str(path)
    text = _text(path, field)
    rows, header, lines = _rows(text, field)
    if len(rows) < FEWEST_POINTS:
        none = "has no row of two numbers" if text.strip() else "is empty"
        problem = f"has {len(rows)} rows of numbers" if rows else none
        raise InputError("pattern", field, problem=problem, allowed=f"at least {FEWEST_POINTS} points")
    if len(rows) > MOST_POINTS:
        raise InputError("pattern", field, problem=f"has {len(rows)} points", allowed=f"at most {MOST_POINTS}")
    columns = min(len(rows[0]), 3)
    values = np.array([row[:columns] for row in rows], dtype=float)
    if not np.isfinite(values).all():
        line = lines[int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])]
        raise InputError("pattern", field, problem=f"has a value that is no finite number in line {line}")
    return _pattern(values, lines, radiation, axis, field, header)


def _text(path: Path, field: str) -> str:
    """Content of a file, unpacked if it is compressed; at most `_LARGEST` bytes of it."""
    file = readable_file(path, "pattern", what="a text file of columns")
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("pattern", field, problem=f"cannot be read: {description(error)}") from error
    if len(content) > _LARGEST:
        raise InputError("pattern", field, problem="is too large", allowed=f"at most {_LARGEST // 2**20} MiB")
    return content.decode("utf-8-sig", "replace")


def _pattern(
    values: NDArray[np.float64], lines: list[int], radiation: Radiation, axis: str, field: str, header: list[str]
) -> MeasuredPattern:
    """Angles in rising order, checked."""
    position, intensity = values[:, 0], values[:, 1]
    error = values[:, 2] if values.shape[1] > 2 else None
    if error is not None and not (error > 0).all():
        place = int(np.flatnonzero(error <= 0)[0])
        raise InputError(
            "pattern", field, problem=f"has an error of the intensity of {error[place]:g} in line {lines[place]}",
            allowed="errors above 0 in the third column, or no third column",
        )  # fmt: skip
    steps = np.diff(position)
    falling = np.sum(steps < 0) > len(steps) / 2
    bad = np.flatnonzero(steps >= 0 if falling else steps <= 0)
    if len(bad):
        line = lines[int(bad[0]) + 1]
        raise InputError(
            "pattern", field, problem=f"has positions that neither rise nor fall throughout: line {line}",
            hint="one scan, sorted by its first column",
        )  # fmt: skip
    angles = _angles(position, radiation, axis)
    good = np.isfinite(angles) & (angles > 0) & (angles < 180)
    if not good.all():
        line = lines[int(np.flatnonzero(~good)[0])]
        raise InputError(
            "pattern", field,
            problem=f"has a position that is no angle between 0 and 180 degrees at {radiation.name} in line {line}",
            hint=f"--axis says what the first column is: {', '.join(AXES)}; now {axis}",
        )  # fmt: skip
    if not intensity.max() > 0:
        raise InputError("pattern", field, problem="has no intensity above 0")
    if not intensity.max() > intensity.min():
        raise InputError("pattern", field, problem="has the same intensity everywhere")
    order = np.argsort(angles)
    return MeasuredPattern(
        angles[order], intensity[order], None if error is None else error[order], tuple(header)
    )  # fmt: skip


def _angles(position: NDArray[np.float64], radiation: Radiation, axis: str) -> NDArray[np.float64]:
    if axis == "2theta":
        return position
    if not (position > 0).all():
        return np.full(len(position), np.nan)
    spacing = position if axis == "d" else 2 * np.pi / position
    return two_theta_of(spacing, radiation.wavelength)


def _rows(text: str, field: str) -> tuple[list[list[float]], list[str], list[int]]:
    """Rows of at least two numbers; the lines of text before them; number of the line of each row."""
    rows: list[list[float]] = []
    header: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.strip()
        if not plain or plain[0] in "#!;'\"/":
            if plain and not rows:
                header.append(plain)
            continue
        row = _numbers(plain)
        if row is None:
            if rows or len(header) >= _HEADER_LINES:
                problem = f"line {number} is no row of numbers: {plain[:60]!r}"
                raise InputError("pattern", field, problem=problem, allowed=_ROW)
            header.append(plain)
            continue
        if rows and len(row) < min(len(rows[0]), 3):
            problem = f"line {number} has fewer columns than the rows before it"
            raise InputError("pattern", field, problem=problem, allowed=_ROW)
        rows.append(row)
        lines.append(number)
    return rows, header, lines


def _numbers(line: str) -> list[float] | None:
    """At least two numbers; None where the line holds anything else."""
    parts = [part for part in _SEPARATORS.split(line) if part]
    try:
        values = [float(part) for part in parts[:3]]
    except ValueError:
        return None
    return values if len(values) >= 2 else None
