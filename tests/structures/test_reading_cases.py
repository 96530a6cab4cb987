"""Files as people have them: each is read as what it certainly means, or refused with the reason."""

import bz2
import gzip
import json
import lzma
import shutil
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.constraints import FixAtoms
from pymatgen.core import Lattice, Structure

from ninefold.errors import InputError
from ninefold.structures.files import is_structure_file, read_structure, read_structures, stem_of
from ninefold.structures.symmetry import space_group

CASES = Path(__file__).parent / "data" / "cases"
TABLE = yaml.safe_load((CASES / "expected.yaml").read_text(encoding="utf-8"))
GOOD = (CASES / "good.cif").read_text(encoding="utf-8")
SITES = GOOD[GOOD.index("loop_\n_atom_site") :]
HEAD = GOOD[: GOOD.index("_symmetry_space_group")]
POSCAR = (CASES / "POSCAR_symbols_in_comment").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLE)
def test_every_row_of_the_table(name):
    wanted = TABLE[name]
    if "refused" in wanted:
        with pytest.raises(InputError) as refused:
            read_structure(CASES / name)
        assert wanted["refused"] in str(refused.value)
        assert "\n" not in str(refused.value)
        return
    read = read_structure(CASES / name)
    assert read.structure.composition.reduced_formula == "Mg2FeH6"
    assert space_group(read.structure).number == 225
    if "told" in wanted:
        assert any(wanted["told"] in note for note in read.notes)
    elif not wanted.get("notes"):
        assert read.notes == ()


def test_files_that_the_table_forgets_are_none():
    assert sorted(TABLE) == sorted(file.name for file in CASES.iterdir() if file.name != "expected.yaml")


def read(tmp_path, text, name="x.cif"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_structure(path)


def formula_and_group(found):
    return found.structure.composition.reduced_formula, space_group(found.structure).number


def with_symmetry(*lines):
    return HEAD + "\n".join(lines) + "\n" + SITES


@pytest.mark.parametrize(
    "symbol", ["F m -3 m", "Fm-3m", "F 4/m -3 2/m", "F m 3 m", "f m -3 m", "'F m -3 m '", "F_m_-3_m"]
)
def test_ways_to_write_one_symbol(tmp_path, symbol):
    text = with_symmetry(f"_symmetry_space_group_name_H-M '{symbol.strip(chr(39))}'")
    assert formula_and_group(read(tmp_path, text)) == ("Mg2FeH6", 225)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["_symmetry_space_group_name_H-M 'F m -3 q'"], "no known symbol"),
        (
            ["_symmetry_space_group_name_H-M 'F m -3 m'", "_symmetry_Int_Tables_number 221"],
            "contradicts its own symmetry",
        ),
        (
            ["_space_group_name_Hall '-F 4 2 3'", "_symmetry_space_group_name_H-M 'P m -3 m'"],
            "contradicts its own symm",
        ),
        (["_symmetry_space_group_name_H-M 'P m -3 m'"], "Mg2FeH6, its sites and symmetry give"),
        (["_symmetry_Int_Tables_number 194"], "the cell does not have that of"),
        (["loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z", "-x,y+1/3,z"], "no group"),
        (["loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z", "x,y,q"], "cannot be read"),
        (["loop_", "_symmetry_equiv_pos_as_xyz", "-x,-y,-z"], "without the identity"),
        (["_cell_modulation_dimension 1"], "modulated"),
        (["_cell_volume 300.0"], "contradicts its own cell"),
        (["_symmetry_Int_Tables_number 225", "_exptl_crystal_density_diffrn 2.2"], "contradicts its own density"),
    ],
)
def test_a_cif_that_contradicts_itself_is_refused(tmp_path, lines, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, with_symmetry(*lines))


def without_formula(text):
    return "\n".join(line for line in text.splitlines() if "_chemical_formula_sum" not in line) + "\n"


def test_no_symmetry_and_no_formula_is_p1_and_told(tmp_path):
    found = read(tmp_path, without_formula(HEAD) + SITES)
    assert found.structure.composition.reduced_formula == "MgFeH"
    assert found.notes == ("symmetry not given: taken as P1",)


def test_the_identity_beside_another_symbol_is_believed_only_with_formula_and_count(tmp_path):
    lines = ["_symmetry_space_group_name_H-M 'F m -3 m'", "loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z"]
    with pytest.raises(InputError, match="contradicts its own symmetry"):
        read(tmp_path, without_formula(with_symmetry(*lines)))
    # every atom listed, and the crystal's symbol kept: both ways of reading give one structure
    structure = read_structure(CASES / "good.cif").structure
    rows = [f"{site.specie.symbol} {' '.join(f'{x:.6f}' for x in site.frac_coords)}" for site in structure]
    columns = ["loop_", "_atom_site_type_symbol", *(f"_atom_site_fract_{axis}" for axis in "xyz")]
    found = read(tmp_path, HEAD + "\n".join([*lines, *columns, *rows]) + "\n")
    assert formula_and_group(found) == ("Mg2FeH6", 225)
    assert len(found.structure) == 36
    assert any("the operations were used" in note for note in found.notes)


def spinel(symbol, z=8, shift=0.0):
    """MgAl2O4; origin 2 of F d -3 m puts Mg at 1/8."""
    return f"""data_spinel
_cell_length_a 8.08
_cell_length_b 8.08
_cell_length_c 8.08
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_chemical_formula_sum 'Al2 Mg O4'
_cell_formula_units_Z {z}
_space_group_name_H-M_alt '{symbol}'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg1 {0.125 + shift} {0.125 + shift} {0.125 + shift}
Al1 {0.5 + shift} {0.5 + shift} {0.5 + shift}
O1 {0.2624 + shift} {0.2624 + shift} {0.2624 + shift}
"""


@pytest.mark.parametrize(
    ("symbol", "shift"),
    [
        ("F d -3 m :2", 0),
        ("F d -3 m Z", 0),
        ("F d -3 m", 0),
        ("F d -3 m :1", 0.125),
        ("F d -3 m S", 0.125),
        ("Fd-3m", 0.125),
    ],
)
def test_origin_choices(tmp_path, symbol, shift):
    found = read(tmp_path, spinel(symbol, shift=shift))
    assert formula_and_group(found) == ("MgAl2O4", 227)
    assert len(found.structure) == 56


@pytest.mark.parametrize(("symbol", "shift"), [("F d -3 m :1", 0), ("F d -3 m :2", 0.125)])
def test_the_wrong_origin_is_refused(tmp_path, symbol, shift):
    with pytest.raises(InputError, match=r"its own image|contradicts its own formula"):
        read(tmp_path, spinel(symbol, shift=shift))


def test_a_setting_that_the_file_leaves_open_is_refused(tmp_path):
    text = """data_x
_cell_length_a 5.0
_cell_length_b 6.0
_cell_length_c 7.0
_cell_angle_alpha 90
_cell_angle_beta 100
_cell_angle_gamma 90
_space_group_IT_number 14
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Re1 0.1 0.2 0.3
"""
    with pytest.raises(InputError, match="does not say which setting"):
        read(tmp_path, text)
    named = text.replace("_space_group_IT_number 14", "_space_group_name_H-M_alt 'P 21/n'")
    assert formula_and_group(read(tmp_path, named)) == ("Re", 14)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("H1 H 0.2420 0 0 1", "H1 H ? ? ? 1", "hydrogens without positions: H1"),
        ("Mg1 Mg 0.25 0.25 0.25 1", "Mg1 Mg ? ? ? 1", "an atom without position: Mg1"),
        ("H1 H 0.2420 0 0 1", "H1 H 0.2420 0 0 0.5", "is disordered: H1 has occupancy 0.5"),
        ("Fe1 Fe 0 0 0 1", "Fe1 Fe 0 0 0 0.5\nCo1 Co 0 0 0 0.5", "is disordered: Fe .0.5., Co .0.5. share"),
        ("Fe1 Fe 0 0 0 1", "Fe1 Fe 0 0 0 1\nRu1 Ru 0 0 0 1", "is disordered"),
        ("H1 H 0.2420 0 0 1", "H1 H 0.2420 0.02 0 1", "its own image"),
        ("H1 H 0.2420 0 0 1", "H1 H 0.2420 0 0 1\nH2 H 0.28 0 0 1", "atoms that overlap: H"),
        ("H1 H 0.2420 0 0 1", "H1 Qq 0.2420 0 0 1", "names no element"),
        ("H1 H 0.2420 0 0 1", "H1 H a 0 0 1", "'a' for _atom_site_fract_x"),
        ("H1 H 0.2420 0 0 1", "H1 H 0.2420 0 0", "columns and"),
        ("_cell_length_b 6.443", "_cell_length_b 0", "_cell_length_b 0"),
        ("_cell_length_b 6.443", "", "no _cell_length_b"),
        ("_cell_formula_units_Z 4", "_cell_formula_units_Z 2", "Z = 2"),
        ("data_t", "", "before any data_ block"),
        ("_cell_angle_gamma 90", "_cell_angle_gamma 'open", "a quote that is not closed"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(InputError, match=words) as refused:
        read(tmp_path, GOOD.replace(old, new))
    assert "x.cif" in str(refused.value)


def test_a_wrong_multiplicity_is_refused(tmp_path):
    text = GOOD.replace("_atom_site_occupancy", "_atom_site_occupancy\n_atom_site_symmetry_multiplicity")
    for element, count in (("Mg1", 8), ("Fe1", 4), ("H1", 24)):
        line = next(line for line in GOOD.splitlines() if line.startswith(element))
        text = text.replace(line, f"{line} {count}")
    assert formula_and_group(read(tmp_path, text)) == ("Mg2FeH6", 225)
    with pytest.raises(InputError, match="multiplicity 48"):
        read(tmp_path, text.replace("1 24", "1 48"))


def test_rounded_special_positions_are_one_atom(tmp_path):
    text = """data_mg
_cell_length_a 3.21
_cell_length_b 3.21
_cell_length_c 5.21
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'P 63/m m c'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Mg1 0.33 0.67 0.25
"""
    found = read(tmp_path, text)
    assert len(found.structure) == 2
    assert sorted(np.round(found.structure.frac_coords[:, 0], 6)) == [0.333333, 0.666667]
    assert "moved onto special positions" in found.notes[0]


@pytest.mark.parametrize(
    ("label", "formula", "symbol"),
    [
        ("RE1", "Re", "Re"),
        ("HO1", "Ho", "Ho"),
        ("HO1", "H", "H"),
        ("Ow1", "O", "O"),
        ("D1", "H", "H"),
        ("H12A", "H", "H"),
    ],
)
def test_elements_by_label(tmp_path, label, formula, symbol):
    text = "data_x\n" + "".join(f"_cell_length_{axis} 3\n" for axis in "abc") + f"_chemical_formula_sum {formula}\n"
    text += "_space_group_IT_number 1\nloop_\n_atom_site_label\n"
    text += "".join(f"_atom_site_fract_{axis}\n" for axis in "xyz") + f"{label} 0 0 0\n"
    assert read(tmp_path, text).structure.composition.reduced_formula.startswith(symbol)
    if label == "HO1":
        with pytest.raises(InputError, match="may be Ho or H"):
            read(tmp_path, text.replace(f"_chemical_formula_sum {formula}\n", ""))


def test_encodings_and_line_ends(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        path = tmp_path / "x.cif"
        path.write_bytes(("# Å\n" + GOOD).replace("\n", "\r\n").encode(encoding))
        assert formula_and_group(read_structure(path)) == ("Mg2FeH6", 225)


def test_names_with_dots_and_texts(tmp_path):
    text = GOOD.replace("_cell_length_", "_cell.length_").replace("_atom_site_fract", "_atom_site.fract")
    text = text.replace("data_t", "data_t\n_publ_section_title\n;\nloop_ of data_ and 'quotes\n;\n_x 'it's' # why\n")
    assert formula_and_group(read(tmp_path, text)) == ("Mg2FeH6", 225)


def test_a_magnetic_cif(tmp_path):
    text = """data_m
_cell_length_a 3.0
_cell_length_b 3.0
_cell_length_c 6.0
loop_
_space_group_symop_magn_operation.xyz
x,y,z,+1
-x,-y,-z,+1
loop_
_space_group_symop_magn_centering.xyz
x,y,z,+1
x,y,z+1/2,-1
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Fe1 0 0 0
"""
    found = read(tmp_path, text, "x.mcif")
    assert len(found.structure) == 2
    assert "magnetic moments are left out" in found.notes


def test_all_blocks(tmp_path):
    path = tmp_path / "two.cif"
    path.write_text("data_global\n_x 1\n" + GOOD + GOOD.replace("6.443", "6.5").replace("data_t", "data_u"))
    assert "of 3 data blocks, 2 with atoms" in read_structure(path).notes[0]
    assert [round(found.structure.lattice.a, 3) for found in read_structures(path)] == [6.443, 6.5]


# POSCAR


def poscar_lines(**changes):
    lines = POSCAR.splitlines()
    for place, line in changes.items():
        lines[int(place[1:])] = line
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("comment", ["Mg Fe H", "Mg2 Fe1 H6"])
def test_elements_in_the_comment_line(tmp_path, comment):
    found = read(tmp_path, poscar_lines(_0=comment), "POSCAR")
    assert formula_and_group(found) == ("Mg2FeH6", 225)
    assert found.notes == ("elements taken from the comment line: Mg Fe H",)


@pytest.mark.parametrize("comment", ["Mg Fe", "Mg Mg H", "Mg Fe H hydride", "", "2 1 6"])
def test_a_comment_that_names_no_elements(tmp_path, comment):
    with pytest.raises(InputError, match="no element symbols"):
        read(tmp_path, poscar_lines(_0=comment), "POSCAR")


@pytest.mark.parametrize("scale", ["1.0", "-70.0", "0.9 1.1 1.0", "1.05 ! stretched"])
@pytest.mark.parametrize("is_cartesian", [False, True])
def test_scales_as_ase_reads_them(tmp_path, scale, is_cartesian):
    text = poscar_lines(_1=scale, _5="Mg Fe H\n2 1 6")
    if is_cartesian:
        cell = np.array([line.split() for line in POSCAR.splitlines()[2:5]], dtype=float)
        rows = np.array([line.split()[:3] for line in POSCAR.splitlines()[7:16]], dtype=float) @ cell
        body = "\n".join(" ".join(f"{value:.10f}" for value in row) for row in rows)
        text = text[: text.index("Direct")] + f"cartesian\n{body}\n"
    found = read(tmp_path, text, "POSCAR").structure
    (tmp_path / "plain").write_text(text.replace(" ! stretched", ""), encoding="utf-8")
    oracle = ase.io.read(tmp_path / "plain", format="vasp")
    assert np.allclose(found.lattice.matrix, oracle.cell.array)
    apart = found.frac_coords - oracle.get_scaled_positions(wrap=False)
    assert np.abs(apart - np.round(apart)).max() < 1e-8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_1": "0"}, "line 2"),
        ({"_1": "-1 1 1"}, "line 2"),
        ({"_1": "a"}, "line 2"),
        ({"_3": "1 2"}, "line 4"),
        ({"_5": "Mg Fe H\n2 1"}, "3 numbers of atoms"),
        ({"_5": "Mg Fe Qq\n2 1 6"}, "Qq"),
        ({"_5": "Mg Fe H\n2 1 60"}, "line 18"),
        ({"_5": "Mg Fe H.5\n2 1 6"}, "H.5"),
        ({"_5": "Mg Fe H\n2 1 x"}, "line 7"),
    ],
)
def test_a_broken_poscar_is_refused_with_its_line(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, poscar_lines(**changes), "POSCAR")


def test_potentials_and_isotopes_in_the_names(tmp_path):
    found = read(tmp_path, poscar_lines(_5="Mg_pv Fe/3f D\n2 1 6"), "x.vasp")
    assert formula_and_group(found) == ("Mg2FeH6", 225)
    assert found.notes == ("D is read as hydrogen",)


# SHELX


SHELX = """TITL Mg2FeH6 in Fm-3m
CELL 0.71073 6.443 6.443 6.443 90 90 90
ZERR 4 0.001 0.001 0.001 0 0 0
LATT 4
{symm}
SFAC MG FE H
UNIT 8 4 24
FVAR 0.5 {free}
Mg1 1 10.25 10.25 10.25 {mg} 0.02
Fe1 2 10.0 10.0 10.0 10.0208333 0.01 =
  0.01
H1 3 0.242 10.0 10.0 {h} 0.05
HKLF 4
END
Q1 1 0.1 0.2 0.3 11.0 0.05
"""
FM3M = [
    "-x,-y,z", "-x,y,-z", "x,-y,-z", "z,x,y", "z,-x,-y", "-z,-x,y", "-z,x,-y", "y,z,x", "-y,z,-x", "y,-z,-x", "-y,-z,x",
    "y,x,-z", "-y,-x,-z", "y,-x,z", "-y,x,z", "x,z,-y", "-x,z,y", "-x,-z,-y", "x,-z,y", "z,y,-x", "z,-y,x", "-z,y,x",
    "-z,-y,-x",
]  # fmt: skip


def shelx(mg="10.0416667", h="10.125", free="0.3", symm=FM3M):
    return SHELX.format(mg=mg, h=h, free=free, symm="\n".join(f"SYMM {text}" for text in symm))


def test_shelx_with_its_symmetry_and_its_codes(tmp_path):
    found = read(tmp_path, shelx(), "x.res")
    assert formula_and_group(found) == ("Mg2FeH6", 225)
    assert len(found.structure) == 36


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mg": "10.02083"}, "is disordered: Mg1 has occupancy 0.5"),
        ({"h": "20.125"}, "is disordered: H1 has occupancy 0.3"),
        ({"h": "-20.125"}, "is disordered: H1 has occupancy 0.7"),
        ({"h": "30.125"}, "free variable 3"),
        ({"symm": FM3M[:-1]}, "no group"),
        ({"symm": FM3M[:3], "h": "10.25", "mg": "10.125"}, "occupancy"),
    ],
)
def test_shelx_that_is_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, shelx(**changes), "x.res")


def test_shelx_without_lattice_or_with_parts(tmp_path):
    with pytest.raises(InputError, match="no LATT line"):
        read(tmp_path, shelx().replace("LATT 4\n", ""), "x.res")
    parts = shelx().replace("H1 3", "PART 1\nH1 3").replace("HKLF", "PART 2\nH2 3 0.25 10.0 10.0 10.125 0.05\nHKLF")
    with pytest.raises(InputError, match="PART"):
        read(tmp_path, parts, "x.ins")
    with pytest.raises(InputError, match="UNIT says"):
        read(tmp_path, shelx().replace("UNIT 8 4 24", "UNIT 8 4 28"), "x.res")


# trajectories, documents and what ASE reads


@pytest.fixture
def frames():
    start = Atoms("ReH3", cell=[4, 4, 4], pbc=True, scaled_positions=[[0, 0, 0], [0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4]])
    found = []
    for scale in (1.0, 1.1, 1.2):
        atoms = start.copy()
        atoms.set_cell(start.cell * scale, scale_atoms=True)
        found.append(atoms)
    return found


VASPRUN = """<?xml version="1.0"?><modeling><kpoints><varray name="kpointlist"><v>0 0 0</v></varray>
<varray name="weights"><v>1</v></varray></kpoints><atominfo><atoms>2</atoms><array name="atoms"><set>
<rc><c>Re</c><c>1</c></rc><rc><c>H </c><c>2</c></rc></set></array></atominfo>{calculations}</modeling>"""
CALCULATION = """<calculation><scstep><energy><i name="e_fr_energy">-1</i><i name="e_wo_entrp">-1</i>
<i name="e_0_energy">-1</i></energy></scstep><structure><crystal><varray name="basis">
<v>{a} 0 0</v><v>0 {a} 0</v><v>0 0 {a}</v></varray></crystal><varray name="positions"><v>0 0 0</v><v>0.5 0.5 0.5</v>
</varray></structure><varray name="forces"><v>0 0 0</v><v>0 0 0</v></varray><varray name="stress"><v>0 0 0</v>
<v>0 0 0</v><v>0 0 0</v></varray><energy><i name="e_fr_energy">-1</i></energy></calculation>"""


@pytest.mark.parametrize("name", ["x.extxyz", "x.xyz", "x.traj", "XDATCAR", "x.json", "vasprun.xml", "x.extxyz.gz"])
def test_of_several_frames_the_last_is_read_and_all_can_be(tmp_path, frames, name):
    path = tmp_path / name
    sides = [4.0, 4.4, 4.8]
    if name == "vasprun.xml":
        text = VASPRUN.format(calculations="".join(CALCULATION.format(a=side) for side in sides))
        first = (
            '<structure name="initialpos"><crystal><varray name="basis"><v>4 0 0</v><v>0 4 0</v><v>0 0 4</v></varray>'
        )
        first += '</crystal><varray name="positions"><v>0 0 0</v><v>0.5 0.5 0.5</v></varray></structure>'
        path.write_text(text.replace("<calculation>", first + "<calculation>", 1))
    elif name == "XDATCAR":
        ase.io.write(path, frames, format="vasp-xdatcar")
    elif name.endswith(".gz"):
        ase.io.write(tmp_path / "x.extxyz", frames)
        path.write_bytes(gzip.compress((tmp_path / "x.extxyz").read_bytes()))
    else:
        ase.io.write(path, frames, format="extxyz" if name.endswith("xyz") else None)
    found = read_structure(path)
    assert found.structure.lattice.a == pytest.approx(4.8)
    assert found.notes[0].startswith("of 3 frames the last was read")
    assert [each.structure.lattice.a for each in read_structures(path)] == pytest.approx(sides)


def test_atoms_held_fixed_are_told(tmp_path, frames):
    frames[0].set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "x.traj", frames[0])
    assert "fixed" in read_structure(tmp_path / "x.traj").notes[0]


def test_what_is_not_periodic_or_has_occupancies_is_refused(tmp_path, frames):
    flat = frames[0].copy()
    flat.pbc = (True, True, False)
    ase.io.write(tmp_path / "flat.traj", flat)
    with pytest.raises(InputError, match="not periodic in three directions"):
        read_structure(tmp_path / "flat.traj")
    frames[0].new_array("occupancy", np.array([1.0, 0.5, 1.0, 1.0]))
    ase.io.write(tmp_path / "half.extxyz", frames[0])
    with pytest.raises(InputError, match="disordered"):
        read_structure(tmp_path / "half.extxyz")
    ase.io.write(tmp_path / "x.lammps", frames[1], format="lammps-data")
    with pytest.raises(InputError, match="cannot be read"):
        read_structure(tmp_path / "x.lammps")


def test_documents_of_pymatgen(tmp_path):
    one = Structure(Lattice.cubic(3.0), ["Re", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    mixed = Structure(Lattice.cubic(3.0), [{"K": 0.5, "Rb": 0.5}, "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    charged = one.copy()
    charged.add_oxidation_state_by_element({"Re": 1, "H": -1})
    path = tmp_path / "x.json"
    for document in (one.as_dict(), {"structure": one.as_dict()}, charged.as_dict()):
        path.write_text(json.dumps(document))
        assert read_structure(path).structure == one
        path.write_text(json.dumps(document).replace('"element": "H"', '"element": "D"'))
        assert read_structure(path).structure == one
        assert read_structure(path).notes == ("D is read as hydrogen",)
    path.write_text(json.dumps([one.as_dict(), (one * 2).as_dict()]))
    assert len(read_structures(path)) == 2
    for text, words in (
        (json.dumps(mixed.as_dict()), "is disordered: K .0.5., Rb .0.5. share"),
        ("{}", "JSON without a structure"),
        ("[1, 2", "is no JSON"),
        ('{"lattice": {}, "sites": []}', "no structure of pymatgen"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_structure(path)


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_files(tmp_path, ending, pack):
    for name, text in (("x.cif", GOOD), ("POSCAR", poscar_lines()), ("x.res", shelx())):
        path = tmp_path / f"{name}.{ending}"
        path.write_bytes(pack(text.encode()))
        assert formula_and_group(read_structure(path)) == ("Mg2FeH6", 225)
        path.write_bytes(pack(text.encode())[:-20])
        with pytest.raises(InputError, match="compressed and damaged"):
            read_structure(path)


def test_a_file_is_known_by_its_content(tmp_path):
    for name in ("noname", "x.txt"):
        assert formula_and_group(read(tmp_path, GOOD, name)) == ("Mg2FeH6", 225)
        with pytest.raises(InputError, match="is disordered"):
            read(tmp_path, GOOD.replace("0.2420 0 0 1", "0.2420 0 0 0.5"), name)
    shutil.copy(CASES / "good.cif.gz", tmp_path / "misnamed.cif")
    assert formula_and_group(read_structure(tmp_path / "misnamed.cif")) == ("Mg2FeH6", 225)


def test_names_of_structure_files():
    taken = ["a.cif", "A.CIF.GZ", "POSCAR", "POSCAR.relaxed", "b.vasp", "c.json.bz2", "dir/CONTCAR"]
    assert all(is_structure_file(name) for name in taken)
    assert not any(
        is_structure_file(name) for name in ["hosts", "poscar.py:mine", "poscar:mine", "my.py", "rigid_units"]
    )
    assert [stem_of(Path(name)) for name in ("a.cif.gz", "b.x.vasp", "POSCAR")] == ["a", "b.x", "POSCAR"]
