"""Foundation potentials: SevenNet for real; of the others, what is said where package or weights are missing."""

import importlib

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, foundation, make_engine
from ninefold.engines.weights import checksum, weight_file
from ninefold.errors import InputError, MissingDependencyError

OTHERS = sorted(set(foundation.FAMILIES) - {"sevennet"})


def mg2feh6(shift=0.0):
    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6.443), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    ).get_primitive_structure()
    if shift:
        structure.translate_sites([3], [shift, 0, 0], frac_coords=False)
    return structure


@pytest.fixture(scope="module")
def sevennet():
    return make_engine(EngineSettings(name="sevennet"))


def test_sevennet_relaxes_mg2feh6_to_the_measured_volume(sevennet):
    assert sevennet.label == "SevenNet 7net-0"
    assert sevennet.evidence == "ML"
    [relaxation] = sevennet.relax([mg2feh6()], RelaxSettings())
    assert relaxation.error is None
    assert relaxation.is_converged
    assert relaxation.structure.volume == pytest.approx(6.443**3 / 4, rel=0.03)  # Didisheim et al. 1984


def test_sevennet_s_forces_and_stress_are_derivatives_of_its_energy(sevennet):
    size = 2e-2
    [evaluation] = sevennet.evaluate([mg2feh6(0.1)])
    ahead, behind = sevennet.evaluate([mg2feh6(0.1 + size), mg2feh6(0.1 - size)])
    slope = (ahead.energy_per_atom - behind.energy_per_atom) * 9 / (2 * size)
    assert evaluation.forces[3, 0] == pytest.approx(-slope, abs=0.02)
    larger, smaller = mg2feh6(0.1), mg2feh6(0.1)
    volume = larger.volume
    larger.scale_lattice(volume * 1.004)
    smaller.scale_lattice(volume * 0.996)
    ahead, behind = sevennet.evaluate([larger, smaller])
    by_volume = (ahead.energy_per_atom - behind.energy_per_atom) * 9 / (0.008 * volume)
    assert np.trace(evaluation.stress) / 3 == pytest.approx(by_volume, abs=2e-3)


def test_models_have_fingerprints_of_their_own(sevennet):
    other = make_engine(EngineSettings(name="sevennet", model="7net-l3i5"))
    assert other.label == "SevenNet 7net-l3i5"
    assert other.fingerprint != sevennet.fingerprint
    weights = weight_file(foundation.FAMILIES["sevennet"], "7net-l3i5")
    same = make_engine(EngineSettings(name="sevennet", model=str(weights)))
    assert same.fingerprint == other.fingerprint  # the same file by another name


def test_a_head_is_a_method_of_its_own():
    pbe, r2scan = (
        make_engine(EngineSettings(name="sevennet", model=f"7net-mf-0:{head}")) for head in ("PBE", "R2SCAN")
    )
    assert (pbe.label, r2scan.label) == ("SevenNet 7net-mf-0:PBE", "SevenNet 7net-mf-0:R2SCAN")
    assert pbe.fingerprint != r2scan.fingerprint
    [low], [high] = pbe.evaluate([mg2feh6()]), r2scan.evaluate([mg2feh6()])
    assert abs(low.energy_per_atom - high.energy_per_atom) > 0.1  # eV: the functionals' zeros differ
    weights = weight_file(foundation.FAMILIES["sevennet"], "7net-mf-0")
    assert make_engine(EngineSettings(name="sevennet", model=f"{weights}:PBE")).fingerprint == pbe.fingerprint


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("7net-mf-0", "has several heads; allowed: 7net-mf-0:R2SCAN, 7net-mf-0:PBE"),
        ("7net-mf-0:pbe", "has no such head; allowed: 7net-mf-0:R2SCAN, 7net-mf-0:PBE"),
        ("7net-0:PBE", "has no heads; allowed: 7net-0"),
        ("nowhere.pth:PBE", "is no model inside sevenn and no file"),
    ],
)
def test_a_head_that_is_none_is_told_with_those_there_are(model, words):
    with pytest.raises(InputError, match=words):
        make_engine(EngineSettings(name="sevennet", model=model))


def test_an_element_without_parameters_is_a_reason(sevennet):
    curium = Structure(Lattice.cubic(4.0), ["Cm", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    bad, good = sevennet.evaluate([curium, mg2feh6()])
    assert "element unknown to the engine" in bad.error
    assert good.error is None


def test_a_file_that_is_no_model_is_one_line(tmp_path):
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"engine\.model.*cannot be loaded by sevenn") as error:
        make_engine(EngineSettings(name="sevennet", model=str(broken)))
    assert "\n" not in str(error.value)


def test_a_model_that_is_nowhere_lists_those_inside_the_package():
    with pytest.raises(InputError, match="7net-0, 7net-l3i5"):
        make_engine(EngineSettings(name="sevennet", model="7net-9"))


@pytest.mark.parametrize("name", foundation.FAMILIES)
def test_a_missing_package_says_what_to_install(name, monkeypatch):
    family = foundation.FAMILIES[name]

    def absent(module):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module.split(".")[0])

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingDependencyError) as error:
        foundation.make(family, EngineSettings(name=name))
    assert str(error.value).endswith(f"pip install {family.package}")


@pytest.mark.parametrize("name", OTHERS)
def test_weights_that_are_not_here_are_never_fetched_but_told(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    family = foundation.FAMILIES[name]
    with pytest.raises(InputError, match=family.where):
        weight_file(family, None)
    with pytest.raises(InputError, match="is no file"):
        weight_file(family, str(tmp_path / "absent"))
    if family.suffixes:
        wrong = tmp_path / "weights.txt"
        wrong.write_text("", encoding="utf-8")
        with pytest.raises(InputError, match="is no weight file"):
            weight_file(family, str(wrong))


def test_the_package_s_own_place_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    family = foundation.FAMILIES["mattersim"]
    weights = tmp_path / ".local/mattersim/pretrained_models/mattersim-v1.0.0-1M.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    assert weight_file(family, None) == weights


def test_the_checksum_covers_a_folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"1")
    before = checksum(tmp_path)
    (tmp_path / "variables" / "data").write_bytes(b"2")
    assert checksum(tmp_path) != before
