"""Sums of pseudo-Voigt peaks, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """By numba; kept between processes where a folder for that can be written."""
    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, fastmath=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        compiled = numba.njit(fastmath=True)(function)
    return compiled


@_compiled
def summed(grid, centres, areas, widths, eta, first, last):  # type: ignore[no-untyped-def]  # numba infers them
    """`profile.drawn`, from the first to the last point of the grid that each peak reaches."""
    total = np.zeros(len(grid))
    log_2 = np.log(2.0)
    for peak in range(len(centres)):
        half = widths[peak] / 2
        lorentzian = areas[peak] * eta / (np.pi * half)
        gaussian = areas[peak] * (1 - eta) * np.sqrt(log_2 / np.pi) / half
        for place in range(first[peak], last[peak]):
            squared = ((grid[place] - centres[peak]) / half) ** 2
            value = lorentzian / (1 + squared)
            if squared < 40.0:
                value += gaussian * np.exp(-log_2 * squared)
            total[place] += value
    return total


@_compiled
def summed_with_slopes(  # type: ignore[no-untyped-def]  # numba infers them
    grid, centres, areas, widths, eta, first, last, moves
):
    """`profile.drawn_with_slopes`."""
    total = np.zeros(len(grid))
    slopes = np.zeros((moves.shape[1], len(grid)))
    log_2 = np.log(2.0)
    for peak in range(len(centres)):
        half = widths[peak] / 2
        lorentzian = areas[peak] * eta / (np.pi * half)
        gaussian = areas[peak] * (1 - eta) * np.sqrt(log_2 / np.pi) / half
        for place in range(first[peak], last[peak]):
            apart = (grid[place] - centres[peak]) / half
            squared = apart * apart
            value = lorentzian / (1 + squared)
            slope = value * 2 * apart / (1 + squared)
            if squared < 40.0:
                part = gaussian * np.exp(-log_2 * squared)
                value += part
                slope += part * 2 * log_2 * apart
            total[place] += value
            slope /= half
            for parameter in range(moves.shape[1]):
                slopes[parameter, place] += slope * moves[peak, parameter]
    return total, slopes
