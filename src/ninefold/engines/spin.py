"""Where a compound's d electrons are open, and the magnetic moments that a calculation starts from.

The hydridic electron count decides: hydrogen takes one electron, counter-cations give theirs, what is left stays with
the centre. It errs towards a polarised calculation, which costs twice as much and finds no moment where there is none;
the other error is one of energy (61 meV/atom for K3ReH6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ninefold.chemistry.elements import CATION_CHARGES, GROUP

METAL_MOMENTS = {"Cr": 2.0, "Mn": 4.0, "Fe": 3.0, "Co": 2.0, "Ni": 1.0}
"""μB per atom, to start from where there is no electron count: in metals and intermetallics, above the known moments of
Fe, Co and Ni (2.2, 1.7, 0.6; Kittel, Introduction to Solid State Physics), since too small a start can fall to zero."""
CLOSED_SHELLS = (0, 10)
NOBLE_GAS = 18
"""Valence electrons of a centre with all nine orbitals filled: [FeH6]4-, [ReH9]2-."""
LOW_SPIN_MOMENTS = (2.0, 1.0)
"""μB of an even and an odd number of open 4d or 5d electrons: the ligand field is above the pairing energy."""


def starting_moments(symbols: Sequence[str]) -> list[float] | None:
    """Magnetic moments to start from.

    Args:
        symbols: One for each atom.

    Returns:
        μB for each atom; None where a calculation need not be spin-polarised.
    """
    counts = Counter(symbols)
    centre, electrons = _open_electrons(counts)
    if electrons is not None:
        return None if electrons == 0 else _on(symbols, {centre: _moment(centre, electrons)})
    return _on(symbols, METAL_MOMENTS) if METAL_MOMENTS.keys() & counts.keys() else None


def forced_moments(symbols: Sequence[str]) -> list[float]:
    """Moments for a calculation that is polarised in any case: 1 μB on each centre where nothing else is known."""
    centres = {symbol: 1.0 for symbol in symbols if symbol in GROUP and symbol not in CATION_CHARGES}
    return starting_moments(symbols) or _on(symbols, centres or dict.fromkeys(symbols, 1.0))


def _open_electrons(counts: Counter[str]) -> tuple[str, float | None]:
    """The centre of a complex hydride and its d electrons that may be unpaired; None where they cannot be counted."""
    cations = [symbol for symbol in counts if symbol in CATION_CHARGES]
    centres = [symbol for symbol in counts if symbol not in CATION_CHARGES and symbol != "H"]
    is_countable = cations and counts["H"] and all(len(CATION_CHARGES[cation]) == 1 for cation in cations)
    if not is_countable or len(centres) != 1 or centres[0] not in GROUP:
        return "", None
    [centre] = centres
    charge = sum(CATION_CHARGES[cation][0] * counts[cation] for cation in cations)
    ligands = counts["H"] / counts[centre]
    left = GROUP[centre] - ligands + charge / counts[centre]
    if not 0 <= left <= 10:  # no ionic hydride: the count means nothing
        return centre, None
    is_closed = left in CLOSED_SHELLS or _fills_all_orbitals(centre, left, ligands)
    return centre, 0.0 if is_closed else min(left, 10 - left)


def _fills_all_orbitals(centre: str, left: float, hydrogens: float) -> bool:
    """Whether the centre has 18 valence electrons with as many hydrogens as that takes.

    Of a 4d or 5d centre further hydrogens are interstitial and leave it closed: Mg3ReH7 is [ReH6]5- + H-, Li5MoH9
    [MoH8]4- + H-. A 3d centre may be of high spin instead, and is closed only where every hydrogen is a ligand.
    """
    wanted = (NOBLE_GAS - left) / 2
    if centre in METAL_MOMENTS or centre == "V":
        return hydrogens == wanted
    return wanted.is_integer() and wanted <= hydrogens


def _moment(centre: str, electrons: float) -> float:
    if centre in METAL_MOMENTS or centre == "V":
        return electrons
    return min(electrons, LOW_SPIN_MOMENTS[round(electrons) % 2])


def _on(symbols: Sequence[str], moments: dict[str, float]) -> list[float]:
    return [moments.get(symbol, 0.0) for symbol in symbols]
