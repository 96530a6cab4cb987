"""What is exported is what others read."""

import csv
import io
import json
from collections import Counter

import ase.io
import gemmi
import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.cif import CifFile, CifParser
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

import ninefold.structures.cif
from ninefold.errors import InputError
from ninefold.output.structures import write_structures
from ninefold.output.tables import rows_to_csv, write_table
from ninefold.output.target import target_of, write_whole
from ninefold.structures.description import describe

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


def mg2feh6():
    """K2PtCl6 type, Fm-3m; Didisheim et al., Inorg. Chem. 23, 1953 (1984)."""
    sites = [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(6.443), ["Fe", "Mg", "H"], sites)


def minimum(structure=PEROVSKITE, energy=-4.5, is_valid=True):
    return {
        "structure": structure.as_dict(), "is_valid": is_valid, "energy_per_atom": energy, "source": "host:x",
        "structure_type": None, "is_converged": True, "max_force": 0.004, "coordination_numbers": [3], "notes": [],
    }  # fmt: skip


def candidate(structure=PEROVSKITE, id="0123456789", label="K[ReH3]", is_valid=True, minima=None):
    return {
        "id": id, "formula": "KReH3", "label": label, "n": 3, "engine": "chgnet 0.4.2", "evidence": "ML", "rank": 4,
        "campaign": "quick", "is_known": False, "energy_per_atom": -4.5, "e_above_hull": 0.012,
        "e_above_references": -0.03, "provenance": {"seed": 2017, "engine_fingerprint": "abc"},
        "structures": [minimum(structure, is_valid=is_valid)] if minima is None else minima,
    }  # fmt: skip


def written(rows, out, kind=None, **options):
    return write_structures(rows, target_of(str(out), kind), **options)


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
    [path] = written([candidate()], tmp_path / "out", kind).paths
    read = Structure.from_str(path.read_text(encoding="utf-8"), fmt=kind)
    matcher = StructureMatcher(ltol=1e-4, stol=1e-4, angle_tol=1e-2, scale=False, primitive_cell=False)
    assert matcher.fit(read.get_primitive_structure(), PEROVSKITE.get_primitive_structure())
    assert read.composition == PEROVSKITE.composition


@pytest.mark.parametrize("kind", ["cif", "poscar", "extxyz"])
def test_structure_read_by_ase(tmp_path, kind):
    [path] = written([candidate()], tmp_path / "out", kind).paths
    atoms = ase.io.read(path, format={"poscar": "vasp"}.get(kind, kind))
    assert sorted(atoms.get_chemical_symbols()) == ["H", "H", "H", "K", "Re"]
    assert atoms.get_volume() == pytest.approx(PEROVSKITE.volume, rel=1e-6)
    shortest = np.sort(atoms.get_all_distances(mic=True), axis=None)
    assert shortest == pytest.approx(np.sort(PEROVSKITE.distance_matrix, axis=None), abs=1e-4)


def test_extxyz_gives_ase_the_total_energy(tmp_path):
    [path] = written([candidate()], tmp_path, "extxyz").paths
    atoms = ase.io.read(path)
    assert atoms.get_potential_energy() == pytest.approx(-4.5 * 5)  # eV, of the five atoms in the cell
    assert atoms.info["formula"] == "KReH3"
    assert atoms.info["energy_per_atom"] == -4.5
    assert atoms.info["e_above_hull"] == 0.012
    assert atoms.info["label"] == "K[ReH3]"
    assert (atoms.info["seed"], atoms.info["evidence"], atoms.info["campaign"]) == (2017, "ML", "quick")
    assert all(atoms.pbc)


def test_cif_carries_what_is_known(tmp_path):
    [path] = written([candidate()], tmp_path / "out/").paths
    block = CifFile.from_file(path).data[path.stem].data
    expected = {
        "label": "K[ReH3]", "engine": "chgnet 0.4.2", "evidence": "ML", "seed": "2017", "campaign": "quick",
        "e_above_hull": "0.012", "e_above_references": "-0.03", "energy_per_atom": "-4.5", "is_converged": "yes",
        "metal_space_group": describe(PEROVSKITE).metal_space_group_symbol,
    }  # fmt: skip
    assert {key: block[f"_ninefold_{key}"] for key in expected} == expected


MINIMA = [
    minimum(), minimum(is_valid=False, energy=-4.49),
    minimum(PEROVSKITE * [1, 1, 2], energy=-4.46), minimum(energy=-4.45),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["cif", "extxyz", "poscar"])
def test_every_valid_minimum(tmp_path, kind):
    rows = [candidate(minima=MINIMA), candidate(id="other", minima=[])]
    done = written(rows, tmp_path / "out", kind, all_minima=True)
    assert str(done) == "wrote 3 structures of 2 candidates: 1 has none"
    assert len({path.name for path in done.paths}) == len(list((tmp_path / "out").iterdir())) == 3
    formats = {"poscar": "vasp"}
    sizes = [len(ase.io.read(path, format=formats.get(kind, kind))) for path in done.paths]
    assert sizes == [5, 5 if kind == "cif" else 10, 5]  # a CIF holds the conventional cell
    assert str(written(rows, tmp_path / "lowest", kind)) == "wrote 1 structure of 2 candidates: 1 has none"


def test_a_higher_minimum_lies_higher_above_the_hull(tmp_path):
    [path] = written([candidate(minima=MINIMA)], tmp_path / "all.xyz", all_minima=True).paths
    frames = ase.io.read(path, index=":")
    assert [atoms.info["e_above_hull"] for atoms in frames] == pytest.approx([0.012, 0.052, 0.062])
    assert [atoms.info["e_above_references"] for atoms in frames] == pytest.approx([-0.03, 0.01, 0.02])
    assert [atoms.info["energy_above_lowest_minimum"] for atoms in frames] == pytest.approx([0, 0.04, 0.05])
    assert [atoms.get_potential_energy() for atoms in frames] == pytest.approx([-22.5, -44.6, -22.25])


@pytest.mark.parametrize("name", ["all.cif", "all.xyz", "all.extxyz"])
def test_one_file_for_all(tmp_path, name):
    rows = [candidate(id="aaaaaaaa"), candidate(id="bbbbbbbb", minima=[]), candidate(id="cccccccc")]
    done = written(rows, tmp_path / name)
    assert done.paths == [tmp_path / name]
    assert str(done) == "wrote 2 structures of 3 candidates: 1 has none"
    frames = ase.io.read(tmp_path / name, index=":")
    assert [len(atoms) for atoms in frames] == [5, 5]
    if name == "all.cif":
        assert [item.composition for item in CifParser(tmp_path / name).parse_structures(primitive=False)] == [
            PEROVSKITE.composition
        ] * 2


def test_a_poscar_holds_one(tmp_path):
    with pytest.raises(InputError, match="2 structures"):
        written([candidate(minima=MINIMA[::2])], tmp_path / "x.vasp", all_minima=True)
    assert list(tmp_path.iterdir()) == []
    written([candidate()], tmp_path / "x.vasp")
    assert ase.io.read(tmp_path / "x.vasp").get_chemical_formula() == "H3KRe"


@pytest.mark.parametrize(
    ("out", "kind", "expected"),
    [
        ("x.xyz", None, ("extxyz", False)), ("x.EXTXYZ", None, ("extxyz", False)), ("x.cif", None, ("cif", False)),
        ("x.parquet", None, ("parquet", False)), ("x.csv", None, ("csv", False)), ("folder/", None, ("cif", True)),
        ("folder", None, ("cif", True)), ("folder", "extxyz", ("extxyz", True)), ("x.cif/", None, ("cif", True)),
        ("table", "csv", ("csv", False)), ("x.dat", "csv", ("csv", False)), ("v1.2-set", None, ("cif", True)),
    ],
)  # fmt: skip
def test_the_ending_says_what_is_written(tmp_path, monkeypatch, out, kind, expected):
    monkeypatch.chdir(tmp_path)
    target = target_of(out, kind)
    assert (target.kind, target.is_folder) == expected


@pytest.mark.parametrize(
    ("out", "kind", "words"),
    [
        ("x.pdb", None, "'.pdb', which is no format"), ("x.csv", "cif", "--format says cif"),
        ("x.cif", "extxyz", "ends with .xyz or .extxyz"), ("folder/", "parquet", "is a folder"),
    ],
)  # fmt: skip
def test_an_ending_that_cannot_be_is_refused(tmp_path, monkeypatch, out, kind, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        target_of(out, kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_structure_nearly_on_its_symmetry_keeps_its_atoms(tmp_path, seed):
    # special positions a few thousandths of an Ångström off: a writer that trusts a tolerance splits them
    rng = np.random.default_rng(seed)
    structure = mg2feh6().get_primitive_structure()
    for place in range(len(structure)):
        shift = rng.normal(size=3)
        structure.translate_sites([place], 0.004 * shift / np.linalg.norm(shift), frac_coords=False)
    row = candidate(structure) | {"formula": "Mg2FeH6", "n": 6}
    for kind in ("cif", "extxyz", "poscar"):
        [path] = written([row], tmp_path / kind, kind).paths
        atoms = ase.io.read(path, format={"poscar": "vasp"}.get(kind, kind))
        assert len(atoms) in (9, 36)
        assert Composition(atoms.get_chemical_formula()).reduced_composition == Composition("Mg2FeH6")
        assert atoms.get_volume() / len(atoms) == pytest.approx(structure.volume / 9, rel=1e-4)


def test_what_does_not_read_back_does_not_count(tmp_path, monkeypatch):
    faithful = ninefold.structures.cif.cif_text

    def lossy(description, name, *rest):
        text = faithful(description, name, *rest)
        return text.rstrip().rpartition("\n")[0] + "\n" if "_aaaaaa" in name else text  # the last atom is lost

    monkeypatch.setattr("ninefold.structures.cif.cif_text", lossy)
    rows = [candidate(id="aaaaaaaa"), candidate(id="bbbbbbbb")]
    done = written(rows, tmp_path / "out/")
    assert [path.name for path in done.paths] == ["KReH3_n3_bbbbbb.cif"]
    assert str(done) == (
        "wrote 1 structure of 2 candidates; left out, since they do not read back as they are: KReH3_n3_aaaaaa"
    )
    with pytest.raises(InputError, match="holds none of KReH3_n3_aaaaaa"):
        written(rows[:1], tmp_path / "other/")
    assert not (tmp_path / "other").exists()


def test_one_file_per_candidate_with_a_structure(tmp_path):
    rows = [
        candidate(id="aaaaaaaa"),
        candidate(id="bbbbbbbb", is_valid=False),
        {**candidate(id="cccccccc"), "structures": []},
        candidate(id="dddddddd", label="K[ReH3]é²⁻ (1)"),
    ]
    done = written(rows, tmp_path / "out")
    assert [path.name for path in done.paths] == ["KReH3_n3_aaaaaa.cif", "KReH3_n3_dddddd.cif"]
    assert str(done) == "wrote 2 structures of 4 candidates: 2 have none"
    assert sorted(tmp_path.glob("out/*")) == sorted(done.paths)
    assert Structure.from_file(done.paths[1]).composition == PEROVSKITE.composition


def test_names_are_safe_and_differ(tmp_path):
    rows = [candidate(id=identity) for identity in ("abcdef-1", "ABCDEF-1", "abcdef/../../x", "abcdef-1")]
    done = written(rows, tmp_path / "out")
    assert len({path.name.lower() for path in done.paths}) == 4
    assert sorted((tmp_path / "out").iterdir()) == sorted(done.paths)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_to_write(tmp_path):
    with pytest.raises(InputError, match="no candidate with a structure; nothing written"):
        written([candidate(is_valid=False)], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"--out: .* cannot be made"):
        written([candidate()], tmp_path / "file", "cif")
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
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(tmp_path / "a", b"new", "--out")
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _read_average(path):
    """Composition, space group number and occupancies, by gemmi and by pymatgen."""
    block = gemmi.cif.read(str(path)).sole_block()
    small = gemmi.make_small_structure_from_block(block)
    sites = small.get_all_unit_cell_sites()
    counts = Counter()
    for site in sites:
        counts[site.element.name] += site.occ
    [structure] = CifParser(str(path)).parse_structures(primitive=False)
    return counts, small.spacegroup.number, structure, sorted({round(site.occ, 6) for site in sites})


def test_an_average_is_a_cif_with_partial_occupancies_that_gemmi_and_pymatgen_read(tmp_path):
    """One hydrogen of six around a rhenium atom, in the CsCl type: Pm-3m, sites with 1/6 each."""
    structure = Structure(Lattice.cubic(3.8), ["K", "Re", "H"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.93, 0.5, 0.5]])
    [path] = written([candidate(structure)], tmp_path / "out", averaged=True).paths
    counts, number, read, occupancies = _read_average(path)
    assert counts == pytest.approx({"K": 1, "Re": 1, "H": 1})
    assert number == 221
    assert occupancies == [pytest.approx(1 / 6, abs=1e-6), 1.0]
    assert read.composition.reduced_formula == "KReH"
    assert len([site for site in read if "H" in site.species]) == 6
    assert SpacegroupAnalyzer(read).get_space_group_number() == 221
    block = CifFile.from_file(path).data
    [data] = block.values()
    assert data["_ninefold_averaged_variants"] == "6"
    assert data["_ninefold_ordered_space_group"] == "P4mm"


def test_sites_that_gemmi_takes_for_one_are_written_without_symmetry(tmp_path):
    """Images 0.38 Å apart are one atom on a special position to gemmi: half of the hydrogen would be lost."""
    structure = Structure(Lattice.cubic(3.8), ["K", "Re", "H"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.95, 0.5, 0.5]])
    [path] = written([candidate(structure)], tmp_path / "out", averaged=True).paths
    counts, number, read, _ = _read_average(path)
    assert (counts, number) == (pytest.approx({"K": 1, "Re": 1, "H": 1}), 1)
    assert read.composition.reduced_formula == "KReH"
    assert "_ninefold_averaged_space_group" in path.read_text()


def test_an_average_of_a_whole_polyhedron_is_the_structure_itself(tmp_path):
    [path] = written([candidate(mg2feh6())], tmp_path / "out", averaged=True).paths
    counts, number, read, occupancies = _read_average(path)
    assert (number, occupancies) == (225, [1.0])
    assert counts == pytest.approx({"Mg": 8, "Fe": 4, "H": 24})
    assert StructureMatcher().fit(read, mg2feh6())
