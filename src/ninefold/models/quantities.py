"""The one table of quantities: key, symbol, unit, meaning.

Store, queries, tables, plots and documentation import it; nothing else spells a unit.
A quantity that is `stored` is a flat scalar of a candidate document and can be queried,
as `e_above_hull` or, in OPTIMADE's spelling, `_ninefold_e_above_hull`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ninefold.models.evidence import EVIDENCE

Kind = Literal["string", "integer", "float", "boolean", "list"]


class Quantity(NamedTuple):
    """A column of the results."""

    key: str
    kind: Kind
    unit: str
    symbol: str
    meaning: str


_TABLE = (
    # identity
    ("id", "string", "", "id", "identifier of the row: hash of campaign and assignment, and the method's first digits"),
    ("campaign", "string", "", "campaign", "name of the campaign"),
    ("formula", "string", "", "formula", "formula per centre, metals by rising electronegativity"),
    ("anion", "string", "", "anion", "complex anion of this assignment"),
    ("label", "string", "", "assignment", "formula with its assignment: anion and interstitial hydrides"),
    ("chemical_system", "string", "", "system", "element symbols, sorted, joined by dashes"),
    ("elements", "list", "", "elements", "element symbols, sorted"),
    ("nelements", "integer", "", "elements", "number of elements"),
    ("centre", "string", "", "M", "central atom of the anion"),
    ("cations", "list", "", "cations", "counter-cation symbols, sorted"),
    ("group", "integer", "", "G", "group number of the centre"),
    ("n", "integer", "", "n", "hydrogens on the centre"),
    ("q", "integer", "e", "q", "charge number of the anion (taken positive)"),
    ("m", "integer", "", "m", "interstitial hydride ions per centre"),
    ("electron_count", "integer", "", "e count", "valence electrons at the centre, G + n + q"),
    ("oxidation_state", "integer", "", "OS", "formal oxidation state of the centre, n - q"),
    ("anion_class", "string", "", "class", "classical hydride or H2-ligand complex"),
    (
        "is_neighbour",
        "boolean",
        "",
        "neighbour",
        "one hydrogen beside a composition that passed the rules; carried along outside the electron count's gate",
    ),
    (
        "is_competitor",
        "boolean",
        "",
        "competitor",
        "composition of these systems that is no candidate: searched so that it competes, not ranked",
    ),
    (
        "is_low_budget",
        "boolean",
        "",
        "low budget",
        "competitor that nobody asked for, searched once and briefly so that the hull is complete",
    ),
    # verdicts
    ("prior", "float", "", "prior", "product of the soft rules' scores, 0 to 1"),
    # structure and energy
    (
        "status",
        "string",
        "",
        "status",
        "ranked, or why not: selected (not searched yet), searched (not ranked yet; or, with --all-methods, a row that "
        "does not stand for its candidate), no_structure, no_hull, h2_ligand, rejected, competitor",
    ),
    ("energy_per_atom", "float", "eV/atom", "E", "energy of the lowest structure, by the engine named"),
    ("space_group_number", "integer", "", "SG no.", "space group of the lowest structure"),
    ("space_group_symbol", "string", "", "SG", "Hermann-Mauguin symbol of the lowest structure"),
    ("nsites", "integer", "", "atoms", "atoms in the primitive cell of the lowest structure"),
    ("volume_per_formula_unit", "float", "Å³", "V/f.u.", "volume per centre"),
    ("volume_ratio", "float", "", "V/V(sum)", "volume over the sum of the additive increments"),
    ("is_coordination_kept", "boolean", "", "CN kept", "every centre carries exactly n hydrogens"),
    ("shortest_m_h", "float", "Å", "d(M-H)", "shortest centre-hydrogen distance"),
    ("shortest_h_h", "float", "Å", "d(H-H)", "shortest hydrogen-hydrogen distance"),
    ("shortest_m_m", "float", "Å", "d(M-M)", "shortest distance between two centres"),
    (
        "shortest_m_interstitial",
        "float",
        "Å",
        "d(M-H-)",
        "shortest distance from a centre to a hydrogen that no centre is bonded to; none within 3.2 Å: no value",
    ),
    ("is_converged", "boolean", "", "converged", "relaxation reached its force criterion"),
    ("max_force", "float", "eV/Å", "F max", "largest force left after relaxation"),
    ("source", "string", "", "source", "how the lowest structure was generated"),
    (
        "structure_type",
        "string",
        "",
        "type",
        "known structure type of the lowest structure, by space group and sites",
    ),
    ("structures_found", "integer", "", "structures", "distinct valid structures found"),
    ("relaxations", "integer", "", "relaxations", "relaxations spent with the engine"),
    ("search_rounds", "integer", "", "rounds", "searches of this composition, each with new random draws"),
    (
        "search_spread",
        "float",
        "eV/atom",
        "spread",
        "highest less lowest of the lowest energies that the rounds found by themselves: the search's own noise",
    ),
    ("engine", "string", "", "engine", "engine of the search and its energies, with version"),
    ("method", "string", "", "method", "hash of the engine and its settings: two never share a hull"),
    # stability
    (
        "formation_energy_per_atom",
        "float",
        "eV/atom",
        "E(form)",
        "formation energy from the elements, hydrogen as the molecule in a box, static",
    ),
    (
        "e_above_hull",
        "float",
        "eV/atom",
        "E(hull)",
        "energy above the hull of all phases, own composition included; 0 on it (as the Materials Project's)",
    ),
    (
        "phase_separation_energy",
        "float",
        "eV/atom",
        "E(sep)",
        "signed distance to the hull of all other compositions; negative below it (pymatgen's term)",
    ),
    (
        "e_above_references",
        "float",
        "eV/atom",
        "E(ref)",
        "signed distance to the hull of other compositions among the reference phases alone; negative below it",
    ),
    (
        "e_above_hull_uncertainty",
        "float",
        "eV/atom",
        "±",
        "standard deviation of the distance: model error, search scatter, method disagreement, in quadrature",
    ),
    (
        "model_error",
        "float",
        "eV/atom",
        "± model",
        "what the method's error on phases of these classes makes of the distance: see model_error_source",
    ),
    (
        "model_error_source",
        "string",
        "",
        "model error from",
        "trust table and what it was measured against, or that the method has none and a default stands",
    ),
    (
        "search_scatter",
        "float",
        "eV/atom",
        "± search",
        "scatter of repeated searches of it and of its decomposition products; none if searched once",
    ),
    (
        "hull_probability",
        "float",
        "",
        "P(hull)",
        "probability to lie on the hull of all other compositions, or below: normal error of the uncertainty above",
    ),
    (
        "e_above_same_composition",
        "float",
        "eV/atom",
        "E(same)",
        "energy above the lowest structure of this composition, other assignments and published phases included",
    ),
    (
        "reaction_energy_per_h2",
        "float",
        "kJ/mol H2",
        "ΔE(H2)",
        "static energy of hydrides of the cations + metal + H2 -> compound, per H2",
    ),
    # vibrations and compression of the structure that stands for it: by `ninefold vibrations` and `ninefold compress`
    (
        "imaginary_modes",
        "integer",
        "",
        "imaginary modes",
        "imaginary modes of the lowest structure, noise left out; 0: a minimum for the engine of the vibrations; none: "
        "not computed",
    ),
    (
        "zero_point_energy",
        "float",
        "eV/atom",
        "ZPE",
        "zero-point energy of the lowest structure, harmonic; none where a mode is imaginary",
    ),
    (
        "vibrational_free_energy",
        "float",
        "eV/atom",
        "F(298 K)",
        "free energy of its vibrations at 298.15 K, zero-point energy included, harmonic, at the volume of 0 GPa",
    ),
    ("vibrations_engine", "string", "", "vibrations by", "engine of the forces behind its vibrations, with version"),
    (
        "vibrations_evidence",
        "string",
        "",
        "evidence (vib.)",
        "what its vibrations rest on; phonon: DFT forces, and no imaginary mode",
    ),
    (
        "volume_298",
        "float",
        "Å³/atom",
        "V(298 K)",
        "volume of the lowest structure at 298.15 K and 0 GPa, quasi-harmonic: by `ninefold vibrations --volumes`",
    ),
    (
        "thermal_expansion_298",
        "float",
        "1/K",
        "α(298 K)",
        "thermal expansion of that volume, (dV/dT)/V, at 298.15 K and 0 GPa",
    ),
    ("bulk_modulus_298", "float", "GPa", "B(298 K)", "isothermal bulk modulus at 298.15 K and 0 GPa, quasi-harmonic"),
    ("expansion_engine", "string", "", "expansion by", "engine of the vibrations at several volumes, with version"),
    ("expansion_evidence", "string", "", "evidence (exp.)", "what the vibrations at several volumes rest on"),
    (
        "volume_at_zero_pressure",
        "float",
        "Å³/atom",
        "V0",
        "volume of the lowest structure at 0 GPa by its equation of state",
    ),
    ("bulk_modulus", "float", "GPa", "B0", "bulk modulus of the lowest structure at 0 GPa, from 0 to 10 GPa"),
    ("bulk_modulus_derivative", "float", "", "B0'", "derivative of the bulk modulus with the pressure at 0 GPa"),
    ("compression_engine", "string", "", "compression by", "engine of the equation of state, with version"),
    ("compression_evidence", "string", "", "evidence (EOS)", "what the equation of state rests on"),
    # where it forms
    (
        "lowest_pressure",
        "float",
        "GPa",
        "p(min)",
        "lowest hydrogen pressure at which it is stable at the temperature of the synthesis (ranking.at, default "
        "973 K); none where it is at none to 10 GPa",
    ),
    (
        "lowest_pressure_uncertainty",
        "float",
        "GPa",
        "± p(min)",
        "standard deviation of the lowest pressure: that of the hull distance over its slope with the pressure",
    ),
    (
        "window_width",
        "float",
        "GPa",
        "window",
        "width of the range of pressures, to 10 GPa, in which it is stable at the temperature of the synthesis",
    ),
    (
        "synthesis_separation",
        "float",
        "eV/atom",
        "G(synthesis)",
        "signed distance to the hull of other compositions under hydrogen at the synthesis (ranking.at, default 973 K "
        "and 5 GPa), or above the lowest structure of its composition",
    ),
    (
        "ambient_separation",
        "float",
        "eV/atom",
        "G(ambient)",
        "the same at 300 K and 1 bar of hydrogen; negative where it is stable there",
    ),
    (
        "survives_ambient",
        "boolean",
        "",
        "survives",
        "at 300 K and 1 bar stable, or metastable by no more than 0.067 eV/atom",
    ),
    (
        "decomposition_temperature",
        "float",
        "K",
        "T(dec)",
        "highest temperature at which it is stable under 1 bar of hydrogen, to 1200 K; none: at none from 100 K on",
    ),
    # dynamics
    (
        "pseudorotation_barrier",
        "float",
        "meV",
        "E(rot)",
        "barrier of the permutations of an anion's ligands, fitted to their rates at several temperatures; none where "
        "the runs are too short for it",
    ),
    (
        "pseudorotation_barrier_low",
        "float",
        "meV",
        "E(rot) from",
        "lower end of its 95 % interval; where no permutation was seen, a lower bound that assumes 10 attempts per ps",
    ),
    ("pseudorotation_barrier_high", "float", "meV", "E(rot) to", "upper end of its 95 % interval"),
    (
        "pseudorotation_rate_300",
        "float",
        "1/ps",
        "k(rot)",
        "permutations per anion and ps at 300 K, of runs there or by the fitted barrier; none where none was seen",
    ),
    (
        "pseudorotation_rate_300_high",
        "float",
        "1/ps",
        "k(rot) to",
        "upper end of its 95 % interval; where no permutation was seen, an upper bound",
    ),
    (
        "site_exchange_barrier",
        "float",
        "meV",
        "E(exch)",
        "barrier of exchanges that end with ligands on each other's places in the crystal, of the anions that make "
        "most of them, fitted to their rates at several temperatures; none where it is not resolved",
    ),
    (
        "site_exchange_barrier_low",
        "float",
        "meV",
        "E(exch) from",
        "lower end of its 95 % interval; where no exchange was seen, a lower bound that assumes 10 attempts per ps",
    ),
    ("site_exchange_barrier_high", "float", "meV", "E(exch) to", "upper end of its 95 % interval"),
    (
        "site_exchange_rate_300",
        "float",
        "1/ps",
        "k(exch)",
        "exchanges of places per anion and ps at 300 K, of runs there or by the fitted barrier; none where none was "
        "seen",
    ),
    (
        "site_exchange_rate_300_high",
        "float",
        "1/ps",
        "k(exch) to",
        "upper end of its 95 % interval; where no exchange was seen, an upper bound",
    ),
    (
        "cation_diffusion_300",
        "float",
        "cm2/s",
        "D(cation)",
        "tracer diffusion coefficient of the fastest cation at 300 K, of runs there or by Arrhenius' law; none where "
        "it is not resolved",
    ),
    (
        "cation_diffusion_300_high",
        "float",
        "cm2/s",
        "D(cation) to",
        "upper end of its 95 % interval; where it is not resolved, an upper bound",
    ),
    (
        "cation_jump_barrier",
        "float",
        "meV",
        "E(jump)",
        "barrier of the jumps of the cation that jumps most, by the rates of runs at several temperatures; none where "
        "it is not resolved",
    ),
    (
        "cation_jump_barrier_low",
        "float",
        "meV",
        "E(jump) from",
        "lower end of its 95 % interval; where no jump was seen, a lower bound by the attempts that were counted",
    ),
    ("cation_jump_barrier_high", "float", "meV", "E(jump) to", "upper end of its 95 % interval"),
    (
        "cation_jump_rate_300",
        "float",
        "1/ps",
        "k(jump)",
        "jumps of that cation per ion and ps at 300 K, of runs there or by the fitted barrier; none where none was "
        "seen",
    ),
    (
        "cation_jump_rate_300_high",
        "float",
        "1/ps",
        "k(jump) to",
        "upper end of its 95 % interval; where no jump was seen, an upper bound",
    ),
    (
        "paddle_wheel_p",
        "float",
        "",
        "p(paddle wheel)",
        "chance that as many of that cation's jumps would come with a permutation of an anion near them if neither "
        "knew of the other, of all runs together; none where it is not resolved",
    ),
    ("dynamics_length", "float", "ps", "t(MD)", "molecular dynamics analysed, all temperatures and replicas together"),
    (
        "is_dynamics_too_short",
        "boolean",
        "",
        "MD too short",
        "the runs are too short for a barrier of permutations: fewer than 5 of them at two temperatures",
    ),
    ("dynamics_engine", "string", "", "MD by", "engine that gave the forces of the dynamics"),
    (
        "dynamics_rung",
        "string",
        "",
        "forces (MD)",
        "engine: its own forces; distilled: those of a potential fitted to it for the compound",
    ),
    ("dynamics_evidence", "string", "", "evidence (MD)", "what the fields of dynamics rest on: MD, or test"),
    # ranking
    ("score", "float", "", "score", "weighted sum of the ranking terms, 0 to 1"),
    ("rank", "integer", "", "rank", "place in the campaign, 1 is best"),
    ("rank_best", "integer", "", "best rank", "best place that the noise of the hull distances leaves open"),
    ("rank_worst", "integer", "", "worst rank", "worst place that the noise of the hull distances leaves open"),
    ("is_pareto", "boolean", "", "Pareto", "no other candidate is better in every ranking term"),
    (
        "evidence",
        "string",
        "",
        "evidence",
        f"what its energies rest on, one of: {', '.join(EVIDENCE)}",
    ),
    (
        "method_spread",
        "float",
        "eV/atom",
        "method spread",
        "highest less lowest distance to the hull of other compositions among the methods of the campaign",
    ),
    (
        "method_disagreement",
        "float",
        "eV/atom",
        "± methods",
        "what this row's distance differs by from another method's of the same evidence beyond both model errors",
    ),
    (
        "is_best",
        "boolean",
        "",
        "best",
        "row of the most trusted method that has a hull distance; the others are listed with --all-methods",
    ),
    ("is_known", "boolean", "", "in list", "in ninefold's list of made compounds, or in the campaign's own"),
)

QUANTITIES: dict[str, Quantity] = {row[0]: Quantity(*row) for row in _TABLE}  # type: ignore[arg-type]

BOOKKEEPING: dict[str, Quantity] = {
    "composition": Quantity(
        "composition", "string", "", "composition", "identifier of campaign and assignment, the same for every method"
    ),
    "revision": Quantity(
        "revision", "integer", "", "revision", "step of the run that wrote the row; no part of the result"
    ),
}
"""Flat fields of a row that are no results: filters and sorting know them, tables and rules do not."""


def label(key: str) -> str:
    """Column heading with its unit: `E(hull) (eV/atom)`.

    Raises:
        KeyError: if the quantity is not in the table.
    """
    quantity = QUANTITIES[key]
    return f"{quantity.symbol} ({quantity.unit})" if quantity.unit else quantity.symbol
