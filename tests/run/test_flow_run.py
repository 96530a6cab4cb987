"""One job that fails stops only those that need its output, as with jobflow's own executor; some errors end the run."""

import pytest
import yaml
from jobflow import Flow, JobConfig, JobStore, OnMissing, Response, job, run_locally
from maggma.stores import MemoryStore

from campaign_run import QUICK, ninefold, what_matters, with_pairs
from ninefold.errors import InputError
from ninefold.run.flow_run import FlowRun
from ninefold.store import StoreError, open_store

RAN = []
"""Names of the jobs that have come to their end."""
WHATEVER = JobConfig(on_missing_references=OnMissing.NONE)


@job
def fine(name, *inputs):
    RAN.append(name)
    return [name, *inputs]


@job(config=WHATEVER)
def undemanding(name, *inputs):
    RAN.append((name, inputs))


ERROR = ZeroDivisionError("nothing")


@job
def failing():
    raise ERROR


@job
def responding(**parts):
    return Response(output=1, **parts)


@job
def replacing():
    parts = [fine("a"), failing(), fine("c")]
    return Response(replace=Flow(parts, output=[part.output for part in parts]))


@job
def adding():
    return Response(output=1, addition=failing(), detour=fine("detour"))


def parallel():
    lost, kept = failing(), fine("kept")
    return Flow([lost, fine("child", lost.output), kept, undemanding("both", lost.output, kept.output)])


def grandchildren():
    lost = failing()
    child = fine("child", lost.output)
    return Flow([lost, child, fine("grandchild", child.output), undemanding("last", child.output), fine("other")])


def replaced():
    planned = replacing()
    return Flow([planned, undemanding("gathered", planned.output)])


def added():
    first = adding()
    return Flow([first, fine("after", first.output)])


def without_children():
    first = responding(stop_children=True)
    child = fine("child", first.output)
    return Flow([first, child, undemanding("grandchild", child.output), fine("other")])


def stopped():
    first = responding(stop_jobflow=True)
    return Flow([first, fine("child", first.output)])


def outputs():
    store = JobStore(MemoryStore())
    store.connect()
    return store


def indices(responses):
    return sorted(sorted(of_job) for of_job in responses.values())


@pytest.mark.parametrize("make", [parallel, grandchildren, replaced, added, without_children, stopped])
def test_the_same_jobs_run_as_by_jobflow(make):
    flow = make()
    RAN.clear()
    theirs = run_locally(flow, store=outputs(), log=False)
    expected = list(RAN)
    RAN.clear()
    told = []
    run = FlowRun(outputs(), lambda name, error: told.append((name, str(error))))
    run.run(flow)
    assert sorted(RAN, key=repr) == sorted(expected, key=repr)
    assert indices(run.responses) == indices(theirs)
    assert told == [("failing", "nothing")] * (make not in (without_children, stopped))


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (ValueError("x"), True), (KeyError("x"), True), (ImportError("x"), True), (RuntimeError("x"), True),
        (InputError("engine", "x"), False), (StoreError("x"), False),
        (OSError(28, "No space left on device"), False), (MemoryError(), False), (KeyboardInterrupt(), False),
    ],
    ids=repr,
)  # fmt: skip
def test_what_every_job_would_meet_ends_the_run(monkeypatch, error, goes_on):
    RAN.clear()
    told = []
    run = FlowRun(outputs(), lambda _, error: told.append(error))
    monkeypatch.setattr(f"{__name__}.ERROR", error)
    first = failing()
    flow = Flow([first, undemanding("other", first.output)])
    if goes_on:
        run.run(flow)
        assert (RAN, told) == ([("other", (None,))], [error])
    else:
        with pytest.raises(type(error)):
            run.run(flow)
        assert (RAN, told) == ([], [])


_FLOW = """
from pathlib import Path

from jobflow import Flow, job

from ninefold.campaign.workflows import workflows
from ninefold.stages.stability import Hulls


@job
def broken(file):
    if not Path(file).exists():
        raise ZeroDivisionError("nothing to divide by")


@job
def behind(output, file):
    Path(file).write_text("ran")


def make_flow(campaign, store):
    screen = workflows().load("screen")(campaign, store)
    if not Path("mended").exists():
        Hulls.assess = WRONG
    first = broken("mended")
    return Flow([first, behind(first.output, "behind"), screen])
"""
SETTINGS = {
    **QUICK,
    "space": [{**QUICK["space"][0], "n": 9}],
    "structures": {**QUICK["structures"], "rounds": 1, "sources": ["known_types"]},
    "execution": {"workers": 1},
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return with_pairs(tmp_path_factory.mktemp("plugin") / "pairs")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, environment):
    """What a run without any error leaves."""
    folder = tmp_path_factory.mktemp("whole")
    prepare(folder, "Hulls.assess")
    (folder / "mended").touch()
    assert run(folder, environment).returncode == 0
    assert (folder / "behind").exists()
    return in_any_folder(folder)


def in_any_folder(folder):
    """What matters, but for the path and the content of the workflow."""
    stored = what_matters(folder / "ninefold.db")
    for campaign in stored["campaigns"].values():
        assert "flow.py" in campaign.pop("workflow")
        assert campaign.pop("workflow_content")
    return stored


def prepare(folder, wrong):
    (folder / "flow.py").write_text(_FLOW.replace("WRONG", wrong))
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SETTINGS))


def run(folder, environment, **more):
    return ninefold("run", "campaign.yaml", "--workflow", "flow.py", cwd=folder, env={**environment, **more})


@pytest.mark.parametrize("wrong", ["Hulls.assess", "None"], ids=["a job of the user's", "a job of ours too"])
def test_an_error_of_a_job_is_told_once_at_the_end_and_the_next_run_mends_it(tmp_path, environment, whole, wrong):
    prepare(tmp_path, wrong)
    is_shown = wrong == "None"
    done = run(tmp_path, environment, **({"NINEFOLD_DEBUG": "1"} if is_shown else {}))
    assert done.returncode == 1
    assert ('flow.py", line' in done.stderr, "Traceback" in done.stderr) == (is_shown, is_shown), "where, on request"
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error:")]
    assert "ZeroDivisionError: nothing to divide by" in line
    assert "'broken'" in line
    assert ("and 1 more" in line) == (wrong == "None")
    assert not (tmp_path / "behind").exists(), "it needs the output"
    with open_store(tmp_path / "ninefold.db") as store:
        [campaign] = store.find("campaigns")
        faults = {(fault["stage"], fault["what"]) for fault in store.find("faults")}
    assert campaign["status"] == "incomplete"
    stored = in_any_folder(tmp_path)
    for facts in ("searches", "minima", "references"):
        assert stored[facts] == whole[facts], "the others have run"
    if wrong == "None":
        assert faults == {("job", "broken"), ("job", "assess stability"), ("stability", "every hull")}
    else:
        assert faults == {("job", "broken")}
        assert stored["candidates"] == whole["candidates"], "ranked"
    (tmp_path / "mended").touch()
    again = run(tmp_path, environment)
    assert again.returncode == 0, again.stderr
    assert in_any_folder(tmp_path) == whole
