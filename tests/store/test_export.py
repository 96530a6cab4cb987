"""What is exported is what others read."""

import csv
import io
import json

import ase.io
import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from ninefold.errors import InputError
from ninefold.store.export import rows_to_csv, write_structures, write_table, write_whole

ROWS = [
    {"formula": "K2ReH9", "elements": ["H", "K", "Re"], "e_above_hull": 0.1 + 0.2, "rank": 1, "is_known": True},
    {"formula": 'a "b", c\nd', "elements": ["H"], "e_above_hull": None, "rank": None, "is_known": None},
]
KEYS = ["formula", "elements", "e_above_hull", "rank", "is_known"]
PEROVSKITE = Structure(
    Lattice.from_parameters(3.9, 4.1, 4.4, 90, 97, 90),
    ["K", "Re", "H", "H", "H"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.51, 0.5, 0], [0.5, 0, 0.47], [0, 0.5, 0.5]],
)


def candidate(structure=PEROVSKITE, id="0123456789", label="K[ReH3]", is_valid=True):
    found = {"structure": structure.as_dict(), "is_valid": is_valid, "energy_per_atom": -4.5, "source": "host:x"}
    return {"id": id, "formula": "KReH3", "label": label, "n": 3, "engine": "chgnet 0.4.2", "structures": [found]}


def test_csv():
    read = list(csv.reader(io.StringIO(rows_to_csv(ROWS, KEYS))))
    assert read == [
        KEYS,
        ["K2ReH9", "H K Re", repr(0.1 + 0.2), "1", "True"],
        ['a "b", c\nd', "H", "", "", ""],
    ]  # fmt: skip


def test_table_as_json(tmp_path):
    write_table(ROWS, KEYS, tmp_path / "a.json", "json")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == ROWS


def test_table_as_parquet(tmp_path):
    import pyarrow.parquet

    write_table(ROWS, [*KEYS, "score"], tmp_path / "a.parquet", "parquet")
    read = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert read == [{**row, "score": None} for row in ROWS]


def test_parquet_columns_carry_type_unit_and_meaning(tmp_path):
    import pyarrow.parquet

    write_table([{"rank": None}], ["rank", "e_above_hull", "elements", "other"], tmp_path / "a.parquet", "parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "a.parquet")
    assert [str(field.type) for field in schema] == ["int64", "double", "list<element: string>", "null"]
    assert schema.field("e_above_hull").metadata[b"unit"] == b"eV/atom"
    assert schema.field("rank").metadata[b"meaning"] == b"place in the campaign, 1 is best"


def test_table_as_csv_replaces_whole(tmp_path):
    (tmp_path / "a.csv").write_text("old " * 1000)
    write_table(ROWS, KEYS, tmp_path / "a.csv", "csv")
    assert (tmp_path / "a.csv").read_text() == rows_to_csv(ROWS, KEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("kind", ["cif", "poscar"])
def test_structure_read_by_pymatgen(tmp_path, kind):
    [path] = write_structures([candidate()], tmp_path / "out", kind)
    read = Structure.from_str(path.read_text(encoding="utf-8"), fmt=kind)
    matcher = StructureMatcher(ltol=1e-4, stol=1e-4, angle_tol=1e-2, scale=False, primitive_cell=False)
    assert matcher.fit(read.get_primitive_structure(), PEROVSKITE.get_primitive_structure())
    assert read.composition == PEROVSKITE.composition


@pytest.mark.parametrize("kind", ["cif", "poscar", "extxyz"])
def test_structure_read_by_ase(tmp_path, kind):
    [path] = write_structures([candidate()], tmp_path / "out", kind)
    atoms = ase.io.read(path, format={"poscar": "vasp"}.get(kind, kind))
    assert sorted(atoms.get_chemical_symbols()) == ["H", "H", "H", "K", "Re"]
    assert atoms.get_volume() == pytest.approx(PEROVSKITE.volume, rel=1e-6)
    shortest = np.sort(atoms.get_all_distances(mic=True), axis=None)
    assert shortest == pytest.approx(np.sort(PEROVSKITE.distance_matrix, axis=None), abs=1e-4)


def test_extxyz_carries_the_energy(tmp_path):
    [path] = write_structures([candidate()], tmp_path, "extxyz")
    atoms = ase.io.read(path)
    assert atoms.info["formula"] == "KReH3"
    assert atoms.info["energy_per_atom"] == -4.5
    assert all(atoms.pbc)


def test_one_file_per_candidate_with_a_structure(tmp_path):
    rows = [
        candidate(id="aaaaaaaa"),
        candidate(id="bbbbbbbb", is_valid=False),
        {**candidate(id="cccccccc"), "structures": []},
        candidate(id="dddddddd", label="K[ReH3]é²⁻ (1)"),
    ]
    written = write_structures(rows, tmp_path / "out", "cif")
    assert [path.name for path in written] == ["KReH3_n3_aaaaaa.cif", "KReH3_n3_dddddd.cif"]
    assert sorted(tmp_path.glob("out/*")) == sorted(written)
    assert Structure.from_file(written[1]).composition == PEROVSKITE.composition


def test_nothing_to_write(tmp_path):
    with pytest.raises(InputError, match="no candidate with a structure; nothing written"):
        write_structures([candidate(is_valid=False)], tmp_path / "out", "cif")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"--out: .* cannot be made"):
        write_structures([candidate()], tmp_path / "file", "cif")
    for path in (tmp_path / "no" / "a.csv", tmp_path / "folder", tmp_path / "file" / "a.csv"):
        with pytest.raises(InputError, match=r"--out: .* cannot be written") as caught:
            write_table(ROWS, KEYS, path, "csv")
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_disk_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(handle):
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr("ninefold.store.export.os.fsync", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(tmp_path / "a", b"new", "--out")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
