"""More files as people have them: databases' symbols, supercells, groups as atoms, outputs, encodings."""

import ase.db
import ase.io
import gemmi
import pytest
from ase import Atoms
from pymatgen.core import Lattice, Structure

from ninefold.errors import InputError
from ninefold.structures.cif import cif_text
from ninefold.structures.description import describe
from ninefold.structures.files import is_structure_file, read_structure
from ninefold.structures.reading import space_groups
from ninefold.structures.symmetry import space_group


def read(tmp_path, text, name="x.cif"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_structure(path)


def cif(symmetry, sites, formula="", cell="4 4 4 90 90 90", columns="label type_symbol fract_x fract_y fract_z"):
    names = [f"_cell_length_{axis}" for axis in "abc"]
    names += [f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")]
    lines = ["data_x", *(f"{name} {value}" for name, value in zip(names, cell.split(), strict=True)), formula]
    lines += [*symmetry, "loop_", *(f"_atom_site_{column}" for column in columns.split()), *sites]
    return "\n".join(lines) + "\n"


# space groups as databases name them


def test_hall_symbols_are_those_of_the_international_tables():
    for hall in range(1, 531):
        symbol = space_groups.hall_symbol(hall)
        table = space_groups.group_of(operation.triplet() for operation in gemmi.symops_from_hall(symbol))
        assert table.is_same(space_groups.setting(hall)), symbol
        assert hall in space_groups.by_hall_symbol(symbol)


MOS2 = ["Mo Mo 0 0 0", "S1 S 0 0 0.2516", "S2 S 0 0 0.4151"]
R3M = [operation.triplet() for operation in gemmi.find_spacegroup_by_name("R 3 m:H").operations()]


@pytest.mark.parametrize("operations", [[], ["loop_", "_space_group_symop_operation_xyz", *R3M]])
def test_a_trigonal_cif_of_the_crystallography_open_database(tmp_path, operations):
    symmetry = ["_symmetry_space_group_name_Hall 'R 3 -2\"'", "_symmetry_space_group_name_H-M 'R 3 m :H'", *operations]
    text = cif(symmetry, MOS2, "_chemical_formula_sum 'Mo S2'\n_cell_formula_units_Z 3", "3.163 3.163 18.37 90 90 120")
    found = read(tmp_path, text)
    assert (found.structure.composition.formula, space_group(found.structure).number) == ("Mo3 S6", 160)


def test_a_hall_symbol_that_the_tables_do_not_have(tmp_path):
    symmetry = ["_symmetry_space_group_name_Hall 'R 3 -2\" (0 0 1)'", "_symmetry_space_group_name_H-M 'R 3 m :H'"]
    formula, cell = "_chemical_formula_sum 'Mo S2'\n_cell_formula_units_Z 3", "3.163 3.163 18.37 90 90 120"
    with pytest.raises(InputError, match="no known symbol"):
        read(tmp_path, cif(symmetry, MOS2, formula, cell))
    operations = ["loop_", "_space_group_symop_operation_xyz", *R3M]
    assert len(read(tmp_path, cif([*symmetry, *operations], MOS2, formula, cell)).structure) == 9


def test_a_trigonal_cif_of_ours_names_its_group():
    structure = Structure.from_spacegroup(
        "R3m", Lattice.hexagonal(3.163, 18.37), ["Mo", "S", "S"], [[0, 0, 0], [0, 0, 0.2516], [0, 0, 0.4151]]
    )
    block = gemmi.cif.read_string(cif_text(describe(structure), "x", {})).sole_block()
    assert gemmi.cif.as_string(block.find_value("_space_group_name_Hall")) == 'R 3 -2"'


# syntax


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_cell_length_a 4", "_cell_length_a\u00a04"),
        ("_cell_length_a 4", "_cell_length_a '4' # Å"),
        ("_cell_length_a 4", "_cell_length_a 4\n_cell_length_a 4"),
        ("_cell_length_a 4", "_title\n;two\nlines of loop_ and 'quotes\n;\n_cell_length_a 4"),
        ("data_x", "#\\#CIF_2.0\ndata_x\n_title '''it's\ntwo lines'''"),
        ("data_x", "data_x\n_cell_measurement_pressure ?\ndata_x\n_title .\ndata_x"),
        ("Re Re 0 0 0", "Re Re 0 0 0\n\x1a"),
    ],
)
def test_syntax_that_is_read(tmp_path, old, new):
    text = cif(["_space_group_name_H-M_alt 'P 1'"], ["Re Re 0 0 0"])
    assert old in text
    assert read(tmp_path, text.replace(old, new)).structure.composition.formula == "Re1"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("_cell_length_a 4", "_cell_length_a 4 5", "line 2: what belongs to no item: '_cell_length_a 4 5'"),
        ("_cell_length_a 4", "_cell_length_a", "line 2: _cell_length_a has no value"),
        ("_cell_length_a 4", "_cell_length_a 4\n_cell_length_a 5", "gives _cell_length_a twice .* line 3"),
        ("_cell_length_a 4", "_title\n;never closed", "a text between semicolons that has no end"),
        ("data_x", "cell 4\ndata_x", "is no CIF: line 1 stands before any data_ block"),
    ],
)
def test_syntax_that_is_refused(tmp_path, old, new, words):
    text = cif(["_space_group_name_H-M_alt 'P 1'"], ["Re Re 0 0 0"])
    with pytest.raises(InputError, match=words):
        read(tmp_path, text.replace(old, new))


# formulas


@pytest.mark.parametrize("count", [5, 8])
def test_one_vacancy_in_a_supercell_is_not_the_formula(tmp_path, count):
    cube = Structure(Lattice.cubic(3.0), ["Re", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]) * (count, count, count)
    whole = [f"{site.specie.symbol}{place} {site.specie.symbol} " + " ".join(f"{x:.6f}" for x in site.frac_coords)
             for place, site in enumerate(cube)]  # fmt: skip
    formula, cell = f"_chemical_formula_sum 'H Re'\n_cell_formula_units_Z {count**3}", f"{3 * count} " * 3 + "90 90 90"
    symmetry = ["_space_group_name_H-M_alt 'P 1'"]
    assert len(read(tmp_path, cif(symmetry, whole, formula, cell)).structure) == 2 * count**3
    with pytest.raises(InputError, match="contradicts its own formula"):
        read(tmp_path, cif(symmetry, whole[:-1], formula, cell))
    unit = [row for row in whole if row.split()[2:] not in (["0.000000"] * 3, [f"{0.5 / count:.6f}"] * 3)]
    assert len(unit) == len(whole) - 2
    with pytest.raises(InputError, match="contradicts its own formula"):
        read(tmp_path, cif(symmetry, unit, formula, cell))


# groups and vacancies in the place of an element


@pytest.mark.parametrize("kind", ["BH4", "NH4", "OH", "Wat", "Va", "Vac", "X", "Og"])
def test_a_type_symbol_that_is_no_element(tmp_path, kind):
    sites = [f"A1 {kind} 0 0 0", "Na1 Na 0.5 0.5 0.5"]
    with pytest.raises(InputError, match="names no element"):
        read(tmp_path, cif(["_space_group_name_H-M_alt 'P 1'"], sites))


@pytest.mark.parametrize("label", ["BH4", "NH4", "CH3", "Vac1", "Wat"])
def test_a_label_that_may_be_a_group(tmp_path, label):
    sites = [f"{label} 0 0 0", "Na1 0.5 0.5 0.5"]
    columns = "label fract_x fract_y fract_z"
    with pytest.raises(InputError, match="names no element"):
        read(tmp_path, cif(["_space_group_name_H-M_alt 'P 1'"], sites, columns=columns))


@pytest.mark.parametrize(
    ("kind", "symbol"), [("Fe3+", "Fe"), ("RE", "Re"), ("Siva", "Si"), ("Cval", "C"), ("H1-", "H"), ("Va", None)]
)
def test_type_symbols_with_charges_and_valences(tmp_path, kind, symbol):
    text = cif(["_space_group_name_H-M_alt 'P 1'"], [f"A1 {kind} 0 0 0"])
    if symbol is None:
        with pytest.raises(InputError, match="names no element"):
            read(tmp_path, text)
    else:
        assert read(tmp_path, text).structure.composition.formula == f"{symbol}1"


# VASP


def poscar(comment, counts):
    places = "".join(f"{place / 10} 0 0\n" for place in range(sum(map(int, counts.split()))))
    return f"{comment}\n10.0\n1 0 0\n0 1 0\n0 0 1\n{counts}\nDirect\n{places}"


def test_a_formula_in_the_comment_line_of_a_poscar_without_symbols(tmp_path):
    found = read(tmp_path, poscar("Mg2FeH6", "2 1 6"), "POSCAR")
    assert [site.specie.symbol for site in found.structure] == ["Mg"] * 2 + ["Fe"] + ["H"] * 6
    assert found.notes == ("elements taken from the comment line: Mg Fe H",)
    assert read(tmp_path, poscar("Re", "1"), "POSCAR").structure.composition.formula == "Re1"
    for comment in ("Mg2FeH6", "MgFeH", "Mg2FeH6!"):
        with pytest.raises(InputError, match="does not name 3"):
            read(tmp_path, poscar(comment, "1 2 6"), "POSCAR")


# outputs and inputs of other programs

PW = """&SYSTEM
 ibrav=0, nat=2, ntyp=2
/
&ELECTRONS
/
ATOMIC_SPECIES
Re 186.2 Re.upf
{label} 2.014 H.upf
ATOMIC_POSITIONS angstrom
Re 0 0 0
{label} 2 2 2
K_POINTS gamma
CELL_PARAMETERS angstrom
4 0 0
0 4 0
0 0 4
"""


@pytest.mark.parametrize("label", ["D", "D1", "T"])
def test_deuterium_of_quantum_espresso(tmp_path, label):
    found = read(tmp_path, PW.format(label=label), "x.pwi")
    assert found.structure.composition.formula == "Re1 H1"
    assert found.notes == ("deuterium or tritium is read as hydrogen",)
    assert read(tmp_path, PW.format(label="H1"), "x.pwi").notes == ()
    with pytest.raises(InputError, match="is no Quantum ESPRESSO input that ASE can read"):  # the list is as it was
        read(tmp_path, PW.format(label="Q"), "x.pwi")


def test_a_group_is_no_element_in_quantum_espresso(tmp_path):
    with pytest.raises(InputError, match=r"no element that crystals hold \(Nh"):
        read(tmp_path, PW.format(label="NH4"), "x.pwi")


ABINIT = """{first}
acell 4 4 4 angstrom
rprim 1 0 0 0 1 0 0 0 1
ntypat 2 natom 2 typat 1 2
znucl 75 1
xred 0 0 0 0.5 0.5 0.5
{last}
"""


@pytest.mark.parametrize(("first", "last"), [("! acell 9 9 9 was too large", ""), ("", "scalecart 1 1 2"), ("", "")])
def test_abinit_inputs_are_refused_for_what_ase_overlooks(tmp_path, first, last):
    with pytest.raises(InputError, match="is an ABINIT input, of which"):
        read(tmp_path, ABINIT.format(first=first, last=last), "x.abi")


def test_a_cube_file_does_not_say_whether_it_is_periodic(tmp_path):
    with (tmp_path / "x.cube").open("w") as file:
        ase.io.write(file, Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], cell=[8, 8, 8]), format="cube")
    with pytest.raises(InputError, match="does not say whether"):
        read_structure(tmp_path / "x.cube")


def test_a_database_of_ase(tmp_path):
    with ase.db.connect(tmp_path / "x.db") as rows:
        for side in (4.0, 4.4):
            rows.write(Atoms("ReH", cell=[side] * 3, pbc=True, scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]]))
    found = read_structure(tmp_path / "x.db")
    assert found.structure.lattice.a == pytest.approx(4.4)
    assert found.notes == ("of 2 frames the last was read (--all-frames takes all)",)


def test_what_ase_cannot_read_is_told_with_its_format_and_frame(tmp_path):
    ase.io.write(tmp_path / "x.extxyz", Atoms("ReH", [[0, 0, 0], [2, 2, 2]], cell=[4] * 3, pbc=True))
    text = (tmp_path / "x.extxyz").read_text()
    with pytest.raises(InputError, match="is no extended XYZ that ASE can read, after frame 2: XYZError"):
        read(tmp_path, text + text + "\n".join(text.splitlines()[:3]) + "\n", "x.extxyz")
    with pytest.raises(InputError, match="it names 'H1', which is no element"):
        read(tmp_path, text.replace("H  ", "H1 "), "x.extxyz")
    with pytest.raises(InputError, match="is in no known format"):
        read(tmp_path, "nothing\n", "x.unknown")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_encodings_of_what_ase_reads(tmp_path, encoding):
    ase.io.write(tmp_path / "x.extxyz", Atoms("ReH", [[0, 0, 0], [2, 2, 2]], cell=[4] * 3, pbc=True))
    path = tmp_path / "marked.xyz"
    path.write_bytes((tmp_path / "x.extxyz").read_text().replace("\n", "\r\n").encode(encoding))
    assert read_structure(path).structure.composition.formula == "Re1 H1"


def test_selective_dynamics_in_a_document_of_pymatgen_are_told(tmp_path):
    structure = Structure(Lattice.cubic(4.0), ["Re", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    structure.add_site_property("selective_dynamics", [[True, True, False], [True] * 3])
    structure.to(str(tmp_path / "x.json"), fmt="json")
    [note] = read_structure(tmp_path / "x.json").notes
    assert note == "selective dynamics: 1 of 2 atoms are marked as fixed; a relaxation moves them too"


@pytest.mark.parametrize("name", ["my_POSCAR", "run.XDATCAR", "OUTCAR.gz", "vasprun.xml", "x.pwo", "x.db"])
def test_files_that_relax_reads_are_hosts_too(name):
    assert is_structure_file(name)
