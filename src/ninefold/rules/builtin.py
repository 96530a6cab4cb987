"""The rules that ninefold ships: everything of the element-selection guideline that a formula decides.

Thresholds come from the compounds made so far and carry their source; `derived` says what was derived
from them here.
"""

from __future__ import annotations

import functools

import numpy as np

from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.elements import ELECTRONEGATIVITY
from ninefold.chemistry.table import CandidateTable
from ninefold.chemistry.volumes import HYDRIDE_VOLUME, anion_volume, cation_volume
from ninefold.rules.rule import Mode, Rule

_ATOMIC_MASS = {
    "H": 1.008, "Li": 6.94, "Be": 9.012, "Na": 22.990, "Mg": 24.305, "Al": 26.982, "K": 39.098, "Ca": 40.078,
    "Sc": 44.956, "Ti": 47.867, "V": 50.942, "Cr": 51.996, "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693,
    "Cu": 63.546, "Zn": 65.38, "Rb": 85.468, "Sr": 87.62, "Y": 88.906, "Zr": 91.224, "Nb": 92.906, "Mo": 95.95,
    "Tc": 98.0, "Ru": 101.07, "Rh": 102.906, "Pd": 106.42, "Ag": 107.868, "Cd": 112.414, "Cs": 132.905, "Ba": 137.327,
    "La": 138.905, "Ce": 140.116, "Pr": 140.908, "Nd": 144.242, "Sm": 150.36, "Eu": 151.964, "Gd": 157.25,
    "Tb": 158.925, "Dy": 162.500, "Ho": 164.930, "Er": 167.259, "Tm": 168.934, "Yb": 173.045, "Lu": 174.967,
    "Hf": 178.486, "Ta": 180.948, "W": 183.84, "Re": 186.207, "Os": 190.23, "Ir": 192.217, "Pt": 195.084,
    "Au": 196.967, "Hg": 200.592,
}  # fmt: skip
"""IUPAC standard atomic weights, g/mol (Tc: its longest-lived isotope)."""
_TOXIC = frozenset({"Be", "Cd", "Hg", "Os"})
_RADIOACTIVE = frozenset({"Tc"})
_CRUSTAL_PPM = {
    "Re": 0.0007, "Os": 0.0015, "Ir": 0.001, "Ru": 0.001, "Rh": 0.001, "Pd": 0.015, "Pt": 0.005, "Au": 0.004,
    "Ag": 0.075, "Cd": 0.15, "Hg": 0.085, "Tc": 0.0, "W": 1.3, "Mo": 1.2, "Ta": 2.0, "Hf": 3.0, "Nb": 20.0,
    "Y": 33.0, "Sc": 22.0, "La": 39.0, "Co": 25.0, "Ni": 84.0, "Cu": 60.0, "Zn": 70.0, "Cr": 102.0, "V": 120.0,
    "Zr": 165.0, "Mn": 950.0, "Ti": 5650.0, "Fe": 56300.0,
}  # fmt: skip
"""Abundance in the upper crust, mg/kg, CRC Handbook (from memory)."""


def _charge_imbalance(table: CandidateTable) -> np.ndarray:
    return table.cation_charge - table.q - table.m


@functools.cache
def _seen_coordination() -> dict[int, tuple[int, ...]]:
    """Group -> hydrogens on the centre in the 18-electron compounds made so far; groups 11 and 12 as 4."""
    made = [c.assignment for c in known_compounds() if not c.violates and c.assignment.electron_count == 18]
    seen = {group: tuple(sorted({item.n for item in made if item.group == group})) for group in range(3, 13)}
    return {group: numbers or (4,) for group, numbers in seen.items() if numbers or group > 10}


def _steps_from_seen_coordination(table: CandidateTable) -> np.ndarray:
    largest = int(table.n.max(initial=0))
    lookup = np.full((19, largest + 1), 2.0)  # groups never seen: two steps away
    for group, seen in _seen_coordination().items():
        for n in range(largest + 1):
            lookup[group, n] = min(abs(n - known) for known in seen)
    return lookup[table.group, table.n]


def _volume_per_atom(table: CandidateTable) -> np.ndarray:
    most = int(table.n.max(initial=0)) + 1
    anions = np.array([[anion_volume(symbol, n) for n in range(most)] for symbol in table.centres])
    cations = table.sum_over_cations({item: cation_volume(item[0]) for item in table.species})
    volume = anions[table.centre, table.n] + HYDRIDE_VOLUME * table.m + cations
    return volume / (1 + table.n + table.m + table.cation_count)


def _hydrogen_content(table: CandidateTable) -> np.ndarray:
    hydrogen = _ATOMIC_MASS["H"] * (table.n + table.m)
    metals = table.of_centre(_ATOMIC_MASS) + table.sum_over_cations(
        {item: _ATOMIC_MASS[item[0]] for item in table.species}
    )
    return 100 * hydrogen / (hydrogen + metals)


def _in_set(table: CandidateTable, symbols: frozenset[str]) -> np.ndarray:
    centre = table.of_centre({symbol: float(symbol in symbols) for symbol in table.centres})
    cations = table.max_over_cations({item: float(item[0] in symbols) for item in table.species})
    return np.maximum(centre, cations)


BUILTIN: tuple[Rule, ...] = (
    Rule(
        "electron_count",
        lambda table: table.electron_count,
        "valence electrons at the centre, G + n + q",
        "18-electron rule: Singh, Phys. Rev. B 69, 024510 (2004); violators K3ReH6 (16), K3MnH5 (13)",
        unit="electrons", allowed=(18.0,), softness=1.0, mode=Mode.GATE,
    ),
    Rule(
        "charge_balance",
        _charge_imbalance,
        "cation charge less anion charge less interstitial hydrides, Z - q - m",
        "definition; Z = q + m",
        unit="e", low=0.0, high=0.0, mode=Mode.GATE,
    ),
    Rule(
        "oxidation_state",
        lambda table: table.oxidation_state,
        "formal oxidation state of the centre, n - q, between 0 and its group number",
        "definition; 0 is reached by [NiH4]4-, G by [ReH9]2-",
        low=0.0, high=lambda table: table.group, mode=Mode.GATE,
    ),
    Rule(
        "classical_hydride",
        lambda table: table.n,
        "hydrogens on the centre; 10 and more need H2 ligands, a class of their own",
        "derived: n - q > G for n >= 10 at 18 electrons",
        high=9.0, mode=Mode.GATE,
    ),
    Rule(
        "interstitial_hydrides",
        lambda table: table.m,
        "interstitial hydride ions per centre",
        "derived: 0 to 2 in every compound of n >= 7 made (K2ReH9 0, Mg3CrH8 1, Li5MoH11 2)",
        high=2.0, softness=2.0, mode=Mode.SCORE,
    ),
    Rule(
        "charge_per_ligand",
        lambda table: table.q / table.n,
        "anion charge per hydrogen on the centre, q/n",
        "derived: at most 0.714 ([CrH7]5-) for n >= 7, 1.0 over all ([NiH4]4-)",
        unit="e", high=0.72, softness=0.3, mode=Mode.SCORE,
    ),
    Rule(
        "group_wall",
        lambda table: table.group,
        "group of the centre: 7 to 12 established, 5 and 6 made, 3 and 4 extrapolated",
        "Takagi et al., Angew. Chem. Int. Ed. 54, 5650 (2015); Sci. Rep. 7, 44253 (2017)",
        low=7.0,
        levels={3: 0.4, 4: 0.6, 5: 0.9, 6: 0.9, 7: 1.0, 8: 1.0, 9: 1.0, 10: 1.0, 11: 1.0, 12: 1.0},
        mode=Mode.SCORE,
    ),
    Rule(
        "coordination_trend",
        _steps_from_seen_coordination,
        "steps between n and the nearest n made with a centre of this group; 2 where none is made",
        "Takagi et al., Sci. Rep. 7, 44253 (2017): n rises from right to left",
        high=0.0, softness=3.0, mode=Mode.SCORE,
    ),
    Rule(
        "electropositive_cations",
        lambda table: table.centre_electronegativity - table.cation_electronegativity,
        "electronegativity of the centre less the cations' mean: the cations must give their electrons",
        "derived; Pauling's values of one element differ by some 0.1 between tables and oxidation states: the gate "
        "allows for as much (Hf 1.30 beside Mg 1.31); electronegativity_difference scores what passes",
        low=-0.1, mode=Mode.GATE,
    ),
    Rule(
        "electronegativity_difference",
        lambda table: table.centre_electronegativity - table.cation_electronegativity,
        "electronegativity of the centre less the cations' mean",
        "derived: at least 0.35 (Mg3CrH8) in every compound of n >= 7 made; Pauling scale",
        low=0.35, softness=0.3, mode=Mode.SCORE,
    ),
    Rule(
        "cation_electronegativity",
        lambda table: table.max_over_cations({item: ELECTRONEGATIVITY[item[0]] for item in table.species}),
        "electronegativity of the least electropositive counter-cation",
        "derived: at most 1.31 (Mg) in every compound of n >= 7 made; lower is more stable (APL Mater. 2014)",
        high=1.31, softness=0.3, mode=Mode.SCORE,
    ),
    Rule(
        "volume_per_atom",
        _volume_per_atom,
        "additive volume per atom",
        "derived: 7.7 (Li5MoH11) to 16 (Rb3ReH10)",
        unit="Å³", low=6.0, high=20.0, softness=5.0, mode=Mode.SCORE,
    ),
    Rule("hydrogen_content", _hydrogen_content, "hydrogen by mass", "definition", unit="wt%", mode=Mode.OFF),
    Rule(
        "radioactivity", lambda table: _in_set(table, _RADIOACTIVE), "1 if an element has no stable isotope (Tc)",
        "definition", high=0.0, mode=Mode.OFF,
    ),
    Rule(
        "toxicity", lambda table: _in_set(table, _TOXIC), "1 if an element is acutely toxic (Be, Cd, Hg, Os as oxide)",
        "from memory", high=0.0, mode=Mode.OFF,
    ),
    Rule(
        "abundance",
        lambda table: table.of_centre({symbol: _CRUSTAL_PPM.get(symbol, 1.0) for symbol in table.centres}),
        "abundance of the centre in the upper crust", "CRC Handbook, from memory", unit="mg/kg", low=0.01,
        softness=0.01,
        mode=Mode.OFF,
    ),
)  # fmt: skip
"""In the order in which they are applied and explained."""
