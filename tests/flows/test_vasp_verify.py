"""A verification by VASP at the boundary of the process: the flow of `ninefold verify`, VASP's jobs, a stand-in."""

import os
import shutil
import warnings

import pytest
from pymatgen.core import SETTINGS, Composition, Lattice, Structure

from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.errors import InputError
from ninefold.models.calculation import Calculation
from ninefold.models.candidate import Candidate
from ninefold.models.structure import StructureRecord
from ninefold.store import open_store
from ninefold.store.records import read_all, read_many
from vasp_stand_in import LJ, install, make_potentials

pytest.importorskip("atomate2")
pytest.importorskip("custodian")

ASKED = {"method": {"name": "vasp", "model": "mpgga"}, "window": 5.0, "only": ("K2ReH9",)}
QUICK_LOOKS = {"polling_time_step": 0.2, "monitor_freq": 10}
SIGMA = 1.0
FAILURES = "1 brmix\n6 truncated\n"
"""The first relaxation of the molecule is mended by custodian; the second single point is lost."""


def run_flow(folder, asked=ASKED):
    """The flow under jobflow's own executor; its output."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from ninefold.campaign import read_campaign
    from ninefold.flows.vasp import VaspMaker
    from ninefold.flows.vasp_verify import vasp_verify_maker

    maker = vasp_verify_maker(asked, VaspMaker(vasp_cmd=str(folder / "bin" / "vasp_std"), custodian=QUICK_LOOKS))
    campaign = read_campaign(folder / "campaign.yaml").to_dict()
    flow = maker.make(campaign, f"sqlite:///{folder / 'ninefold.db'}")
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    (folder / "work").mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the potentials are not VASP's
        run_locally(flow, create_folders=True, root_dir=folder / "work", store=store, log=False)


def calls(folder):
    log = folder / "bin" / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick, pairs):
    """A campaign verified in two runs, of which the first lost a phase, with the number of VASP's runs in each."""
    folder = shutil.copytree(quick, tmp_path_factory.mktemp("vasp_verify") / "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(pairs["PYTHONPATH"].split(os.pathsep)[0])
        potentials = make_potentials(folder / "potentials", ["K_sv", "Re_pv", "H"])
        patch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(potentials))
        patch.delenv("PMG_VASP_PSP_DIR", raising=False)
        install(folder / "bin", FAILURES, SIGMA)
        yield folder


@pytest.fixture(scope="module")
def runs(folder):
    """Calls of VASP, calculations and faults after each of two runs of the same flow, and after a third."""
    told = []
    for _ in range(3):
        run_flow(folder)
        (folder / "bin" / "fail").write_text("")
        with open_store(folder / "ninefold.db") as store:
            [method] = [row["id"] for row in store.find("methods") if row["name"] == "vasp"]
            records = list(read_all(store, Calculation, equal={"method": method}))
            faults = store.find("faults", equal={"campaign": "quick"})
        told.append((calls(folder), records, faults))
    return told


def test_what_vasp_lost_is_told_and_computed_by_the_next_run_alone(runs):
    (first, before, faults), (second, after, none_left), (third, again, _) = runs
    [fault] = faults
    assert "VASP came to no converged energy" in fault["reason"]
    assert len(after) == len(before) + 1
    assert second == first + 1, "one single point"
    assert none_left == []
    assert third == second, "what is stored is not computed again"
    assert {record.id for record in again} == {record.id for record in after}


def test_custodian_s_corrections_stand_with_the_phase(runs):
    [molecule] = [record for record in runs[-1][1] if record.kind == "relax"]
    assert molecule.is_converged
    statics = [record for record in runs[-1][1] if record.kind == "static"]
    assert all(record.settings["run"]["version"] == "6.4.2" for record in statics)


def test_energies_and_forces_are_those_of_the_structure_in_its_own_order(folder, runs):
    """The oracle: the pair potential of the stand-in, on the stored structures."""
    from ase.calculators.lj import LennardJones
    from pymatgen.io.ase import AseAtomsAdaptor

    records = runs[-1][1]
    with open_store(folder / "ninefold.db") as store:
        cells = read_many(store, StructureRecord, [record.final or record.start for record in records])
    for record in records:
        atoms = AseAtomsAdaptor.get_atoms(cells[record.final or record.start].to_structure(), msonable=False)
        atoms.calc = LennardJones(**LJ | {"sigma": SIGMA})
        assert record.energy_per_atom == pytest.approx(atoms.get_potential_energy() / len(atoms), abs=1e-6)
        assert record.forces == pytest.approx(atoms.get_forces(), abs=1e-5)


def test_the_candidate_stands_on_a_hull_of_vasp_alone(folder, runs):
    """The oracle: pymatgen's phase diagram of what the store says of the method."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

    with open_store(folder / "ninefold.db") as store:
        rows = [row for row in read_all(store, Candidate, equal={"evidence": "DFT"}) if row.energy_per_atom is not None]
        [row] = [row for row in rows if row.formula == "K2ReH9"]
        references = store.find("references", equal={"method": row.method, "campaign": "quick"}, limit=None)
    assert row.engine == "VASP, PBE, 680 eV (mpgga)"
    assert row.is_best
    assert row.verification["mode"] == "static"

    def entry(formula, energy):
        return PDEntry(Composition(formula), energy * Composition(formula).num_atoms)

    others = [entry(item["formula"], item["energy_per_atom"]) for item in references if not item["refuted"]]
    others += [entry(each.formula, each.energy_per_atom) for each in rows if each.formula != row.formula]
    own = Composition(row.formula).reduced_formula
    hull = PhaseDiagram([each for each in others if each.composition.reduced_formula != own])
    height = row.energy_per_atom - hull.get_hull_energy_per_atom(Composition(row.formula))
    assert row.phase_separation_energy == pytest.approx(height, abs=1e-6)


def test_a_run_of_another_version_shares_no_hull(folder, runs):
    from ninefold.flows.vasp_output import run_of
    from ninefold.flows.vasp_verify import _other_method
    from ninefold.models.structure import pack_structure

    known = next(record for record in runs[-1][1] if record.kind == "static")
    structure = Structure(Lattice.cubic(3), ["K"], [[0, 0, 0]])
    packed = {
        "structure": pack_structure(structure), "energy_per_atom": -1.0, "forces": None, "stress": None, "steps": None,
        "method": known.settings["run"], "potentials": {"K": "PAW_PBE K_sv 01Jan2000"}, "source": "new", "notes": [],
    }  # fmt: skip
    with open_store(folder / "ninefold.db") as store:
        assert _other_method(store, known.method, run_of(packed)) is None
        told = _other_method(store, known.method, run_of({**packed, "method": packed["method"] | {"version": "5.4.4"}}))
        assert "two share no hull: version 6.4.2 | 5.4.4" in told
        told = _other_method(store, known.method, run_of({**packed, "potentials": {"K": "PAW_PBE K_pv 01Jan2000"}}))
        assert "potential of K PAW_PBE K_sv 01Jan2000 | PAW_PBE K_pv 01Jan2000" in told


def test_what_cannot_run_is_one_line(folder, tmp_path, monkeypatch):
    method = make_engine(EngineSettings(name="vasp"))
    with pytest.raises(InputError, match=r"runs as jobs of a flow.*vasp_verify_maker"):
        method.evaluate([])
    with pytest.raises(InputError, match="runs as jobs of a flow"):
        method.relax([], RelaxSettings())
    method.check_elements(["K", "H"])
    with pytest.raises(InputError, match=r"has no POTCAR for Mg"):
        method.check_elements(["K", "Mg"])
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="is no folder of POTCARs"):
        method.check_elements(["K"])
    with pytest.raises(InputError, match="is not computed by VASP's jobs; allowed: vasp:SETTINGS"):
        run_flow(folder, {"method": {"name": "lj"}})
