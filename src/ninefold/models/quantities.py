"""The one table of quantities: key, symbol, unit, meaning.

Store, queries, tables, plots and documentation import it; nothing else spells a unit.
A quantity that is `stored` is a flat scalar of a candidate document and can be queried,
as `e_above_hull` or, in OPTIMADE's spelling, `_ninefold_e_above_hull`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["string", "integer", "float", "boolean", "list"]


class Quantity(NamedTuple):
    """A column of the results."""

    key: str
    kind: Kind
    unit: str
    symbol: str
    meaning: str
    stage: str


_TABLE = (
    # identity
    ("id", "string", "", "id", "identifier of the candidate: content hash of campaign and assignment", "enumerate"),
    ("campaign", "string", "", "campaign", "name of the campaign", "enumerate"),
    ("formula", "string", "", "formula", "formula per centre, metals by rising electronegativity", "enumerate"),
    ("anion", "string", "", "anion", "complex anion of this assignment", "enumerate"),
    ("label", "string", "", "assignment", "formula with its assignment: anion and interstitial hydrides", "enumerate"),
    ("chemical_system", "string", "", "system", "element symbols, sorted, joined by dashes", "enumerate"),
    ("elements", "list", "", "elements", "element symbols, sorted", "enumerate"),
    ("nelements", "integer", "", "elements", "number of elements", "enumerate"),
    ("centre", "string", "", "M", "central atom of the anion", "enumerate"),
    ("cations", "list", "", "cations", "counter-cation symbols, sorted", "enumerate"),
    ("group", "integer", "", "G", "group number of the centre", "enumerate"),
    ("n", "integer", "", "n", "hydrogens on the centre", "enumerate"),
    ("q", "integer", "e", "q", "charge number of the anion (taken positive)", "enumerate"),
    ("m", "integer", "", "m", "interstitial hydride ions per centre", "enumerate"),
    ("electron_count", "integer", "", "e count", "valence electrons at the centre, G + n + q", "enumerate"),
    ("oxidation_state", "integer", "", "OS", "formal oxidation state of the centre, n - q", "enumerate"),
    ("anion_class", "string", "", "class", "classical hydride or H2-ligand complex", "enumerate"),
    (
        "is_neighbour",
        "boolean",
        "",
        "neighbour",
        "one hydrogen beside a composition that passed the rules; carried along outside the electron count's gate",
        "select",
    ),
    (
        "is_competitor",
        "boolean",
        "",
        "competitor",
        "made compound of these systems that is no candidate: searched so that it competes, not ranked",
        "select",
    ),
    # verdicts
    ("prior", "float", "", "prior", "product of the soft rules' scores, 0 to 1", "select"),
    # structure and energy
    (
        "status",
        "string",
        "",
        "status",
        "ranked, or why not: selected (not searched yet), no_structure, no_hull, h2_ligand, rejected, competitor",
        "prescreen",
    ),
    ("energy_per_atom", "float", "eV/atom", "E", "energy of the lowest structure, by the engine named", "prescreen"),
    ("space_group_number", "integer", "", "SG no.", "space group of the lowest structure", "prescreen"),
    ("space_group_symbol", "string", "", "SG", "Hermann-Mauguin symbol of the lowest structure", "prescreen"),
    ("nsites", "integer", "", "atoms", "atoms in the primitive cell of the lowest structure", "prescreen"),
    ("volume_per_formula_unit", "float", "Å³", "V/f.u.", "volume per centre", "prescreen"),
    ("volume_ratio", "float", "", "V/V(sum)", "volume over the sum of the additive increments", "prescreen"),
    ("is_coordination_kept", "boolean", "", "CN kept", "every centre carries exactly n hydrogens", "prescreen"),
    ("shortest_m_h", "float", "Å", "d(M-H)", "shortest centre-hydrogen distance", "prescreen"),
    ("shortest_h_h", "float", "Å", "d(H-H)", "shortest hydrogen-hydrogen distance", "prescreen"),
    ("shortest_m_m", "float", "Å", "d(M-M)", "shortest distance between two centres", "prescreen"),
    (
        "shortest_m_interstitial",
        "float",
        "Å",
        "d(M-H-)",
        "shortest distance from a centre to a hydrogen that no centre is bonded to; none within 3.2 Å: no value",
        "prescreen",
    ),
    ("is_converged", "boolean", "", "converged", "relaxation reached its force criterion", "prescreen"),
    ("max_force", "float", "eV/Å", "F max", "largest force left after relaxation", "prescreen"),
    ("source", "string", "", "source", "how the lowest structure was generated", "build"),
    (
        "structure_type",
        "string",
        "",
        "type",
        "known structure type of the lowest structure, by space group and sites",
        "prescreen",
    ),
    ("structures_found", "integer", "", "structures", "distinct valid structures found", "prescreen"),
    ("relaxations", "integer", "", "relaxations", "relaxations spent with the engine", "prescreen"),
    ("search_rounds", "integer", "", "rounds", "searches of this composition, each with new random draws", "prescreen"),
    (
        "search_spread",
        "float",
        "eV/atom",
        "spread",
        "highest less lowest of the lowest energies that the rounds found by themselves: the search's own noise",
        "prescreen",
    ),
    ("engine", "string", "", "engine", "engine of the energies, with version", "prescreen"),
    ("method", "string", "", "method", "hash of the engine and its settings: two never share a hull", "prescreen"),
    # stability
    (
        "formation_energy_per_atom",
        "float",
        "eV/atom",
        "E(form)",
        "formation energy from the elements, hydrogen as the molecule in a box, static",
        "stability",
    ),
    (
        "e_above_hull",
        "float",
        "eV/atom",
        "E(hull)",
        "energy above the hull of all phases, own composition included; 0 on it (as the Materials Project's)",
        "stability",
    ),
    (
        "phase_separation_energy",
        "float",
        "eV/atom",
        "E(sep)",
        "signed distance to the hull of all other compositions; negative below it (pymatgen's term)",
        "stability",
    ),
    (
        "e_above_references",
        "float",
        "eV/atom",
        "E(ref)",
        "signed distance to the hull of other compositions among the reference phases alone; negative below it",
        "stability",
    ),
    (
        "e_above_hull_uncertainty",
        "float",
        "eV/atom",
        "±",
        "scatter of repeated searches of it and its decomposition products; none if searched once; no model error",
        "stability",
    ),
    (
        "e_above_same_composition",
        "float",
        "eV/atom",
        "E(same)",
        "energy above the lowest structure of this composition, other assignments and published phases included",
        "stability",
    ),
    (
        "reaction_energy_per_h2",
        "float",
        "kJ/mol H2",
        "ΔE(H2)",
        "static energy of hydrides of the cations + metal + H2 -> compound, per H2",
        "stability",
    ),
    # ranking
    ("score", "float", "", "score", "weighted sum of the ranking terms, 0 to 1", "rank"),
    ("rank", "integer", "", "rank", "place in the campaign, 1 is best", "rank"),
    ("rank_best", "integer", "", "best rank", "best place that the noise of the hull distances leaves open", "rank"),
    ("rank_worst", "integer", "", "worst rank", "worst place that the noise of the hull distances leaves open", "rank"),
    ("is_pareto", "boolean", "", "Pareto", "no other candidate is better in every ranking term", "rank"),
    (
        "evidence",
        "string",
        "",
        "evidence",
        "highest evidence level: rule, ML, DFT, phonon, MD, experiment",
        "rank",
    ),
    (
        "method_spread",
        "float",
        "eV/atom",
        "method spread",
        "highest less lowest distance to the hull of other compositions among the methods of the campaign",
        "rank",
    ),
    (
        "is_best",
        "boolean",
        "",
        "best",
        "row of the most trusted method that has a hull distance; the others are listed with --all-methods",
        "rank",
    ),
    ("is_known", "boolean", "", "in list", "in ninefold's list of made compounds, or in the campaign's own", "rank"),
)

QUANTITIES: dict[str, Quantity] = {row[0]: Quantity(*row) for row in _TABLE}  # type: ignore[arg-type]


def label(key: str) -> str:
    """Column heading with its unit: `E(hull) (eV/atom)`.

    Raises:
        KeyError: if the quantity is not in the table.
    """
    quantity = QUANTITIES[key]
    return f"{quantity.symbol} ({quantity.unit})" if quantity.unit else quantity.symbol
