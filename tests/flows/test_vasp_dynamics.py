"""Molecular dynamics by VASP at the boundary of the process: the flow of a campaign's candidates, a stand-in."""

import gzip
import os
import shutil
import warnings

import numpy as np
import pytest
from pymatgen.core import SETTINGS, Lattice, Structure

from campaign_run import ninefold
from ninefold.dynamics.simulation.pieces import decode_piece
from ninefold.dynamics.trajectories.reading import read_trajectory
from ninefold.dynamics.trajectories.trajectory import FrameChoice
from ninefold.dynamics.trajectories.vasprun import vasp_dynamics
from ninefold.engines.vasp_settings import dynamics_set, read_vasp_settings
from ninefold.errors import InputError
from ninefold.flows.vasp_frames import species_temperatures
from ninefold.models.candidate import Candidate
from ninefold.models.dynamics import DynamicsRecord, TrajectoryRecord
from ninefold.store import open_store
from ninefold.store.records import read_all
from vasp_stand_in import end_xml, head_xml, install, make_potentials, step_xml

pytest.importorskip("atomate2")
pytest.importorskip("custodian")

FRAMES, PIECES, EVERY = 15, 2, 4
ASKED = {
    "method": {"name": "vasp", "model": "mpgga"}, "only": ("K2ReH9",), "temperatures": (200.0, 300.0),
    "picoseconds": FRAMES * PIECES * EVERY * 0.5 / 1000, "piece_frames": FRAMES, "save_every": EVERY, "min_width": 1.0,
    "friction_per_ps": 50.0, "isotope": "D",
}  # fmt: skip
QUICK_LOOKS = {"polling_time_step": 0.2, "monitor_freq": 10}
FAILURES = "2 truncated\n3 truncated\n4 truncated\n"
"""One of two runs is lost, with custodian's further tries if there are any."""


def run_flow(folder):
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from ninefold.campaign import read_campaign
    from ninefold.flows.vasp import VaspMaker
    from ninefold.flows.vasp_dynamics import vasp_dynamics_maker

    maker = vasp_dynamics_maker(ASKED, VaspMaker(vasp_cmd=str(folder / "bin" / "vasp_std"), custodian=QUICK_LOOKS))
    campaign = read_campaign(folder / "campaign.yaml").to_dict()
    flow = maker.make(campaign, f"sqlite:///{folder / 'ninefold.db'}")
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    (folder / "work").mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the potentials are not VASP's
        run_locally(flow, create_folders=True, root_dir=folder / "work", store=store, log=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick, pairs):
    """A campaign whose dynamics are run by flows of the same settings, the first of which loses a run."""
    folder = shutil.copytree(quick, tmp_path_factory.mktemp("vasp_dynamics") / "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(pairs["PYTHONPATH"].split(os.pathsep)[0])
        potentials = make_potentials(folder / "potentials", ["K_sv", "Re_pv", "H"])
        patch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", str(potentials))
        patch.delenv("PMG_VASP_PSP_DIR", raising=False)
        install(folder / "bin", FAILURES, 1.0)
        yield folder


@pytest.fixture(scope="module")
def told(folder):
    """Calls of VASP, pieces, results and faults after each of three runs of the flow."""
    found = []
    for _ in range(3):
        run_flow(folder)
        (folder / "bin" / "fail").write_text("")
        with open_store(folder / "ninefold.db") as store:
            found.append((
                len((folder / "bin" / "log").read_text().splitlines()), list(read_all(store, TrajectoryRecord)),
                list(read_all(store, DynamicsRecord)), store.find("faults", equal={"campaign": "quick"}),
            ))  # fmt: skip
    return found


def test_a_run_that_vasp_lost_is_told_and_made_by_the_next_flow_alone(told):
    (first, some, none, faults), (second, every, [record], left), (third, again, _, _) = told
    assert len(some) == PIECES
    assert none == [], "one run of two says nothing of the whole"
    [fault] = faults
    assert "VASP came to no end of the run" in fault["reason"]
    assert second == first + 1
    assert len(every) == 2 * PIECES
    assert left == []
    assert third == second, "what is stored is not computed again"
    assert {one.id for one in again} == {one.id for one in every}
    assert [one.temperature_K for one in record.temperatures] == [200.0, 300.0]


def test_the_result_is_that_of_any_engine(folder, told):
    [record] = told[-1][2]
    assert record.engine.startswith("VASP, PBE")
    assert (record.evidence, record.rung, record.isotope) == ("MD", "engine", "D")
    assert record.length_ps <= 2 * FRAMES * PIECES * EVERY * 0.0005
    with open_store(folder / "ninefold.db") as store:
        [row] = [row for row in read_all(store, Candidate) if row.dynamics_record]
    assert (row.formula, row.dynamics_record) == ("K2ReH9", record.id)


def test_pieces_hold_what_the_file_does(folder, told):
    """The oracle: pymatgen's parser of the same file."""
    from pymatgen.io.vasp.outputs import Vasprun

    with open_store(folder / "ninefold.db") as store:
        some = sorted((one for one in told[-1][1] if one.temperature_K == 300.0), key=lambda one: one.number)
        pieces = [decode_piece(store.blobs.get(one.content)) for one in some]
    files = [path for path in (folder / "work").rglob("vasprun.xml.gz") if vasp_dynamics(path).temperature_K == 300.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Vasprun(str(files[-1]), parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    places = np.array([structure.cart_coords for structure in run.structures])[EVERY - 1 :: EVERY]
    assert np.concatenate([one.positions for one in pieces]) == pytest.approx(places, abs=1e-4)
    energies = [step["e_0_energy"] for step in run.ionic_steps][EVERY - 1 :: EVERY]
    assert np.concatenate([one.energies for one in pieces]) == pytest.approx(energies, abs=1e-6)
    assert run.incar["MDALGO"] == 3
    assert vasp_dynamics(files[-1]).masses["H"] == pytest.approx(2.014), "deuterium"
    assert run.parameters["POTIM"] == 0.5


def test_the_command_analyses_the_file(folder, told):
    path = next((folder / "work").rglob("vasprun.xml.gz"))
    done = ninefold("dynamics", "analyse", str(path), "--centre", "Re", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f'"temperature_K": {vasp_dynamics(path).temperature_K}' in done.stdout


def test_inputs_are_those_of_the_settings_with_hydrogen_s_time_step():
    settings = read_vasp_settings("mpgga")
    cell = Structure(Lattice.cubic(4), ["H", "K", "H"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]])
    incar = dynamics_set(cell, settings, 400.0, 1000, 0.5, 10.0, "H", 3).incar
    assert {key: incar[key] for key in ("IBRION", "NSW", "POTIM", "TEBEG", "TEEND", "MDALGO", "ISIF", "ISYM")} == {
        "IBRION": 0, "NSW": 1000, "POTIM": 0.5, "TEBEG": 400.0, "TEEND": 400.0, "MDALGO": 3, "ISIF": 2, "ISYM": 0,
    }  # fmt: skip
    assert incar["LANGEVIN_GAMMA"] == [10.0, 10.0]
    assert incar["ENCUT"] == settings.incar["ENCUT"]
    assert "POMASS" not in incar
    assert dynamics_set(cell, settings, 400.0, 9, 0.5, 10.0, "D", 3).incar["POMASS"] == pytest.approx([39.0983, 2.014])


def test_temperatures_come_from_positions():
    """A vibration of known amplitude, across the cell's face: m A^2 w^2 / 2 = 3 kT for one direction of three."""
    from ase import units

    period, amplitude, step = 17.0, 0.1, 0.5
    times = np.arange(0, 20 * period, step)
    x = amplitude * np.sin(2 * np.pi * times / period) % 4.0
    positions = np.zeros((len(times), 2, 3))
    positions[:, 1, 0] = x
    found = species_temperatures(positions, np.eye(3) * 4, ("K", "H"), np.array([39.1, 1.008]), step)
    speed = amplitude * 2 * np.pi / (period * units.fs)
    assert found[:, 0] == pytest.approx(0)
    assert found[:, 1].mean() == pytest.approx(1.008 * speed**2 / 2 / 3 / units.kB, rel=0.02)


def text_of(tags, steps):
    lattice, symbols = np.eye(3) * 4, ["K", "H"]
    head = head_xml(tags, lattice, symbols, [[0, 0, 0], [0.5, 0.5, 0.5]], ["PAW_PBE K", "PAW_PBE H"])
    body = "".join(
        step_xml(-1.0, lattice, [[0, 0, 0], [0.5, 0.5, 0.5 + 0.001 * step]], np.zeros((2, 3)), np.zeros((3, 3)))
        for step in range(steps)
    )
    return head + body + end_xml(lattice, [[0, 0, 0], [0.5, 0.5, 0.5]])


DYNAMICS = {"IBRION": "0", "NSW": "9", "POTIM": "0.7", "TEBEG": "450"}


def test_a_file_says_its_time_step_and_temperature(tmp_path):
    path = tmp_path / "vasprun.xml"
    path.write_text(text_of(DYNAMICS, 9))
    found = read_trajectory(path, None, choice=FrameChoice(every=2))
    assert (found.time_step_fs, found.temperature_K) == (1.4, 450.0)
    assert sum(map(len, found.chunks())) == 5
    with gzip.open(tmp_path / "vasprun.xml.gz", "wb") as packed:
        packed.write(path.read_bytes())
    assert sum(map(len, read_trajectory(tmp_path / "vasprun.xml.gz", None, choice=FrameChoice(skip=3)).chunks())) == 6
    assert read_trajectory(path, None, 500.0).temperature_K == 500.0
    path.write_text(text_of(DYNAMICS | {"TEEND": "900"}, 9))
    assert read_trajectory(path, None).temperature_K is None, "it heats"


def test_a_file_that_ends_early_gives_its_whole_steps(tmp_path):
    path = tmp_path / "vasprun.xml"
    whole = text_of(DYNAMICS, 9)
    path.write_text(whole[: whole.rindex("<calculation>") + 200])
    assert sum(map(len, read_trajectory(path, None).chunks())) == 8


@pytest.mark.parametrize(
    ("text", "step", "words"),
    [
        (text_of(DYNAMICS | {"IBRION": "2"}, 3), None, "is no molecular dynamics: IBRION = 2"),
        (text_of(DYNAMICS, 3), 10.0, "is not that of vasprun.xml: POTIM = 0.7"),
        ("nothing", None, "is no vasprun.xml that can be read"),
        ("", None, "is no vasprun.xml that can be read"),
    ],
)
def test_files_that_are_refused(tmp_path, text, step, words):
    path = tmp_path / "vasprun.xml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_trajectory(path, step)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_run_s_file_is_not_taken(tmp_path):
    from types import SimpleNamespace

    from ninefold.flows.vasp_frames import pieces_of
    from ninefold.stages.dynamics import DynamicsSettings

    (tmp_path / "vasprun.xml").write_text(text_of(DYNAMICS, 9))
    settings = DynamicsSettings.model_validate({"picoseconds": 0.005, "piece_frames": 1})
    line = {"temperature_K": 400.0, "replica": 0}
    with pytest.raises(InputError, match="is another run"):
        next(pieces_of(f"host:{tmp_path}", SimpleNamespace(), settings, line))
    shutil.rmtree(tmp_path)
    with pytest.raises(InputError, match="is missing"):
        next(pieces_of(str(tmp_path), SimpleNamespace(), settings, line))


def test_without_its_jobs_vasp_is_refused():
    from ninefold.flows.dynamics_makers import RunsMaker

    with pytest.raises(InputError, match="vasp_dynamics_maker"):
        RunsMaker().make({}, "", [], 0, ASKED)
