"""Additive volumes: what a formula unit of a complex hydride fills.

V = V([MH_n]) + m V(H-) + sum of V(cation). The increments are derived from binary hydrides, from
Mg2FeH6 and the K2PtCl6-type hexahydrides, and from K2ReH9, which they reproduce to 1 %. Those of
[MH7], [MH8] and trivalent cations are interpolated (derived) and good to some 10 %.
"""

from __future__ import annotations

from ninefold.chemistry.anions import Assignment

CATION_VOLUME: dict[str, float] = {
    "Li": 5.5, "Na": 17.5, "K": 34.0, "Rb": 43.5, "Cs": 53.0,
    "Be": 4.0, "Mg": 7.8, "Ca": 13.5, "Sr": 22.3, "Ba": 32.7,
    "Al": 5.0, "Sc": 8.0, "Y": 11.0, "La": 16.0,
}  # fmt: skip
"""Å³ per cation; trivalent ones and Be from ionic radii beside Mg and Ca (derived)."""
LANTHANIDE_VOLUME = 14.0
"""Å³; between Y and La (derived)."""
HYDRIDE_VOLUME = 11.5
"""Å³ per interstitial hydride ion."""
_ANION_VOLUME = {2: 30.0, 3: 37.0, 4: 45.0, 5: 53.0, 6: 60.0, 7: 67.0, 8: 74.0, 9: 80.0}
"""Å³ per [MH_n]: 80 at n = 9 (K2ReH9), 51 (Fe) to 74 (Os) at n = 6, the rest interpolated (derived)."""
_SMALL_CENTRES = frozenset({"V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn"})
_SMALL_FACTOR = 0.85
"""3d complexes beside 4d and 5d ones of the same n: [FeH6] 51 Å³, [RuH6] 60 Å³ (derived)."""


def anion_volume(centre: str, n: int) -> float:
    """Volume of [MH_n], Å³."""
    volume = _ANION_VOLUME.get(n, 80.0 + 6.0 * (n - 9) if n > 9 else 24.0)
    return volume * (_SMALL_FACTOR if centre in _SMALL_CENTRES else 1.0)


def cation_volume(symbol: str) -> float:
    """Volume of a counter-cation, Å³."""
    return CATION_VOLUME.get(symbol, LANTHANIDE_VOLUME)


def additive_volume(assignment: Assignment) -> float:
    """Volume of one formula unit at ambient pressure, Å³, from the sum of its increments."""
    return (
        anion_volume(assignment.centre, assignment.n)
        + HYDRIDE_VOLUME * assignment.m
        + sum(cation_volume(cation.symbol) * cation.count for cation in assignment.cations)
    )
