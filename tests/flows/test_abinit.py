"""ABINIT as an engine: what is told without it, and small runs where it is installed (make setup-abinit)."""

import gzip
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
from ase.units import GPa
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.engines.base import CalculationError
from ninefold.engines.dft_settings import DFTSettings, read_dft_settings
from ninefold.engines.paw_data import data_sets
from ninefold.errors import InputError, MissingDependencyError

pytest.importorskip("atomate2")
abinit = pytest.importorskip("ninefold.flows.abinit")
abinit_run = pytest.importorskip("ninefold.flows.abinit_run")

QUICK = DFTSettings(cutoff=350, relax_cutoff=350, kpoint_density=1.6)
"""Wrong by some GPa and done in seconds."""
is_installed = all((shutil.which("abinit"), find_spec("abipy"), find_spec("gpaw_data")))
real = pytest.mark.skipif(not is_installed, reason="ABINIT is not installed (make setup-abinit)")


def lih(a=4.022):
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return cell.get_primitive_structure()


def data_folder(tmp_path, monkeypatch, **grids):
    """A folder of data sets that hold nothing but their radial grids."""
    for symbol, grid in grids.items():
        text = f'<paw_dataset><radial_grid eq="{grid}" a="0.4"/></paw_dataset>'
        (tmp_path / f"{symbol}.PBE.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.setenv("GPAW_SETUP_PATH", str(tmp_path))
    monkeypatch.setattr(abinit, "shipped_folders", lambda: [tmp_path])


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A stand-in that tells a version and does what its script says."""

    def write(script):
        path = tmp_path / "bin" / "abinit"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo 9.6.2; exit; fi\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setattr("atomate2.SETTINGS.ABINIT_CMD", str(path))
        abinit._version.cache_clear()
        return path

    monkeypatch.setattr(abinit, "find_spec", lambda name: name)
    return write


# what is told before anything runs


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(abinit, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ninefold\[abinit\]'"):
        make_engine(EngineSettings(name="abinit"))


def test_a_missing_executable_is_one_line(monkeypatch):
    monkeypatch.setattr(abinit, "find_spec", lambda name: name)
    monkeypatch.setattr("atomate2.SETTINGS.ABINIT_CMD", "no-abinit-here")
    with pytest.raises(InputError) as error:
        make_engine(EngineSettings(name="abinit"))
    assert "no-abinit-here is not found" in str(error.value)
    assert "make setup-abinit" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_executable_that_cannot_run_says_why(command):
    path = command("")
    path.write_text("#!/bin/sh\necho 'error while loading libnetcdff.so.7' >&2\nexit 127\n")
    with pytest.raises(InputError, match=r"cannot be started: .*abinit: error while loading libnetcdff"):
        make_engine(EngineSettings(name="abinit"))


def test_missing_and_unreadable_data_sets_are_named(command, tmp_path, monkeypatch):
    command("")
    with pytest.raises(InputError, match=r"finds no PAW data sets \(PBE\) in .*pip install gpaw-data"):
        data_sets([tmp_path], "abinit")
    data_folder(tmp_path, monkeypatch, H="r=a*i/(n-i)", La="r=a*i/(1-b*i)")
    engine = make_engine(EngineSettings(name="abinit"))
    engine.check_elements(["H"])
    with pytest.raises(InputError, match=r"cannot read the PAW data set of La: .*take gpaw"):
        engine.check_elements(["H", "La"])
    with pytest.raises(InputError, match=r"has no PAW data set \(PBE\) for Li"):
        engine.evaluate([lih()])


@pytest.mark.parametrize("name", ["B3LYP", "r2SCAN"])
def test_an_unknown_functional_is_one_line(tmp_path, name):
    (tmp_path / "mine.yaml").write_text(f"functional: {name}\n")
    with pytest.raises(InputError, match=f"functional: '{name}' is not offered; allowed: PBE, PBEsol"):
        read_dft_settings(str(tmp_path / "mine.yaml"), "ABINIT")


def test_what_changes_energies_is_in_the_fingerprint(command, tmp_path, monkeypatch):
    command("")
    data_folder(tmp_path, monkeypatch, H="r=a*i/(n-i)")
    usual = abinit.AbinitEngine(DFTSettings())
    assert usual.label == "ABINIT 9.6.2, PBE, 600 eV"
    assert abinit.AbinitEngine(DFTSettings(log=str(tmp_path / "log"))).fingerprint == usual.fingerprint
    assert abinit.AbinitEngine(DFTSettings(kpoint_density=4)).fingerprint != usual.fingerprint
    (tmp_path / "H.PBE.gz").write_bytes(gzip.compress(b"another"))
    abinit.data_checksum.cache_clear()
    assert abinit.AbinitEngine(DFTSettings()).fingerprint != usual.fingerprint


# what a run that failed has left


@pytest.mark.parametrize(
    ("log", "kind", "words"),
    [
        (
            "--- !ERROR\nsrc_file: m_paw.F90\nsrc_line: 12\nmpi_rank: 0\nmessage: |\n    PAW SPHERES ARE OVERLAPPING!\n"
            "    Take smaller ones.\n...\n",
            CalculationError, "ABINIT error: PAW SPHERES ARE OVERLAPPING! Take smaller ones.",
        ),
        (
            "--- !ERROR\nmessage: |\n    Error during determination of symetries!\n...\n",
            abinit_run.NoSymmetryError, "ABINIT error: Error during determination of symetries!",
        ),
        (
            " chkinp: ERROR -\n   ecut must be positive.\n\n--- !ERROR\nmessage: |\n    gave 1 inconsistency.\n...\n",
            CalculationError, "ABINIT error: ecut must be positive.",
        ),
        ("--- !BUG\nmessage: |\n    cannot allocate memory\n...\n", RuntimeError, "ABINIT bug: cannot allocate memory"),
        ("iteration 3\nKilled", RuntimeError, "ABINIT ended without a result: iteration 3 Killed"),
    ],
)  # fmt: skip
def test_a_run_that_ended_badly_is_told_in_abinit_s_words(tmp_path, log, kind, words):
    (tmp_path / "job_1").mkdir()
    (tmp_path / "job_1" / "run.log").write_text(log)
    (tmp_path / "job_1" / "run.err").write_text("")
    told = abinit_run._told(tmp_path, FileNotFoundError("out_GSR.nc"))
    assert type(told) is kind
    assert str(told) == words


# with ABINIT


@pytest.fixture
def engine():
    return abinit.AbinitEngine(QUICK)


@real
def test_the_stress_is_the_slope_of_the_energy(engine):
    cells = [lih(a) for a in (3.90, 4.02, 4.14)]
    found = engine.evaluate(cells)
    volumes = [cell.volume for cell in cells]
    curve = np.poly1d(np.polyfit(volumes, [2 * each.energy_per_atom for each in found], 2))
    # at a constant cutoff in place of a constant number of plane waves the slope is off by the Pulay stress
    pressure = -np.trace(found[1].stress) / 3 / GPa
    assert pressure == pytest.approx(-curve.deriv()(volumes[1]) / GPa, abs=1.5)
    assert -np.trace(found[0].stress) / 3 / GPa > pressure + 2


@real
def test_a_relaxation_ends_where_the_stress_vanishes_and_a_cut_one_says_so(engine):
    start = lih(4.12)
    [end] = engine.relax([start], RelaxSettings(fmax=0.02, max_steps=12))
    assert end.is_converged
    assert end.max_stress < 0.3
    assert end.structure.volume < start.volume
    [single] = engine.evaluate([end.structure])
    assert end.energy_per_atom == pytest.approx(single.energy_per_atom, abs=1e-6)
    [cut] = engine.relax([start], RelaxSettings(fmax=1e-4, max_steps=1))
    assert (cut.error, cut.is_converged) == (None, False)


@real
def test_scf_that_cannot_converge_is_the_structure_s_failure():
    [evaluation] = abinit.AbinitEngine(QUICK.model_copy(update={"max_iterations": 2})).evaluate([lih()])
    assert evaluation.error == "SCF did not converge after 3 runs of 2 iterations"
    assert not evaluation.is_transient


@real
def test_forces_are_those_of_the_atoms_in_their_order(engine):
    moved = lih()
    place = next(index for index, site in enumerate(moved) if site.specie.symbol == "H")
    moved.translate_sites([place], [0.0, 0.0, 0.2], frac_coords=False)
    [evaluation] = engine.evaluate([moved])
    assert evaluation.error is None
    assert evaluation.forces[place][2] < -0.2
    np.testing.assert_allclose(evaluation.forces.sum(axis=0), 0, atol=0.02)
    assert type(moved) is Structure, "abipy makes one of its own class of what it is given"


@real
def test_pressure_is_refused_and_overlap_is_the_structure_s(engine):
    with pytest.raises(InputError, match=r"pressure: 5\.0 is not offered by the engine abinit"):
        engine.relax([lih()], RelaxSettings(pressure=5))
    [evaluation] = engine.evaluate([lih(0.6)])
    assert evaluation.error == "cell smaller than 1 Å³ per atom"
