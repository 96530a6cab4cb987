"""What is known goes to a node with its job: nothing is computed twice, after a kill or in a later submission."""

import base64
import gzip
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("fireworks")

from pymatgen.core import Structure

from campaign_run import QUICK
from launchpad_place import address as address
from launchpad_place import place as place
from launchpad_place import submit, wait_until
from ninefold.campaign import parse_campaign
from ninefold.flows.dynamics_jobs import compute_dynamics_of
from ninefold.flows.shards import shard_of
from ninefold.flows.vibration_jobs import compute_vibrations_of
from ninefold.flows.workplace import close_workplaces
from ninefold.models.dynamics import TrajectoryRecord
from ninefold.models.lines import blob_id
from ninefold.models.structure import StructureRecord
from ninefold.run import spool_jobs, spool_server
from ninefold.run.ending import Ending
from ninefold.run.spool_server import SpoolServer, serve
from ninefold.run.spool_worker import work_from_spool
from ninefold.run.submitted_runs import launchpad_of
from ninefold.stages.dynamics import DynamicsSettings
from ninefold.stages.verify_plan import REFERENCE
from ninefold.stages.vibrations import VibrationsSettings
from ninefold.store.records import read_all

pytestmark = pytest.mark.cluster

COUNTED = """
import os
from pathlib import Path

from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

PARAMETERS = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True}


class Counted(LennardJones):
    def calculate(self, *arguments, **options):
        with Path(os.environ["CALLS"]).open("a") as file:
            file.write("x")
        if os.path.getsize(os.environ["CALLS"]) == int(os.environ.get("ENDS_AT", 0)):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
        super().calculate(*arguments, **options)


def engine(settings):
    return ASEEngine("counted", "counted LJ", Counted(**PARAMETERS), (PARAMETERS,), evidence="test")
"""
NODE = (
    "import sys; from pathlib import Path; from ninefold.run.spool_worker import work_from_spool\n"
    "from ninefold.store import spool; spool.FLUSH_SECONDS = 0.0\n"
    "work_from_spool(Path(sys.argv[1]), ['cpu'], idle_seconds=1)"
)
CAMPAIGN = parse_campaign({**QUICK, "engine": {"name": "counted"}}).model_dump(mode="json")
PIECES, STEPS = 5, 8
DYNAMICS = DynamicsSettings(
    method={"name": "counted"}, temperatures=(100,), picoseconds=PIECES * STEPS * 0.5e-3, save_every=2,
    piece_frames=STEPS // 2,
)  # fmt: skip
VIBRATIONS = VibrationsSettings(method={"name": "counted"}, volumes=5, min_width=3, max_steps=0, follow=0)
FCC = Structure.from_spacegroup("Fm-3m", [[1.79, 0, 0], [0, 1.79, 0], [0, 0, 1.79]], ["K"], [[0, 0, 0]])


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The engine installed for this process and those that it starts; gives how often it was called since the last."""
    about = tmp_path / "plugin" / "ninefold_counted-0.dist-info"
    about.mkdir(parents=True)
    (about.parent / "ninefold_counted.py").write_text(COUNTED)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ninefold-counted\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[ninefold.engines]\ncounted = ninefold_counted:engine\n")
    monkeypatch.syspath_prepend(str(about.parent))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(about.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(spool_server, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(spool_server, "LOST_SECONDS", 0.5)

    def since() -> int:
        file = tmp_path / "calls"
        number = file.stat().st_size if file.exists() else 0
        file.unlink(missing_ok=True)
        return number

    yield since
    close_workplaces()
    sys.modules.pop("ninefold_counted", None)


def job_of(kind, store, address):
    cell = FCC if kind == "dynamics" else FCC.get_primitive_structure()
    record = StructureRecord.of(cell)
    store.insert("structures", [record])
    line = {"id": "K", "name": "K fcc", "label": "K fcc", "structure": record.id}
    if kind == "dynamics":
        shard = shard_of(store, [{**line, "repeats": [1, 1, 1], "temperature_K": 100.0, "replica": 0}], 1)
        return compute_dynamics_of(CAMPAIGN, address, shard, 0, DYNAMICS.model_dump(mode="json"))
    shard = shard_of(store, [{**line, "role": REFERENCE}], 1)
    return compute_vibrations_of(CAMPAIGN, address, shard, 0, VIBRATIONS.model_dump(mode="json"))


def emptied(store):
    for collection in ("trajectories", "vibrations", "calculations", "properties"):
        store.delete(collection, equal={"campaign": CAMPAIGN["name"]})


def handed_out(folder, address):
    """What a node gets, as soon as the server has given it out."""
    spool_jobs.make_folder(folder)
    with Ending(None) as ending, launchpad_of(address) as (store, launchpad):
        server = SpoolServer(folder, address, "here", ["cpu"], ending, lambda _: None)
        with server._leased(store) as lease:
            names = wait_until(
                lambda: server.step(store, launchpad, lease) and spool_jobs.job_names_in(folder / "jobs" / "cpu"),
                pause=0.1,
            )
    return spool_jobs.read(folder / "jobs" / "cpu" / names[0])["inputs"]


def computed(folder, address):
    """By this process as a node, to the end."""
    work_from_spool(folder, ["cpu"], idle_seconds=0.2)
    assert serve(folder, address, "here", ["cpu"], until_done=True) == 1


@pytest.mark.parametrize(
    ("kind", "ends_at", "signalled"),
    [("dynamics", 20, signal.SIGKILL), ("dynamics", 20, signal.SIGTERM), ("vibrations", 8, signal.SIGKILL)],
)
def test_a_node_goes_on_where_one_that_was_ended_has_stopped(place, address, tmp_path, calls, kind, ends_at, signalled):
    """Both together compute as often as one that runs through, but for the piece of a run that was not finished."""
    store, _ = place
    emptied(store)
    folder = tmp_path / "spool"
    submit(place, job_of(kind, store, address), has_spool=True)
    handed_out(folder, address)
    told = {"ENDS_AT": str(ends_at), "SIGNAL": str(int(signalled))}
    node = subprocess.run(
        [sys.executable, "-c", NODE, folder], env={**os.environ, **told}, capture_output=True, text=True, timeout=300
    )
    assert node.returncode == (-signalled if signalled == signal.SIGKILL else 0), node.stderr
    first = calls()
    assert first == ends_at, "the node ended in the middle"
    inputs = handed_out(folder, address)
    pieces = sorted(read_all(store, TrajectoryRecord), key=lambda each: each.number)
    contents = {blob_id(gzip.decompress(base64.b64decode(each))) for each in inputs["blobs"].values()}
    if kind == "dynamics":
        assert len(pieces) == 2
        assert pieces[-1].content in contents
        assert len(contents) == 2, "the shard, and of all pieces the last"
        assert inputs["elsewhere"] == [pieces[0].content]
    assert len(list((folder / "stored").iterdir())) == 1
    computed(folder, address)
    second = calls()
    assert list((folder / "stored").iterdir()) == []
    if kind == "dynamics":
        # forces at the start, at each step, once more where the run goes on, and of the piece that was lost
        assert len(list(read_all(store, TrajectoryRecord))) == PIECES
        assert first + second == 1 + PIECES * STEPS + 1 + (ends_at - 2 * STEPS - 1)
        return
    emptied(store)
    submit(place, job_of(kind, store, address), has_spool=True, previous=previous(place))
    handed_out(folder, address)
    computed(folder, address)
    assert first + second == calls() + 1, "the one that was cut short"


def test_a_later_submission_computes_nothing_that_is_known(place, address, tmp_path, calls):
    """Volumes of a phase without the record of all together: a kill between the last of them and that record."""
    store, _ = place
    emptied(store)
    folder = tmp_path / "spool"
    submit(place, job_of("vibrations", store, address), has_spool=True)
    handed_out(folder, address)
    computed(folder, address)
    assert calls() > VIBRATIONS.volumes
    [expansion] = store.find("properties", limit=None)
    store.delete("properties", equal={"id": expansion["id"]})
    submit(place, job_of("vibrations", store, address), has_spool=True, previous=previous(place))
    inputs = handed_out(folder, address)
    assert len(inputs["records"]["vibrations"]) == 1 + VIBRATIONS.volumes
    assert len(inputs["blobs"]) == 1, "force constants and spectra stay where they are"
    computed(folder, address)
    assert calls() == 0
    [again] = store.find("properties", limit=None)
    assert again["id"] == expansion["id"]


def previous(place):
    [found] = place[1].submissions.find({})
    return found
