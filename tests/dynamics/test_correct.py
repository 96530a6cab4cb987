"""Engines corrected by labels whose difference to them is known: a sum of pairs."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.mixing import SumCalculator
from ase.io import read, write
from pair_student import MIDDLES, ExactPairTrainer, PairCalculator
from test_paths import Repelling, _anion

from ninefold.dynamics.anions.permutations import ways
from ninefold.dynamics.anions.sites import sites
from ninefold.dynamics.paths.band_barrier import barrier
from ninefold.dynamics.potentials.check_labels import CheckLabel, read_check_labels
from ninefold.dynamics.potentials.corrected import CorrectedEngine
from ninefold.dynamics.potentials.correction import correct
from ninefold.dynamics.potentials.correction_errors import Difference, error_row, folds_of, reason_against, zero_of
from ninefold.dynamics.potentials.distil_settings import Teacher
from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.dynamics.second_method.single_points import SinglePoints
from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.ase_engine import ASEEngine
from ninefold.errors import InputError

HERE = Path(__file__).parent
STUDENT = f"{HERE / 'pair_student.py'}:ExactPairTrainer"
BASE = """
import numpy as np
from ninefold.engines.ase_engine import ASEEngine
from test_correct import Springs

def make(settings):
    return ASEEngine("springs", "springs", Springs(), ("springs",), evidence="test")
"""


class Springs(Repelling):
    """With the stress that an engine must have."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        self.results["stress"] = np.zeros(6)


class Shifted(PairCalculator):
    """With a zero of energy of its own."""

    def __init__(self, *arguments: Any, zero: float = 0.0) -> None:
        super().__init__(*arguments)
        self.zero = zero

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        self.results["energy"] += self.zero * len(self.atoms)


class Noisy(Springs):
    """Forces and energies off by what has no reason."""

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        generator = np.random.default_rng(abs(hash(self.atoms.positions.tobytes())) % 2**32)
        self.results["energy"] += generator.normal(scale=0.05)
        self.results["forces"] = self.results["forces"] + generator.normal(scale=0.1, size=self.results["forces"].shape)


def planted(zero: float = 0.0) -> Shifted:
    """Pairs of H attract each other a little about 2 Å; those of Re and H are longer."""
    weights = np.zeros((2, len(MIDDLES)))
    weights[0] = -0.03 * np.exp(-0.5 * ((MIDDLES - 2.0) / 0.4) ** 2)
    weights[1] = 0.05 * np.exp(-0.5 * ((MIDDLES - 1.5) / 0.3) ** 2)
    return Shifted([["H", "H"], ["H", "Re"]], weights.ravel(), zero=zero)


def better(zero: float = 0.0) -> Any:
    return SumCalculator([Springs(), planted(zero)])


def engine(calculator: Any, name: str) -> Any:
    return ASEEngine(name, name, calculator, (name,), evidence="test")


@functools.cache
def _path() -> tuple[Any, ...]:
    prism = _anion("tricapped trigonal prism", 9)
    [site] = sites(prism, "Re")
    isomer = next(way for way in ways(prism, site) if way.kind == "isomer")
    return barrier(prism, site, isomer, Repelling(), fmax=0.02, max_steps=400, images=7).images


def frames(number: int = 24, seed: int = 0) -> list[Atoms]:
    generator = np.random.default_rng(seed)
    start = _path()[0]
    found = []
    for _ in range(number):
        atoms = start.copy()
        atoms.positions[1:] += generator.normal(scale=0.12, size=(len(atoms) - 1, 3))
        found.append(atoms)
    return found


def write_labels(
    folder: Path, calculator: Any = None, name: str = "better", more: Sequence[Atoms] | None = None
) -> None:
    """Single points of the images of a path, and of frames that are from none."""
    folder.mkdir(exist_ok=True)
    write(folder / "path-1.xyz", list(_path()), format="extxyz")
    images: Any = read(folder / "path-1.xyz", index=":")
    row = {"site": 0, "kind": "isomer", "permutation": "(1 2)(3 4)"}
    (folder / "path-1.json").write_text(json.dumps(row))
    points = SinglePoints(folder / "points", engine(calculator or better(), name))
    for atoms in [*images[:-1], *(frames() if more is None else more)]:
        assert points.of(atoms).error is None


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Teacher:
    """The engine that is corrected, of a file of the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.py").write_text(BASE)
    settings = EngineSettings(name=f"{tmp_path / 'base.py'}:make")
    made: Any = make_engine(settings)
    return Teacher(made.calculator(), settings.model_dump(mode="json"), made.label, made.fingerprint, made.evidence)


def fitted(base: Teacher, folder: str, out: str, **more: Any) -> dict[str, Any]:
    found = correct(
        read_check_labels([Path(folder)]), base, STUDENT, more.pop("trainer", ExactPairTrainer()),
        more.pop("folds", 3), 0, Path(out), **more,
    )  # fmt: skip
    assert found is not None
    return found


def test_a_difference_of_pairs_is_found_on_what_was_not_fitted(base: Teacher) -> None:
    write_labels(Path("labels"))
    result = fitted(base, "labels", "out")
    errors = result["errors"]
    assert errors["before"]["force_eV_per_A"] > 0.02
    assert errors["held_out"]["force_eV_per_A"] < 1e-6
    assert errors["held_out"]["energy_eV_per_atom"] < 1e-6
    assert result["is_worth"]
    [path] = result["paths"]
    assert path["path"] == "labels, site 0: isomer (1 2)(3 4)"
    assert [image["image"] for image in path["images"]] == list(range(8))
    assert abs(path["engine"]["barrier_eV"] - path["check_barrier_eV"]) > 0.001
    assert path["held_out"]["barrier_eV"] == pytest.approx(path["check_barrier_eV"], abs=1e-6)
    made = CorrectedEngine(Path("out"))
    assert made.label == f"springs corrected by better ({result['labels']} single points)"
    assert made.evidence == "test"
    for atoms in frames(3, seed=9):
        atoms.calc = made.calculator()
        forces, stress = atoms.get_forces(), atoms.get_stress()
        atoms.calc = better()
        assert forces == pytest.approx(atoms.get_forces(), abs=1e-6)
        assert stress == pytest.approx(np.zeros(6))


def test_the_barrier_of_a_corrected_engine_is_the_better_one(base: Teacher) -> None:
    write_labels(Path("labels"))
    fitted(base, "labels", "out")
    start = _path()[0]
    found = []
    for calculator in (CorrectedEngine(Path("out")).calculator(), better()):
        prism = start.copy()
        prism.calc = calculator
        [site] = sites(prism, "Re")
        isomer = next(way for way in ways(prism, site) if way.kind == "isomer")
        found.append(barrier(prism, site, isomer, calculator, fmax=0.02, max_steps=300, images=5).barrier_eV)
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_the_zero_of_energy_does_not_matter(base: Teacher) -> None:
    write_labels(Path("labels"))
    write_labels(Path("shifted"), better(-7.3), "shifted")
    one, other = fitted(base, "labels", "out"), fitted(base, "shifted", "other")
    zeros = [found["zero_eV_per_atom"] for found in (one, other)]
    means = [(9 * zero["H"] + zero["Re"]) / 10 for zero in zeros]
    assert means[1] - means[0] == pytest.approx(-7.3)
    for name in ("before", "held_out", "fitted"):
        assert other["errors"][name]["force_eV_per_A"] == pytest.approx(one["errors"][name]["force_eV_per_A"], abs=1e-7)
        assert other["errors"][name]["energy_eV_per_atom"] == pytest.approx(
            one["errors"][name]["energy_eV_per_atom"], abs=1e-7
        )
    atoms = frames(1, seed=4)[0]
    energies = []
    for folder in ("out", "other"):
        atoms.calc = CorrectedEngine(Path(folder)).calculator()
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_a_correction_by_noise_is_refused(base: Teacher) -> None:
    write_labels(Path("labels"), Noisy(), "noise")
    result = fitted(base, "labels", "out")
    assert not result["is_worth"]
    assert "on labels that were not fitted" in result["reason"]
    with pytest.raises(InputError, match="holds a correction that is not worth it: force error") as refusal:
        make_engine(EngineSettings(name="corrected", model="out"))
    assert "\n" not in str(refusal.value)


class Breaking(ExactPairTrainer):
    """Ends in its third fit, as a kill would."""

    fits = 0

    def fit(self, *arguments: Any, **more: Any) -> bytes:
        self.fits += 1
        if self.fits == 3:
            raise KeyboardInterrupt
        return super().fit(*arguments, **more)


def test_what_was_killed_goes_on_and_what_is_there_is_printed_again(base: Teacher) -> None:
    write_labels(Path("labels"))
    with pytest.raises(KeyboardInterrupt):
        fitted(base, "labels", "out", trainer=Breaking())
    assert sorted(path.name for path in Path("out").glob("*/potential.txt")) == ["potential.txt"] * 2
    assert not Path("out/result.json").exists()
    rest = Breaking()
    rest.fits = 10
    calls = iter(range(10_000))
    arguments = (read_check_labels([Path("labels")]), base, STUDENT, rest, 3, 0, Path("out"))
    assert correct(*arguments, stop=lambda: next(calls) > 2) is None
    result = correct(*arguments)
    assert rest.fits == 12
    assert result == fitted(base, "labels", "whole")
    assert correct(*arguments) == result
    assert rest.fits == 12


def test_another_correction_in_the_same_folder_is_refused(base: Teacher) -> None:
    write_labels(Path("labels"))
    fitted(base, "labels", "out")
    with pytest.raises(InputError, match="holds another correction: folds differ"):
        fitted(base, "labels", "out", folds=4)
    write_labels(Path("labels"), more=frames(3, seed=8))
    with pytest.raises(InputError, match="holds another correction: labels, folds differ"):
        fitted(base, "labels", "out")
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        fitted(base, "labels", "full")


def test_changed_parts_are_refused(base: Teacher) -> None:
    write_labels(Path("labels"))
    fitted(base, "labels", "out")
    Path("base.py").write_text(BASE + "\n# another\n")
    with pytest.raises(InputError, match="'springs' is what was corrected, and not on this machine as it was there"):
        CorrectedEngine(Path("out"))
    Path("base.py").write_text(BASE)
    CorrectedEngine(Path("out"))
    Path("out/potential.txt").write_text("{}")
    with pytest.raises(InputError, match=r"is not the potential that result.json is of"):
        CorrectedEngine(Path("out"))
    fitted(base, "labels", "out")  # writes it anew
    CorrectedEngine(Path("out"))


def test_what_lies_beside_the_labels_is_told(base: Teacher) -> None:
    write_labels(Path("labels"))
    fitted(base, "labels", "out")
    made = CorrectedEngine(Path("out"))
    species = _path()[0].get_chemical_symbols()
    assert made.beside(species, 101.5) == made.beside((), 100.0) == made.beside(species, None) == []
    assert made.beside(species, 103.0) == [
        "the correction was fitted to labels at 100.00 Å3 per atom, and this cell has 103.00"
    ]
    assert made.beside(["Re", *["H"] * 8], 100.0) == ["the correction was fitted to labels of ReH9, and this is ReH8"]
    source = made.forces(species, 103.0)
    assert source.sentence.startswith("engine: springs corrected by better (32 single points); force error against")
    assert source.sentence.endswith("without the correction")
    assert source.warnings == tuple(made.beside(species, 103.0))


def test_mixed_methods_are_refused_and_one_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_labels(Path("one"), more=frames(2))
    write_labels(Path("two"), more=frames(2, seed=1))
    whole = read_check_labels([Path("one"), Path("two")])
    assert len(whole.labels) == 8 + 4
    assert len(read_check_labels([Path()]).labels) == 8 + 4
    assert [label.place for label in whole.labels if label.block.startswith("one, site")] == list(range(8))
    write_labels(Path("two"), Springs(), "springs", more=[])
    with pytest.raises(InputError, match=r"several methods; allowed: one of: better \[\w{8}\], springs \[\w{8}\]"):
        read_check_labels([Path("one"), Path("two")])
    assert read_check_labels([Path("one"), Path("two")], "Spring").engine == "springs"
    digits = whole.method[:8]
    assert read_check_labels([Path("two")], digits).method == whole.method
    with pytest.raises(InputError, match="--check: 'r' fits several methods"):
        read_check_labels([Path("two")], "r")
    with pytest.raises(InputError, match="--check: 'gpaw' is no method of the single points"):
        read_check_labels([Path("two")], "gpaw")
    next(Path("one/points").iterdir()).write_text("{}")
    with pytest.raises(InputError, match="is no single point"):
        read_check_labels([Path("one")])


def _label(block: str, place: int) -> CheckLabel:
    frame = LabelledFrame(f"{block}-{place}", ("H",), np.eye(3), np.zeros((1, 3)), 0.0, np.zeros((1, 3)), None)
    return CheckLabel(frame, block, place)


def test_folds_leave_out_whole_paths_or_stretches() -> None:
    paths = [_label(block, place) for block in "abcd" for place in range(3)]
    folds = folds_of(paths, 4)
    assert folds.are_whole
    assert sorted(folds.held_out) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]
    assert sorted(map(len, folds_of(paths, 2).held_out)) == [6, 6]
    cut = folds_of([_label(block, place) for block in "ab" for place in range(8)], 4)
    assert not cut.are_whole
    assert sorted(cut.held_out) == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15)]


def test_zeros_of_species_are_found() -> None:
    """Two compositions say two species; one composition its mean alone."""
    generator = np.random.default_rng(0)
    compositions = [("Re", "H", "H"), ("Re", "H"), ("Re", "H", "H"), ("H", "H")]
    frames = [
        LabelledFrame(
            str(place), one, np.eye(3), generator.normal(size=(len(one), 3)), 0.0, np.zeros((len(one), 3)), None
        )
        for place, one in enumerate(compositions)
    ]
    energies = [one.count("Re") * 2.0 - 0.5 * one.count("H") for one in compositions]
    assert zero_of(frames, energies) == pytest.approx({"H": -0.5, "Re": 2.0})
    same = [frames[0], frames[2]]
    zero = zero_of(same, [1.0, 3.0])
    assert 2 * zero["H"] + zero["Re"] == pytest.approx(2.0)


def test_energies_count_about_the_mean_of_their_composition() -> None:
    frames = [_label("a", place).frame for place in range(3)]
    off = [Difference(energy, np.full((1, 3), 0.1)) for energy in (4.0, 5.0, 6.0)]
    row = error_row(frames, off)
    assert row["energy_eV_per_atom"] == pytest.approx(np.sqrt(2 / 3))
    assert row["force_eV_per_A"] == pytest.approx(0.1)
    assert row["force_by_species"] == {"H": pytest.approx(0.1)}


@pytest.mark.parametrize(
    ("forces", "energy", "said"),
    [(0.05, 0.001, None), (0.095, 0.0005, "force error 95 meV/Å"), (0.05, 0.003, "energy error 3.00 meV/atom")],
)
def test_worth(forces: float, energy: float, said: str | None) -> None:
    before = {"force_eV_per_A": 0.1, "energy_eV_per_atom": 0.002}
    reason = reason_against({"before": before, "held_out": {"force_eV_per_A": forces, "energy_eV_per_atom": energy}})
    assert reason is None if said is None else reason is not None and reason.startswith(said)
