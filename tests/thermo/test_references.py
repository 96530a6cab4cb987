"""The reference library: every phase is what it says it is, and relaxes."""

import numpy as np
import pytest
import spglib
from pymatgen.core import Composition
from pymatgen.symmetry.groups import SpaceGroup

from ninefold.chemistry.compounds import PROVENANCE, known_compounds
from ninefold.chemistry.elements import SYMBOLS
from ninefold.chemistry.formula import parse_formula
from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.structures.crystals import build_structure
from ninefold.thermo import Phase, StabilitySettings, assess, missing_phases, reference_phases
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
    assert phase.provenance in PROVENANCE
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


@pytest.fixture(scope="module")
def relaxed():
    """Phase and relaxation by name: K-Re-H, Li-H and Mg-H with CHGNet."""
    engine = make_engine(EngineSettings())
    phases = {phase.name: phase for pair in (["K", "Re"], ["Li"], ["Mg"]) for phase in reference_phases([*pair, "H"])}
    return {name: (phase, *engine.relax([phase.structure], phase.relax_settings)) for name, phase in phases.items()}


@pytest.mark.parametrize(
    ("name", "metal", "expected"),
    [("LiH rocksalt", "Li", -0.478), ("MgH2 rutile", "Mg", -0.305), ("KH rocksalt", "K", -0.313)],
)
def test_formation_energies_against_the_molecule_in_its_box(relaxed, name, metal, expected):
    metal_energy = min(
        relaxation.energy_per_atom for phase, relaxation in relaxed.values()
        if phase.kind == "element" and phase.formula == metal
    )  # fmt: skip
    hydride, relaxation = relaxed[name]
    hydrogen = Composition(hydride.formula).get_atomic_fraction("H")
    formation = relaxation.energy_per_atom - hydrogen * relaxed["H2 molecule in a box"][1].energy_per_atom
    assert formation - (1 - hydrogen) * metal_energy == pytest.approx(expected, abs=0.005)


def test_the_published_k2reh9_keeps_its_symmetry_and_coordination(relaxed):
    _, relaxation = relaxed["K2ReH9 K2ReH9"]
    assert relaxation.is_converged
    assert relaxation.energy_per_atom == pytest.approx(-4.129, abs=0.0005)
    assert found_space_group(relaxation.structure) == 189


def test_k2reh9_is_judged_without_itself(relaxed):
    phases = [
        Phase(
            phase.name, phase.formula, parse_formula(phase.formula), relaxation.energy_per_atom,
            None if phase.kind == "molecule" else relaxation.structure.volume / len(relaxation.structure), phase.kind,
        )
        for phase, relaxation in relaxed.values()
        if phase.elements <= {"K", "Re", "H"}
    ]  # fmt: skip
    published = next(phase for phase in phases if phase.name == "K2ReH9 K2ReH9")
    [stability] = assess([published], phases, StabilitySettings())
    assert "K2ReH9" not in {competitor.formula for competitor in stability.decomposition}
    assert stability.known[0].difference == 0
    assert stability.reaction_energy_per_h2 == pytest.approx(-101, abs=5)
    without = [phase for phase in phases if phase.formula != "K3ReH6"]
    assert assess([published], without, StabilitySettings())[0].reaction == "2 KH + Re + 7/2 H2 -> K2ReH9"
    assert all(at.phase_separation_energy < 0 for at in stability.conditions)


def test_every_solid_relaxes_its_cell_in_its_symmetry_and_the_molecule_keeps_its_box():
    kinds = {phase.kind: phase for phase in PHASES}
    assert sorted(kinds) == ["binary", "element", "intermetallic", "known_hydride", "molecule", "ternary"]
    for kind, phase in kinds.items():
        assert phase.relax_settings == RelaxSettings(
            fmax=0.01, max_steps=500, keep_symmetry=True, pressure=0, relax_cell=kind != "molecule"
        )


def test_the_complex_hydrides_among_the_references_are_known():
    known = known_hydride_formulas()
    assert {"K2ReH9", "Mg2FeH6", "Mg2NiH4"} & {phase.formula for phase in PHASES} <= known
    assert known == {phase.formula for phase in PHASES if phase.kind == "known_hydride"}
    assert not known & {"KH", "MgH2", "Mg2Ni", "Re", "H2"}
