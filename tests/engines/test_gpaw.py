"""GPAW as an engine. Settings, spin and the means against non-convergence are told without GPAW, by a stand-in."""

import sys
import types

import numpy as np
import pytest
from ase.build import bulk
from ase.units import GPa
from pymatgen.core import Lattice, Structure

import gpaw_needs
from campaign_run import ninefold
from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.engines.dft_settings import DFTSettings, read_dft_settings
from ninefold.engines.spin import forced_moments, starting_moments
from ninefold.errors import InputError, MissingDependencyError
from ninefold.shipped import config_path

QUICK = DFTSettings(cutoff=300, relax_cutoff=300, kpoint_density=1.6)
"""Wrong by some GPa and done in a second."""


def lih(a=4.022):
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return cell.get_primitive_structure()


def in_a_box(*symbols, bond=0.75, box=8.0):
    return Structure(Lattice.cubic(box), symbols, [[0, 0, bond * place / box] for place in range(len(symbols))])


def settings_file(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


# settings


@pytest.mark.parametrize("name", sorted(path.stem for path in config_path("dft").glob("*.yaml")))
def test_shipped_presets_are_valid(name):
    assert read_dft_settings(name).functional == "PBE"


def test_the_default_preset_writes_the_defaults_out():
    assert read_dft_settings(None) == read_dft_settings("standard") == DFTSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("functional: r2SCAN", ["functional: 'r2SCAN'", "libxc below version 7", "allowed: PBE, PBEsol"]),
        ("functional: B3LYP", ["functional: 'B3LYP'", "is not offered", "allowed: PBE, PBEsol"]),
        ("functional: [PBE]", ["functional: ['PBE']", "allowed: PBE, PBEsol"]),
        ("cutoff: 50", ["mine.yaml: cutoff: 50", "greater than or equal to 200"]),
        ("cutof: 500", ["mine.yaml: cutof"]),
        ("cutoff: 400\nrelax_cutoff: 500", ["relax_cutoff: 500 eV is above the cutoff of the energy, 400 eV"]),
        ("kpoint_density: .nan", ["kpoint_density", "finite"]),
        ("spin: up", ["spin: 'up'", "'auto', 'none' or 'polarised'"]),
        ("smearing: 0", ["smearing: 0", "greater than 0"]),
        ("- 1", ["mine.yaml"]),
    ],
)
def test_settings_that_cannot_be_used_are_one_line(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        read_dft_settings(settings_file(tmp_path, text))
    assert "\n" not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(InputError, match=r"engine\.model: 'fast'.*allowed: draft, production, standard, or a file"):
        read_dft_settings("fast")


def test_the_command_line_refuses_r2scan_with_exit_code_2(tmp_path):
    lih().to_file(str(tmp_path / "lih.cif"))
    settings_file(tmp_path, "functional: r2SCAN")
    done = ninefold("relax", "lih.cif", "--engine", "gpaw", "--model", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "r2SCAN" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpaw", None)
    with pytest.raises(MissingDependencyError) as error:
        make_engine(EngineSettings(name="gpaw"))
    assert str(error.value).endswith("pip install 'ninefold[dft]'")


# spin


@pytest.mark.parametrize(
    ("formula", "moments"),
    [
        ({"K": 2, "Re": 1, "H": 9}, None),  # d0
        ({"Mg": 2, "Fe": 1, "H": 6}, None),  # low-spin d6, 18 electrons; diamagnetic (Didisheim et al. 1984)
        ({"Mg": 2, "Ni": 1, "H": 4}, None),  # d10
        ({"Li": 4, "Mo": 1, "H": 8}, None),  # d2, 18 electrons
        ({"K": 3, "Re": 1, "H": 6}, {"Re": 2.0}),  # d4
        ({"K": 3, "Re": 1, "H": 8}, None),  # d2, 18 electrons
        ({"Mg": 3, "Cr": 1, "H": 8}, {"Cr": 4.0}),  # d4
        ({"Li": 3, "Mo": 1, "H": 9}, None),  # d0
        ({"Li": 5, "Mo": 1, "H": 11}, None),  # d0: [MoH9]3- + 2 H-
        ({"Li": 5, "Mo": 1, "H": 9}, None),  # [MoH8]4- + H-: 18 electrons
        ({"Mg": 3, "Re": 1, "H": 7}, None),  # [ReH6]5- + H-: 18 electrons
        ({"Li": 2, "Mo": 1, "H": 7}, {"Mo": 1.0}),  # d1
        ({"Fe": 2}, {"Fe": 3.0}),
        ({"Mg": 2, "Ni": 1}, {"Ni": 1.0}),
        ({"Re": 2}, None),
        ({"Cr": 1, "H": 1}, {"Cr": 2.0}),
        ({"Pd": 1, "H": 1}, None),
        ({"Mg": 1, "H": 2}, None),
        ({"H": 2}, None),
    ],
)
def test_open_d_electrons_are_counted(formula, moments):
    symbols = [symbol for symbol, count in formula.items() for _ in range(count)]
    expected = None if moments is None else [moments.get(symbol, 0.0) for symbol in symbols]
    assert starting_moments(symbols) == expected


def test_spin_that_is_asked_for_has_a_start():
    assert forced_moments(["K", "K", "Re", *"HHHHHHHHH"])[2] == 1.0
    assert forced_moments(["H", "H"]) == [1.0, 1.0]
    assert forced_moments(["Fe"]) == [3.0]


# self-consistency, with a stand-in


class StandIn:
    """What a GPAW that converges only by the last of `failures` + 1 means would do."""

    def __init__(self, monkeypatch, failures=0, error=None):
        self.made, self.failures = [], failures
        package = types.ModuleType("gpaw")
        package.KohnShamConvergenceError = type("KohnShamConvergenceError", (Exception,), {})
        package.GPAW = self.make
        symmetry = types.ModuleType("gpaw.new.symmetry")
        symmetry.SymmetryBrokenError = type("SymmetryBrokenError", (Exception,), {})
        symmetry.SymmetryAnalysisBug = type("SymmetryAnalysisBug", (Exception,), {})
        self.package, self.symmetry, self.error = package, symmetry, error or package.KohnShamConvergenceError()
        for name, module in {
            "gpaw": package,
            "gpaw.new": types.ModuleType("gpaw.new"),
            "gpaw.new.symmetry": symmetry,
        }.items():
            monkeypatch.setitem(sys.modules, name, module)

    def make(self, **options):
        self.made.append(options)
        works = len(self.made) > self.failures
        error = self.error

        class Calculation:
            def get_property(self, name, atoms):
                if not works:
                    raise error
                return {"forces": np.zeros((len(atoms), 3)), "stress": np.zeros(6), "magmom": 2.0}.get(name, -1.0)

        return Calculation()

    def ladder(self, moments=None, log=None):
        from ninefold.engines.gpaw_calculator import LadderCalculator

        return LadderCalculator(DFTSettings(), 500.0, (2, 2, 2), moments, log=log)


def atoms_with(calculator):
    atoms = bulk("LiH", "rocksalt", a=4.0)
    atoms.calc = calculator
    return atoms


def test_what_converges_at_once_has_no_notes(monkeypatch):
    stand_in = StandIn(monkeypatch)
    calculator = stand_in.ladder()
    assert atoms_with(calculator).get_potential_energy() == -1.0
    assert calculator.notes == []
    [options] = stand_in.made
    assert options["mode"] == {"name": "pw", "ecut": 500.0}
    assert options["kpts"] == {"size": (2, 2, 2), "gamma": True}
    assert options["occupations"] == {"name": "fermi-dirac", "width": 0.05}
    assert options["txt"] is None
    assert "spinpol" not in options
    assert "mixer" not in options


def test_each_means_is_noted_and_the_last_that_worked_stays(monkeypatch, tmp_path):
    stand_in = StandIn(monkeypatch, failures=3)
    calculator = stand_in.ladder(moments=[4.0, 0.0], log=tmp_path / "LiH-relax.txt")
    atoms = atoms_with(calculator)
    atoms.get_potential_energy()
    assert [note.partition(": ")[2] for note in calculator.notes[:3]] == [
        "slow mixing", "slow mixing, smearing times 4", "slow mixing, starting moments times 0.3",
    ]  # fmt: skip
    assert calculator.notes[3:] == ["magnetic moment 2.00 μB per cell"]
    first, mixing, smearing, spin = stand_in.made
    assert [options["maxiter"] for options in stand_in.made] == [100, 300, 300, 300]
    assert "mixer" not in first
    assert mixing["mixer"]["beta"] == 0.02
    assert smearing["occupations"]["width"] == pytest.approx(0.2)
    assert spin["occupations"]["width"] == pytest.approx(0.05)
    assert (first["magmoms"], spin["magmoms"]) == ([4.0, 0.0], pytest.approx([1.2, 0.0]))
    assert len({options["txt"] for options in stand_in.made}) == 4
    atoms.rattle(0.01, seed=1)
    atoms.get_forces()
    assert len(stand_in.made) == 4  # the next geometry begins with what worked
    assert len(calculator.notes) == 4


@pytest.mark.parametrize(("moments", "tried"), [(None, 3), ([4.0, 0.0], 4)])
def test_a_structure_that_never_converges_has_failed(monkeypatch, moments, tried):
    from ninefold.engines.base import CalculationError, is_transient

    stand_in = StandIn(monkeypatch, failures=9)
    with pytest.raises(CalculationError, match=r"SCF did not converge after: as set \(100 iterations\); slow") as error:
        atoms_with(stand_in.ladder(moments)).get_potential_energy()
    assert len(stand_in.made) == tried
    assert str(error.value).count("iterations") == tried
    assert not is_transient(error.value)


@pytest.mark.parametrize(
    "error", [ValueError("Some energy terms are NaN!"), np.linalg.LinAlgError("2-th leading minor")], ids=type
)
def test_a_run_that_diverges_is_tried_by_the_next_means(monkeypatch, error):
    stand_in = StandIn(monkeypatch, failures=1, error=error)
    calculator = stand_in.ladder()
    assert atoms_with(calculator).get_potential_energy() == -1.0
    assert calculator.notes == ["SCF did not converge as set: slow mixing"]


@pytest.mark.parametrize("error", [MemoryError("full"), ValueError("a shape"), OSError("disk")], ids=type)
def test_other_errors_are_no_matter_of_convergence(monkeypatch, error):
    stand_in = StandIn(monkeypatch, failures=9, error=error)
    with pytest.raises(type(error)):
        atoms_with(stand_in.ladder()).get_potential_energy()
    assert len(stand_in.made) == 1


def test_a_lost_symmetry_is_looked_for_anew_and_no_failure(monkeypatch):
    stand_in = StandIn(monkeypatch)
    calculator = stand_in.ladder()
    atoms = atoms_with(calculator)
    atoms.get_potential_energy()

    class Broken:
        def get_property(self, name, atoms):
            raise stand_in.symmetry.SymmetryBrokenError

    calculator._inner = Broken()
    atoms.rattle(0.05, seed=2)
    assert atoms.get_potential_energy() == -1.0
    assert len(stand_in.made) == 2
    assert calculator.notes == []


# GPAW itself


@pytest.fixture(scope="module")
def gpaw():
    return gpaw_needs.gpaw()


def engine(settings=QUICK):
    from ninefold.engines.gpaw_engine import GPAWEngine

    return GPAWEngine(settings)


def test_lih_is_a_plain_calculation_with_gpaw_twice_the_same(gpaw, capfd):
    [first], [second] = engine().evaluate([lih()]), engine().evaluate([lih()])
    assert first.error is None
    assert second.energy_per_atom == pytest.approx(first.energy_per_atom, abs=1e-6)
    atoms = bulk("LiH", "rocksalt", a=4.022)
    # |b| is 2.706 1/Å: 5 points at 1.6 per 1/Å
    atoms.calc = gpaw.GPAW(
        mode=gpaw.PW(300), xc="PBE", kpts={"size": (5, 5, 5), "gamma": True}, txt=None,
        occupations=gpaw.FermiDirac(0.05), convergence={"energy": 1e-5},
    )  # fmt: skip
    assert first.energy_per_atom == pytest.approx(atoms.get_potential_energy() / 2, abs=1e-5)
    np.testing.assert_allclose(first.stress, atoms.get_stress(voigt=False), atol=1e-5)
    assert capfd.readouterr().out == ""


def test_lih_at_the_published_settings_has_no_pressure_at_its_pbe_lattice_constant(gpaw):
    [evaluation] = engine(DFTSettings(kpoint_density=2)).evaluate([lih(4.022)])
    assert abs(np.trace(evaluation.stress) / 3 / GPa) < 0.3
    assert evaluation.energy_per_atom == pytest.approx(-3.052, abs=0.002)  # dense k-points: 3.5 per 1/Å
    assert evaluation.notes == ()


def test_a_compressed_crystal_has_a_negative_stress_that_is_the_slope_of_the_energy(gpaw):
    quick = DFTSettings(cutoff=600, relax_cutoff=300, kpoint_density=1.2)
    middle, smaller, larger = (lih(a) for a in (3.85, 3.83, 3.87))
    here, below, above = engine(quick).evaluate([middle, smaller, larger])
    slope = 2 * (above.energy_per_atom - below.energy_per_atom) / (larger.volume - smaller.volume)
    assert slope < 0
    assert np.trace(here.stress) / 3 == pytest.approx(slope, abs=0.5 * GPa)


def test_a_relaxation_ends_with_the_energy_of_an_evaluation(gpaw):
    settings = DFTSettings(cutoff=350, relax_cutoff=300, kpoint_density=1.6)
    start = lih(4.2)
    [relaxation] = engine(settings).relax([start], RelaxSettings(fmax=0.02, keep_symmetry=True))
    assert relaxation.error is None
    assert relaxation.is_converged
    assert 0 < relaxation.steps < 12
    assert relaxation.structure.volume < start.volume
    [evaluation] = engine(settings).evaluate([relaxation.structure])
    assert relaxation.energy_per_atom == pytest.approx(evaluation.energy_per_atom, abs=1e-6)


def test_a_structure_that_loses_its_symmetry_has_the_energy_of_a_fresh_calculation(gpaw):
    from ninefold.engines.gpaw_calculator import LadderCalculator

    moved = bulk("LiH", "rocksalt", a=4.022)
    moved.calc = LadderCalculator(QUICK, 300, (3, 3, 3), None)
    start = moved.get_potential_energy()
    moved.positions[1] += [0.15, 0.06, 0.0]  # the calculator has the 48 symmetries of the start
    assert moved.get_potential_energy() > start + 0.005
    moved.set_cell(moved.cell.array @ np.array([[1, 0.02, 0], [0, 1, 0], [0, 0, 1.01]]), scale_atoms=True)
    after_cell = moved.get_potential_energy()
    fresh = moved.copy()
    fresh.calc = LadderCalculator(QUICK, 300, (3, 3, 3), None)
    assert after_cell == pytest.approx(fresh.get_potential_energy(), abs=2e-4)


def test_a_cell_in_which_gpaw_finds_no_group_has_the_energy_of_the_same_cell_in_which_it_does(gpaw):
    magnesium = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.2, 5.2), ["Mg"], [[1 / 3, 2 / 3, 0.25]])
    [evaluation] = engine(QUICK).evaluate([magnesium])
    atoms = bulk("Mg", "hcp", a=3.2, c=5.2)
    # |b| are 2.267, 2.267, 1.208 1/Å
    atoms.calc = gpaw.GPAW(
        mode=gpaw.PW(300), xc="PBE", kpts={"size": (4, 4, 2), "gamma": True}, txt=None, symmetry="off",
        occupations=gpaw.FermiDirac(0.05), convergence={"energy": 1e-5},
    )  # fmt: skip
    assert evaluation.error is None
    assert evaluation.energy_per_atom == pytest.approx(atoms.get_potential_energy() / 2, abs=2e-4)


def test_hydrogen_in_a_box_is_bound_and_its_atom_has_a_spin(gpaw):
    molecule, atom = engine(DFTSettings(cutoff=350, relax_cutoff=350)).evaluate([in_a_box("H", "H"), in_a_box("H")])
    assert molecule.notes == ()
    assert atom.notes == ("magnetic moment 1.00 μB per cell",)
    bond = 2 * (atom.energy_per_atom - molecule.energy_per_atom)
    assert bond == pytest.approx(4.54, abs=0.15)  # PBE: 104.6 kcal/mol (Kurth, Perdew, Blaha 1999); 300 eV less


@pytest.mark.parametrize(
    "changes",
    [
        {"functional": "PBEsol"}, {"cutoff": 620}, {"relax_cutoff": 520}, {"kpoint_density": 4}, {"smearing": 0.1},
        {"spin": "none"}, {"energy_tolerance": 1e-6}, {"density_tolerance": 1e-5}, {"max_iterations": 50},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_changes_energies_is_in_the_fingerprint(gpaw, changes):
    assert engine(DFTSettings(**changes)).fingerprint != engine(DFTSettings()).fingerprint


def test_data_sets_are_in_the_fingerprint_and_the_log_is_not(gpaw, monkeypatch, tmp_path):
    usual = engine(DFTSettings())
    assert usual.evidence == "DFT"
    assert engine(DFTSettings(log=str(tmp_path / "log"))).fingerprint == usual.fingerprint
    (tmp_path / "H.PBE").write_bytes(b"another data set")
    monkeypatch.setattr(gpaw, "setup_paths", [tmp_path, *gpaw.setup_paths])
    assert engine(DFTSettings()).fingerprint != usual.fingerprint


def test_missing_data_sets_are_told_before_anything_is_computed(gpaw, monkeypatch, tmp_path):
    technetium = Structure(Lattice.cubic(3.0), ["Tc", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for call in (engine().evaluate, lambda batch: engine().relax(batch, RelaxSettings())):
        with pytest.raises(
            InputError, match=r"no PAW data set \(PBE\) for Tc; put Tc\.PBE\.gz into a folder of GPAW_SETUP"
        ):
            call([lih(), technetium])
    monkeypatch.setattr(gpaw, "setup_paths", [tmp_path])
    with pytest.raises(InputError, match=r"finds no PAW data sets.*pip install gpaw-data, or set GPAW_SETUP_PATH"):
        engine()


def test_the_machine_s_errors_stay_the_machine_s(gpaw, monkeypatch):
    def full(**options):
        raise MemoryError("no more")

    monkeypatch.setattr(gpaw, "GPAW", full)
    [evaluation] = engine().evaluate([lih()])
    assert evaluation.is_transient
    assert evaluation.error == "MemoryError: no more"


def test_scf_that_cannot_converge_is_the_structure_s_failure(gpaw):
    [evaluation] = engine(QUICK.model_copy(update={"max_iterations": 1})).evaluate([lih()])
    assert evaluation.error.startswith("SCF did not converge after: as set (1 iterations); slow mixing (3 iterations)")
    assert not evaluation.is_transient
    assert len(evaluation.notes) == 2


def test_gpaw_s_output_goes_to_a_file_of_the_log_folder(gpaw, tmp_path, capfd):
    logging = QUICK.model_copy(update={"log": str(tmp_path / "log"), "kpoint_density": 0.8})
    [evaluation] = engine(logging).evaluate([lih()])
    assert evaluation.error is None
    [file] = (tmp_path / "log").iterdir()
    assert file.name.startswith("LiH-")
    assert file.name.endswith("-energy.0.txt")
    assert "Converged" in file.read_text(encoding="utf-8")
    assert capfd.readouterr().out == ""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"log.*cannot be made.*allowed: a folder"):
        engine(QUICK.model_copy(update={"log": str(tmp_path / "file")}))
