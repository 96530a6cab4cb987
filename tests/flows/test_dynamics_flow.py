"""`ninefold dynamics candidates` with a cheap engine: what is run, how often, what is stored, and where it is shown."""

import json
import os
import shutil
import signal
import time

import numpy as np
import pytest

from campaign_run import ninefold, start, what_matters
from ninefold.dynamics.simulation.pieces import decode_piece
from ninefold.flows import rebuild
from ninefold.models.candidate import Candidate
from ninefold.models.dynamics import DynamicsRecord, TrajectoryRecord
from ninefold.models.structure import StructureRecord
from ninefold.store import open_store
from ninefold.store.records import read_all

COUNTING = """
import os
import time
from pathlib import Path

from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

PARAMETERS = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True}
LOG = Path(__file__).with_name("steps.txt")


class Counting(LennardJones):
    def calculate(self, *arguments, **options):
        with LOG.open("a") as file:
            file.write("x")
        time.sleep(float(os.environ.get("SLOW", 0)))
        if LOG.stat().st_size > int(os.environ.get("BREAKS_AFTER", 10**9)):
            raise OSError(28, "No space left on device")
        super().calculate(*arguments, **options)


def engine(settings):
    return ASEEngine("counting", "counting LJ", Counting(**PARAMETERS), (PARAMETERS,), evidence="test")
"""
RUN = (
    "--temperature", "100", "--temperature", "300", "--top", "1", "--width", "1", "--save-every", "2",
    "--piece-frames", "20", "--workers", "1",
)  # fmt: skip
SHORT = (*RUN, "--picoseconds", "0.08")
"""Four pieces of 20 fs for each of two runs."""
PIECES = 4
OWN_FILES = {"counting.py": COUNTING}


def records(folder, model=TrajectoryRecord, **equal):
    with open_store(folder / "ninefold.db") as store:
        return list(read_all(store, model, equal=equal))


def frames(folder, kelvin):
    """Positions of a run, shape (f, n_atoms, 3)."""
    with open_store(folder / "ninefold.db") as store:
        pieces = sorted(read_all(store, TrajectoryRecord, equal={"temperature_K": kelvin}), key=lambda one: one.number)
        assert [one.number for one in pieces] == list(range(len(pieces)))
        return np.concatenate([decode_piece(store.blobs.get(one.content)).positions for one in pieces])


def steps(folder):
    file = folder / "steps.txt"
    return file.stat().st_size if file.exists() else 0


def test_run_twice_is_run_once_and_a_longer_run_goes_on(folder, command):
    plan = json.loads(command("dynamics", "candidates", "--method", "pairs", *SHORT, "--dry-run", "--json").stdout)
    [planned] = plan["candidates"]
    assert planned["steps"] == 2 * PIECES * 20 * 2
    assert records(folder) == []
    shown = json.loads(command("dynamics", "candidates", "--method", "pairs", *SHORT, "--json").stdout)
    [told] = shown["dynamics"]
    [record] = records(folder, DynamicsRecord)
    assert told == json.loads(record.model_dump_json())
    assert len(records(folder)) == 2 * PIECES
    assert record.structure == planned["structure"]
    assert [one.temperature_K for one in record.temperatures] == [100.0, 300.0]
    assert record.length_ps <= 0.16
    assert record.is_too_short
    assert record.evidence == "test"
    before = what_matters(folder / "ninefold.db")
    again = command("dynamics", "candidates", "--method", "pairs", *SHORT)
    assert "all known" in again.stderr
    assert what_matters(folder / "ninefold.db") == before
    cold = frames(folder, 100.0)
    command("dynamics", "candidates", "--method", "pairs", *RUN, "--picoseconds", "0.1")
    longer = frames(folder, 100.0)
    assert len(longer) == (PIECES + 1) * 20
    assert np.array_equal(longer[: len(cold)], cold)
    assert len(records(folder, DynamicsRecord)) == 2
    [row] = [row for row in records(folder, Candidate) if row.dynamics_record]
    assert row.dynamics_length > record.length_ps, "a row shows the longest"


def test_killed_half_way_the_same_command_goes_on_to_the_same_trajectory(folder, command, pairs, tmp_path):
    asked = ("dynamics", "candidates", "--method", "counting.py:engine", *SHORT)
    shutil.copytree(folder, tmp_path / "whole")
    process = start(*asked, cwd=folder, env={**pairs, "SLOW": "0.02"})
    deadline = time.monotonic() + 120
    while len(records(folder)) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {one.id for one in records(folder)}
    assert 2 <= len(kept) < 2 * PIECES
    before = steps(folder)
    command(*asked)
    # of each run the forces at its start once more
    assert steps(folder) - before <= (2 * PIECES - len(kept)) * 40 + 2
    assert kept < {one.id for one in records(folder)}
    done = ninefold(*asked, cwd=tmp_path / "whole", env=pairs)
    assert done.returncode == 0, done.stderr
    for kelvin in (100.0, 300.0):
        # to rounding: a list of neighbours that is made anew sums forces in another order
        assert np.allclose(frames(folder, kelvin), frames(tmp_path / "whole", kelvin), rtol=0, atol=1e-5)
    here, there = (what_matters(place / "ninefold.db") for place in (folder, tmp_path / "whole"))
    for name in ("trajectories", "dynamics", "candidates", "funnel"):
        assert set(here[name]) == set(there[name])


def test_what_the_machine_failed_at_is_told_and_done_by_the_next_command(folder, command):
    asked = ("dynamics", "candidates", "--method", "counting.py:engine", *SHORT)
    done = command(*asked, code=1, env={"BREAKS_AFTER": "230"})
    assert "No space left" in done.stderr
    assert PIECES < len(records(folder)) < 2 * PIECES
    assert records(folder, DynamicsRecord) == [], "one run of two says nothing of the whole"
    command(*asked)
    assert len(records(folder)) == 2 * PIECES
    [record] = records(folder, DynamicsRecord)
    assert record.error is None


def test_a_lost_blob_is_told_and_its_piece_run_again(folder, command):
    asked = ("dynamics", "candidates", "--method", "pairs", *SHORT)
    command(*asked)
    whole = frames(folder, 300.0)
    [lost] = [one for one in records(folder) if one.number == 2 and one.temperature_K == 300.0]
    with open_store(folder / "ninefold.db", "write") as store:
        store.blobs.delete(lost.content)
    checked = command("db", "check", code=1).stdout
    assert f"its blob {lost.content} is missing" in checked
    command(*asked)
    assert np.allclose(frames(folder, 300.0), whole, rtol=0, atol=1e-5)
    assert "0 problems" in command("db", "check").stdout


def test_results_stand_in_rows_queries_pages_and_pictures(folder, command):
    command("dynamics", "candidates", "--method", "pairs", *SHORT)
    [record] = records(folder, DynamicsRecord)
    fields = "formula,dynamics_length,is_dynamics_too_short,dynamics_evidence,dynamics_engine"
    asked = ("query", "dynamics_length > 0 AND is_dynamics_too_short = TRUE", "--fields", fields, "--json")
    [row] = json.loads(command(*asked).stdout)
    assert row["dynamics_length"] == record.length_ps
    assert (row["dynamics_evidence"], row["dynamics_engine"]) == ("test", record.engine)
    shown = command("show", row["formula"]).stdout
    assert "Too short for its claim" in shown
    assert f"Forces by {record.engine}" in shown
    [document] = json.loads(command("show", row["formula"], "--json").stdout)
    assert document["dynamics"]["id"] == record.id
    command("report", "--out", "page.html")
    page = (folder / "page.html").read_text()
    assert page.count("<h4>Dynamics</h4>") == 1
    assert "Too short for its claim" in page
    drawn = command("dynamics", "plot", "--candidate", row["formula"], "--out", "drawn").stdout.split()
    # by this potential no shell holds, so that there is no rate to draw
    assert any("no Re keeps so many for" in warning for warning in record.warnings)
    assert [path.rpartition("-")[2] for path in drawn] == ["displacements.svg"]
    for path in drawn:
        assert (folder / path).read_text().startswith("<svg")
    pngs = command(
        "dynamics", "plot", "--candidate", row["formula"], "--out", "drawn", "--format", "png"
    ).stdout.split()
    assert {path[:-4] for path in pngs} == {path[:-4] for path in drawn}
    assert all((folder / path).read_bytes().startswith(b"\x89PNG") for path in pngs)
    refused = command("dynamics", "plot", "--candidate", row["formula"], "--out", "drawn", code=2)
    assert "earlier result" in refused.stderr
    # rows follow from the facts
    with open_store(folder / "ninefold.db") as store:
        assert list(rebuild.changes(store, rebuild.Rebuilt(), lambda *_: None)) == []
    explained = command("rank", "--weights", "stability=1,pseudorotation=1", "--explain", row["formula"]).stdout
    assert "pseudorotation: value 0.000" in explained
    assert "dynamics_evidence test" in explained


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--temperature", "-5"), "a temperature of -5 K must be above 0"),
        (("--picoseconds", "0"), "picoseconds: 0.0 is not allowed"),
        (("--replicas", "0"), "replicas: 0 is not allowed"),
        (("--only", "LiH"), "--only: 'LiH' is no candidate"),
        (("--width", "30"), "has no candidate whose dynamics can be run"),
        (("--method", "nothing"), "--method: 'nothing'"),
        (("--time-step", "9"), "time_step_fs: 9.0 is not allowed"),
    ],
)
def test_bad_input_is_one_line(folder, command, arguments, words):
    done = command("dynamics", "candidates", "--method", "pairs", "--workers", "1", *arguments, code=2)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error")]
    assert words in line
    assert records(folder) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "files are missing; allowed: folders and files of runs, or --candidate FORMULA"),
        (("a.traj", "--candidate", "K2ReH9"), "--candidate: 'K2ReH9' and files are two sources"),
        (("--candidate", "K2ReH9", "--format", "pdf"), "--format: 'pdf' is no format of pictures"),
        (("--candidate", "K9ReH9"), "--candidate: 'K9ReH9' is not in the store"),
        (("--candidate", "K2ReH9"), "has no dynamics in the store"),
        (("nothing.traj", "--out", "drawn"), "nothing.traj"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(folder, command, arguments, words):
    done = command("dynamics", "plot", *arguments, code=2)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error")]
    assert words in line
    assert not (folder / "drawn").exists()


STUDENT = """
from pathlib import Path

from ase.calculators.lj import LennardJones


class Trainer:
    label, settings = "scaled pairs", {}

    def fit(self, frames, folder, seed, start, notify):
        raise AssertionError

    def calculator(self, model):
        return LennardJones(sigma=1.15, epsilon=float(Path(model).read_text()), rc=5.0, smooth=True)
"""


def distilled_from(folder, name, record, epsilon, limit, reasons=()):
    """A folder as `ninefold dynamics distil` leaves it, of a candidate's minimum; its forces are scaled by epsilon."""
    from ninefold.engines import make_engine
    from ninefold.engines.settings import EngineSettings
    from ninefold.keys import file_checksum
    from ninefold.store.records import read

    with open_store(folder / "ninefold.db") as store:
        structure = read(store, StructureRecord, record["structure"]).to_structure()
    (folder / "student.py").write_text(STUDENT)
    made = folder / "potentials" / name
    made.mkdir(parents=True)
    structure.to_ase_atoms(msonable=False).write(made / "start.xyz", format="extxyz")
    (made / "potential.txt").write_text(str(epsilon))
    (made / "distil.json").write_text("{}")
    teacher = make_engine(EngineSettings(name="pairs"))
    result = {
        "student": f"{folder / 'student.py'}:Trainer", "checksum": file_checksum(str(made / "potential.txt")),
        "teacher": {"settings": {"name": "pairs"}, "label": teacher.label, "fingerprint": teacher.fingerprint,
                    "evidence": "test"},
        "species": sorted({str(site.specie) for site in structure}), "atoms": len(structure),
        "settings": {"temperatures_K": [300.0], "force_limit": limit},
        "errors": [{"species": "all", "temperature_K": 300.0, "force_rmse": 0.001}], "reasons": list(reasons),
    }  # fmt: skip
    (made / "result.json").write_text(json.dumps(result))
    return made


def planned(command, *more):
    asked = ("dynamics", "candidates", "--method", "pairs", *SHORT, "--top", "4", "--dry-run", "--json", *more)
    return json.loads(command(*asked).stdout)["candidates"]


def test_a_distilled_potential_runs_its_own_compound_and_is_watched(folder, command):
    """Of four candidates, two with a potential: each is run by its own, and the teacher looks at every tenth frame."""
    first, *others = planned(command)
    other = next(one for one in others if one["formula"] != first["formula"])
    distilled_from(folder, "one", first, 0.02, 0.01)
    distilled_from(folder, "other", other, 0.02, 0.01, reasons=["no barrier was compared"])
    asked = ("dynamics", "candidates", "--method", "distilled:potentials", *SHORT, "--check-every", "10")
    told = json.loads(command(*asked, "--json").stdout)
    assert {one["structure"] for one in told["dynamics"]} == {first["structure"], other["structure"]}
    for record in records(folder, DynamicsRecord):
        assert record.rung == "distilled"
        assert record.is_claimed == (record.structure == first["structure"])
        for one in record.temperatures:
            assert one.checked_frames == 8, "of 80 frames"
            assert one.force_error < 1e-4, "the potential is the teacher itself, but for rounded positions"
        assert "scaled pairs distilled from weak Lennard-Jones" in record.engine
    rows = {row.formula: row for row in records(folder, Candidate) if row.dynamics_record}
    assert {row.dynamics_rung for row in rows.values()} == {"distilled"}
    shown = command("show", other["formula"]).stdout
    assert "Rates are not claimed" in shown
    assert "no barrier was compared" in shown
    assert "all known" in command(*asked).stderr
    # checks are part of what a piece is: without them it is another run
    without = ("dynamics", "candidates", "--method", "distilled:potentials/one", *SHORT, "--check-every", "0", "--json")
    [unwatched] = json.loads(command(*without).stdout)["dynamics"]
    assert not unwatched["is_claimed"]
    assert any("not checked by the teacher" in line for line in unwatched["forces"])


def test_a_run_that_leaves_the_ground_of_its_potential_ends(folder, command):
    [first] = planned(command, "--top", "1")
    distilled_from(folder, "bad", first, 0.04, 0.001)
    asked = ("dynamics", "candidates", "--method", "distilled:potentials/bad", *SHORT, "--check-every", "30", "--json")
    [record] = json.loads(command(*asked).stdout)["dynamics"]
    assert record["error"] == "no run came to its end"
    assert not record["is_claimed"]
    assert "left the ground of its potential: at frame 30" in record["warnings"][0]
    for kelvin in (100.0, 300.0):
        pieces = sorted(records(folder, temperature_K=kelvin), key=lambda one: one.number)
        assert [one.error is None for one in pieces] == [True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: (made / "result.json").unlink(), "holds a distillation that has not ended"),
        (lambda made: (made / "start.xyz").unlink(), "lacks start.xyz"),
        (lambda made: shutil.copytree(made, made.with_name("two")), "has two potentials of"),
        (lambda made: made.joinpath("start.xyz").write_text(
            '1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3 pbc="T T T"\nRe 0 0 0\n'
        ), "is of Re alone, which is no candidate"),
    ],
)  # fmt: skip
def test_a_potential_that_cannot_be_used_is_refused(folder, command, change, words):
    [first] = planned(command, "--top", "1")
    change(distilled_from(folder, "one", first, 0.02, 0.01))
    done = command("dynamics", "candidates", "--method", "distilled:potentials", *SHORT, code=2)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error")]
    assert words in line
    assert records(folder) == []
