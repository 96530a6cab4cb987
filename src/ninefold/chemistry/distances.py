"""Distances in complex hydrides: what a bond, an interstitial hydride and two anions beside each other measure."""

from __future__ import annotations

M_H_DISTANCE: dict[str, float] = {
    "V": 1.66, "Cr": 1.62, "Mn": 1.60, "Fe": 1.56, "Co": 1.55, "Ni": 1.56,
    "Nb": 1.82, "Mo": 1.73, "Tc": 1.70, "Ru": 1.67, "Rh": 1.66, "Pd": 1.68,
    "Ta": 1.82, "W": 1.74, "Re": 1.69, "Os": 1.70, "Ir": 1.69, "Pt": 1.64,
    "Sc": 1.90, "Ti": 1.75, "Y": 2.05, "Zr": 1.88, "La": 2.20, "Hf": 1.87,
    "Cu": 1.60, "Ag": 1.70, "Au": 1.65, "Zn": 1.62, "Cd": 1.75, "Hg": 1.70,
}  # fmt: skip
"""Å; Fe, Ru, Os, Re from neutron diffraction of their hydrides (src), Cr, Mo, W, Nb, Ta from memory, the rest from
radii (derived)."""
M_H_TOLERANCE = 0.10
"""Å about `M_H_DISTANCE`: 32 published complexes of 12 metals lie within 0.075 of it, dihydrides of the centres,
whose bonds are ionic or metallic, 0.14 and more above (derived; `tests/rules/test_results.py` counts both)."""
INTERSTITIAL_DISTANCE = 2.3
"""Å from a centre to an interstitial hydride at least: Mg3ReH7, whose hydride has two Mg at 1.90 and three at 2.80 Å
(src), and its relatives."""
CENTRE_DISTANCE = 4.3
"""Å between two centres at least: nearer, their anions share hydrogens or touch. 4.30 in Mg2NiH4 is the shortest of the
published complexes with four and more hydrogens, 4.01 in LaH2 the longest of the binary hydrides of the centres
(derived)."""
