"""A structure as a still picture: SVG, seen from above at an angle, nearer things last."""

from __future__ import annotations

from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from ninefold.report.palette import CATIONS, CENTRE, HYDRIDE, LIGAND
from ninefold.report.scene import Scene

RADII = {"centre": 0.52, "cation": 0.78, "ligand": 0.26, "hydride": 0.34}
"""Drawn radius by role, Å; small enough to see through the structure."""

SIZE = 420
"""Width and height of a picture, px."""

TURN, TILT = np.radians(17.0), np.radians(20.0)
"""View: about the vertical axis, then towards the reader."""


_PIECES = 5
"""Pieces of a cell edge."""


def view_matrix() -> NDArray[np.float64]:
    """Rotation from Cartesian coordinates to the screen: right, up, towards the reader; shape (3, 3)."""
    about_z = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]])
    to_screen = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    about_x = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
    return about_x @ to_screen @ about_z


def colours(scene: Scene) -> dict[str, str]:
    """Legend of a scene: element (or `H on M`, `H⁻`) -> colour, in the order centre, cations, hydrogens."""
    legend: dict[str, str] = {}
    for symbol, role in sorted(set(zip(scene.symbols, scene.roles, strict=True))):
        if role == "centre":
            legend = {symbol: CENTRE, **legend}
        elif role == "cation":
            legend[symbol] = CATIONS[(len([c for c in legend.values() if c in CATIONS])) % len(CATIONS)]
    if "ligand" in scene.roles:
        legend["H in the anion"] = LIGAND
    if "hydride" in scene.roles:
        legend["interstitial H⁻"] = HYDRIDE
    return legend


def colour_of(symbol: str, role: str, legend: dict[str, str]) -> str:
    """Colour of one atom."""
    return {"ligand": LIGAND, "hydride": HYDRIDE}.get(role) or legend[symbol]


def ball_id(colour: str) -> str:
    """Id of the gradient that shades a ball of a colour; the page defines one for each of `palette.BALLS`."""
    return f"ball-{colour[1:]}"


def viewer_data(scene: Scene) -> dict[str, Any]:
    """A scene as small JSON for the viewer; it starts from the view of the still picture."""
    legend = colours(scene)
    kinds = sorted(set(zip(scene.symbols, scene.roles, strict=True)))
    return {
        "kinds": [[symbol, role, colour_of(symbol, role, legend), RADII[role]] for symbol, role in kinds],
        "atoms": [
            [kinds.index((symbol, role)), *(round(float(x), 3) for x in position)]
            for symbol, role, position in zip(scene.symbols, scene.roles, scene.positions, strict=True)
        ],
        "bonds": scene.bonds,
        "faces": scene.faces,
        "cell": np.round(scene.lattice, 4).tolist(),
        "view": np.round(view_matrix(), 5).tolist(),
    }


def structure_svg(scene: Scene, title: str) -> Markup:
    """Draw a scene.

    Args:
        scene: What to draw.
        title: Read by screen readers and shown on hover.
    """
    turn = view_matrix()
    seen = scene.positions @ turn.T
    corners = _cell_corners(scene.lattice) @ turn.T
    reach = max(np.abs(seen[:, :2]).max() + 0.8, np.abs(corners[:, :2]).max() + 0.2)
    scale = SIZE / 2 / reach
    legend = colours(scene)

    def at(point: NDArray[np.float64]) -> tuple[float, float]:
        return SIZE / 2 + scale * point[0], SIZE / 2 - scale * point[1]

    shapes: list[tuple[float, str]] = []
    for a, b in _cell_edges():
        steps = np.linspace(corners[a], corners[b], _PIECES + 1)  # in pieces, so that atoms stand before and behind
        for start, end in pairwise(steps):
            (x1, y1), (x2, y2) = at(start), at(end)
            line = f'<path class="cell" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'
            shapes.append((float(start[2] + end[2]) / 2, line))
    for face in scene.faces:
        points = "L".join("{:.1f} {:.1f}".format(*at(seen[i])) for i in face)
        shapes.append((float(seen[list(face), 2].mean()), f'<path class="face" d="M{points}Z"/>'))
    for a, b in scene.bonds:
        (x1, y1), (x2, y2) = at(seen[a]), at(seen[b])
        depth = float(seen[[a, b], 2].mean())
        shapes.append((depth, f'<path class="stick" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'))
    for position, symbol, role in zip(seen, scene.symbols, scene.roles, strict=True):
        x, y = at(position)
        fill = f"url(#{ball_id(colour_of(symbol, role, legend))})"
        shapes.append(
            (float(position[2]), f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{scale * RADII[role]:.1f}" fill="{fill}"/>')
        )
    body = "".join(shape for _, shape in sorted(shapes, key=lambda item: item[0]))
    return Markup(
        f'<svg class="still" viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _cell_corners(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    return (np.array(list(product((0.0, 1.0), repeat=3))) - 0.5) @ lattice


def _cell_edges() -> list[tuple[int, int]]:
    corners = list(product((0, 1), repeat=3))
    return [(a, b) for a, b in combinations(range(8), 2) if sum(abs(np.subtract(corners[a], corners[b]))) == 1]
