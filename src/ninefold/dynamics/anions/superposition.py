"""Optimal superposition of two labelled sets of vectors by a proper rotation, compiled by numba.

The largest eigenvalue of Kearsley's 4x4 matrix gives the least squared distance, its eigenvector the rotation
as a quaternion: D. L. Theobald, Acta Cryst. A 61, 478 (2005), doi:10.1107/S0108767305015266; P. Liu,
D. K. Agrafiotis & D. L. Theobald, J. Comput. Chem. 31, 1561 (2010), doi:10.1002/jcc.21439.
"""

from __future__ import annotations

import math

import numba
import numpy as np

_TINY = 1e-12
_MAX_STEPS = 60


@numba.njit(cache=True)
def overlap(moving: np.ndarray, fixed: np.ndarray, assignment: np.ndarray) -> np.ndarray:
    """Sum of outer products of each moving vector with the fixed one that it is assigned to.

    Args:
        moving: shape (n, 3).
        fixed: shape (n, 3).
        assignment: shape (n,), index in `fixed` of the partner of each moving vector.

    Returns:
        shape (3, 3), row: component of the moving vector, column: of the fixed one.
    """
    result = np.zeros((3, 3))
    for index in range(len(assignment)):
        partner = assignment[index]
        for row in range(3):
            for column in range(3):
                result[row, column] += moving[index, row] * fixed[partner, column]
    return result


@numba.njit(cache=True)
def _quadratic_form(m: np.ndarray) -> np.ndarray:
    """Kearsley's symmetric 4x4 matrix, whose form of a unit quaternion is the trace of rotation times overlap."""
    k = np.empty((4, 4))
    k[0, 0] = m[0, 0] + m[1, 1] + m[2, 2]
    k[0, 1] = k[1, 0] = m[1, 2] - m[2, 1]
    k[0, 2] = k[2, 0] = m[2, 0] - m[0, 2]
    k[0, 3] = k[3, 0] = m[0, 1] - m[1, 0]
    k[1, 1] = m[0, 0] - m[1, 1] - m[2, 2]
    k[1, 2] = k[2, 1] = m[0, 1] + m[1, 0]
    k[1, 3] = k[3, 1] = m[2, 0] + m[0, 2]
    k[2, 2] = -m[0, 0] + m[1, 1] - m[2, 2]
    k[2, 3] = k[3, 2] = m[1, 2] + m[2, 1]
    k[3, 3] = -m[0, 0] - m[1, 1] + m[2, 2]
    return k


@numba.njit(cache=True)
def _det3(a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float, i: float) -> float:
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


@numba.njit(cache=True)
def largest_trace(m: np.ndarray, bound: float) -> float:
    """Largest trace of R m over proper rotations R.

    Args:
        m: shape (3, 3), an overlap.
        bound: Not below the result: half the sum of the squared lengths of both sets.

    Returns:
        The largest eigenvalue of the quadratic form, by Newton's method on its characteristic polynomial from above,
        which converges monotonically.
    """
    squares = 0.0
    for row in range(3):
        for column in range(3):
            squares += m[row, column] ** 2
    determinant = _det3(m[0, 0], m[0, 1], m[0, 2], m[1, 0], m[1, 1], m[1, 2], m[2, 0], m[2, 1], m[2, 2])
    k = _quadratic_form(m)
    constant = 0.0
    for column in range(4):
        others = [index for index in range(4) if index != column]
        minor = _det3(
            k[1, others[0]], k[1, others[1]], k[1, others[2]],
            k[2, others[0]], k[2, others[1]], k[2, others[2]],
            k[3, others[0]], k[3, others[1]], k[3, others[2]],
        )  # fmt: skip
        constant += (-1.0) ** column * k[0, column] * minor
    value = bound
    for _ in range(_MAX_STEPS):
        polynomial = value**4 - 2.0 * squares * value**2 - 8.0 * determinant * value + constant
        slope = 4.0 * value**3 - 4.0 * squares * value - 8.0 * determinant
        if abs(slope) < _TINY:
            break
        step = polynomial / slope
        value -= step
        if abs(step) < 1e-11 * bound:
            break
    return value


@numba.njit(cache=True)
def squared_distance(moving: np.ndarray, fixed: np.ndarray, assignment: np.ndarray) -> float:
    """Least sum of squared differences over proper rotations; shapes as in `overlap`; in the vectors' unit squared."""
    total = 0.0
    for index in range(len(assignment)):
        partner = assignment[index]
        for axis in range(3):
            total += moving[index, axis] ** 2 + fixed[partner, axis] ** 2
    return max(0.0, total - 2.0 * largest_trace(overlap(moving, fixed, assignment), 0.5 * total))


def rotation_matrix(moving: np.ndarray, fixed: np.ndarray, assignment: np.ndarray) -> np.ndarray:
    """The proper rotation that brings the assigned fixed vectors closest to the moving ones.

    Returns:
        shape (3, 3); `fixed[assignment] @ R.T` lies on `moving`.
    """
    values, vectors = np.linalg.eigh(_quadratic_form(overlap(moving, fixed, assignment)))
    w, x, y, z = vectors[:, int(np.argmax(values))]
    inverse = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return inverse.T


def rotation_angle(rotation: np.ndarray) -> float:
    """Angle of a rotation matrix, degrees, 0 to 180."""
    return math.degrees(math.acos(min(1.0, max(-1.0, (float(np.trace(rotation)) - 1.0) / 2.0))))
