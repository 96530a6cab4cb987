"""A fault of the machine is no result: nothing of it is stored, it is told, and a resumed run computes it."""

import importlib
import sys
from types import SimpleNamespace

import pytest
import yaml
from ase.calculators.lj import LennardJones

from campaign_run import COMPUTED, QUICK, ninefold, with_pairs
from ninefold.campaign import parse_campaign
from ninefold.errors import MachineFaultError
from ninefold.run.local import is_finished, run_campaign
from ninefold.store import open_store

FAULTS = [
    ImportError("libtorch_cpu.so: failed to map segment"), OSError("disk"), MemoryError("cells"),
    RuntimeError("CUDA error"), ValueError("of a library"),
]  # fmt: skip
SETTINGS = {**QUICK, "structures": {**QUICK["structures"], "rounds": 1}, "execution": {"workers": 1}}
CAMPAIGN = parse_campaign(SETTINGS)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Raises what it is given when its calls reach a number: the engine of a user's file, in this process."""
    with_pairs(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    state = SimpleNamespace(calls=0, faults={})

    def calculate(self, *arguments, **options):
        state.calls += 1
        if (error := state.faults.pop(state.calls, None)) is not None:
            raise error
        return LennardJones.calculate(self, *arguments, **options)

    module = importlib.import_module("ninefold_pairs")
    monkeypatch.setattr(module, "LennardJones", type("Faulty", (LennardJones,), {"calculate": calculate}))
    yield state
    sys.modules.pop("ninefold_pairs")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Energies of references and candidates without any fault."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        with_pairs(folder)
        patch.syspath_prepend(str(folder))
        run_campaign(CAMPAIGN, str(folder / "s.db"))
    sys.modules.pop("ninefold_pairs")
    return energies(folder / "s.db")


def energies(store):
    with open_store(store) as opened:
        return {
            collection: {row["id"]: row["energy_per_atom"] for row in opened.find(collection, limit=None)}
            for collection in ("references", "candidates")
        }


def status(store):
    with open_store(store) as opened:
        return opened.get("campaigns", CAMPAIGN.name)["status"]


def stored(store):
    """Every text that a store holds, by collection."""
    with open_store(store) as opened:
        return {
            name: [str(row) for row in opened.find(name, limit=None)]
            for name in ("campaigns", "compositions", "candidates", "references", "funnel", "faults", *COMPUTED)
        }


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_an_engine_that_cannot_compute_is_told_before_anything_is_stored(tmp_path, engine, error):
    engine.faults[1] = error
    with pytest.raises(MachineFaultError, match="cannot compute on this machine: ") as told:
        run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    assert f"machine: {'engine raised ' if error is FAULTS[4] else ''}{type(error).__name__}" in str(told.value)
    assert ("mend the engine" if error is FAULTS[4] else "mend the installation") in str(told.value)
    assert not told.value.is_at_end
    assert not any(stored(tmp_path / "s.db").values())


def test_a_fresh_start_discards_nothing_where_the_engine_cannot_compute(tmp_path, engine):
    run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    before = stored(tmp_path / "s.db")
    engine.faults[engine.calls + 1] = OSError("no such device")
    with pytest.raises(MachineFaultError):
        run_campaign(CAMPAIGN, str(tmp_path / "s.db"), fresh=True)
    assert stored(tmp_path / "s.db") == before


@pytest.mark.parametrize("error", [FAULTS[0], FAULTS[4]], ids=repr)
def test_a_reference_that_the_machine_failed_is_relaxed_by_the_next_run(tmp_path, engine, expected, error):
    engine.faults[8] = error  # after the trial, among the first reference phases
    with pytest.raises(MachineFaultError, match=r"nothing was stored of it.*'ninefold resume'") as told:
        run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    is_engine_s = error is FAULTS[4]
    assert ("engine raised ValueError: of a library" in str(told.value)) == is_engine_s
    assert ("the machine failed, not the calculation, for" in str(told.value)) != is_engine_s
    assert told.value.is_at_end
    kept = stored(tmp_path / "s.db")
    assert kept["references"], "the others are relaxed"
    assert not [name for name, texts in kept.items() if name not in ("funnel", "faults") and str(error) in str(texts)]
    with open_store(tmp_path / "s.db") as opened:
        [fault] = opened.find("faults")
        rows = opened.find("candidates")
    assert fault["stage"] == "references"
    assert fault["what"] in str(told.value)
    lacking = [row for row in rows if any(fault["what"] in note for note in row["stability_notes"])]
    assert lacking, "a phase of some system is missing"
    assert all(row["e_above_hull"] is None and row["rank"] is None for row in lacking)
    assert status(tmp_path / "s.db") == "incomplete"
    assert not is_finished(CAMPAIGN, str(tmp_path / "s.db"))
    run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    assert status(tmp_path / "s.db") == "finished"
    assert is_finished(CAMPAIGN, str(tmp_path / "s.db"))
    assert energies(tmp_path / "s.db") == expected


def test_a_search_that_the_machine_failed_is_searched_by_the_next_run(tmp_path, engine, expected, monkeypatch):
    search = importlib.import_module("ninefold.search.prescreen")  # the package has a function of that name
    original, broken = search.evaluate_proposals, []

    def failing_once(*arguments):
        if not broken:
            broken.append(True)
            engine.faults[engine.calls + 1] = RuntimeError("CUDA error")
        return original(*arguments)

    monkeypatch.setattr(search, "evaluate_proposals", failing_once)
    with pytest.raises(MachineFaultError, match=r"the machine failed, .*RuntimeError: CUDA error.*resume") as told:
        run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    assert told.value.is_at_end
    with open_store(tmp_path / "s.db") as opened:
        rows = opened.find("candidates", limit=None)
    [lost] = [row for row in rows if row["status"] == "selected"]
    assert (lost["reasons"], lost["minima"], lost["search_rounds"]) == ({}, [], 0)
    assert any(row["rank"] is not None for row in rows), "the others are ranked"
    assert not is_finished(CAMPAIGN, str(tmp_path / "s.db"))
    run_campaign(CAMPAIGN, str(tmp_path / "s.db"))
    assert is_finished(CAMPAIGN, str(tmp_path / "s.db"))
    assert energies(tmp_path / "s.db") == expected


_UNTIL_MENDED = """
import os

if not os.path.exists("mended"):
    def broken(*arguments, **options):
        raise ImportError("libtorch_cpu.so: failed to map segment")

    LennardJones.calculate = broken
"""


def test_on_the_command_line_with_worker_processes(tmp_path):
    environment = with_pairs(tmp_path)
    with (tmp_path / "ninefold_pairs.py").open("a") as file:
        file.write(_UNTIL_MENDED)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**SETTINGS, "execution": {"workers": 2}}))
    done = ninefold("run", "c.yaml", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error:")]
    assert "'pairs' cannot compute on this machine: ImportError: libtorch_cpu.so" in line
    assert not (tmp_path / "quick-report.html").exists()
    (tmp_path / "mended").touch()
    done = ninefold("run", "c.yaml", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "K2ReH9" in done.stdout
