"""The reading commands on a finished campaign, and the commands that need no store."""

import csv
import importlib
import io
import json
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import typer
from typer.main import get_command

from campaign_run import ninefold
from ninefold.cli.main import MODULES, command_line
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.quantities import QUANTITIES
from ninefold.store import open_store


def output(*arguments, cwd):
    done = ninefold(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_query_json_has_stable_keys(finished):
    rows = json.loads(output("query", "--json", "--fields", "all", cwd=finished))
    assert set(rows[0]) == set(QUANTITIES)
    assert [row["rank"] for row in rows] == [1, 2, None]
    assert [row["is_competitor"] for row in rows] == [False, False, True]


def test_query_filters_and_sorts(finished):
    text = output("query", "m=1", "--fields", "formula,m", "--format", "csv", cwd=finished)
    assert list(csv.DictReader(io.StringIO(text))) == [{"formula": "K3ReH10", "m": "1"}]
    rows = json.loads(output("query", "--sort=-m", "--json", "--limit", "1", cwd=finished))
    assert rows[0]["formula"] == "K3ReH10"


def test_store_by_environment_and_campaign_file(finished, tmp_path):
    named = ninefold("query", "--json", cwd=tmp_path, env={"NINEFOLD_STORE": str(finished / "ninefold.db")})
    assert len(json.loads(named.stdout)) == 3
    assert len(json.loads(output("query", "--json", "-c", "campaign.yaml", cwd=finished))) == 3


def test_rows_of_several_campaigns_say_of_which(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "two")
    with open_store(str(tmp_path / "two" / "ninefold.db"), "write") as store:
        of_both = {"campaigns": CampaignRecord, "candidates": Candidate}
        for collection, model in of_both.items():
            for row in list(store.iterate(collection)):
                renamed = {"name": "other"} if collection == "campaigns" else {"campaign": "other"}
                other = {**row, **renamed, "id": f"other {row['id']}"}
                store.put(collection, [model.model_validate(other)])
    rows = json.loads(output("query", "--json", cwd=tmp_path / "two"))
    assert sorted(row["campaign"] for row in rows) == ["other"] * 3 + ["tiny"] * 3
    assert "campaign" not in json.loads(output("query", "--json", "-c", "other", cwd=tmp_path / "two"))[0]
    assert "campaign" not in json.loads(output("query", "--json", "--fields", "formula", cwd=tmp_path / "two"))[0]


def test_distances_of_a_candidate_are_stored_and_judged(finished):
    [document] = json.loads(output("show", "K2ReH9", "--json", cwd=finished))
    assert document["shortest_m_m"] == document["structures"][0]["shortest_m_m"] > 4
    verdicts = {verdict["rule"]: verdict for verdict in document["verdicts"]}
    assert verdicts["centre_separation"]["value"] == pytest.approx(document["shortest_m_m"], abs=1e-5)
    assert verdicts["metal_hydrogen_distance"]["value"] == pytest.approx(document["shortest_m_h"], abs=1e-5)
    assert json.loads(output("query", "shortest_m_m > 4", "--fields", "formula", "--json", cwd=finished))


def test_an_anion_or_a_deuteride_finds_its_candidate(finished):
    [document] = json.loads(output("show", "K2[ReD9]", "--json", cwd=finished))
    assert document["formula"] == "K2ReH9"
    assert {row["formula"] for row in json.loads(output("show", "[ReH9]2-", "--json", cwd=finished))} == {
        "K2ReH9", "K3ReH10",
    }  # fmt: skip
    done = ninefold("query", 'formula = "K2ReD9"', "--json", cwd=finished)
    assert [row["formula"] for row in json.loads(done.stdout)] == ["K2ReH9"]
    assert "read as hydrogen" in done.stderr


def test_all_fields_are_printed_one_a_line(finished):
    text = output("query", "--fields", "all", "--limit", "1", cwd=finished)
    [line] = [line for line in text.splitlines() if line.startswith("volume_per_formula_unit")]
    assert line.split()[-1] == "Å³"
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_show_explains_a_candidate(finished):
    text = output("show", "K2ReH9", cwd=finished)
    for word in ("K2ReH9 = [ReH9]2-", "Competing phases", "Reference structures", "electron_count", "Under hydrogen"):
        assert word in text
    [document] = json.loads(output("show", "ReK2H9", "--json", cwd=finished))
    assert document["label"] == "K2ReH9 = [ReH9]2-"


def test_status(finished):
    state = json.loads(output("status", "--json", cwd=finished))
    assert state["status"] == "finished"
    assert state["searched"] == state["compositions"] == 2
    assert "prescreen" in output("status", cwd=finished)


@pytest.mark.parametrize(
    ("kind", "ending"), [("cif", ".cif"), ("poscar", ".POSCAR"), ("extxyz", ".xyz")], ids=lambda value: value.strip(".")
)
def test_export_structures_reads_back(finished, tmp_path, kind, ending):
    import ase.io
    from pymatgen.core import Structure

    answer = json.loads(output("export", "--format", kind, "--out", tmp_path / "out", "--json", cwd=finished))
    files = sorted((tmp_path / "out").glob(f"*{ending}"))
    assert sorted(answer["written"]) == [str(file) for file in files]
    for file in files:
        if kind == "extxyz":
            formula = ase.io.read(file).get_chemical_formula()
            assert "Re" in formula
        else:
            text = file.read_text()
            structure = Structure.from_str(text, fmt=kind)
            assert {"K", "Re", "H"} == {site.specie.symbol for site in structure}


def test_export_of_every_minimum_is_told_as_it_is(finished, tmp_path):
    import ase.io

    documents = json.loads(output("query", "--json", "--fields", "formula", cwd=finished))
    minima = [
        found
        for row in documents
        for document in json.loads(output("show", row["formula"], "--json", cwd=finished))
        for found in document["structures"]
        if found["is_valid"]
    ]
    told = output("export", "--all-minima", "--out", "all.xyz", cwd=finished)
    assert told.startswith(f"wrote {len(minima)} structure")
    assert f"of {len(documents)} candidates" in told
    assert told.rstrip().endswith("extxyz, file all.xyz")
    frames = ase.io.read(finished / "all.xyz", index=":")
    assert [frame.get_potential_energy() / len(frame) for frame in frames] == pytest.approx(
        [found["energy_per_atom"] for found in minima]
    )
    assert {frame.info["evidence"] for frame in frames} == {"ML"}
    assert {frame.info.get("seed") for frame in frames} == {3}
    assert "folder" in output("export", "--out", f"{tmp_path}/folder/", cwd=finished)
    assert (tmp_path / "folder").is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.pdb"], ["--out", "x.pdb", ".extxyz"]),
        (["--out", "x.csv", "--format", "cif"], ["--out", "x.csv", "cif"]),
        (["--out", "x.csv", "--all-minima"], ["--all-minima", "table"]),
    ],
)
def test_an_export_that_cannot_be_is_one_line(finished, arguments, words):
    before = sorted(finished.iterdir())
    done = ninefold("export", *arguments, cwd=finished)
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert all(word in line for word in words)
    assert sorted(finished.iterdir()) == before


def test_show_describes_the_crystal(finished):
    [document] = json.loads(output("show", "K2ReH9", "--json", cwd=finished))
    description = document["structures"][0]["description"]
    text = output("show", "K2ReH9", cwd=finished)
    assert f"Space group {description['space_group_symbol']} ({description['space_group_number']})" in text
    assert f"{description['metal_space_group_symbol']} ({description['metal_space_group_number']})" in text
    assert f"a {description['a']:.3f}" in text
    first = description["sites"][0]
    assert f"{first['multiplicity']}{first['letter']}" in text
    assert f"{first['position'][0]:.4f}" in text


def test_export_tables(finished, tmp_path):
    import pyarrow.parquet

    for name in ("t.csv", "t.json", "t.parquet"):
        output("export", "--out", tmp_path / name, cwd=finished)
    assert len(json.loads((tmp_path / "t.json").read_text())) == 3
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").num_rows == 3


def test_report_shows_the_best_and_reads_no_more_documents(finished, monkeypatch):
    from ninefold.cli.locate import report_parts
    from ninefold.store import open_store
    from ninefold.store.schema import COLLECTIONS

    with open_store(finished / "ninefold.db") as repository:
        whole = []
        find, get_many = repository.find, repository.get_many

        def listed(collection, *arguments, fields=None, **options):
            rows = find(collection, *arguments, fields=fields, **options)
            if collection == "candidates" and (fields is None or not set(fields) <= set(COLLECTIONS["candidates"])):
                whole.extend(row["id"] for row in rows)
            return rows

        def fetched(collection, ids):
            whole.extend(ids if collection == "candidates" else [])
            return get_many(collection, ids)

        monkeypatch.setattr(repository, "find", listed)
        monkeypatch.setattr(repository, "get_many", fetched)
        _, _, shown, _, rest = report_parts(repository, "tiny", top=1)
        others = list(rest)
        assert whole == [shown[0]["id"]]
    assert shown[0]["rank"] == 1
    assert sorted(row["rank"] or 9 for row in others) == [2, 9]


def test_report_with_a_number_of_candidates(finished, tmp_path):
    output("report", "--top", "1", "--out", tmp_path / "r.html", cwd=finished)
    html = (tmp_path / "r.html").read_text()
    assert html.count('<details class="candidate">') == 1
    assert "Shown: the 1 best of 3 candidates; the other 2 are counted below" in html
    refused = ninefold("report", "--top", "0", cwd=finished)
    assert refused.returncode == 2
    assert "--top" in refused.stderr


def test_report(finished, tmp_path):
    output("report", "--out", tmp_path / "r.html", cwd=finished)
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_explain(tmp_path):
    answer = json.loads(output("explain", "Li5MoH11", "--json", cwd=tmp_path))
    assert answer["accepted"] is True
    assert answer["assignments"][0]["anion"] == "[MoH9]3-"
    verdict = answer["assignments"][0]["verdicts"][0]
    assert {"rule", "mode", "value", "unit", "bound", "passed", "score", "reason", "source"} == set(verdict)
    walled = json.loads(output("explain", "Li5MoH11", "--rules", "group-wall", "--json", cwd=tmp_path))
    assert walled["accepted"] is False
    none = json.loads(output("explain", "K2ReH8", "--json", cwd=tmp_path))
    assert none["accepted"] is False
    assert "K2ReH9" in none["diagnosis"]["nearest"]


@pytest.mark.parametrize(("name", "count"), [("quickstart", 22), ("wide-12", 59970), ("wide-9", 41874)])
def test_enumerate_count(tmp_path, name, count):
    assert output("enumerate", name, "--count", cwd=tmp_path).strip() == str(count)


def test_enumerate_writes_tables(tmp_path):
    rows = json.loads(output("enumerate", "quickstart", "--json", cwd=tmp_path))
    assert len(rows) == 22
    output("enumerate", "quickstart", "--out", "c.parquet", cwd=tmp_path)
    output("enumerate", "quickstart", "--out", "c.csv", "--rules", cwd=tmp_path)
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 23


def test_new_campaign_is_valid(tmp_path):
    output("campaign", "new", "mine.yaml", cwd=tmp_path)
    assert "2 compositions" in output("campaign", "check", "mine.yaml", cwd=tmp_path)
    assert ninefold("campaign", "new", "mine.yaml", cwd=tmp_path).returncode == 2


def test_schema_is_json_schema(tmp_path):
    schema = json.loads(output("campaign", "schema", cwd=tmp_path))
    assert schema["additionalProperties"] is False
    assert "seed" in schema["properties"]


@pytest.mark.parametrize("command", [["list"], ["show", "takagi"], ["recall"], ["compare", "takagi", "group-wall"]])
def test_rules_commands(tmp_path, command):
    output("rules", *command, cwd=tmp_path)
    json.loads(output("rules", *command, "--json", cwd=tmp_path))


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["query", "--json"]], ids=" ".join)
def test_quick_answers_import_nothing_heavy(finished, arguments):
    code = (
        "import sys; sys.argv = ['ninefold', *sys.argv[1:]]\n"
        "from ninefold.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pymatgen', 'jobflow', 'chgnet', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imports {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=finished, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_of_every_command(tmp_path):
    text = output("--help", cwd=tmp_path)
    for command in ("run", "resume", "status", "query", "show", "explain", "export", "report", "enumerate"):
        assert command in text


def test_the_table_of_commands_is_what_the_modules_add():
    for name, commands in MODULES.items():
        app = typer.Typer()
        importlib.import_module(f"ninefold.cli.{name}").register(app)
        added = {command.name or command.callback.__name__ for command in app.registered_commands}
        added |= {group.name or group.typer_instance.info.name for group in app.registered_groups}
        assert added == set(commands), name
        assert set(get_command(command_line(commands[-1])).commands) == set(commands)
    every = [command for commands in MODULES.values() for command in commands]
    assert sorted(get_command(command_line()).commands) == sorted(every)


def test_a_command_imports_no_other_s_module(tmp_path):
    code = (
        "import sys; sys.argv = ['ninefold', 'query', '--help']\n"
        "from ninefold.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit('imports xrd' if 'ninefold.cli.xrd' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: ninefold query" in done.stdout


def test_enumerate_counts_gates_and_draws_a_map(tmp_path):
    funnel = json.loads(output("enumerate", "wide-9", "--funnel", "--json", cwd=tmp_path))
    assert funnel["compositions"] == 41874
    assert funnel["kept"] == funnel["compositions"] - sum(funnel["rejected"].values())
    assert f"{funnel['kept']:,} of 41,874" in output("enumerate", "wide-9", "--funnel", cwd=tmp_path)
    counts = json.loads(output("enumerate", "wide-9", "--rules", "--map", "--json", cwd=tmp_path))
    assert sum(counts["centre"].values()) == funnel["kept"]
    assert counts["centre"]["Mo"] > 0
    assert "compositions by counter-cation" in output("enumerate", "wide-9", "--map", cwd=tmp_path)
    output("enumerate", "wide-9", "--map", "--out", "map.svg", cwd=tmp_path)
    assert ElementTree.parse(tmp_path / "map.svg").getroot().tag.endswith("svg")
    assert ninefold("enumerate", "wide-9", "--map", "--count", cwd=tmp_path).returncode == 2
    assert ninefold("enumerate", "wide-9", "--map", "--out", "map.png", cwd=tmp_path).returncode == 2


def test_recall_of_a_campaigns_rules_and_ones_own_compounds(tmp_path):
    (tmp_path / "campaign.yaml").write_text(
        "name: x\nspace: [{centres: [Mo], cations: [Li]}]\n"
        "rules: {overrides: {interstitial_hydrides: {mode: gate, high: 1}}}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "- {formula: K2TcH9, centre: Tc, n: 9, q: 2, m: 0, cations: {K: 2}, source: x, provenance: from memory}\n"
    )
    result = json.loads(
        output("rules", "recall", "--rules", "campaign.yaml", "--compounds", "mine.yaml", "--json", cwd=tmp_path)
    )
    kept = {row["name"]: row["rejected_by"] for row in result["compounds"]}
    assert kept["K2TcH9"] is None
    assert kept["Li5MoH11"] == "interstitial_hydrides"


def test_known_compounds_of_a_campaign_file(tmp_path):
    (tmp_path / "campaign.yaml").write_text(
        "name: x\nspace: [{centres: [Re], cations: [K], n: 9, m: [0, 2]}]\nknown: mine.yaml\n"
    )
    missing = ninefold("campaign", "check", "campaign.yaml", cwd=tmp_path)
    assert missing.returncode == 2
    assert "known" in missing.stderr
    assert "Traceback" not in missing.stderr
    run = ninefold("run", "campaign.yaml", cwd=tmp_path)
    assert run.returncode == 2
    assert not list(tmp_path.glob("*.db")), "nothing is written"
    entry = "- {formula: K3ReH10, centre: Re, n: 9, q: 2, m: 1, cations: {K: 3}, source: x, provenance: from memory}\n"
    (tmp_path / "mine.yaml").write_text(entry)
    output("campaign", "check", "campaign.yaml", cwd=tmp_path)
    result = json.loads(output("rules", "recall", "--rules", "campaign.yaml", "--json", cwd=tmp_path))
    assert "K3ReH10" in {row["name"] for row in result["compounds"]}


@pytest.mark.parametrize("command", [["status"], ["query", "--fields", "all"], ["show", "K2ReH9"]])
def test_a_reader_that_has_seen_enough_is_no_error(finished, command):
    program = [sys.executable, "-m", "ninefold.cli.main", *command]
    with subprocess.Popen(program, cwd=finished, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
