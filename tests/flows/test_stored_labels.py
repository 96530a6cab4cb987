"""DFT calculations of a store as labels of a correction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write
from pymatgen.io.ase import AseAtomsAdaptor
from test_correct_command import CORRECT
from test_distil_command import out, refused

from ninefold.errors import InputError
from ninefold.flows.stored_labels import stored_labels
from ninefold.models.calculation import Calculation
from ninefold.models.method import Method
from ninefold.models.structure import StructureRecord
from ninefold.store import open_store

STORE = "verified.db"


def verified(folder: Path, number: int = 12, evidence: str = "DFT", name: str = "better") -> None:
    """A store with single points, and a relaxation, of two compounds by a better method: a softer Lennard-Jones."""
    rng = np.random.default_rng(1)
    method = Method(id=name * 8, name=name, label=f"{name} 1.0", evidence=evidence)
    structures, calculations = [], []
    for place in range(number):
        atoms = bulk("Re", "fcc", a=2.79, cubic=True)
        if place % 2:
            atoms.symbols[0] = "Mo"
        atoms.positions += rng.normal(0, 0.05, (4, 3))
        atoms.calc = LennardJones(rc=4.0, smooth=True)
        record = StructureRecord.of(AseAtomsAdaptor.get_structure(atoms))
        structures.append(record)
        is_relaxed = place == 4
        calculations.append(
            Calculation(
                id=f"{name}-{place:02d}", campaign="c", kind="relax" if is_relaxed else "static", method=method.id,
                start=structures[0].id if is_relaxed else record.id, final=record.id if is_relaxed else None,
                energy_per_atom=atoms.get_potential_energy() / 4, forces=atoms.get_forces().tolist(),
                core_seconds=2.0, created="2026",
            )
        )  # fmt: skip
    calculations.append(
        Calculation(
            id=f"{name}-failed", campaign="c", kind="static", method=method.id, start=structures[0].id,
            energy_per_atom=None, error="not converged", core_seconds=2.0, created="2026",
        )
    )  # fmt: skip
    with open_store(str(folder / STORE), "write") as store:
        store.insert("methods", [method])
        store.insert("structures", structures)
        store.insert("calculations", calculations)


def test_labels_are_the_geometries_that_energies_are_of(tmp_path: Path) -> None:
    verified(tmp_path)
    with open_store(str(tmp_path / STORE)) as store:
        found = stored_labels(store, STORE)
        rhenium = stored_labels(store, STORE, species=["Re"])
    assert (found.engine, found.evidence, len(found.labels), found.core_seconds) == ("better 1.0", "DFT", 12, 24.0)
    assert {label.block for label in found.labels} == {"Re", "Re3Mo"}
    assert [label.place for label in found.labels] == list(range(12))
    for label in found.labels:
        atoms = label.frame.atoms()
        atoms.calc = LennardJones(rc=4.0, smooth=True)
        assert label.frame.energy_eV == pytest.approx(atoms.get_potential_energy())
        assert label.frame.forces == pytest.approx(atoms.get_forces())
    assert {label.block for label in rhenium.labels} == {"Re"}


def test_what_has_no_labels_or_too_many_methods_is_told(tmp_path: Path) -> None:
    verified(tmp_path, evidence="ML", name="learned")
    with open_store(str(tmp_path / STORE)) as store, pytest.raises(InputError, match="holds no DFT calculation"):
        stored_labels(store, STORE)
    verified(tmp_path)
    verified(tmp_path, name="other")
    with open_store(str(tmp_path / STORE)) as store:
        with pytest.raises(InputError, match=r"several methods; allowed: one of: better 1\.0 .*, other 1\.0"):
            stored_labels(store, STORE)
        assert stored_labels(store, STORE, check="other").engine == "other 1.0"
        with pytest.raises(InputError, match=r"holds no forces by other 1\.0 of a structure of Fe alone"):
            stored_labels(store, STORE, species=["Fe"], check="other")


def test_command_corrects_by_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    verified(tmp_path, 24)
    command = (*CORRECT[:2], "--engine", "lj", "--out", "correction", "--store", STORE, "--species", "Re")
    printed = out(*command)
    assert "Lennard-Jones against better 1.0 (evidence DFT): 12 single points; pair potentials" in printed
    result = json.loads((tmp_path / "correction" / "result.json").read_text())
    assert result["errors"]["held_out"]["force_eV_per_A"] < 0.5 * result["errors"]["before"]["force_eV_per_A"]
    assert "--species: 'Xx' is no element" in refused(*command[:-1], "Xx")
    assert "folders are missing" in refused(*CORRECT[:2], "--engine", "lj", "--out", "correction")
    write("solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))


def test_labels_of_folders_and_of_a_store_are_of_one_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_correct_command import LABELS
    from test_point_checks import ENGINE

    monkeypatch.chdir(tmp_path)
    write("solid.cif", bulk("Re", "fcc", a=2.79, cubic=True))
    (tmp_path / "softer.py").write_text(ENGINE.replace("rc=6.0", "rc=4.0, smooth=True"))
    out(*LABELS)
    verified(tmp_path)
    assert "holds no calculation by the folders' method" in refused(*CORRECT, "--store", STORE)
    assert "--species: 'Re' is of a store's structures" in refused(*CORRECT, "--species", "Re")
