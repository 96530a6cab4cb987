"""What a reader must know before believing a candidate's result."""

from __future__ import annotations

from typing import Any

VOLUME_RANGE = (0.8, 1.25)
"""Volume over the additive increments outside of which a structure is doubtful; the increments reproduce K2ReH9 to 1 %
and relaxed references to some 10 %."""
PUBLISHED_DIFFERENCE = 0.05
"""eV/atom below a published structure or type from which on either that structure or the engine is wrong."""


def found_among(candidate: dict[str, Any], published: dict[str, Any]) -> dict[str, Any]:
    """A published structure's space group, and which of the minima found is the same structure, if one is.

    Args:
        candidate: Stored candidate.
        published: pymatgen's dictionary of the structure as the engine relaxed it.

    Returns:
        space_group_symbol of the published structure; found_space_group_symbol and found_above_lowest (eV/atom
        above the lowest valid minimum) of the minimum that matches it, or None.
    """
    from pymatgen.core import Structure

    from ninefold.structures.duplicates import matcher
    from ninefold.structures.symmetry import space_group

    structure, compare = Structure.from_dict(published), matcher()
    valid = [found for found in candidate["structures"] if found["is_valid"]]
    matched = next((found for found in valid if compare.fit(Structure.from_dict(found["structure"]), structure)), None)
    lowest = min((found["energy_per_atom"] for found in valid), default=0.0)
    return {
        "space_group_symbol": space_group(structure).symbol,
        "found_space_group_symbol": matched and matched["space_group_symbol"],
        "found_above_lowest": matched and matched["energy_per_atom"] - lowest,
    }


def flags(candidate: dict[str, Any]) -> list[str]:
    """What stands in the way of a result, one sentence each; empty where nothing does.

    Args:
        candidate: Stored candidate with its structures and published structures.
    """
    return list(dict.fromkeys([*_of_volume(candidate), *_of_published(candidate), *_of_minima(candidate)]))


def _of_volume(candidate: dict[str, Any]) -> list[str]:
    ratio, (low, high) = candidate["volume_ratio"], VOLUME_RANGE
    if ratio is None or low <= round(ratio, 2) <= high:
        return []
    return [
        f"volume is {ratio:.2f} times the sum of the increments ({low:g} to {high:g} expected): the structure may be "
        "open, or the engine may not bind it"
    ]


def _of_published(candidate: dict[str, Any]) -> list[str]:
    return [
        f"the published structure {known['name']} lies {-known['difference']:.3f} eV/atom higher: it, its coordinates "
        "here, or the engine is wrong"
        for known in candidate["known"]
        if known["difference"] < -PUBLISHED_DIFFERENCE and not known.get("refuted")
    ]


def _of_minima(candidate: dict[str, Any]) -> list[str]:
    from ninefold.search.minima import TYPE_SOURCE
    from ninefold.search.preference import DEGENERATE

    told = []
    for found in [found for found in candidate["structures"] if found["is_valid"]][1:]:
        below = candidate["energy_per_atom"] - found["energy_per_atom"]
        if 0 < below <= DEGENERATE:
            told.append(
                f"a minimum of lower symmetry ({found['space_group_symbol']}) lies {below * 1000:.1f} meV/atom lower, "
                "which is within the precision of a relaxation"
            )
        elif below > DEGENERATE:
            told.append(
                f"a minimum that was relaxed coarsely only ({found['space_group_symbol']}) lies "
                f"{below * 1000:.1f} meV/atom lower"
            )
        if found["source"].startswith(TYPE_SOURCE) and -below > PUBLISHED_DIFFERENCE:
            told.append(
                f"the known structure type {found['source'].removeprefix(TYPE_SOURCE)} lies {-below:.3f} eV/atom "
                "higher: its coordinates, or the engine, may be wrong"
            )
    return told
