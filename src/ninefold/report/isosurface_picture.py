"""Isosurfaces side by side at rising energies, with atoms: PNG, or SVG with the surfaces as a raster image."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ninefold.dynamics.density.isosurfaces import Mesh, isosurface
from ninefold.report.palette import CATIONS, CENTRE, TERMS
from ninefold.report.picture import view_matrix

FORMATS = ("png", "svg")
SURFACE = TERMS[1]
"""Hydrogen."""
RADII = {"centre": 0.35, "cation": 0.45}
"""Drawn radius, Å."""
_PANEL = 2.9
"""Inches."""
_DPI = 130
_LIGHT = np.array([-0.35, 0.55, 0.76])
_AMBIENT = 0.5
_OPACITY = 0.9
_LEAST_REACH = 0.5
"""Å, from the middle of a panel."""


@dataclass(frozen=True)
class Panel:
    """One surface."""

    caption: str
    """Below it."""
    energy: float
    """Of the surface, in the unit of the row's values."""


@dataclass(frozen=True)
class SurfaceRow:
    """Values on a grid, drawn at several energies."""

    title: str
    values: np.ndarray
    """shape (a, b, c), finite."""
    cell: np.ndarray
    """shape (3, 3), Å, rows are the grid's edges."""
    first_point: np.ndarray
    """shape (3,), Å."""
    is_periodic: bool
    symbols: Sequence[str]
    centre: str
    """Symbol that is drawn as the anions' centre."""
    positions: np.ndarray
    """shape (k, 3), Å."""
    panels: Sequence[Panel] = field(default_factory=tuple)


def isosurface_picture(title: str, rows: Sequence[SurfaceRow], form: str) -> bytes:
    """The picture.

    Args:
        title: Above it.
        rows: Each with the same number of panels.
        form: png or svg.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    from ninefold.errors import MissingDependencyError

    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError("--format", form, "matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "ninefold"  # the same picture is the same file
    columns = max(len(row.panels) for row in rows)
    figure, axes = pyplot.subplots(
        len(rows), columns, figsize=(_PANEL * columns, (_PANEL + 0.45) * len(rows) + 0.4), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    figure.suptitle(title, fontsize=10)
    for row, of_row in zip(rows, axes, strict=True):
        for axis in of_row:
            axis.set_axis_off()
            axis.set_aspect("equal")
        for panel, axis in zip(row.panels, of_row, strict=False):
            _draw(axis, row, panel.energy, max(one.energy for one in row.panels))
            axis.set_title(f"{row.title}\n{panel.caption}", fontsize=8, y=-0.04, va="top")
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if form == "svg" else {}
    figure.savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
    pyplot.close(figure)
    return buffer.getvalue()


def _draw(axis: Any, row: SurfaceRow, energy: float, highest: float) -> None:
    """Triangles from the back to the front: the nearest hide the others."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import to_rgb

    view = view_matrix()
    corners, colours = [], []
    for one, colour, opacity in [(_surface(row, energy), SURFACE, _OPACITY), *_balls(row)]:
        seen = Mesh(one.points @ view.T, one.triangles)
        corners.append(seen.points[seen.triangles])
        colours.append(_shades(seen, np.array(to_rgb(colour)), opacity))
    every, shades = np.concatenate(corners), np.concatenate(colours)
    order = np.argsort(every[:, :, 2].mean(axis=1))
    box = np.array(list(product((0, 1), repeat=3)))
    edges = [(one, other) for one in range(8) for other in range(one) if np.abs(box[one] - box[other]).sum() == 1]
    frame = ((box @ row.cell) + row.first_point) @ view.T
    if row.is_periodic:
        axis.add_collection(LineCollection([frame[list(edge), :2] for edge in edges], colors="#888888", linewidths=0.6))
    drawn = PolyCollection(
        list(every[order][:, :, :2]), facecolors=shades[order], edgecolors=shades[order], linewidths=0.2
    )  # fmt: skip
    drawn.set_rasterized(True)
    axis.add_collection(drawn)
    # the panels of a row have one scale
    shown = frame if row.is_periodic else np.concatenate([_surface(row, highest).points @ view.T, frame.mean(0)[None]])
    middle = frame.mean(axis=0)
    reach = np.maximum(np.abs(shown - middle)[:, :2].max(axis=0) * 1.06, _LEAST_REACH)
    axis.set_xlim(middle[0] - reach[0], middle[0] + reach[0])
    axis.set_ylim(middle[1] - reach[1], middle[1] + reach[1])


def _surface(row: SurfaceRow, energy: float) -> Mesh:
    """In Å."""
    # one more layer of a crystal's grid, so that the surface goes on to the face of the cell
    values = np.pad(row.values, (0, 1), mode="wrap") if row.is_periodic else row.values
    mesh = isosurface(values, energy)
    return Mesh((mesh.points / row.values.shape) @ row.cell + row.first_point, mesh.triangles)


def _balls(row: SurfaceRow) -> list[tuple[Mesh, str, float]]:
    others = [symbol for symbol in dict.fromkeys(row.symbols) if symbol != row.centre]
    ball = _ball()
    found = []
    for symbol, position in zip(row.symbols, row.positions, strict=True):
        is_centre = symbol == row.centre
        colour = CENTRE if is_centre else CATIONS[others.index(symbol) % len(CATIONS)]
        radius = RADII["centre" if is_centre else "cation"]
        found.append((Mesh(ball.points * radius + position, ball.triangles), colour, 1.0))
    return found


def _ball() -> Mesh:
    """A sphere of radius 1."""
    steps = np.linspace(-1.2, 1.2, 13)
    a, b, c = np.meshgrid(steps, steps, steps, indexing="ij")
    mesh = isosurface(a**2 + b**2 + c**2, 1.0)
    points = mesh.points * (steps[1] - steps[0]) + steps[0]
    return Mesh(points / np.linalg.norm(points, axis=1, keepdims=True), mesh.triangles)


def _shades(mesh: Mesh, colour: np.ndarray, opacity: float) -> np.ndarray:
    """Shape (m, 4), colour of each triangle by its angle to the light; the inside of an open surface is darker.

    Args:
        mesh: As seen: right, up, towards the reader.
        colour: shape (3,).
        opacity: 0 to 1.
    """
    a, b, c = (mesh.points[mesh.triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    # mean over the triangles around a point: flat ones would show the grid
    at_points = np.zeros_like(mesh.points)
    for corner in range(3):
        np.add.at(at_points, mesh.triangles[:, corner], faces)
    normals = at_points[mesh.triangles].sum(axis=1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.where(lengths > 0, lengths, 1.0)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    bright = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ light, 0.0, 1.0)
    bright = np.where(faces[:, 2] >= 0, bright, 0.6 * _AMBIENT)
    return np.column_stack([np.clip(colour * bright[:, None], 0, 1), np.full(len(faces), opacity)])
