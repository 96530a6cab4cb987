"""`ninefold compress`, `map` and `facts` on a campaign that has run; the report's maps; ranking at a condition."""

import json
import shutil
import sqlite3

import pytest
import yaml

from campaign_run import QUICK, ninefold
from ninefold.engines.settings import EngineSettings
from ninefold.flows.compress import EVALUATIONS, core_seconds
from ninefold.vibrations.cost import RATES

FIELDS = (
    "lowest_pressure", "lowest_pressure_uncertainty", "window_width", "synthesis_separation", "ambient_separation",
    "survives_ambient", "decomposition_temperature",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, quick, pairs):
    folder = shutil.copytree(quick, tmp_path_factory.mktemp("compress") / "here")
    campaign = {**QUICK, "ranking": {"at": {"temperature_K": 800, "pressure_GPa": 2}, "weights": {
        "stability": 1, "free_energy": 1, "window": 1, "survival": 1,
    }}}  # fmt: skip
    (folder / "campaign.yaml").write_text(yaml.safe_dump(campaign))
    done = ninefold("run", "campaign.yaml", "--update", "--workers", "1", cwd=folder, env=pairs)
    assert done.returncode == 0, done.stderr
    return folder, pairs


def rows(folder, *fields):
    connection = sqlite3.connect(folder / "ninefold.db")
    documents = [json.loads(text) for (text,) in connection.execute("SELECT doc FROM candidates ORDER BY id")]
    connection.close()
    return [tuple(document.get(field) for field in fields) for document in documents]


def count(folder, collection):
    connection = sqlite3.connect(folder / "ninefold.db")
    [[found]] = connection.execute(f"SELECT count(*) FROM {collection}")
    connection.close()
    return found


def test_rows_say_where_they_form_before_any_equation_of_state(folder):
    folder, _ = folder
    for distance, formation, at, ambient in rows(
        folder, "phase_separation_energy", "formation", "synthesis_separation", "ambient_separation"
    ):
        assert (formation != {}) == (distance is not None)
        if formation:
            assert (formation["temperature_K"], formation["synthesis_separation"]) == (800, at)
            assert formation["ambient_separation"] == ambient
    ranked = json.loads(ninefold("rank", "--json", cwd=folder).stdout)
    assert "free_energy" in json.dumps(ranked)


def test_what_the_chosen_decompose_into_is_compressed_too(folder):
    """Else p V, which is too high, would stand beside an equation of state in one hull."""
    folder, environment = folder
    keys = ("label", "phase_separation_energy", "synthesis_separation", "ambient_separation", "decomposition")
    found = {}
    for label, *distances, products, conditions in rows(folder, *keys, "conditions"):
        if distances[0] is not None:
            distances += [at["phase_separation_energy"] for at in conditions]
            every = [*products, *(item for at in conditions for item in at["decomposition"])]
            found[label] = min(distances), {item["name"].partition(", minimum")[0] for item in every}
    nearest = min(found, key=lambda label: found[label][0])
    asked = ("compress", "--dry-run", "--json", "--top", "1", "--window", "5")
    planned = json.loads(ninefold(*asked, cwd=folder, env=environment).stdout)["structures"]
    labels = {each["label"].partition(", minimum")[0] for each in planned} & found.keys()
    assert labels == {nearest} | (found[nearest][1] & found.keys())
    assert len(labels) > 1, "it decomposes into another candidate"


def test_only_what_is_named_is_compressed_with_what_it_competes_with(folder):
    """Whatever its distance to the hull; a name may be a formula in any order, or a chemical system."""
    folder, environment = folder

    def planned(*arguments):
        done = ninefold("compress", "--dry-run", "--json", *arguments, cwd=folder, env=environment)
        assert done.returncode == 0, done.stderr
        return {each["label"].partition(", minimum")[0] for each in json.loads(done.stdout)["structures"]}

    found = {
        label: (formula, distance)
        for label, formula, distance in rows(folder, "label", "formula", "phase_separation_energy")
        if distance is not None
    }
    farthest = max(found, key=lambda label: found[label][1])
    assert farthest not in planned("--window", "0", "--top", "1")
    named = planned("--only", found[farthest][0])
    assert farthest in named
    assert {"K bcc", "Re hcp"} <= named, "the references of its system"
    assert planned("--only", found[farthest][0], "--window", "0") <= named - {farthest}
    assert found.keys() <= planned("--only", "H-Re-K")
    assert planned("--only", "H-Re-K", "--only", found[farthest][0]) == planned("--only", "H-Re-K")


def test_rows_hold_the_interval_that_show_and_the_report_tell(folder, monkeypatch):
    """As the hulls give it, from which rows of an earlier version get it."""
    from ninefold.flows import stored_hulls
    from ninefold.store import open_store

    folder, _ = folder
    with open_store(str(folder / "ninefold.db")) as store:
        documents = store.get_many("candidates", [name for (name,) in rows(folder, "id")]).values()
        able = [row for row in documents if row["formation"]]
        earlier = [
            {**row, "formation": {key: row["formation"][key] for key in row["formation"] if "between" not in key}}
            for row in able
        ]
        computed = stored_hulls.lowest_pressures_between(store, earlier)
        monkeypatch.setattr(stored_hulls, "stored_hulls", lambda *_, **__: pytest.fail("hulls are made to show rows"))
        told = stored_hulls.lowest_pressures_between(store, able)
    with_error = {row["id"] for row in able if row["e_above_hull_uncertainty"] is not None}
    assert told.keys() == computed.keys() == with_error != set()
    for key, between in told.items():
        assert [value is None for value in between] == [value is None for value in computed[key]]
        assert between == pytest.approx(computed[key], nan_ok=True) or None in between


def test_compression_is_computed_once_and_the_rows_follow(folder):
    """The weak pair potential holds no crystal under pressure: every structure says why; one gets a state by hand."""
    folder, environment = folder
    planned = json.loads(ninefold("compress", "--dry-run", "--json", cwd=folder, env=environment).stdout)["structures"]
    done = ninefold("compress", "--workers", "1", "--json", cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout)["equations_of_state"]
    shown = ninefold("show", "K2ReH9", cwd=folder, env={"COLUMNS": "200"}).stdout
    assert "Compression" in shown
    assert "equation of state: " in shown, "why there is none"
    assert len(states) == len(planned) == count(folder, "properties")
    assert not any(each["is_known"] for each in planned)
    told = ninefold("compress", "--dry-run", cwd=folder, env=environment).stdout.splitlines()
    assert told[-1] == f"{len(planned)} structures: all known, nothing to compute"
    assert sum(line.endswith(", known") for line in told) == len(planned)
    assert all(state.get("reason", "equation of state").startswith("equation of state") for state in states)
    calculations, before = count(folder, "calculations"), rows(folder, "conditions")
    give_state(folder, "K bcc")
    again = ninefold("compress", "--workers", "1", "--json", cwd=folder, env=environment)
    [fitted] = [state for state in json.loads(again.stdout)["equations_of_state"] if state["label"] == "K bcc"]
    assert 0 < fitted["term_at_5_GPa"] < fitted["p_V_at_5_GPa"]
    assert count(folder, "calculations") == calculations
    after = rows(folder, "conditions")
    assert after != before
    assert "in place of an equation of state" in json.dumps(after)
    checked = ninefold("db", "check", cwd=folder, env=environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def give_state(folder, label):
    """An equation of state for a structure that has none."""
    from ninefold.models.property import PropertyRecord
    from ninefold.store import open_store
    from ninefold.store.records import read_all

    with open_store(str(folder / "ninefold.db"), mode="write") as store:
        [record] = [each for each in read_all(store, PropertyRecord) if each.label == label]
        volume = record.values["volumes"][0]
        state = {
            "form": "vinet", "energy_per_atom": record.values["energies"][0], "volume_per_atom": volume,
            "bulk_modulus": 3.0, "derivative": 4.0, "misfit": 0.0,
        }  # fmt: skip
        store.put("properties", [record.model_copy(update={"values": record.values | state, "reason": None})])


def test_the_map_s_json_has_the_interval_that_its_sentence_tells(folder):
    folder, _ = folder
    formula, sigma = next(
        row for row in rows(folder, "formula", "e_above_hull_uncertainty", "formation") if row[1] and row[2]
    )[:2]
    told = json.loads(ninefold("map", formula, "--temperatures", "800", "--json", cwd=folder).stdout)
    [candidate] = told["candidates"]
    [at] = candidate["by_temperature"]
    assert candidate["lowest_between_GPa"] == at["between_GPa"] is not None
    assert candidate["between_uncertainty"] == candidate["uncertainty_eV_per_atom"] == sigma


def test_the_map_tells_and_draws(folder):
    folder, _ = folder
    formula = next(formula for formula, hull in rows(folder, "formula", "phase_separation_energy") if hull is not None)
    told = json.loads(ninefold("map", formula, "--picture", "map.svg", "--json", cwd=folder).stdout)
    [candidate] = told["candidates"]
    assert candidate["formula"] == formula
    assert [line["temperature_K"] for line in candidate["by_temperature"]] == [300, 500, 700, 973, 1200]
    assert (folder / "map.svg").read_text().startswith("<svg")
    assert told["is_completely_searched"] is False
    assert any("hydrogen is solid above 5.4 GPa at 300 K" in note for note in told["notes"])
    refused = ninefold("map", formula, "--picture", "map.svg", cwd=folder)
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    system = ninefold("map", "K-Re-H", cwd=folder)
    assert system.returncode == 0, system.stderr
    assert "not completely searched" in system.stdout


@pytest.mark.parametrize(
    ("ranges", "note"),
    [
        ([], ""),
        ([(3.199, 6.696)], ""),
        ([(1e-9, 0.02), (0.5, 3.24)], "more than one window: also 0.5 to 3.2 GPa"),
        ([(1e-9, 0.02), (0.5, 3.24), (4, 10.0)], "more than one window: also 0.5 to 3.2, 4.0 to 10.0 GPa"),
    ],
)
def test_a_window_with_an_end_is_one_window(ranges, note):
    from ninefold.cli.phase_map import further_windows

    assert further_windows(ranges) == note


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("map", "K-Fe-H"), "system: 'Fe-H-K' has no candidate with a structure in campaign quick; allowed: H-K-Re"),
        (("map", "Zz-Re-H"), "system: 'Zz-Re-H' names 'Zz', which is no element; allowed: symbols joined by dashes"),
        (("map", "Foo"), "names 'Fo' at position 1, which is no element; allowed: element symbols"),
        (("map", "Na2ReH9"), "has no candidate with a structure"),
        (("map", "K2ReH9", "--temperatures", "50"), "--temperatures: '50' is no temperature in range; allowed: 100 to"),
        (("map", "K2ReH9", "--temperatures", "300,warm"), "--temperatures: 'warm'"),
        (("map", "K-Re-H", "--method", "gpaw"), "gpaw"),
        (("map", "K-Re-H", "--picture", "map.png"), "'map.png' is a picture of another kind; allowed: FILE.svg"),
        (("compress", "nowhere"), "nowhere"),
        (("compress", "--window", "-1"), "window"),
        (("compress", "--minima", "0"), "minima"),
        (("compress", "--only", "K9ReH3"), "--only: 'K9ReH3' is no candidate with a distance to the hull in this"),
        (("compress", "--only", "Fe-H-K"), "; or a chemical system of them: H-K-Re; "),
        (("compress", "--only", "K2Re!"), "K2Re!"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, words):
    folder, environment = folder
    refused = ninefold(*arguments, cwd=folder, env=environment)
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1), refused.stderr
    assert words in refused.stderr


@pytest.mark.parametrize("status", ["running", "incomplete"])
def test_hulls_of_a_campaign_that_has_not_finished_say_so(folder, tmp_path, status):
    folder, _ = folder
    shutil.copy(folder / "ninefold.db", tmp_path)
    shutil.copytree(folder / "ninefold.db.files", tmp_path / "ninefold.db.files")
    words = f"campaign quick is {status}, not finished: "
    commands = (("facts", "--json"), ("map", "H-K-Re", "--json"))
    for command in commands:
        notes = json.loads(ninefold(*command, cwd=tmp_path).stdout)["notes"]
        assert notes
        assert not any(words in note for note in notes)
    connection = sqlite3.connect(tmp_path / "ninefold.db")
    connection.execute("UPDATE campaigns SET doc = json_set(doc, '$.status', ?)", (status,))
    connection.execute("UPDATE candidates SET doc = json_set(doc, '$.e_above_hull_uncertainty', null)")
    connection.commit()
    connection.close()
    for command in commands:
        assert words in json.loads(ninefold(*command, cwd=tmp_path).stdout)["notes"][0]
    told = ninefold("facts", cwd=tmp_path, env={"COLUMNS": "200"}).stdout
    assert "± unknown" in told
    assert "within ±" not in told
    assert words in told
    assert words in ninefold("map", "K2ReH9", cwd=tmp_path, env={"COLUMNS": "200"}).stdout


def test_facts_are_judged_as_they_come(folder):
    folder, _ = folder
    told = json.loads(ninefold("facts", "--json", cwd=folder).stdout)["facts"]
    assert "K2ReH9 is stable at 1 bar" in {each["fact"]["statement"] for each in told}
    for each in told:
        if each["holds"] is not None:
            assert each["holds"] == ((each["distance"] <= 0) == each["fact"]["is_stable"])


def test_the_report_has_the_maps_and_show_the_sentence(folder):
    folder, _ = folder
    done = ninefold("report", "--force", "-o", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "page.html").read_text()
    assert "Where they form" in page
    assert 'aria-label="Map of H-K-Re"' in page
    shown = ninefold("show", "K2ReH9", cwd=folder)
    assert "at 800 K" in shown.stdout


def test_a_ranking_at_a_condition_names_the_distance_that_it_rests_on(folder):
    folder, _ = folder
    told = ninefold("rank", cwd=folder, env={"COLUMNS": "200"}).stdout
    assert "At 800 K and 2 GPa of hydrogen: stability is by G(synthesis)." in told
    assert "G(synthesis)" in told.splitlines()[0]
    [(name, distance), *_] = sorted(rows(folder, "id", "synthesis_separation"), key=lambda pair: pair[1] is None)
    explained = ninefold("rank", "--explain", name, cwd=folder, env={"COLUMNS": "200"}).stdout
    assert f"synthesis_separation {distance:.3f} eV/atom".replace("-", "\N{MINUS SIGN}") in explained
    assert "phase_separation_energy" not in explained


def test_weights_at_another_condition_need_a_run(folder):
    folder, environment = folder
    other = yaml.safe_load((folder / "campaign.yaml").read_text())
    other["ranking"]["at"]["pressure_GPa"] = 3
    (folder / "other.yaml").write_text(yaml.safe_dump(other))
    refused = ninefold("rank", "other.yaml", cwd=folder, env=environment)
    assert refused.returncode == 2
    assert "ranking.at: '800 K and 3 GPa' is not where the stored rows were assessed" in refused.stderr


def test_the_fields_can_be_asked_for(folder):
    folder, _ = folder
    done = ninefold("query", "ambient_separation < 100", "--fields", ",".join(FIELDS), "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert all(set(FIELDS) <= set(row) for row in json.loads(done.stdout))


def test_what_it_takes_is_told_where_a_rate_is_known():
    lines = [{"method": 0, "nsites": 10}, {"method": 0, "nsites": 2}]
    seconds = core_seconds(lines, [EngineSettings(name="sevennet", model="7net-0")])
    assert seconds == pytest.approx(12 * RATES["sevennet:7net-0"].seconds_per_atom * EVALUATIONS)
    assert core_seconds([*lines, {"method": 1, "nsites": 2}], [EngineSettings(), EngineSettings(name="lj")]) is None
