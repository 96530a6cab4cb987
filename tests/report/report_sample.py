"""A made-up but realistic campaign: records as a store holds them, numbers of the right size.

Only the structure of K2ReH9 is a real one (Abrahams, Ginsberg & Knox, Inorg. Chem. 3, 558 (1964), hydrogens
rebuilt from its polyhedra). The other candidates carry toy cells, good enough to be drawn.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord, pack_assignment
from ninefold.models.funnel import FunnelRecord
from ninefold.models.method import Method
from ninefold.models.record import Record
from ninefold.models.reference import ReferenceRecord
from ninefold.models.search import Minimum
from ninefold.models.structure import StructureRecord, structure_id
from ninefold.store.details import details

METHOD = Method(id="9e41c07d55ab", name="chgnet", label="CHGNet 0.3.0", evidence="ML")
ENGINE = METHOD.label
ELEMENTS = {"K": -1.09, "Re": -12.41, "H": -3.334, "Mg": -1.61, "Cr": -9.65, "Li": -1.92, "Mo": -10.84}
BINARIES = {"KH": ("K", 1, 1, -0.313), "MgH2": ("Mg", 1, 2, -0.305), "LiH": ("Li", 1, 1, -0.478)}
GROUPS = {"Re": 7, "Cr": 6, "Mo": 6}
SPACES = (("Re", "K", 1), ("Cr", "Mg", 2), ("Mo", "Li", 1))
DISTANCES = {
    "K2ReH9": -0.041,
    "K3ReH10": -0.006,
    "K4ReH11": 0.038,
    "K3ReH8": 0.012,
    "K4ReH9": 0.047,
    "K5ReH10": 0.061,
    "K4ReH7": 0.083,
    "K5ReH8": 0.102,
    "K6ReH9": 0.12,
    "Mg2CrH10": 0.214,
    "Mg2CrH8": 0.087,
    "Mg3CrH10": 0.142,
    "Mg3CrH8": 0.019,
    "Li3MoH9": 0.033,
    "Li4MoH10": 0.028,
    "Li5MoH11": -0.003,
    "Li4MoH8": 0.071,
    "Li5MoH9": 0.064,
    "Li6MoH10": 0.055,
    "Li5MoH7": 0.118,
    "Li6MoH8": 0.097,
}
CONDITIONS = ((300.0, 0.0001), (973.0, 5.0))
"""Temperature in K, hydrogen pressure in GPa: ambient, and a large-volume press."""
KNOWN = {"K2ReH9", "Mg3CrH8", "Li5MoH11"}

_K2REH9 = (
    ("K", (0, 0.2596, 0.5)),
    ("K", (0.2596, 0, 0.5)),
    ("K", (0.7404, 0.7404, 0.5)),
    ("K", (0, 0.5928, 0)),
    ("K", (0.5928, 0, 0)),
    ("K", (0.4072, 0.4072, 0)),
    ("Re", (1 / 3, 2 / 3, 0.5)),
    ("Re", (2 / 3, 1 / 3, 0.5)),
    ("Re", (0, 0, 0)),
    *(
        ("H", site)
        for x, y, z in [(0.22376564, 0.532262, 0.28395062), (0.14358557, 0.6316027, 0.5)]
        for site in dict.fromkeys(
            (round(a % 1, 6), round(b % 1, 6), round(c % 1, 6))
            for (a, b), c in product(((x, y), (-y, x - y), (y - x, -x), (y, x), (-x, y - x), (x - y, -y)), (z, -z))
        )
    ),
    *(("H", site) for z in (0.216, 0.784) for site in ((0, 0.876, z), (0.876, 0, z), (0.124, 0.124, z))),
    *(("H", site) for site in ((0, 0.175, 0), (0.175, 0, 0), (0.825, 0.825, 0))),
)


def structure_record(symbols: list[str], fractional: Any, lattice: Any) -> StructureRecord:
    """A structure as it is stored."""
    packed = {
        "lattice": np.asarray(lattice, dtype=float).tolist(),
        "species": symbols,
        "positions": np.asarray(fractional, dtype=float).tolist(),
    }
    return StructureRecord(id=structure_id(packed), **packed)


def structure_dict(symbols: list[str], fractional: Any, lattice: Any) -> dict[str, Any]:
    """A structure as `details` gives it."""
    return dict(structure_record(symbols, fractional, lattice).to_structure().as_dict())


def k2reh9() -> StructureRecord:
    """K2ReH9, P-62m, 36 atoms: two inequivalent [ReH9]2- as tricapped trigonal prisms."""
    a, c = 9.607, 5.508
    lattice = [[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]]
    return structure_record([symbol for symbol, _ in _K2REH9], [place for _, place in _K2REH9], lattice)


def toy_structure(assignment: Assignment) -> StructureRecord:
    """One anion at the origin of a cube, cations and hydrides around it."""
    cations = [cation.symbol for cation in assignment.cations for _ in range(cation.count)]
    side = (55.0 + 22.0 * len(cations) + 14 * assignment.m) ** (1 / 3)
    golden = np.pi * (3 - 5**0.5)
    heights = 1 - 2 * (np.arange(assignment.n) + 0.5) / assignment.n
    turn = golden * np.arange(assignment.n)
    shell = np.column_stack([np.sqrt(1 - heights**2) * np.cos(turn), np.sqrt(1 - heights**2) * np.sin(turn), heights])
    places = [
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0),
        (0.5, 0, 0.5),
        (0, 0.5, 0.5),
        (0.25, 0.5, 0.75),
        (0.75, 0.25, 0.5),
        (0.5, 0.75, 0.25),
        (0.25, 0.25, 0.45),
        (0.75, 0.75, 0.55),
    ]
    fractional = [(0, 0, 0), *(shell * 1.68 / side), *places[: len(cations) + assignment.m]]
    symbols = [assignment.centre, *["H"] * assignment.n, *cations, *["H"] * assignment.m]
    return structure_record(symbols, fractional, np.eye(3) * side)


def assignments() -> list[Assignment]:
    """The 22 assignments of the three spaces, n = 7-9, m = 0-2."""
    found = []
    for centre, cation, charge in SPACES:
        for n, m in product((9, 8, 7), (0, 1, 2)):
            q = 18 - GROUPS[centre] - n
            if (q + m) % charge == 0:
                found.append(Assignment(centre, n, q, m, (Cation(cation, (q + m) // charge, charge),)))
    return found


class Held:
    """What `details` asks of a store, from records that lie in memory."""

    def __init__(self, records: list[Record]) -> None:
        self._documents = {(record.collection, record.id): record.model_dump(mode="json") for record in records}

    def find(self, collection: str, *, equal: dict[str, list[str]], fields: list[str]) -> list[dict[str, Any]]:
        rows = [document for (name, _), document in self._documents.items() if name == collection]
        wanted = [row for row in rows if all(row[key] in values for key, values in equal.items())]
        return [{field: row[field] for field in fields} for row in wanted]

    def iterate(self, collection: str, filter: str | None = None, **condition: Any) -> list[dict[str, Any]]:
        """Whole documents, for collections that are read as a whole."""
        return [document for (name, _), document in self._documents.items() if name == collection]

    def get_many(self, collection: str, ids: list[str]) -> dict[str, dict[str, Any]]:
        found = {id: self._documents.get((collection, id)) for id in ids}
        return {id: document for id, document in found.items() if document is not None}


def records(campaign: str = "quickstart") -> list[Record]:
    """Everything that a store holds of the campaign, but its funnel and references: see there."""
    rows, compositions, structures = [], [], {}
    for assignment in assignments():
        structure = k2reh9() if assignment.formula == "K2ReH9" else toy_structure(assignment)
        structures[structure.id] = structure
        compositions.append(_composition(assignment, campaign))
        rows.append(_candidate(compositions[-1], assignment, structure))
    rows.sort(key=lambda row: -(row.score if row.score is not None else -1))
    ranked = [
        row if row.score is None else row.model_copy(update={"rank": rank}) for rank, row in enumerate(rows, start=1)
    ]
    return [campaign_record(campaign), METHOD, *compositions, *structures.values(), *ranked]


def candidates(campaign: str = "quickstart") -> list[dict[str, Any]]:
    """Whole candidates, as `details` joins them; one found no structure."""
    held = records(campaign)
    rows = [record.model_dump(mode="json") for record in held if isinstance(record, Candidate)]
    return list(details(Held(held), rows))


def references(campaign: str = "quickstart") -> list[dict[str, Any]]:
    """Elements, the hydrogen molecule, binary hydrides and a known complex hydride."""
    rows = []
    for symbol, energy in ELEMENTS.items():
        is_gas = symbol == "H"
        rows.append(
            _reference(
                campaign,
                "H2 molecule in a box" if is_gas else symbol,
                "H2" if is_gas else symbol,
                "molecule" if is_gas else "element",
                energy,
                [symbol] * (2 if is_gas else 1),
            )
        )
    for formula, (cation, metals, hydrogens, formation) in BINARIES.items():
        atoms = [cation] * metals + ["H"] * hydrogens
        energy = sum(ELEMENTS[atom] for atom in atoms) / len(atoms) + formation
        rows.append(_reference(campaign, formula, formula, "binary", energy, atoms))
    energy = (ELEMENTS["Cr"] + ELEMENTS["H"]) / 2 + 0.031
    rows.append(_reference(campaign, "CrH", "CrH", "binary", energy, ["Cr", "H"]))
    energy = (3 * ELEMENTS["K"] + ELEMENTS["Re"] + 6 * ELEMENTS["H"]) / 10 - 0.151
    rows.append(_reference(campaign, "K3ReH6", "K3ReH6", "known_hydride", energy, ["K"] * 3 + ["Re"] + ["H"] * 6))
    failed = _reference(campaign, "MoH", "MoH", "binary", None, ["Mo", "H"])
    failed.update(structure=None, is_converged=None, notes=["forces above 50 eV/Å after 3 steps"])
    return [*rows, failed]


def funnel(campaign: str = "quickstart") -> list[dict[str, Any]]:
    """One entry per stage, as added up over shards."""
    stages = (
        ("enumerate", 26, 26, "compositions", {}, 0.02),
        (
            "select",
            26,
            22,
            "compositions",
            {"R7: cation not electropositive enough": 3, "R3: OS above the group": 1},
            0.03,
        ),
        (
            "build",
            13200,
            4180,
            "structures",
            {"duplicate": 7011, "overlap after the force field": 1602, "cell collapsed": 407},
            812.0,
        ),
        ("prescreen", 22, 21, "compositions", {"no structure with the coordination asked": 1}, 1105.0),
        ("references", 14, 13, "structures", {"forces above 50 eV/Å after 3 steps": 1}, 61.0),
        ("stability", 21, 21, "compositions", {}, 0.4),
        ("rank", 22, 21, "compositions", {"no_structure": 1}, 0.1),
    )
    return [
        FunnelRecord(
            id=f"{campaign}:{stage}:0",
            campaign=campaign,
            stage=stage,
            count_in=count_in,
            count_out=count_out,
            unit=unit,
            reasons=reasons,
            core_seconds=seconds,
            wall_seconds=seconds * 0.54,
            hardware="AMD EPYC 7B13, 2 cores",
        ).model_dump(mode="json")
        for stage, count_in, count_out, unit, reasons, seconds in stages
    ]


def campaign(name: str = "quickstart") -> dict[str, Any]:
    """A finished campaign."""
    return campaign_record(name).model_dump(mode="json")


def campaign_record(name: str = "quickstart") -> CampaignRecord:
    """The same as its record."""
    return CampaignRecord(
        id=name,
        name=name,
        fingerprint="5f0c9a1be2d34771",
        settings={
            "name": name,
            "description": "Three small chemical spaces around known hydrides",
            "seed": 2017,
            "engine": {"name": "chgnet", "model": "0.3.0"},
            "rules": {"set": "takagi"},
            "stability": {"noise_eV_per_atom": 0.02},
            "structures": {"formula_units": [1, 2, 3], "withhold_types": ["K2ReH9"], "final_fmax": 0.01},
        },
        versions={"ninefold": "0.1.0", "chgnet": "0.4.2", "torch": "2.13.0", "pymatgen": "2026.10.24"},
        status="finished",
        created="2026-11-24T03:00:12Z",
        finished="2026-11-24T03:13:40Z",
    )


def sample() -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The arguments of `render_report`."""
    return campaign(), funnel(), candidates(), references()


def _composition(assignment: Assignment, campaign: str) -> CompositionRecord:
    return CompositionRecord(
        id=f"{campaign}-{assignment.formula}-{assignment.n}",
        campaign=campaign,
        formula=assignment.formula,
        anion=assignment.anion,
        label=assignment.label,
        chemical_system=assignment.chemical_system,
        elements=sorted(assignment.amounts),
        nelements=len(assignment.amounts),
        centre=assignment.centre,
        cations=[cation.symbol for cation in assignment.cations],
        cation_counts={cation.symbol: cation.count for cation in assignment.cations},
        group=GROUPS[assignment.centre],
        n=assignment.n,
        q=assignment.q,
        m=assignment.m,
        assignment=pack_assignment(assignment),
        electron_count=assignment.electron_count,
        oxidation_state=assignment.oxidation_state,
        anion_class=assignment.anion_class.value,
        prior=round(0.95 - 0.08 * assignment.m - 0.06 * (9 - assignment.n), 3),
        is_known=assignment.formula in KNOWN,
        verdicts=_verdicts(assignment),
        rules="takagi",
    )


_NOT_OF_ROW = {"id", "schema_version", "assignment", "verdicts", "rules", "neighbour_of", "other_assignments"}


def _candidate(composition: CompositionRecord, assignment: Assignment, structure: StructureRecord) -> Candidate:
    row = Candidate(
        **composition.model_dump(exclude=_NOT_OF_ROW),
        id=f"{composition.id}-{METHOD.id[:8]}",
        composition=composition.id,
        method=METHOD.id,
        status="no_structure",
        relaxations=10,
        reasons={"coordination not kept": 6, "H2 formed": 2},
    )
    if assignment.formula not in DISTANCES:
        return row
    distance = DISTANCES[assignment.formula]
    energy = _competitors_energy(assignment) + distance
    number, symbol = (
        (189, "P-62m") if assignment.formula == "K2ReH9" else (1 + (7 * assignment.n + assignment.m) % 30, "P2_1/c")
    )
    best = Minimum(
        structure=structure.id,
        energy_per_atom=energy,
        space_group_number=number,
        space_group_symbol=symbol,
        nsites=len(structure.species),
        volume_per_formula_unit=146.8 - 3 * assignment.m,
        volume_ratio=1.02,
        coordination_numbers=[assignment.n] * (3 if assignment.formula == "K2ReH9" else 1),
        shortest_m_h=1.69,
        shortest_h_h=1.98,
        max_force=0.008,
        is_converged=True,
        source="host BaCl2 (C23), Z = 3",
        is_valid=True,
    )
    others = [
        best.model_copy(
            update={
                "energy_per_atom": energy + step,
                "space_group_number": 1,
                "space_group_symbol": "P1",
                "source": "random rigid units",
                "is_valid": valid,
                "notes": [] if valid else ["H-H 0.82 Å: an H2 ligand"],
            }
        )
        for step, valid in ((0.006, True), (0.019, True), (0.044, False))
    ]
    terms = {
        "stability": (max(0.0, min(1.0, 1 - distance / 0.2)), 0.5),
        "prior": (row.prior, 0.2),
        "symmetry": (0.8 if number > 20 else 0.3, 0.1),
        "mobility": (0.4 + 0.1 * assignment.m, 0.2),
    }
    hydride = next(formula for formula, (cation, *_) in BINARIES.items() if cation == row.cations[0])
    return row.model_copy(
        update={
            "status": "ranked",
            "evidence": "ML",
            "minima": [best, *others],
            "structures_found": 3,
            "relaxations": 14,
            "is_coordination_kept": True,
            "engine": ENGINE,
            "energy_per_atom": energy,
            **{
                key: getattr(best, key)
                for key in (
                    "space_group_number",
                    "space_group_symbol",
                    "nsites",
                    "volume_per_formula_unit",
                    "volume_ratio",
                    "shortest_m_h",
                    "shortest_h_h",
                    "is_converged",
                    "max_force",
                    "source",
                )
            },
            "formation_energy_per_atom": energy
            - sum(ELEMENTS[s] * a for s, a in assignment.amounts.items()) / _atoms(assignment),
            "e_above_hull": max(distance, 0.0),
            "phase_separation_energy": distance,
            "e_above_references": distance,
            "e_above_same_composition": 0.0,
            "e_above_hull_uncertainty": 0.004,
            "reaction_energy_per_h2": -31.4 + 400 * distance,
            "is_pareto": distance < 0.02,
            "score": sum(value * weight for value, weight in terms.values()),
            "terms": {name: {"value": v, "weight": w, "contribution": v * w} for name, (v, w) in terms.items()},
            "decomposition": [
                {"formula": hydride, "name": hydride, "fraction": 0.34, "energy_per_atom": -2.4, "kind": "reference"},
                {
                    "formula": assignment.centre,
                    "name": assignment.centre,
                    "fraction": 0.08,
                    "energy_per_atom": -10.2,
                    "kind": "reference",
                },
                {
                    "formula": "H2",
                    "name": "H2 molecule in a box",
                    "fraction": 0.58,
                    "energy_per_atom": -3.334,
                    "kind": "reference",
                },
            ],
            "known": [
                {
                    "name": f"{assignment.formula}, literature structure",
                    "energy_per_atom": energy + 0.004,
                    "difference": -0.004,
                    "source": "Abrahams, Ginsberg & Knox, Inorg. Chem. 3, 558 (1964)",
                    "provenance": "from memory",
                }
            ]
            if row.is_known
            else [],
            "conditions": [
                {
                    "temperature_K": t,
                    "pressure_GPa": p,
                    "e_above_hull": max(0.0, distance + 0.00012 * (t - 298) - 0.05 * np.log10(p / 0.1)),
                    "phase_separation_energy": distance + 0.00012 * (t - 298) - 0.05 * np.log10(p / 0.1),
                    "e_above_references": distance + 0.00012 * (t - 298) - 0.05 * np.log10(p / 0.1),
                    "minimum": assignment.label,
                    "decomposition": [{"formula": formula} for formula in (hydride, assignment.centre, "H2")],
                    "notes": ["gas not ideal"] if p > 1 else [],
                }
                for t, p in CONDITIONS
            ],
        }
    )


def _verdicts(assignment: Assignment) -> list[dict[str, Any]]:
    return [
        {
            "rule": "electron_count",
            "mode": "gate",
            "value": assignment.electron_count,
            "unit": "",
            "bound": "in {18}",
            "passed": True,
            "score": None,
            "reason": f"{assignment.centre}: {GROUPS[assignment.centre]} + {assignment.n} + {assignment.q} electrons",
            "source": "Singh et al., Phys. Rev. B 70 (2004)",
        },
        {
            "rule": "charge_per_ligand",
            "mode": "score",
            "value": round(assignment.q / assignment.n, 3),
            "unit": "e",
            "bound": "<= 0.72",
            "passed": assignment.q / assignment.n <= 0.72,
            "score": 0.9,
            "reason": "charge per hydrogen as in made compounds",
            "source": "derived from 25 entries",
        },
        {
            "rule": "electropositivity",
            "mode": "gate",
            "value": None,
            "unit": "",
            "bound": ">= 0",
            "passed": None,
            "score": None,
            "reason": "no value",
            "source": "",
        },
    ]


def _competitors_energy(assignment: Assignment) -> float:
    amounts = assignment.amounts
    energy = sum(ELEMENTS[symbol] * amount for symbol, amount in amounts.items())
    for cation, metals, hydrogens, formation in BINARIES.values():
        if cation in amounts:
            energy += amounts[cation] / metals * (metals + hydrogens) * formation
    return energy / _atoms(assignment)


def _atoms(assignment: Assignment) -> int:
    return sum(assignment.amounts.values())


def _reference(
    campaign: str, name: str, formula: str, kind: str, energy: float | None, atoms: list[str]
) -> dict[str, Any]:
    places = [(0.5 * i / len(atoms), 0.1, 0.2) for i in range(len(atoms))]
    return ReferenceRecord(
        id=f"{campaign}:{METHOD.id[:8]}:{name}",
        campaign=campaign,
        method=METHOD.id,
        name=name,
        formula=formula,
        chemical_system="-".join(sorted(set(atoms))),
        elements=sorted(set(atoms)),
        kind=kind,
        energy_per_atom=energy,
        space_group_number=None if kind == "molecule" else 225,
        volume_per_atom=None if kind == "molecule" else 14.2,
        is_converged=True,
        engine=ENGINE,
        structure=structure_record(atoms, places, np.eye(3) * 8).id,
        source="Wyckoff, Crystal Structures",
        provenance="from memory",
    ).model_dump(mode="json")
