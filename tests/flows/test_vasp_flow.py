"""VASP's flows at the boundary of the process: a stand-in reads the inputs, fails in VASP's words, writes its files."""

import warnings

import pytest
from pymatgen.core import SETTINGS, Lattice, Structure

from ninefold.errors import InputError
from vasp_stand_in import LJ, install, make_potentials

pytest.importorskip("atomate2")
pytest.importorskip("custodian")

LIH = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(2.95), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]
).get_primitive_structure()
QUICK = {"polling_time_step": 0.2, "monitor_freq": 10}
"""VASP's own runs are looked at every 10 s."""


@pytest.fixture
def potentials(tmp_path, monkeypatch):
    folder = make_potentials(tmp_path / "potentials", ["Li_sv", "H"])
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(folder))
    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    return folder


def run(tmp_path, failures="", **options):
    """Output of a flow with the stand-in, and the folders that it was called in."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from ninefold.flows.vasp import VaspMaker

    command = install(tmp_path / "bin", failures)
    maker = VaspMaker(vasp_cmd=command, custodian=dict(QUICK), **options)
    maker.check([LIH])
    flow = maker.make(LIH)
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    work = tmp_path / "work"
    work.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the potentials are not VASP's
        answers = run_locally(flow, create_folders=True, root_dir=work, store=store, log=False, raise_immediately=True)
    output = answers[flow.output.uuid][1].output if not isinstance(flow.output, dict) else flow.output
    calls = [line.split(" ", 1)[1] for line in (tmp_path / "bin" / "log").read_text().splitlines()]
    return output, calls


def lj_energy(structure):
    from ase.calculators.lj import LennardJones
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.calc = LennardJones(**LJ)
    return atoms.get_potential_energy() / len(atoms)


def test_a_relaxation_comes_back_as_a_run_of_its_method(potentials, tmp_path):
    from ninefold.flows.vasp_output import run_of

    output, calls = run(tmp_path, "2 zbrent\n")
    assert len(calls) == 4  # two relaxations, the second started again by custodian, and a static run
    found = run_of(output)
    assert found.energy_per_atom == pytest.approx(
        lj_energy(found.structure), abs=1e-6
    )  # of the structure it belongs to
    assert found.energy_per_atom < lj_energy(LIH) - 1e-3
    assert found.method.label == "VASP 6.4.2, PBE, 680 eV"
    assert found.potentials == {"Li": "PAW_PBE Li_sv 01Jan2000", "H": "PAW_PBE H 01Jan2000"}
    assert abs(found.forces).max() < 0.02


@pytest.mark.parametrize("failure", ["brmix", "edddav"])
def test_custodian_mends_what_vasp_says(potentials, tmp_path, failure):
    from ninefold.flows.vasp_output import run_of

    output, calls = run(tmp_path, f"1 {failure}\n", mode="static")
    assert len(calls) == 2
    found = run_of(output)
    assert found.notes == (f"custodian corrected: {failure}",)
    assert found.energy_per_atom == pytest.approx(lj_energy(LIH), abs=1e-6)


def test_a_run_that_never_ends_well_is_given_up(potentials, tmp_path):
    with pytest.raises(Exception, match=r"(?i)validation|vasprun|RuntimeError|failed"):
        run(tmp_path, "always truncated\n", mode="static")


def test_labels_of_both_functionals(potentials, tmp_path):
    from ninefold.flows.vasp_output import run_of

    output, calls = run(tmp_path, mode="labels", settings="matpes")
    assert len(calls) == 2
    assert set(output) == {"PBE", "r2SCAN"}
    assert run_of(output["r2SCAN"]).method.functional == "r2SCAN"
    assert run_of(output["PBE"]).method.id != run_of(output["r2SCAN"]).method.id


def test_a_hull_by_vasp_is_stored_as_an_import_is(potentials, tmp_path):
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from ninefold.flows.vasp import VaspHullMaker, VaspMaker
    from ninefold.store import open_store
    from ninefold.store.competition import ToCompute

    # the first structure costs three errors that custodian does not mend, the second is computed
    maker = VaspMaker(vasp_cmd=install(tmp_path / "bin", "1 truncated\n"), mode="static", custodian=dict(QUICK))
    lithium = Structure(Lattice.cubic(3.4), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    items = [
        ToCompute(LIH, "reference", "a", "LiH rocksalt", "LiH", "s", "m", "c"),
        ToCompute(lithium, "reference", "b", "Li bcc", "Li", "s", "m", "c"),
    ]
    address = f"sqlite:///{tmp_path / 'new.db'}"
    flow = VaspHullMaker(vasp_maker=maker).make(items, address)
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = run_locally(flow, create_folders=True, root_dir=tmp_path, store=store, log=False)
    told = answers[flow.output.uuid][1].output
    assert (told["calculations"], told["lost"]) == (1, ["LiH rocksalt"])
    with open_store(address) as opened:
        [calculation] = opened.find("calculations")
        assert calculation["energy_per_atom"] == pytest.approx(lj_energy(lithium), abs=1e-6)
        assert calculation["settings"]["of"] == {"kind": "reference", "id": "b", "name": "Li bcc"}


def test_handlers_are_new_for_every_run():
    from ninefold.flows.vasp import handlers

    first, second = handlers(moves="relaxation"), handlers(moves="relaxation")
    assert {type(each) for each in first} == {type(each) for each in second}
    assert not {id(each) for each in first} & {id(each) for each in second}


def test_r2scan_starts_with_pbesol(potentials):
    from ninefold.flows.vasp import VaspMaker

    sets = []

    def collect(flow):
        for each in flow.jobs:
            if hasattr(each, "jobs"):
                collect(each)
            elif hasattr(each.maker, "input_set_generator"):
                sets.append(each.maker.input_set_generator.incar)

    collect(VaspMaker(settings="mp24").make(LIH))
    assert [str(incar.get("METAGGA") or incar.get("GGA")).upper() for incar in sets] == ["PS", "R2SCAN", "R2SCAN"]
    assert {incar["ENCUT"] for incar in sets} == {680}
    assert [incar.get("POTIM") for incar in sets] == [0.2, 0.2, None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vasp_cmd": "no_such_vasp"}, "'no_such_vasp' cannot be started"),
        ({"vasp_cmd": "env -i no_such_vasp_std"}, "no_such_vasp_std is not found"),
        ({"settings": "hse"}, "'hse' is no set of VASP settings"),
        ({"settings": "matpes"}, "is not for the protocol MatPES"),
        ({"settings": "mp24", "structure": "K"}, "no POTCAR for K_sv in POT_PAW_PBE_64"),
    ],
)
def test_what_is_missing_is_told_before_anything_runs(potentials, options, words):
    from ninefold.flows.vasp import VaspMaker

    options = {"vasp_cmd": "env", **options}
    element = options.pop("structure", "Li")
    with pytest.raises(InputError, match=words):
        VaspMaker(**options).check([Structure(Lattice.cubic(3), [element], [[0, 0, 0]])])


def test_no_folder_of_potentials(monkeypatch):
    from ninefold.flows.vasp import VaspMaker

    monkeypatch.delenv("PMG_VASP_PSP_DIR", raising=False)
    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", None)
    with pytest.raises(InputError, match="PMG_VASP_PSP_DIR"):
        VaspMaker(vasp_cmd="env").check([LIH])
