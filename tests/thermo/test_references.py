"""The reference library: every phase is what it says it is, and relaxes."""

import numpy as np
import pytest
import spglib
from pymatgen.core import Composition
from pymatgen.symmetry.groups import SpaceGroup

from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import parse_formula
from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.engines.base import Relaxation
from ninefold.structures.crystals import build_structure
from ninefold.thermo import (
    StabilitySettings,
    assess,
    missing_phases,
    reference_phases,
    relax_references,
)
from ninefold.thermo.references import known_hydride_formulas

PHASES = reference_phases(SYMBOLS)
CENTRES = "Sc Y La Ti Zr Hf V Nb Ta Cr Mo W Mn Tc Re Fe Ru Os".split()
CATIONS = "Li Na K Rb Cs Mg Ca Sr Ba Sc Y La Al".split()


def found_space_group(structure):
    cell = (structure.lattice.matrix, structure.frac_coords, [site.specie.Z for site in structure])
    return spglib.get_symmetry_dataset(cell, symprec=1e-3).number


def test_names_are_unique():
    names = [phase.name for phase in PHASES]
    assert len(names) == len(set(names)) > 250


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_structure_is_what_it_says(phase):
    structure = phase.structure
    assert structure.composition.reduced_formula == Composition(phase.formula).reduced_formula
    assert found_space_group(structure) == SpaceGroup(phase.space_group).int_number
    distances = structure.distance_matrix[np.triu_indices(len(structure), 1)]
    assert distances.min(initial=9) > (0.7 if phase.kind == "molecule" else 1.4)
    if phase.kind != "molecule":
        assert 4 < structure.volume / len(structure) < 120
    assert phase.mark in {"src", "mem", "der"}
    assert phase.source
    assert phase.kind in {"element", "molecule", "binary", "ternary", "intermetallic", "known_hydride"}


@pytest.mark.parametrize("phase", [p for p in PHASES if p.kind == "known_hydride"], ids=lambda phase: phase.name)
def test_complex_anions_have_their_hydrogens(phase):
    expected = {
        "K2ReH9": 9, "BaReH9": 9, "Mg3ReH7": 6, "SrMg2FeH8": 6, "K2PtCl6": 6, "K4CdCl6": 6, "Mg2CoH5": 5, "K2PtH4": 4,
        "Na2HgO2": 2,
    }  # fmt: skip
    prototype = phase.name.split()[1]
    if prototype not in expected:
        pytest.skip("no polyhedron of its own")
    metals = {*CENTRES, "Co", "Rh", "Ir", "Pd", "Pt"}
    centres = [index for index, site in enumerate(phase.structure) if site.specie.symbol in metals]
    for index in centres:
        shell = sorted(
            neighbour.nn_distance
            for neighbour in phase.structure.get_neighbors(phase.structure[index], 3)
            if neighbour.specie.symbol == "H"
        )
        assert sum(distance < 1.25 * shell[0] for distance in shell) == expected[prototype]
        assert 1.4 < shell[0] < 1.85


@pytest.mark.parametrize("symbol", sorted({*CENTRES, *CATIONS, *"Co Rh Ir Ni Pd Pt Cu Zn H Be Eu Yb".split()}))
def test_every_element_has_its_reference(symbol):
    assert any({site.specie.symbol for site in phase.structure} == {symbol} for phase in reference_phases([symbol]))


def test_a_system_has_its_subsystems_and_no_more():
    names = {phase.name for phase in reference_phases(["K", "Re", "H"])}
    assert names == {
        "H2 molecule in a box", "K bcc", "Re hcp", "KH rocksalt", "KH CsCl", "K2ReH9 K2ReH9", "K3ReH6 cryolite"
    }  # fmt: skip


def test_what_is_missing_is_said():
    assert {phase.formula for phase in missing_phases(["Li", "Mo", "H"])} == {"Li5MoH11"}
    assert all(phase.reason for phase in missing_phases(SYMBOLS))


def test_every_compound_in_the_list_competes_or_is_said_to_be_missing():
    phases = {phase.formula for phase in PHASES} | {phase.formula for phase in missing_phases(SYMBOLS)}
    amounts = [parse_formula(formula) for formula in phases]
    assert [c.formula for c in known_compounds() if c.assignment.amounts not in amounts] == []


def test_a_solid_solution_is_no_phase():
    assert "ReH" not in {phase.formula for phase in PHASES}


@pytest.mark.parametrize(
    ("text", "expected"), [("1/3", 1 / 3), (0.25, 0.25), ("-x", -0.1), ("2x", 0.2), ("x+1/2", 0.6)]
)
def test_coordinates(text, expected):
    structure = build_structure("P1", {"a": 5, "b": 6, "c": 7}, [("Cu", [[text, 0, 0]])], {"x": 0.1})
    assert structure[0].frac_coords[0] % 1 == pytest.approx(expected % 1)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(("Fm-3m", {"a": 5, "b": 6}, [("Cu", [[0, 0, 0]])]), "does not fit"),
     (("Q", {"a": 5}, [("Cu", [[0, 0, 0]])]), "international symbol"),
     (("P1", {"a": 5}, [("Cu", [[0, 0, 0], [0.01, 0, 0]])]), "fall together")],
)  # fmt: skip
def test_a_broken_entry_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        build_structure(*arguments)


def test_a_phase_that_fails_is_recorded_and_the_others_go_on():
    phases = reference_phases(["Cu", "Re"])
    seen = []
    results = relax_references(phases, make_engine(EngineSettings(name="emt")), notify=seen.append)
    assert seen == results
    by_name = {result.phase.name: result for result in results}
    assert by_name["Re hcp"].error == "element unknown to the engine: Re"
    assert by_name["Cu fcc"].energy_per_atom is not None
    with pytest.raises(ValueError, match="has no energy"):
        by_name["Re hcp"].to_phase()


@pytest.fixture(scope="module")
def relaxed():
    """K-Re-H, Li-H and Mg-H with CHGNet."""
    phases = {phase.name: phase for pair in (["K", "Re"], ["Li"], ["Mg"]) for phase in reference_phases([*pair, "H"])}
    results = relax_references(list(phases.values()), make_engine(EngineSettings()), RelaxSettings(keep_symmetry=True))
    return {result.phase.name: result for result in results}


@pytest.mark.parametrize(
    ("name", "metal", "expected"),
    [("LiH rocksalt", "Li", -0.478), ("MgH2 rutile", "Mg", -0.305), ("KH rocksalt", "K", -0.313)],
)
def test_formation_energies_against_the_molecule_in_its_box(relaxed, name, metal, expected):
    metal_energy = min(
        result.energy_per_atom for result in relaxed.values()
        if result.phase.kind == "element" and result.phase.formula == metal
    )  # fmt: skip
    hydride = relaxed[name]
    hydrogen = Composition(hydride.phase.formula).get_atomic_fraction("H")
    formation = hydride.energy_per_atom - hydrogen * relaxed["H2 molecule in a box"].energy_per_atom
    assert formation - (1 - hydrogen) * metal_energy == pytest.approx(expected, abs=0.005)


def test_the_published_k2reh9_keeps_its_symmetry_and_coordination(relaxed):
    phase = relaxed["K2ReH9 K2ReH9"]
    assert phase.is_converged
    assert phase.energy_per_atom == pytest.approx(-4.129, abs=0.0005)
    assert found_space_group(phase.structure) == 189


def test_k2reh9_is_judged_without_itself(relaxed):
    phases = [result.to_phase() for result in relaxed.values() if result.phase.elements <= {"K", "Re", "H"}]
    published = next(phase for phase in phases if phase.name == "K2ReH9 K2ReH9")
    [stability] = assess([published], phases, StabilitySettings())
    assert "K2ReH9" not in {competitor.formula for competitor in stability.decomposition}
    assert stability.known[0].difference == 0
    assert stability.reaction_energy_per_h2 == pytest.approx(-101, abs=5)
    without = [phase for phase in phases if phase.formula != "K3ReH6"]
    assert assess([published], without, StabilitySettings())[0].reaction == "2 KH + Re + 7/2 H2 -> K2ReH9"
    assert all(at.phase_separation_energy < 0 for at in stability.conditions)


class Recording:
    """An engine that keeps what it is asked and answers with its place."""

    def __init__(self):
        self.asked = []

    def relax(self, structures, settings):
        self.asked.append(settings)
        place = float(len(self.asked))
        return [Relaxation(structure, -place, 0.0, 0.0, int(place), True, place) for structure in structures]


def test_every_solid_relaxes_its_cell_in_its_symmetry_and_the_molecule_keeps_its_box():
    phases = [next(phase for phase in PHASES if phase.kind == kind) for kind in sorted({p.kind for p in PHASES})]
    assert [phase.kind for phase in phases] == [
        "binary", "element", "intermetallic", "known_hydride", "molecule", "ternary"
    ]  # fmt: skip
    engine = Recording()
    results = relax_references(phases, engine)
    for phase, asked in zip(phases, engine.asked, strict=True):
        wanted = RelaxSettings(
            fmax=0.01, max_steps=500, keep_symmetry=True, pressure=0, relax_cell=phase.kind != "molecule"
        )
        assert asked == phase.relax_settings == wanted
    for place, (phase, result) in enumerate(zip(phases, results, strict=True), start=1):
        entry = result.to_phase()
        assert (entry.name, entry.formula, entry.kind) == (phase.name, phase.formula, phase.kind)
        assert (entry.source, entry.mark) == (phase.source, phase.mark)
        assert entry.energy_per_atom == -place
        assert (result.steps, result.core_seconds, result.is_converged) == (place, place, True)
        volume = None if phase.kind == "molecule" else phase.structure.volume / len(phase.structure)
        assert entry.volume_per_atom == volume
        assert Composition(dict(entry.amounts)) == Composition(phase.formula)


def test_the_complex_hydrides_among_the_references_are_known():
    known = known_hydride_formulas()
    assert {"K2ReH9", "Mg2FeH6", "Mg2NiH4"} & {phase.formula for phase in PHASES} <= known
    assert known == {phase.formula for phase in PHASES if phase.kind == "known_hydride"}
    assert not known & {"KH", "MgH2", "Mg2Ni", "Re", "H2"}
