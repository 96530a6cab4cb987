"""What a reader must know before believing a candidate's result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.trust.uncertainty import LARGEST_ASYMMETRY, hessian_asymmetry, rough

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate

VOLUME_RANGE = (0.8, 1.25)
"""Volume over the additive increments outside of which a structure is doubtful; the increments reproduce K2ReH9 to 1 %
and relaxed references to some 10 %."""
PUBLISHED_DIFFERENCE = 0.05
"""eV/atom below a published structure or type from which on either that structure or the engine is wrong."""


def flags(candidate: Candidate) -> list[str]:
    """What stands in the way of a result, one sentence each; empty where nothing does.

    Args:
        candidate: With its minima and published structures.
    """
    told = [*_of_volume(candidate), *_of_published(candidate), *_of_minima(candidate), *_of_engine(candidate)]
    return list(dict.fromkeys(told))


def _of_volume(candidate: Candidate) -> list[str]:
    ratio, (low, high) = candidate.volume_ratio, VOLUME_RANGE
    if ratio is None or low <= round(ratio, 2) <= high:
        return []
    return [
        f"volume is {ratio:.2f} times the sum of the increments ({low:g} to {high:g} expected): the structure may be "
        "open, or the engine may not bind it"
    ]


def _of_published(candidate: Candidate) -> list[str]:
    return [
        f"the published structure {known['name']} lies {-known['difference']:.3f} eV/atom higher: it, its coordinates "
        "here, or the engine is wrong"
        for known in candidate.known
        if known["difference"] < -PUBLISHED_DIFFERENCE and not known.get("refuted")
    ]


def _of_engine(candidate: Candidate) -> list[str]:
    """Whether the engine that relaxed it is fit to relax final structures."""
    found = hessian_asymmetry(candidate.engine or "")
    if found is None or found <= LARGEST_ASYMMETRY:
        return []
    return [f"{candidate.engine} relaxed it to the end; {rough(found)}"]


def _of_minima(candidate: Candidate) -> list[str]:
    from ninefold.search.minima import TYPE_SOURCE
    from ninefold.search.preference import DEGENERATE

    told = []
    for found in [minimum for minimum in candidate.minima if minimum.is_valid][1:]:
        below = (candidate.energy_per_atom or 0.0) - found.energy_per_atom
        if 0 < below <= DEGENERATE:
            told.append(
                f"a minimum of lower symmetry ({found.space_group_symbol}) lies {below * 1000:.1f} meV/atom lower, "
                "which is within the precision of a relaxation"
            )
        elif below > DEGENERATE:
            told.append(
                f"a minimum that was relaxed coarsely only ({found.space_group_symbol}) lies "
                f"{below * 1000:.1f} meV/atom lower"
            )
        if found.source.startswith(TYPE_SOURCE) and -below > PUBLISHED_DIFFERENCE:
            told.append(
                f"the known structure type {found.source.removeprefix(TYPE_SOURCE)} lies {-below:.3f} eV/atom "
                "higher: its coordinates, or the engine, may be wrong"
            )
    return told
