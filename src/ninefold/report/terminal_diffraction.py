"""What the terminal says of a candidate's powder pattern and of the disorder of its minima."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ninefold.chemistry.formula import parse_formula
from ninefold.report.powder_section import NOTE, candidate_peaks
from ninefold.report.terminal_parts import plain, table_of
from ninefold.thermo.disorder import NEAR, TEMPERATURES, disorder_bound

if TYPE_CHECKING:
    from rich.console import Group

    from ninefold.structures.averaged import AverageStructure

_LISTED = 10
"""Strongest reflections that are listed."""
_KINDS = 4
"""Average sites of hydrogens that are listed."""


def powder_view(structure: Mapping[str, Any]) -> Group:
    """The strongest reflections of a stored structure, by rising angle."""
    from rich.console import Group

    strongest = sorted(candidate_peaks(structure), key=lambda peak: -peak.intensity)[:_LISTED]
    table = table_of(">2θ, °", ">d, Å", ">intensity", ">h k l")
    for peak in sorted(strongest):
        table.add_row(
            f"{peak.two_theta:.2f}", f"{peak.d:.4f}", f"{peak.intensity:.0f}", " ".join(map(str, peak.hkl))
        )  # fmt: skip
    return Group(table, plain(f"{NOTE} Others, and competitors: ninefold xrd FORMULA --competitors"))


def disorder_lines(candidate: Mapping[str, Any]) -> list[str]:
    """The entropy that the near-degenerate minima allow at most, and what diffraction sees of the lowest one.

    Args:
        candidate: As `ninefold.store.details` gives it, with a valid structure.
    """
    from pymatgen.core import Structure

    from ninefold.structures.averaged import averaged

    valid = [found for found in candidate["structures"] if found["is_valid"]]
    energies = [found["energy_per_atom"] for found in valid]
    atoms = sum(parse_formula(str(candidate["formula"])).values())
    lines = []
    bounds = [(temperature, disorder_bound(energies, atoms, temperature)) for temperature in TEMPERATURES]
    for temperature, bound in bounds:
        if bound.minima < 2:  # nothing to be disordered over
            continue
        lines.append(
            f"{bound.minima} of the stored minima within {1000 * NEAR:g} meV/atom; at {temperature:g} K as if "
            f"{bound.effective_minima:.1f} equal ones: at most {1000 * bound.largest_lowering_per_atom:.1f} meV/atom "
            f"of free energy by k ln {bound.minima} per anion, {1000 * bound.lowering_per_atom:.1f} by their energies"
        )
    if lines:
        lines.append("A bound, in no energy here: every anion on its own, and only arrangements that the search found.")
    average = averaged(Structure.from_dict(valid[0]["structure"]))
    return [*lines, *([] if average is None else _average_lines(average))]


def _average_lines(average: AverageStructure) -> list[str]:
    metals = average.metals
    angles = f"{metals.alpha:.1f} {metals.beta:.1f} {metals.gamma:.1f}°"
    cell = f"a {metals.a:.3f}  b {metals.b:.3f}  c {metals.c:.3f} Å, {angles}"
    sites = ", ".join(f"{site.element} {site.label}" for site in average.metal_sites)
    lines = [
        f"Metal lattice: {metals.space_group_symbol} ({metals.space_group_number}), {cell}; {sites}",
    ]
    if average.operations == 1:
        return [*lines, "Its hydrogens have the symmetry of the metals."]
    kinds = average.hydrogens[:_KINDS]
    told = ", ".join(f"{site.multiplicity} at {site.occupancy:.2f}" for site in kinds)
    more = f" and {len(average.hydrogens) - len(kinds)} more kinds" if len(average.hydrogens) > len(kinds) else ""
    return [
        *lines,
        f"It allows {average.operations} equivalent variants of this {average.ordered.symbol} arrangement; averaged "
        f"over them, hydrogen sites of this cell by occupancy: {told}{more} (as a CIF: ninefold export --averaged)",
    ]
