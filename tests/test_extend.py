"""docs/extend.md is followed to the letter: each kind of thing of a user's own takes part in a campaign that is run."""

import csv
import json
import os
import re
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml
from pymatgen.core import Lattice, Structure

from campaign_run import QUICK, ninefold
from installed_package import install, on_path
from ninefold.campaign import parse_campaign, read_campaign
from ninefold.store import open_store

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"
FILES = {
    name: text
    for text in re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    for name in re.findall(r"\A# (\S+)\n", text)
}
LITTLE = {key: value for key, value in QUICK["structures"].items() if key != "sources"} | {"rounds": 1}
"""A budget for seconds."""


def write(folder):
    """The page's files, with a small budget; returns the campaign file."""
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    settings = yaml.safe_load(FILES["mine.yaml"])
    settings["structures"] |= LITTLE
    settings["execution"] = {"workers": 1}
    return save(folder, settings)


def density_of(structure):
    """g/cm3, of a structure as `show` gives it."""
    return Structure.from_dict(structure).density


def save(folder, settings):
    (folder / "mine.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder / "mine.yaml"


def test_the_page_has_a_file_for_each_kind():
    assert set(FILES) == {
        "mine.yaml", "my_rules.py", "my_sources.py", "my_engine.py", "my_stages.py", "my_terms.py", "my_flow.py",
        "my_hull_phases.py",
    }  # fmt: skip


@pytest.mark.parametrize("is_installed", [False, True], ids=["files", "package"])
def test_everything_of_ones_own_takes_part(tmp_path, is_installed):
    folder, environment = tmp_path / "campaign", {}
    campaign, workflow = write(folder), folder / "my_flow.py"
    if is_installed:
        settings = yaml.safe_load(campaign.read_text())
        settings["rules"] = {}  # a rule that a package announces judges without being named
        settings["structures"]["sources"] = ["known_types", "hosts", "my_chains"]
        settings["engine"]["name"] = "my_pairs"
        settings["stages"] = ["my_density"]
        settings["ranking"]["weights"] = {"stability": 0.6, "prior": 0.2, "my_compactness": 0.2}
        save(folder, settings)
        points = {
            "ninefold.rules": {"few_cations": "my_rules:few_cations", "compact": "my_rules:compact"},
            "ninefold.sources": {"my_chains": "my_sources:chains"},
            "ninefold.engines": {"my_pairs": "my_engine:weak_pairs"},
            "ninefold.stages": {"my_density": "my_stages:DENSITY"},
            "ninefold.ranking_terms": {"my_compactness": "my_terms:compactness"},
            "ninefold.workflows": {"tell": "my_flow:make_flow"},
        }
        install(tmp_path / "site", points, name="my-plugin")
        for name in FILES:
            os.replace(folder / name, (folder if name == "mine.yaml" else tmp_path / "site") / name)
        environment, workflow = on_path(tmp_path / "site"), "tell"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = ninefold(
        "run", campaign, "--workflow", workflow, "--store", tmp_path / "x.db", "--json", cwd=elsewhere, env=environment
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    ranked = {row["formula"]: row["id"] for row in told["candidates"] if row["rank"] is not None}
    assert "K2ReH9" in ranked
    show = ninefold("show", "K2ReH9", "--store", tmp_path / "x.db", "--json", cwd=elsewhere)
    candidates = [row for row in json.loads(show.stdout) if row["id"] == ranked["K2ReH9"]]
    assert candidates
    term = "my_compactness" if is_installed else "compactness"
    for candidate in candidates:
        assert candidate["engine"].startswith("weak Lennard-Jones")
        verdicts = {verdict["rule"]: verdict for verdict in candidate["verdicts"]}
        assert verdicts["few_cations"]["passed"] is True
        ratio = candidate["volume_ratio"]
        assert verdicts["compact"]["value"] == pytest.approx(ratio, abs=1e-5)
        assert candidate["terms"][term]["value"] == pytest.approx(min(1, max(0, 2 - ratio)))
        assert candidate["terms"][term]["weight"] == pytest.approx(0.2)
        [best, *_] = candidate["structures"]
        assert candidate["properties"] == {"density": pytest.approx(density_of(best["structure"]))}
    [stage] = [stage for stage in told["funnel"] if stage["stage"] == "density"]
    assert (stage["count_in"], stage["count_out"]) == (len(told["candidates"]), len(told["candidates"]))
    assert "chains hold one anion and no hydride" in json.dumps(told["funnel"])
    assert (tmp_path / "x.db.note").read_text() == "the ranking is there\n"
    if not is_installed:
        for file in folder.glob("*.py"):
            file.unlink()
        _values_of_a_stage_are_asked_for(elsewhere, tmp_path / "x.db", told["candidates"])


def _values_of_a_stage_are_asked_for(folder, store, candidates):
    """Without the file of the stage: what it declared is in the store."""

    def told(*arguments):
        done = ninefold(*arguments, "--store", store, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    densities = sorted((row["density"] for row in candidates), reverse=True)
    middle = (densities[0] + densities[-1]) / 2
    assert densities[0] > middle > densities[-1], "a test of a filter needs two values"
    dense = [density for density in densities if density > middle]
    rows = json.loads(
        told("query", f"density > {middle}", "--sort=-density", "--fields", "_ninefold_density", "--json")
    )
    assert [row["density"] for row in rows] == dense
    told("export", f"_ninefold_density > {middle}", "--out", "dense.csv")
    with (folder / "dense.csv").open() as file:
        exported = [float(row["density"]) for row in csv.DictReader(file)]
    assert sorted(exported, reverse=True) == dense
    told("export", "--out", "all.parquet", "--fields", "formula,density")
    field = pyarrow.parquet.read_schema(folder / "all.parquet").field("density")
    assert field.metadata == {b"unit": b"g/cm3", b"meaning": b"mass density"}
    heading = told("query", "--fields", "formula,density").splitlines()[:2]
    assert [line.split()[-1] for line in heading] == ["density", "g/cm3"]
    [listed] = [row for row in json.loads(told("fields", "--json")) if row["key"] == "density"]
    assert (listed["unit"], listed["kind"], listed["meaning"]) == ("g/cm3", "float", "mass density")
    for arguments in (["query", "densty > 3"], ["query", "--fields", "densty"], ["export", "-o", "x.csv", "densty>3"]):
        misspelt = ninefold(*arguments, "--store", store, cwd=folder)
        assert misspelt.returncode == 2
        assert "'densty' is not a field" in misspelt.stderr
        assert "density" in misspelt.stderr


def test_a_part_of_the_flow_is_exchanged(tmp_path):
    """The same store, first by the shipped flow, then by one that leaves out a phase that every hull needs."""
    campaign, store = write(tmp_path), tmp_path / "x.db"

    def run(*options):
        done = ninefold("run", campaign, "--store", store, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with open_store(store) as opened:
            assert opened.count("references", equal={"name": "Re hcp"}), "relaxed all the same"
            rows = list(opened.find("candidates", equal={"is_competitor": False}))
            [hulls] = opened.find("funnel", equal={"stage": "stability"})
        told = {row["formula"]: (row["e_above_hull"], row["rank"], row["status"]) for row in rows}
        return told, hulls["reasons"], opened_calculations(store)

    shipped, reasons, calculations = run()
    assert reasons == {}
    assert sorted(rank for _, rank, _ in shipped.values()) == [1, 2, 3, 4]
    assert all(distance is not None for distance, _, _ in shipped.values())
    exchanged, reasons, again = run("--workflow", "my_hull_phases.py", "--update")
    assert exchanged == dict.fromkeys(shipped, (None, None, "no_hull"))
    assert reasons == {"no hull: no reference phase of pure Re": 5}
    assert again == calculations, "nothing is computed again"


def opened_calculations(store):
    with open_store(store) as opened:
        return opened.count("calculations")


def test_the_command_line_takes_them_from_the_working_folder(tmp_path):
    write(tmp_path)
    search = ninefold(
        "search", "K2ReH9", "--engine", "my_engine.py:weak_pairs", "--source", "my_sources.py:chains",
        "--relaxations", 1, "--json", cwd=tmp_path,
    )  # fmt: skip
    assert search.returncode == 0, search.stderr
    found = json.loads(search.stdout)
    assert found["engine"] == "weak Lennard-Jones"
    [row] = found["structures"]
    assert row["source"] == "chain"
    Structure(Lattice.cubic(1.6), ["H"], [[0, 0, 0]]).to(filename=str(tmp_path / "POSCAR"), fmt="poscar")
    relax = ninefold("relax", "POSCAR", "--engine", "my_engine.py:weak_pairs", "--json", cwd=tmp_path)
    assert relax.returncode == 0, relax.stdout
    assert json.loads(relax.stdout)["engine"] == "weak Lennard-Jones"
    misspelt = ninefold("relax", "POSCAR", "--engine", "my_engine.py:weak_pair", cwd=tmp_path)
    assert misspelt.returncode == 2
    assert "my_engine.py has no 'weak_pair'" in misspelt.stderr


def test_where_the_files_lie_does_not_count_and_what_they_hold_does(tmp_path):
    def fingerprint(folder):
        return read_campaign(str(folder / "mine.yaml")).fingerprint()

    for name in ("a", "b"):
        write(tmp_path / name)
    before = fingerprint(tmp_path / "a")
    assert fingerprint(tmp_path / "b") == before
    seen = {before}
    for name in ("my_rules.py", "my_sources.py", "my_engine.py", "my_stages.py", "my_terms.py"):
        file = tmp_path / "b" / name
        file.write_text(file.read_text() + "# edited\n")
        seen.add(fingerprint(tmp_path / "b"))
    assert len(seen) == 6


def test_a_campaign_of_names_that_ninefold_ships_keeps_its_fingerprint():
    """Registries must not move the identity of a campaign that names nothing of others."""
    settings = parse_campaign({**QUICK, "engine": {"name": "lj"}})
    assert settings.ranking.content() == settings.ranking.model_dump(mode="json", exclude={"at"})
    assert settings.rules.content() == {**settings.rules.model_dump(mode="json"), "files": []}
