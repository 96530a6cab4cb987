"""Inputs of VASP: what pymatgen reads back is the structure and the settings that were asked for."""

import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Incar, Kpoints, Poscar

from campaign_run import ninefold
from ninefold.engines.vasp_settings import VaspSettings, read_vasp_settings
from ninefold.errors import InputError
from ninefold.output.vasp_inputs import write_vasp_inputs
from ninefold.store.competition import ToCompute
from ninefold.structures.reading.comparison import is_same_structure

MG2FEH6 = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(6.443), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
).get_primitive_structure()
H2 = Structure(Lattice.cubic(10), ["H", "H"], [[0, 0, 0], [0.075, 0, 0]])
IRON = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
# three open d electrons by the electron count: DESIGN and FINDINGS have 61 meV/atom for it
K3REH6 = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(8.6), ["Re", "K", "K", "H"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25], [0.2, 0, 0]],
)  # fmt: skip


def item(structure, name="Mg2FeH6 = [FeH6]4-", kind="candidate", id="0123456789-abcdef01"):
    formula = structure.composition.reduced_formula
    return ToCompute(structure, kind, id, name, formula, "s" * 32, "m" * 64, "quick", ("x",))


@pytest.mark.parametrize("preset", ["mpgga", "mp24", "matpes"])
@pytest.mark.parametrize("structure", [MG2FEH6, H2, IRON, K3REH6], ids=lambda each: each.composition.reduced_formula)
def test_pymatgen_reads_back_the_structure(tmp_path, preset, structure):
    [folder] = write_vasp_inputs([item(structure)], tmp_path / "out", read_vasp_settings(preset))
    read = Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure
    assert is_same_structure(read, structure)
    assert np.allclose(sorted(read.lattice.abc), sorted(structure.lattice.abc), atol=1e-12)  # symmetry needs digits
    symbols = [line.split("_")[0] for line in (folder / "POTCAR.spec").read_text().split()]
    assert symbols == [str(symbol) for symbol in Poscar(read).site_symbols]


def test_settings_for_hydrides_stand_in_incar(tmp_path):
    [folder] = write_vasp_inputs([item(MG2FEH6)], tmp_path, read_vasp_settings(None))
    relax, static = Incar.from_file(folder / "INCAR"), Incar.from_file(folder / "INCAR.static")
    for incar in (relax, static):
        assert {key: incar[key] for key in ("ENCUT", "EDIFF", "PREC", "LASPH", "ISMEAR", "SYMPREC", "LREAL")} == {
            "ENCUT": 680, "EDIFF": 1e-6, "PREC": "Accurate", "LASPH": True, "ISMEAR": 0, "SYMPREC": 1e-5,
            "LREAL": False,
        }  # fmt: skip
        assert "LDAUU" not in incar
    assert (relax["EDIFFG"], relax["POTIM"], relax["NSW"], relax["ISIF"]) == (-0.01, 0.2, 99, 3)
    assert (static["NSW"], static["IBRION"]) == (0, -1)
    assert "POTIM" not in static
    assert Kpoints.from_file(folder / "KPOINTS").kpts[0] == (6, 6, 6)


@pytest.mark.parametrize(
    ("structure", "ispin", "moments"),
    [(MG2FEH6, 1, None), (IRON, 2, {"Fe": 3}), (K3REH6, 2, {"Re": 2, "K": 0, "H": 0}), (H2, 1, None)],
    ids=["18 electrons", "iron", "open d shell", "H2"],
)  # fmt: skip
def test_spin_starts_where_d_electrons_are_open(tmp_path, structure, ispin, moments):
    [folder] = write_vasp_inputs([item(structure)], tmp_path, read_vasp_settings(None))
    incar = Incar.from_file(folder / "INCAR")
    species = [site.specie.symbol for site in Poscar.from_file(folder / "POSCAR", check_for_potcar=False).structure]
    assert incar["ISPIN"] == ispin
    assert incar.get("MAGMOM") == (None if moments is None else [moments[symbol] for symbol in species])


@pytest.mark.parametrize("preset", ["mpgga", "mp24"])
def test_a_molecule_keeps_its_box_and_has_one_point(tmp_path, preset):
    [folder] = write_vasp_inputs([item(H2)], tmp_path, read_vasp_settings(preset))
    incar = Incar.from_file(folder / "INCAR")
    assert (incar["ISIF"], incar.get("KSPACING")) == (2, None)
    assert Kpoints.from_file(folder / "KPOINTS").kpts == [(1, 1, 1)]


def test_the_functional_of_each_protocol():
    from ninefold.engines.vasp_settings import input_set

    def tags(**settings):
        incar = input_set(MG2FEH6, VaspSettings(**settings), "static").incar
        return incar.get("GGA"), str(incar.get("METAGGA")).upper(), "KSPACING" in incar

    assert tags(protocol="MP24", functional="r2SCAN") == (None, "R2SCAN", True)
    assert tags(protocol="MP24", functional="PBEsol") == ("Ps", "NONE", True)
    assert tags(protocol="MatPES", functional="PBE") == ("Pe", "NONE", True)
    assert tags() == (None, "NONE", False)  # of the POTCARs, which are PBE's


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("functional: B3LYP", ["functional", "'B3LYP'", "MPGGA", "PBE"]),
        ("protocol: MP24\nfunctional: HSE", ["'HSE'", "r2SCAN, PBE, PBEsol"]),
        ("protocol: MP99", ["protocol", "'MP99'"]),
        ("incar: {METAGGA: SCAN}", ["METAGGA", "functional"]),
        ("incar: {encut: 500}", ["'encut'", "capitals"]),
        ("relax: {ENCUT: {a: 1}}", ["ENCUT"]),
        ("cutoff: 500", ["cutoff"]),
        ("- 1", ["vasp.yaml"]),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, words):
    file = tmp_path / "vasp.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_vasp_settings(str(file))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_file_changes_single_tags_of_its_protocol(tmp_path):
    (tmp_path / "own.yaml").write_text("protocol: MP24\nfunctional: PBE\nincar: {ENCUT: 520}\n")
    settings = read_vasp_settings(str(tmp_path / "own.yaml"))
    shipped = read_vasp_settings("mp24")
    assert settings.incar == {**shipped.incar, "ENCUT": 520}
    assert (settings.protocol, settings.functional, settings.relax) == ("MP24", "PBE", shipped.relax)


def test_an_unknown_set_names_those_that_are():
    with pytest.raises(InputError, match=r"'mp2024'.*matpes, mp24, mpgga"):
        read_vasp_settings("mp2024")


def test_an_element_without_a_potential(tmp_path):
    einsteinium = Structure(Lattice.cubic(4), ["Es", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(InputError, match="no potential for Es"):
        write_vasp_inputs([item(MG2FEH6), item(einsteinium)], tmp_path / "out", read_vasp_settings(None))
    assert not (tmp_path / "out").exists()


def test_results_are_never_touched(tmp_path):
    settings = read_vasp_settings(None)
    first, second = item(MG2FEH6), item(IRON, name="Fe bcc", kind="reference")
    folder, other = write_vasp_inputs([first, second], tmp_path, settings)
    with pytest.raises(InputError, match="--force"):
        write_vasp_inputs([first], tmp_path, settings)
    write_vasp_inputs([first], tmp_path, settings, force=True)
    assert not other.exists()  # of an earlier export alone, and unused
    (folder / "vasprun.xml").write_text("mine")
    before = (folder / "INCAR").read_text()
    with pytest.raises(InputError, match=r"vasprun\.xml.*never touched"):
        write_vasp_inputs([first], tmp_path, read_vasp_settings("mp24"), force=True)
    assert (folder / "INCAR").read_text() == before


def test_candidates_and_their_competitors(finished, tmp_path):
    done = ninefold(
        "export", "--format", "vasp-inputs", "--out", tmp_path / "out", "--limit", "1", "--json", cwd=finished
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    from ninefold.models.structure import StructureRecord
    from ninefold.store import open_store

    with open_store(str(finished / "ninefold.db")) as store:
        [document] = store.find("candidates", equal={"is_best": True}, sort=[("rank", "asc")], limit=1)
    first = manifest["structures"][0]
    assert (first["kind"], first["id"], first["name"]) == ("candidate", document["id"], document["label"])
    names = {entry["name"] for entry in manifest["structures"]}
    assert {"K bcc", "Re hcp", "H2 molecule in a box"} <= names  # the elements of every hull
    assert {phase["name"].split(", minimum")[0] for phase in document["decomposition"]} <= names
    assert counts["candidates"] == 1
    assert counts["competitors"] == len(manifest["structures"]) - 1
    with open_store(str(finished / "ninefold.db")) as store:
        for entry in manifest["structures"]:
            record = StructureRecord.model_validate(store.get("structures", entry["structure"]))
            read = Poscar.from_file(tmp_path / "out" / entry["folder"] / "POSCAR", check_for_potcar=False).structure
            assert is_same_structure(read, record.to_structure())
            assert store.get("methods", entry["method"]) is not None


def test_nothing_is_written_where_nothing_matches(finished, tmp_path):
    done = ninefold("export", "n = 99", "--format", "vasp-inputs", "-o", tmp_path / "out", cwd=finished)
    assert (done.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "matches no candidate" in done.stderr
    done = ninefold("export", "--vasp", "mp24", "-o", tmp_path / "x.csv", cwd=finished)
    assert done.returncode == 2
    assert "vasp-inputs" in done.stderr
