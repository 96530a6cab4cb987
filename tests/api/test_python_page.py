"""docs/python.md is executed block by block, on a small store."""

import contextlib
import importlib
import io
import re
from pathlib import Path

import pytest
import results_sample
from test_paths import _anion

from ninefold.dynamics.simulation.runs import RunSettings, run
from ninefold.store import open_store

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a store of one method, which the page asks."""
    one = [
        record for record in results_sample.records()
        if getattr(record, "method", None) != results_sample.SECOND.id and record.id != results_sample.SECOND.id
    ]  # fmt: skip
    campaign = one[0].model_copy(update={"methods": [results_sample.FIRST.id]})
    rows = [record.model_copy(update={"is_best": True}) if hasattr(record, "is_best") else record for record in one[1:]]
    with open_store(tmp_path / "ninefold.db", mode="write") as store:
        for record in (campaign, *rows):
            store.put(record.collection, [record])
    for kelvin in (300, 600):
        settings = RunSettings(temperature_K=kelvin, save_every=2)
        run(_anion("tricapped trigonal prism", 9), settings, tmp_path / "runs" / f"{kelvin}K", 400, "springs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    return tmp_path


def test_every_block_runs_in_order(folder):
    names, printed = {}, []
    for block in BLOCKS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, str(PAGE), "exec"), names)
        printed.append(out.getvalue())
    assert "quickstart finished ['CHGNet 0.3.0'] 22" in printed[0]
    assert len(printed[1].splitlines()) == 5
    assert "Å³" in printed[2]
    assert "K2ReH9 = [ReH9]2- 4" in printed[3]
    lines = [line.rsplit(" ", 2)[1:] for line in printed[4].splitlines()]
    assert len(lines) > 5
    assert all(float(made) == pytest.approx(float(stored), abs=1e-6) for made, stored in lines)
    assert names["plot"] is not None
    assert printed[-1].startswith("300.0 ")
    assert len(names["mine"].species) == 10


def test_the_page_names_every_method_of_the_results():
    from ninefold.api import Results

    text = PAGE.read_text(encoding="utf-8")
    public = {name for name in vars(Results) if not name.startswith("_")} - {"location"}
    assert [name for name in sorted(public) if f"results.{name}(" not in text and f"results.{name}`" not in text] == []


def test_every_function_that_the_page_names_is_there():
    named = re.findall(r"`ninefold\.([\w.]+)\.(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) >= 5
    for module, name in named:
        assert callable(getattr(importlib.import_module(f"ninefold.{module}"), name))
