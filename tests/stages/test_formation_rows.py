"""What a row says of where its candidate forms: from hulls with equations of state and vibrations by structure."""

import numpy as np
import pytest

from ninefold.models.candidate import Candidate
from ninefold.models.reference import ReferenceRecord
from ninefold.models.search import Minimum
from ninefold.models.structure import StructureRecord
from ninefold.stages.stability import Hulls, Thermal, candidate_phase
from ninefold.thermo.equation_of_state import EquationOfState
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.settings import Condition, StabilitySettings
from ninefold.thermo.zero_point import HYDROGEN_ZERO_POINT

ENGINE = "SevenNet 7net-0"
SOFT = EquationOfState(-4.0, 140 / 12, 6.0, 5.0)


def minimum(structure, energy, volume=140.0):
    return Minimum(
        structure=structure, energy_per_atom=energy, space_group_number=1, space_group_symbol="P1", nsites=12,
        volume_per_formula_unit=volume, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.01, is_converged=True, source="test", is_valid=True,
    )  # fmt: skip


def row(*minima):
    return Candidate(
        id="k", campaign="c", composition="k", method="m", formula="K2ReH9", anion="[ReH9]2-", label="K2[ReH9]",
        chemical_system="H-K-Re", elements=["H", "K", "Re"], nelements=3, centre="Re", cations=["K"],
        cation_counts={"K": 2}, group=7, n=9, q=2, m=0, electron_count=18, oxidation_state=7, anion_class="classical",
        prior=1.0, status="searched", evidence="ML", engine=ENGINE, structures_found=1,
        energy_per_atom=minima[0].energy_per_atom, minima=list(minima),
    )  # fmt: skip


def hulls(thermal=None, synthesis=None, *, energy=-12.5):
    """References whose structures' ids are their names."""
    records, cells = [], {}
    for name, formula, kind, value in (
        ("K bcc", "K", "element", -1.0), ("Re hcp", "Re", "element", energy), ("H2", "H2", "molecule", -3.323),
        ("KH rocksalt", "KH", "binary", -2.4),
    ):  # fmt: skip
        species = {"K": ["K"], "Re": ["Re"], "H2": ["H", "H"], "KH": ["K", "H"]}[formula]
        cells[name] = StructureRecord(
            id=name, lattice=[[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]], species=species,
            positions=[[0.25 * place, 0, 0] for place in range(len(species))],
        )  # fmt: skip
        records.append(
            ReferenceRecord(
                id=name, campaign="c", method="m", engine=ENGINE, name=name, formula=formula, chemical_system="",
                elements=sorted(set(species)), kind=kind, energy_per_atom=value, space_group_number=None,
                volume_per_atom=None if formula == "H2" else 20.0, is_converged=True, structure=name, source="",
                provenance="published", refuted=None, notes=[], core_seconds=0.0,
            )
        )  # fmt: skip
    more = {} if synthesis is None else {"synthesis": synthesis}
    return Hulls(records, cells, StabilitySettings(), thermal, **more)


def assessed(thermal=None, synthesis=None):
    candidate = row(minimum("s", -4.0), minimum("t", -3.99, 130.0))
    made = hulls(thermal, synthesis)
    made.add(candidate)
    [found], _ = made.assess([candidate], {})
    return found


def test_a_row_says_where_it_forms():
    found = assessed(synthesis=Condition(temperature_K=800, pressure_GPa=2))
    assert found.formation["temperature_K"] == 800
    for key in ("synthesis_separation", "ambient_separation", "survives_ambient"):
        assert getattr(found, key) == found.formation[key]
    assert found.lowest_pressure == found.formation["lowest_pressure_GPa"]
    slope, sigma = found.formation["pressure_slope"], found.e_above_hull_uncertainty
    if slope:
        assert found.lowest_pressure_uncertainty == pytest.approx(sigma / abs(slope))
    highest = found.formation["highest_pressure_GPa"]
    assert found.window_width == (0 if found.lowest_pressure is None else highest - found.lowest_pressure)


def test_every_hull_says_how_complete_it_is():
    notes = " | ".join(assessed().stability_notes)
    assert "facets rest on a guess" in notes
    assert "not completely searched: 1 of 53 compositions" in notes


def test_a_minimum_without_a_state_is_compressed_as_its_neighbour():
    phase = candidate_phase(row(minimum("s", -4.0), minimum("t", -3.99, 130.0)), Thermal({"s": SOFT}))
    [other] = phase.polymorphs
    assert phase.equation_of_state == SOFT
    assert other.equation_of_state.bulk_modulus == SOFT.bulk_modulus
    assert other.equation_of_state.volume_per_atom == pytest.approx(130 / 12)
    assert candidate_phase(row(minimum("s", -4.0))).equation_of_state is None


def test_compression_and_vibrations_reach_the_conditions():
    plain = assessed()
    pressed = assessed(Thermal({"s": SOFT}))
    [ambient, press] = plain.conditions
    assert pressed.conditions[0]["phase_separation_energy"] == pytest.approx(
        ambient["phase_separation_energy"], abs=1e-4
    )
    assert pressed.conditions[1]["phase_separation_energy"] < press["phase_separation_energy"]
    vibrations = {
        name: HarmonicVibrations(np.array([energy]), np.array([3.0]))
        for name, energy in (("s", 90.0), ("K bcc", 8.0), ("Re hcp", 20.0), ("KH rocksalt", 50.0))
    }
    warm = assessed(Thermal({}, vibrations))
    assert warm.conditions[0]["vibration_uncertainty"] == pytest.approx(0.0)
    assert warm.conditions[0]["notes"][0].startswith("free energy of vibrations: own of 4 of 5 structures")
    assert ambient["vibration_uncertainty"] is None
    # every hydrogen of the complex has the quantum of one, and the gas its own: the difference by hand, at 0 K
    products = {part["name"]: part["fraction"] for part in warm.conditions[0]["decomposition"]}
    zero = vibrations["s"].zero_point_energy - sum(
        share * (HYDROGEN_ZERO_POINT / 2 if name == "H2" else vibrations[name].zero_point_energy)
        for name, share in products.items()
    )
    change = warm.conditions[0]["phase_separation_energy"] - ambient["phase_separation_energy"]
    assert {part["name"] for part in ambient["decomposition"]} == set(products)
    assert change == pytest.approx(zero, abs=0.06)


def test_a_class_without_vibrations_leaves_the_row_static():
    some = {"K bcc": HarmonicVibrations(np.array([8.0]), np.array([3.0]))}
    found = assessed(Thermal({}, some))
    assert found.conditions == [
        {**before, "notes": [after["notes"][0], *before["notes"][1:]]}
        for before, after in zip(assessed().conditions, found.conditions, strict=True)
    ]
    assert "of none of: complex, saline" in found.conditions[0]["notes"][0]
