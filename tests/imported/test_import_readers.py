"""Calculations of other programs are read as what they are, or refused in one line."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry, ConstantEnergyAdjustment

from ninefold.errors import InputError
from ninefold.imported.read import ImportOptions, read_all
from ninefold.imported.run import check_potentials, difference
from vasp_stand_in import vasprun_text

LIH = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.02), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CELL = LIH.get_primitive_structure().get_sorted_structure()
SYMBOLS = [site.specie.symbol for site in CELL]
GPW = Path(__file__).with_name("lih.gpw")
"""GPAW 26.7.0, plane waves of 300 eV, PBE, 2x2x2 points; energy -6.134056058523631 eV."""


def vasprun(path, energy=-6.0, tags=None, **options):
    text = vasprun_text(CELL.lattice.matrix.tolist(), SYMBOLS, CELL.frac_coords.tolist(), energy, tags, **options)
    path.write_text(text)
    return path


def read(*paths, **options):
    return read_all([str(path) for path in paths], ImportOptions(**options))[0]


def refused(*paths, **options):
    with pytest.raises(InputError) as caught:
        read(*paths, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_finished_run(tmp_path):
    stress = [[10.0, 1.0, 0.0], [1.0, -20.0, 2.0], [0.0, 2.0, 30.0]]  # kbar, VASP's sign
    [run] = read(vasprun(tmp_path / "vasprun.xml", forces=[[0.1, 0, 0], [-0.1, 0, 0]], stress=stress))
    assert run.energy_per_atom == pytest.approx(-3.0)
    assert run.structure.matches(CELL)
    assert run.method.label == "VASP 6.4.2, PBE, 680 eV"
    assert run.potentials == {"Li": "PAW_PBE Li 01Jan2000", "H": "PAW_PBE H 01Jan2000"}
    assert np.allclose(run.forces, [[0.1, 0, 0], [-0.1, 0, 0]])
    assert np.allclose(run.stress, [-1, 2, -3, -0.2, 0, -0.1])  # GPa; xx yy zz yz xz xy, positive under tension


def test_compressed_and_in_folders(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    text = vasprun(tmp_path / "vasprun.xml").read_bytes()
    (tmp_path / "a" / "b" / "vasprun.xml.gz").write_bytes(gzip.compress(text))
    assert len(read(tmp_path)) == 2


@pytest.mark.parametrize(
    ("tags", "functional"),
    [
        ({}, "PBE"), ({"GGA": "Pe"}, "PBE"), ({"GGA": "PS"}, "PBEsol"), ({"METAGGA": "R2scan"}, "r2SCAN"),
        ({"METAGGA": "SCAN"}, "SCAN"),
    ],
)  # fmt: skip
def test_the_functional(tmp_path, tags, functional):
    [run] = read(vasprun(tmp_path / "vasprun.xml", tags=tags))
    assert run.method.functional == functional


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"ENCUT": "520"}, "cutoff_eV 680.0 | 520.0"), ({"GGA": "PS"}, "functional PBE | PBEsol"),
        ({"LREAL": "Auto"}, "real_space_projection False | True"), ({"LASPH": ".FALSE."}, "aspherical True | False"),
        ({"PREC": "Normal"}, "precision accurate | normal"),
    ],
)  # fmt: skip
def test_settings_that_change_energies_are_two_methods(tmp_path, tags, told):
    [first] = read(vasprun(tmp_path / "vasprun.xml"))
    [second] = read(vasprun(tmp_path / "vasprun.xml", tags=tags))
    assert first.method.id != second.method.id
    assert difference(first.method.to_dict(), second.method.to_dict()) == told


@pytest.mark.parametrize("tags", [{"NELM": "99"}, {"LORBIT": "11"}, {"ISPIN": "2"}, {"GGA": "PE"}])
def test_settings_that_change_no_energy_are_one_method(tmp_path, tags):
    [first] = read(vasprun(tmp_path / "vasprun.xml"))
    [second] = read(vasprun(tmp_path / "vasprun.xml", tags=tags))
    assert first.method.id == second.method.id


def test_a_name_keeps_runs_apart(tmp_path):
    file = vasprun(tmp_path / "vasprun.xml")
    [first], [second] = read(file), read(file, variant="mine")
    assert first.method.id != second.method.id


def test_two_potentials_of_one_element_are_refused(tmp_path):
    titles = ["PAW_PBE Li_sv 10Sep2004", "PAW_PBE H 15Jun2001"]
    [first] = read(vasprun(tmp_path / "vasprun.xml"))
    [second] = read(vasprun(tmp_path / "vasprun.xml", titles=titles))
    with pytest.raises(InputError, match=r"Li_sv 10Sep2004 for Li.*Li 01Jan2000"):
        check_potentials([("a", first.potentials), ("b", second.potentials)], "VASP")
    assert check_potentials([("a", first.potentials), ("b", {})], "VASP") == dict(first.potentials)


@pytest.mark.parametrize("part", [0.2, 0.6, 0.97])
def test_a_truncated_file(tmp_path, part):
    file = vasprun(tmp_path / "vasprun.xml")
    file.write_text(file.read_text()[: int(part * len(file.read_text()))])
    assert "ends before its end" in refused(file)
    assert str(file) in refused(file)


def test_runs_that_are_not_converged(tmp_path):
    file = tmp_path / "vasprun.xml"
    assert "NELM = 5" in refused(vasprun(file, tags={"NELM": "5"}))
    relax = {"IBRION": "2", "NSW": "3", "EDIFFG": "-0.01"}
    assert "NSW = 3" in refused(vasprun(file, tags=relax, steps=3))
    pushed = [[0.3, 0, 0], [-0.3, 0, 0]]
    assert "0.300 eV/Å" in refused(vasprun(file, tags=relax, steps=2, forces=pushed))
    assert "molecular dynamics" in refused(vasprun(file, tags={"IBRION": "0", "NSW": "5"}, steps=5))
    [run] = read(vasprun(file, tags=relax, steps=2))
    assert "relaxation" in run.notes[0]
    (tmp_path / "OUTCAR").write_text(" soft stop encountered!  aborting job ...\n")
    assert "stopped" in refused(file)


def test_what_is_no_calculation(tmp_path):
    (tmp_path / "vasprun.xml").write_text("<modeling></modeling>")
    assert "vasprun.xml" in refused(tmp_path / "vasprun.xml")
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert "neither" in refused(tmp_path / "x.json")
    (tmp_path / "y.json").write_text('{"a": ')
    assert "no JSON" in refused(tmp_path / "y.json")
    (tmp_path / "z").write_text("hello")
    assert "none of the files" in refused(tmp_path / "z")
    assert "is not there" in refused(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "no finished calculation" in refused(tmp_path / "empty")


def test_one_bad_file_stops_all_unless_skipped(tmp_path):
    vasprun(tmp_path / "vasprun.xml")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "vasprun.xml").write_text("<?xml")
    assert "--skip" in refused(tmp_path)
    runs, left_out = read_all([str(tmp_path)], ImportOptions(), skips_bad=True)
    assert len(runs) == len(left_out) == 1


def test_a_run_of_another_formula_than_its_inputs(tmp_path):
    (tmp_path / "k2reh9").mkdir()
    entry = {"folder": "k2reh9", "formula": "K2ReH9", "kind": "candidate", "id": "x", "name": "y"}
    (tmp_path / "manifest.json").write_text(json.dumps({"structures": [entry]}))
    vasprun(tmp_path / "k2reh9" / "vasprun.xml")
    assert "a run of LiH, and the inputs of its folder are of K2ReH9" in refused(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"structures": [{**entry, "formula": "Li2H2"}]}))
    [run] = read(tmp_path)
    assert run.of == {"kind": "candidate", "id": "x", "name": "y"}


def test_gpaw_without_gpaw():
    [run] = read(GPW)
    assert run.energy_per_atom == pytest.approx(-6.134056058523631 / 2, abs=1e-12)
    assert run.method.label == "GPAW 26.7.0, PBE, 300 eV"
    assert run.structure.composition.reduced_formula == "LiH"
    assert run.stress[0] == pytest.approx(1.70421784e-02 * 160.21766, rel=1e-6)


def test_a_truncated_gpw(tmp_path):
    (tmp_path / "lih.gpw").write_bytes(GPW.read_bytes()[:3000])
    assert "cannot be read" in refused(tmp_path / "lih.gpw")


ABINIT = """\

.Version 9.6.2 of ABINIT

 -outvars: echo values of preprocessed input variables --------
            ecut      2.20000000E+01 Hartree
             ixc              11
           natom           2
           ntypat           1
            rprim      5.0  0.0  0.1
                       0.0  6.0  0.0
                       0.0  0.0  7.0
            typat      1  1
            znucl        8.0

================================

 ----iterations are completed or convergence reached----

 cartesian coordinates (angstrom) at end:
    1      2.5     2.5     3.7
    2      2.5     2.5     2.5

 cartesian forces (eV/Angstrom) at end:
    1     -0.1    -0.3    0.4
    2     -0.2    -0.4   -0.5

 --- !EnergyTerms
 total_energy_eV     : -1156.5
 Cartesian components of stress tensor (hartree/bohr^3)
  sigma(1 1)=  2.3  sigma(3 2)=  3.1
  sigma(2 2)=  2.4  sigma(3 1)=  3.2
  sigma(3 3)=  2.5  sigma(2 1)=  3.3

END DATASET(S)
"""


def test_abinit_output(tmp_path):
    (tmp_path / "run.abo").write_text(ABINIT)
    [run] = read(tmp_path / "run.abo")
    assert run.energy_per_atom == pytest.approx(-1156.5 / 2)
    assert (run.method.code, run.method.version, run.method.functional) == ("ABINIT", "9.6.2", "PBE")
    assert run.method.settings["cutoff_eV"] == pytest.approx(22 * 27.211386, abs=1e-4)
    (tmp_path / "run.abo").write_text(ABINIT[:400])
    assert "cannot be read" in refused(tmp_path / "run.abo")
    failed = ABINIT.replace(" ----iter", " scprqt:  WARNING - not enough scf cycles to converge\n ----iter", 1)
    (tmp_path / "run.abo").write_text(failed)
    assert "not converged" in refused(tmp_path / "run.abo")


def entry(energy=-6.0, correction=0.0, run_type="GGA", structure=CELL, identifier="mp-23703", **parameters):
    adjustments = [ConstantEnergyAdjustment(correction, name="MP2020 anion correction (H)")] if correction else []
    return ComputedStructureEntry(
        structure, energy, energy_adjustments=adjustments, entry_id=identifier,
        parameters={"run_type": run_type, "hubbards": {}, "is_hubbard": False, **parameters},
    ).as_dict()  # fmt: skip


def entries(path, *items):
    path.write_text(json.dumps(list(items), default=str))
    return path


def test_entries_without_their_corrections(tmp_path):
    spec = [{"titel": "PAW_PBE Li_sv 10Sep2004", "hash": None}, {"titel": "PAW_PBE H 15Jun2001", "hash": None}]
    [run] = read(entries(tmp_path / "e.json", entry(-6.0, -0.179, potcar_spec=spec)))
    assert run.energy_per_atom == pytest.approx(-3.0)
    assert "-90 meV/atom is not taken" in run.notes[0]
    assert run.method.label == "Materials Project, PBE"
    assert run.potentials["Li"] == "PAW_PBE Li_sv 10Sep2004"
    assert "mp-23703" in run.source


def test_entries_corrected_anew(tmp_path):
    file = entries(tmp_path / "e.json", entry(-6.0), entry(-6.0, -0.5))
    first, second = read(file, corrections="MP2020")
    plain, _ = read(file)
    assert first.energy_per_atom == second.energy_per_atom == pytest.approx(-3.0 - 0.179 / 2, abs=1e-3)  # -0.179 per H
    assert first.method.id != plain.method.id
    assert difference(plain.method.to_dict(), first.method.to_dict()) == "corrections none | MP2020"


def test_run_types_of_one_answer_are_two_methods(tmp_path):
    first, second = read(entries(tmp_path / "e.json", entry(run_type="GGA"), entry(run_type="R2SCAN")))
    assert [run.method.functional for run in (first, second)] == ["PBE", "r2SCAN"]
    told = difference(first.method.to_dict(), second.method.to_dict())
    assert told == "functional PBE | r2SCAN"


def test_broken_entries(tmp_path):
    item = entry()
    assert "entry mp-23703" in refused(entries(tmp_path / "e.json", {**item, "structure": {"a": 1}}))
    without = {key: value for key, value in item.items() if key != "structure"}
    assert "has no structure" in refused(entries(tmp_path / "e.json", without))
    assert "Mismatching composition" in refused(entries(tmp_path / "e.json", {**item, "composition": {"K": 1, "H": 1}}))


def optimade(structure=CELL, identifier="one", **fields):
    from optimade.adapters.structures import Structure as Adapter

    made = json.loads(Adapter.ingest_from(structure).entry.model_dump_json(exclude_unset=True))
    return {"id": identifier, "type": "structures", "attributes": {**made["attributes"], **fields}}


def test_optimade_file(tmp_path):
    file = tmp_path / "o.json"
    file.write_text(json.dumps({"data": [optimade(_nfold_energy=-3.25, _nfold_deep={"e": -6.5, "n": None})]}))
    [run] = read(file, method="PBE, 520 eV", energy_field="_nfold_energy")
    assert run.energy_per_atom == -3.25
    assert run.structure.matches(CELL)
    [deep] = read(file, method="PBE, 520 eV", energy_field="_nfold_deep.e", unit="eV/cell")
    assert deep.energy_per_atom == -3.25
    assert deep.method.id != run.method.id
    message = refused(file, method="PBE")
    assert "_nfold_energy, _nfold_deep.e" in message
    assert "--method" in refused(file, energy_field="_nfold_energy")
    assert "has no number in _nfold_x" in refused(file, method="PBE", energy_field="_nfold_x")


@pytest.fixture
def provider():
    """A server on loopback that answers as the OPTIMADE specification has it: pages of one, filters, errors."""
    items = [optimade(identifier="one", _nfold_energy=-3.0), optimade(identifier="two", _nfold_energy=-3.5)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            offset, status = int(query.get("page_offset", ["0"])[0]), 200
            if parts.path != "/v1/structures":
                status, body = 404, {"errors": [{"status": "404", "detail": "no such endpoint"}]}
            elif query.get("filter", [""])[0] == "bad":
                status, body = 400, {"errors": [{"status": "400", "detail": "cannot parse 'bad'"}]}
            else:
                following = f"http://127.0.0.1:{self.server.server_port}/v1/structures?page_offset={offset + 1}"
                more = offset + 1 < len(items)
                body = {"data": items[offset : offset + 1], "links": {"next": following if more else None}, "meta": {}}
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.api+json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_provider_on_loopback(provider):
    options = {"method": "PBE, 520 eV", "energy_field": "_nfold_energy"}
    for address in (provider, f"{provider}/", f"{provider}/v1", f"{provider}/v1/structures"):
        assert [run.energy_per_atom for run in read(address, **options)] == [-3.0, -3.5]
    assert "400 (cannot parse 'bad')" in refused(provider, **options, filter="bad")
    assert "404 (no such endpoint)" in refused(f"{provider}/x", **options)


def test_a_provider_that_is_not_there():
    assert "cannot be reached" in refused("http://127.0.0.1:9/optimade", method="PBE", energy_field="_x")
    assert "http:// or https://" in refused("ftp://127.0.0.1/optimade", method="PBE", energy_field="_x")
