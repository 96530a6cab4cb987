"""Single points of a check method as labels: read from the folders of paths and runs, with where each one is from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.dynamics.second_method.point_checks import frames_at
from ninefold.dynamics.second_method.single_points import StoredPoint, point_name, stored_point
from ninefold.dynamics.simulation.runs import is_run, read_run
from ninefold.errors import InputError

WANTED = "a folder of 'ninefold dynamics paths --check' or 'run --check'"
FIELD = "folder"


@dataclass(frozen=True)
class CheckLabel:
    """A geometry with energy and forces by a check method."""

    frame: LabelledFrame
    """Its name is that of the single point's file."""
    block: str
    """Path or run that it is from, for people; the folder, where neither is known."""
    place: int
    """Of the image or frame in its block."""


@dataclass(frozen=True)
class CheckedPath:
    """A path of which single points are there."""

    title: str
    """Folder, site, kind and permutation."""
    images: tuple[tuple[int, str], ...]
    """Number of each image that was computed, and name of its label."""


@dataclass(frozen=True)
class CheckLabels:
    """All labels of one check method."""

    engine: str
    """Label of the method."""
    method: str
    """Fingerprint of the method."""
    evidence: str
    labels: tuple[CheckLabel, ...]
    """In the order of their blocks and places."""
    paths: tuple[CheckedPath, ...] = ()
    failed: int = 0
    """Single points without energy and forces, which are left out."""
    core_seconds: float = field(default=0.0, compare=False)
    """That the labels took."""


def read_check_labels(folders: Sequence[Path], check: str | None = None) -> CheckLabels:
    """The single points of some folders.

    Args:
        folders: Each is searched with all folders in it for `point-*.json`.
        check: Part of the label of the method, or beginning of its fingerprint, where the folders hold several.

    Raises:
        InputError: if a folder holds no single points, or a file is none; if they are of several methods, or none has
            energy and forces.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        found = sorted(folder.rglob("point-*.json")) if folder.is_dir() else []
        if not found:
            problem = "holds no single points" if folder.is_dir() else "is no folder"
            raise InputError(FIELD, str(folder), problem=problem, allowed=WANTED)
        for path in found:  # one that lies in two folders is one
            files.setdefault(path.stem, path)
    points = {name: stored_point(path, FIELD) for name, path in files.items()}
    method = chosen_method(
        {point.method: point.engine for point in points.values()}, check, FIELD, ", ".join(map(str, folders))
    )
    points = {name: point for name, point in points.items() if point.method == method}
    owners = dict.fromkeys(files[name].parent.parent for name in points)
    origins: dict[str, tuple[str, int]] = {}
    paths = []
    for owner in owners:
        for found_path in _paths_of(owner, method, points):
            paths.append(found_path)
            for number, name in found_path.images:  # both ends are one crystal, and the end of other paths too
                origins.setdefault(name, (found_path.title, number))
        for title, number, name in _frames_of(owner, method, points):
            origins.setdefault(name, (title, number))
    labels = []
    for place, (name, point) in enumerate(points.items()):
        if point.point.energy_eV is None or point.point.forces is None:
            continue
        block, number = origins.get(name, (files[name].parent.parent.name, place))
        labels.append(CheckLabel(_frame(name, point), block, number))
    first = next(iter(points.values()))
    if not labels:
        raise InputError(
            FIELD, ", ".join(map(str, folders)), problem=f"holds no single point by {first.engine} that has an energy",
            allowed=WANTED,
        )  # fmt: skip
    labels.sort(key=lambda label: (label.block, label.place, label.frame.name))
    there = {label.frame.name for label in labels}
    kept = [CheckedPath(one.title, tuple(image for image in one.images if image[1] in there)) for one in paths]
    return CheckLabels(
        first.engine, method, first.evidence, tuple(labels), tuple(one for one in kept if len(one.images) > 1),
        len(points) - len(labels), sum(point.point.core_seconds for point in points.values()),
    )  # fmt: skip


def chosen_method(methods: dict[str, str], check: str | None, field: str, source: str) -> str:
    """Fingerprint of the method that is wanted.

    Args:
        methods: Fingerprint -> label.
        check: Part of the label, or beginning of the fingerprint; None where there is one alone.
        field: Option that the methods are from, for people.
        source: What it says.

    Raises:
        InputError: if none or several are meant.
    """
    listed = ", ".join(f"{label} [{method[:8]}]" for method, label in sorted(methods.items(), key=lambda one: one[1]))
    if check is None:
        if len(methods) > 1:
            raise InputError(
                field, source, problem="holds single points of several methods", allowed=f"one of: {listed}",
                hint="--check NAME chooses by a part of the name, or by the digits",
            )  # fmt: skip
        return next(iter(methods))
    fits = [
        method
        for method, label in methods.items()
        if check.lower() in label.lower() or method.startswith(check.lower())
    ]
    if not check or len(fits) != 1:
        problem = "fits several methods of the single points" if len(fits) > 1 else "is no method of the single points"
        raise InputError("--check", check, problem=problem, allowed=listed)
    return fits[0]


def together(one: CheckLabels, other: CheckLabels) -> CheckLabels:
    """Labels of one method from two sources.

    Args:
        one: Of it.
        other: Of the same method.
    """
    labels = sorted((*one.labels, *other.labels), key=lambda label: (label.block, label.place, label.frame.name))
    return CheckLabels(
        one.engine, one.method, one.evidence, tuple(labels), (*one.paths, *other.paths), one.failed + other.failed,
        one.core_seconds + other.core_seconds,
    )  # fmt: skip


def _frame(name: str, stored: StoredPoint) -> LabelledFrame:
    atoms, point = stored.atoms, stored.point
    assert point.energy_eV is not None
    assert point.forces is not None
    return LabelledFrame(
        name, tuple(atoms.get_chemical_symbols()), atoms.cell.array, atoms.positions, float(point.energy_eV),
        np.asarray(point.forces, dtype=float), None,
    )  # fmt: skip


def _paths_of(owner: Path, method: str, points: dict[str, StoredPoint]) -> Iterator[CheckedPath]:
    """The paths of a folder that have images among some single points."""
    from ase.io import read

    for file in sorted(owner.glob("path-*.xyz")):
        chain: Any = read(file, index=":")
        named = [(number, point_name(method, image)) for number, image in enumerate(chain)]
        images: dict[str, int] = {}
        for number, name in named:  # the last image is the first one again
            if name in points:
                images.setdefault(name, number)
        if images:
            described = file.with_suffix(".json")
            row = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
            title = f"site {row['site']}: {row['kind']} {row['permutation']}" if row else file.stem
            yield CheckedPath(f"{owner.name}, {title}", tuple((number, name) for name, number in images.items()))


def _frames_of(owner: Path, method: str, points: dict[str, StoredPoint]) -> Iterator[tuple[str, int, str]]:
    """Frames of the runs in a folder that are among some single points: run, number, and name."""
    from ase import Atoms

    for folder in sorted(path for path in owner.iterdir() if is_run(path)):
        checks = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("check-*.json"))]
        numbers = {number for one in checks if one.get("method") == method for number in one["frames"]}
        if numbers:
            atoms = Atoms(list(read_run(folder).symbols), pbc=True)
            for number, frame in frames_at(folder, atoms, sorted(numbers)):
                if (name := point_name(method, frame)) in points:
                    yield f"{owner.name}/{folder.name}", number, name
