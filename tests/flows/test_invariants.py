"""What must hold of every campaign: jobs run twice, in any order and at once; what a change computes again; methods."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

import pytest
import yaml
from jobflow import Job, JobStore, run_locally
from maggma.stores import MemoryStore

from campaign_run import COMPUTED, ninefold, what_matters
from ninefold.campaign import parse_campaign
from ninefold.flows import ScreenMaker
from ninefold.flows.funnel import total
from ninefold.models.collections import MODELS
from ninefold.models.record import SCHEMA_VERSION
from ninefold.models.structure import StructureRecord
from ninefold.run.local import is_finished, run_campaign
from ninefold.store import open_store

ENGINES = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine


def _engine(name, **changes):
    # short-ranged and weak: hydrogen molecules hold, and structures move without losing their shells
    parameters = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True, **changes}
    return ASEEngine(name, f"Lennard-Jones {name}", LennardJones(**parameters), (parameters,), evidence="test")


def weak(settings):
    return _engine("weak")


def weaker(settings):
    return _engine("weaker", epsilon=0.004)
"""
STAGES = """
from ninefold.engines.base import CalculationError
from ninefold.stages import CandidateStage, Column, Stage


def _density(structure, candidate, engine):
    if candidate["m"] > FEWEST:
        raise CalculationError("too many hydrides")
    return {"density": float(structure.density), "energy_again": engine.evaluate([structure])[0].energy_per_atom}


FEWEST = 0
DENSITY = CandidateStage(
    Stage("density", after="stability", meaning="candidates with a density"),
    {"density": Column("g/cm3", "mass density"), "energy_again": Column("eV/atom", "energy of the structure as it is")},
    _density,
)
"""
TERMS = """
def compactness(item, settings):
    density = item.quantities["density"]
    return 0.0 if density is None else min(1.0, density / 10)
"""
RULES = """
from ninefold.rules import Mode, Rule, Stage

dense = Rule(
    "dense", lambda table: table.column("density"), "mass density", "test", unit="g/cm3", low=1000.0, mode=Mode.GATE,
    stage=Stage.RESULT,
)
"""
TINY = {
    "name": "tiny",
    "seed": 3,
    "engine": {"name": "engines.py:weak"},
    "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": [0, 1]}],
    "structures": {
        "pool": 6, "single_points": 3, "coarse_relaxations": 2, "refinements": 1, "formula_units": [1],
        "coarse_steps": 5, "final_steps": 8, "rounds": 2, "sources": ["known_types", "symmetric_units", "rigid_units"],
    },
    "execution": {"workers": 1, "compositions_per_job": 2},
}  # fmt: skip
"""Two candidates and a competitor, in two shards and two rounds."""
LADDER = {**TINY, "energies": [{"name": "engines.py:weaker"}], "stages": ["my_stages.py:DENSITY"]}
"""With a second method and a stage of the user's: every job of the flow."""
_SCRIPT = """
import json
import sys

from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from ninefold.flows import ScreenMaker

flow = ScreenMaker().make(json.load(open("resolved.json")), sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
run_locally(flow, store=JobStore(MemoryStore()), log=False, raise_immediately=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Campaign files with the engines and stages that they name."""
    folder = tmp_path_factory.mktemp("invariants")
    for name, text in (
        ("engines.py", ENGINES), ("my_stages.py", STAGES), ("my_terms.py", TERMS), ("my_rules.py", RULES),
        ("plain_flow.py", _SCRIPT),
    ):  # fmt: skip
        (folder / name).write_text(text)
    (folder / "ladder.yaml").write_text(yaml.safe_dump(LADDER))
    (folder / "resolved.json").write_text(json.dumps(parse_campaign(LADDER, folder=folder).to_dict()))
    return folder


def run_plain(campaign, store):
    """A campaign's flow by jobflow's own `run_locally`."""
    flow = ScreenMaker().make(campaign.to_dict(), str(store))
    run_locally(flow, store=JobStore(MemoryStore()), log=False, raise_immediately=True)


def recorded(patch, *, twice=False):
    """Functions and resolved arguments of the jobs, as `run_locally` comes to execute them."""
    calls, run = [], Job.run

    def recording(self, store, **options):
        response = run(self, store, **options)
        function = getattr(self.function, "original", self.function)
        call = (function, tuple(self.function_args), dict(self.function_kwargs))
        if function.__module__.startswith("ninefold."):  # jobflow adds one of its own to collect outputs
            calls.append(call)
            if twice:
                call[0](*call[1], **call[2])
        return response

    patch.setattr(Job, "run", recording)
    return calls


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """A store that the plain flow has made, and the calls of its jobs."""
    store = tmp_path_factory.mktemp("plain") / "ninefold.db"
    with pytest.MonkeyPatch.context() as patch:
        calls = recorded(patch)
        run_plain(parse_campaign(LADDER, folder=folder), store)
    return store, calls


def copied(store, target):
    """A copy of a store with its blobs, also of one that is open; its path."""
    with sqlite3.connect(store) as source, sqlite3.connect(target / store.name) as copy:
        source.backup(copy)
    shutil.copytree(f"{store}.files", target / f"{store.name}.files")
    return target / store.name


def documents(store, collection, **equal):
    with open_store(store) as opened:
        return list(opened.iterate(collection, equal=equal))


def ranking(store, **equal):
    rows = documents(store, "candidates", is_best=True, is_competitor=False)
    return sorted((row["rank"], row["formula"], row["score"]) for row in rows)


# 1, 2: jobs


def test_the_flow_has_every_job(plain):
    """Without this the tests of jobs below could pass by not running one."""
    assert {function.__name__ for function, _, _ in plain[1]} == {
        "register_campaign", "select_compositions", "relax_reference_phases", "relax_references_of",
        "gather_references", "search_structures", "build_structures", "prescreen_structures", "assess_stability",
        "choose_compositions", "relax_minima", "relax_minima_of", "compute_properties", "compute_properties_of",
        "rank_candidates", "finish_campaign",
    }  # fmt: skip
    stored = what_matters(plain[0])
    assert {name for name, found in stored.items() if not found} == {
        "faults", "vibrations", "trajectories", "dynamics",
    }, "every collection is compared"  # fmt: skip


def test_every_job_may_run_twice(folder, plain, tmp_path, monkeypatch):
    recorded(monkeypatch, twice=True)
    run_plain(parse_campaign(LADDER, folder=folder), tmp_path / "ninefold.db")
    assert what_matters(tmp_path / "ninefold.db") == what_matters(plain[0])


@pytest.mark.parametrize("seed", range(3))
def test_jobs_may_run_again_in_any_order(plain, seed):
    store, calls = plain
    before = what_matters(store)
    shuffled = random.Random(seed).sample(calls, len(calls))
    for function, arguments, options in shuffled:
        function(*arguments, **options)
    assert what_matters(store) == before, [function.__name__ for function, _, _ in shuffled]


def test_two_processes_at_once_make_the_same_store(folder, plain, tmp_path):
    command = [sys.executable, "plain_flow.py", str(tmp_path / "ninefold.db")]
    processes = [
        subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env=dict(os.environ))
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert what_matters(tmp_path / "ninefold.db") == what_matters(plain[0])


def test_the_command_gives_what_the_plain_flow_gives(folder, plain, tmp_path):
    done = ninefold("run", "ladder.yaml", "--store", tmp_path / "ninefold.db", "--workers", 2,
                    "--report", tmp_path / "report.html", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ranking(tmp_path / "ninefold.db") == ranking(plain[0])
    theirs, ours = what_matters(tmp_path / "ninefold.db"), what_matters(plain[0])
    theirs.pop("campaigns"), ours.pop("campaigns")  # the number of workers is in it
    assert theirs == ours


# 3, 4: methods on a hull, schema


def test_phases_of_two_methods_make_no_hull(plain):
    from ninefold.models.candidate import Candidate
    from ninefold.models.reference import ReferenceRecord
    from ninefold.stages.stability import Hulls
    from ninefold.thermo.settings import StabilitySettings
    from ninefold.thermo.stability import MixedMethodsError

    store, _ = plain
    rows = [Candidate.model_validate(row) for row in documents(store, "candidates")]
    phases = [ReferenceRecord.model_validate(row) for row in documents(store, "references")]
    cells = {row["id"]: StructureRecord.model_validate(row) for row in documents(store, "structures")}
    one, other = sorted({row.method for row in rows})
    of_one = [row for row in rows if row.method == one]

    def assess(candidates, references):
        hulls = Hulls(references, cells, StabilitySettings())
        for row in candidates:
            hulls.add(row)
        return hulls.assess(of_one, {}, ())

    assert one != other
    alone = [row for row in of_one if not row.known]
    hulls = Hulls([phase for phase in phases if phase.method == one], cells, StabilitySettings())
    for row in of_one:
        hulls.add(row)
    assert hulls.assess(alone, {}, ())[1].count_out == len(alone)
    with pytest.raises(MixedMethodsError):
        assess(of_one, [phase for phase in phases if phase.method == other])
    with pytest.raises(MixedMethodsError):
        assess(rows, [phase for phase in phases if phase.method == one])
    mixed = {phase.name: phase for phase in phases if phase.method == one}
    swapped = next(phase for phase in phases if phase.method == other and phase.energy_per_atom is not None)
    with pytest.raises(MixedMethodsError):
        assess(of_one, [*({**mixed, swapped.name: swapped}).values()])


_NEXT_SCHEMA = """
import sys

import ninefold.models.record as record

record.SCHEMA_VERSION += 1
record.Record.model_fields["schema_version"].default = record.SCHEMA_VERSION
record.Record.model_rebuild(force=True)

import ninefold.store.migrations as migrations
import ninefold.store.schema as schema

migrations.MIGRATIONS[schema.SCHEMA_VERSION] = migrations.each(lambda document, _: document, record.SCHEMA_VERSION)
schema.SCHEMA_VERSION = record.SCHEMA_VERSION

import json

from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from ninefold.flows import ScreenMaker

flow = ScreenMaker().make(json.load(open("resolved.json")), sys.argv[1])
run_locally(flow, store=JobStore(MemoryStore()), log=False, raise_immediately=True)
"""


def test_a_new_schema_keeps_every_calculation(folder, plain, tmp_path):
    store = copied(plain[0], tmp_path)
    (tmp_path / "next.py").write_text(_NEXT_SCHEMA)
    done = subprocess.run(
        [sys.executable, tmp_path / "next.py", str(store)], cwd=folder, capture_output=True, text=True, timeout=240
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = raw(plain[0]), raw(store)
    for collection in (*COMPUTED, "structures"):
        assert before[collection].keys() == after[collection].keys(), f"{collection}: none is orphaned, none made anew"
        assert {document["schema_version"] for document in after[collection].values()} <= {SCHEMA_VERSION + 1}
        for identifier, document in after[collection].items():
            assert document == {**before[collection][identifier], "schema_version": SCHEMA_VERSION + 1}


def raw(store):
    """Documents as they are stored, whatever the schema."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return {
            name: {
                identifier: json.loads(text) for identifier, text in connection.execute(f'SELECT id, doc FROM "{name}"')
            }
            for name in MODELS
        }
    finally:
        connection.close()


# 5: what a change computes again


@pytest.fixture(scope="module")
def base(folder, tmp_path_factory):
    """A finished campaign of one method."""
    store = tmp_path_factory.mktemp("base") / "ninefold.db"
    run_campaign(parse_campaign(TINY, folder=folder), str(store))
    return store


@pytest.fixture
def changed(folder, base, tmp_path):
    """Run the campaign with other settings on a copy of its store; gives the store and its new facts by collection."""

    def run(update=True, **changes):
        store = copied(base, tmp_path)
        before = what_matters(base)
        run_campaign(parse_campaign({**TINY, **changes}, folder=folder), str(store), update=update)
        after = what_matters(store)
        facts = (*COMPUTED, "structures")
        for name in facts:
            changed = [key for key, fact in before[name].items() if after[name].get(key) != fact]
            assert not changed, f"a fact of {name} is changed"
        return store, {
            name: [document for key, document in after[name].items() if key not in before[name]]
            for name in facts
            if after[name].keys() - before[name].keys()
        }

    return run


def structures(**changes):
    return {"structures": {**TINY["structures"], **changes}}


def test_the_same_settings_compute_nothing(changed, base):
    store, new = changed(update=False)
    assert new == {}
    assert what_matters(store) == what_matters(base)


def test_another_final_criterion_keeps_pools_and_coarse_relaxations(changed, base):
    _, new = changed(**structures(final_fmax=0.011))
    assert len(new["searches"]) == len(documents(base, "searches"))
    assert "pools" not in new
    assert {(record["kind"], record["settings"]["fmax"]) for record in new["calculations"]} == {("relax", 0.011)}


@pytest.mark.parametrize(
    "changes",
    [
        {"ranking": {"weights": {"prior": 1.0}}},
        {"stability": {"conditions": [{"temperature_K": 500, "pressure_GPa": 1.0}]}},
        {"stability": {"candidates_compete": False}},
    ],
    ids=["weights", "conditions", "competition"],
)
def test_judging_otherwise_computes_nothing(changed, base, changes):
    store, new = changed(**changes)
    assert new == {}
    assert what_matters(store)["candidates"] != what_matters(base)["candidates"], "but judges anew"


def test_another_seed_searches_everything_anew_and_keeps_the_references(changed, base):
    _, new = changed(seed=4)
    for collection in ("pools", "searches"):
        assert len(new[collection]) == len(documents(base, collection))
    drawn = {record["id"] for record in new["pools"]}
    assert all(record["pool"] in drawn for record in new["searches"])
    references = {phase["name"] for phase in documents(base, "references")}
    assert references
    steps = {TINY["structures"]["coarse_steps"], TINY["structures"]["final_steps"]}
    relaxed = [record for record in new["calculations"] if record["kind"] == "relax"]
    assert {record["settings"]["max_steps"] for record in relaxed} <= steps, "no reference is relaxed again"


@pytest.mark.parametrize("size", [1, 50])
def test_another_division_into_jobs_computes_and_counts_nothing_twice(changed, base, size):
    store, new = changed(update=False, execution={"workers": 1, "compositions_per_job": size})
    assert new == {}
    counted = [
        [(row["stage"], row["count_in"], row["count_out"], row["reasons"]) for row in total(documents(each, "funnel"))]
        for each in (base, store)
    ]
    assert counted[0] == counted[1]
    assert ranking(store) == ranking(base)


def test_a_further_round_searches_only_that_round(folder, base, tmp_path):
    store = tmp_path / "ninefold.db"
    run_campaign(parse_campaign({**TINY, **structures(rounds=1)}, folder=folder), str(store))
    first = what_matters(store)
    assert {pool["round"] for pool in first["pools"].values()} == {1}
    run_campaign(parse_campaign(TINY, folder=folder), str(store), update=True)
    second = what_matters(store)
    assert first["pools"].items() <= second["pools"].items()
    assert {pool["round"] for key, pool in second["pools"].items() if key not in first["pools"]} == {2}
    whole = what_matters(base)
    assert second == whole, "as if there had been two rounds from the start"


# 6: methods


def test_each_method_has_its_own_rows_references_and_hull(plain, base):
    store, _ = plain
    methods = {method["name"]: method["id"] for method in documents(store, "methods")}
    assert set(methods) == {"weak", "weaker"}
    rows = {(row["label"], row["method"]): row for row in documents(store, "candidates")}
    labels = {label for label, _ in rows}
    assert set(rows) == {(label, method) for label in labels for method in methods.values()}
    phases = {
        name: {row["name"]: row["energy_per_atom"] for row in documents(store, "references", method=method)}
        for name, method in methods.items()
    }
    assert phases["weak"].keys() == phases["weaker"].keys()
    assert phases["weak"] != phases["weaker"]
    for label in labels:
        weak, weaker = rows[label, methods["weak"]], rows[label, methods["weaker"]]
        assert weak["e_above_hull"] is not None
        assert weaker["e_above_hull"] is not None
        assert weak["energy_per_atom"] != weaker["energy_per_atom"]
        for row, name in ((weak, "weak"), (weaker, "weaker")):
            assert row["engine"] == f"Lennard-Jones {name}"
            for part in row["decomposition"]:
                if part["kind"] != "candidate" and part["name"] in phases[name]:
                    assert part["energy_per_atom"] == phases[name][part["name"]], "of its own method"
        # the second method changes nothing of what the first one found
        alone = next(row for row in documents(base, "candidates") if row["label"] == label)
        assert weak["phase_separation_energy"] == alone["phase_separation_energy"]


def test_the_ranking_is_by_the_most_trusted_method(folder, plain):
    store, _ = plain
    methods = {method["name"]: method["id"] for method in documents(store, "methods")}
    rows = documents(store, "candidates")
    assert {row["method"] for row in rows if row["is_best"]} == {methods["weaker"]}
    assert all((row["rank"] is not None) == (row["is_best"] and not row["is_competitor"]) for row in rows)
    for row in rows:
        both = [other["phase_separation_energy"] for other in rows if other["composition"] == row["composition"]]
        assert row["method_spread"] == pytest.approx(max(both) - min(both))

    def query(*options):
        done = ninefold("query", "--json", "--fields", "formula,engine,method_spread", "--store", store, *options,
                        cwd=folder)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    best, every = query(), query("--all-methods")
    assert {row["engine"] for row in best} == {"Lennard-Jones weaker"}
    assert len(every) == 2 * len(best) == len(rows)


def test_references_are_a_job_of_each_method(plain):
    _, calls = plain
    places = [arguments[3] if len(arguments) > 3 else 0 for function, arguments, _ in calls
              if function.__name__ == "relax_reference_phases"]  # fmt: skip
    assert sorted(places) == [0, 1]


def test_a_campaign_with_two_methods_is_resumed_without_computing(folder, plain, tmp_path):
    store = copied(plain[0], tmp_path)
    campaign = parse_campaign(LADDER, folder=folder)
    assert is_finished(campaign, str(store))
    before = what_matters(store)
    run_campaign(campaign, str(store))
    assert what_matters(store) == before


def test_a_second_method_added_later_keeps_the_search(folder, base, tmp_path, plain):
    store = copied(base, tmp_path)
    before = what_matters(store)
    run_campaign(parse_campaign(LADDER, folder=folder), str(store), update=True)
    after = what_matters(store)
    for collection in ("pools", "searches"):
        assert after[collection] == before[collection]
    weak = next(method["id"] for method in documents(store, "methods") if method["name"] == "weak")
    new = [record for key, record in after["calculations"].items() if key not in before["calculations"]]
    assert new
    assert all(record["method"] != weak for record in new)
    assert ranking(store) == ranking(plain[0])


# 7: stages of the user's


def test_a_stage_of_ones_own_is_in_funnel_status_report_and_candidates(folder, plain, tmp_path):
    store, _ = plain
    funnel = total(documents(store, "funnel"))
    names = [stage["stage"] for stage in funnel]
    assert names.index("stability") < names.index("density") < names.index("rank")
    assert {name for name in names if name.endswith(" weaker")} == {
        "references weaker",
        "energies weaker",
        "stability weaker",
    }, "a stage of a further method bears its name, without the path of a file"
    [density] = [stage for stage in funnel if stage["stage"] == "density"]
    assert (density["count_in"], density["count_out"], density["reasons"]) == (3, 2, {"too many hydrides": 1})
    options = {"cwd": folder}
    status = ninefold("status", "--store", store, **options)
    assert "density" in status.stdout
    report = ninefold("report", "--store", store, "--out", tmp_path / "r.html", **options)
    assert report.returncode == 0, report.stderr
    assert "density" in (tmp_path / "r.html").read_text()
    shown = json.loads(ninefold("show", "K2ReH9", "--json", "--store", store, **options).stdout)
    properties = next(row["properties"] for row in shown if row["is_best"])
    assert properties["density"] > 1
    assert properties["energy_again"] == pytest.approx(next(row for row in shown if row["is_best"])["energy_per_atom"])
    [without] = documents(store, "candidates", formula="K3ReH10", is_best=True)
    assert without["properties"] == {}


def staged(folder, store, **changes):
    campaign = parse_campaign({**TINY, "stages": ["my_stages.py:DENSITY"], **changes}, folder=folder)
    run_campaign(campaign, str(store), update=True)
    return what_matters(store)


def test_terms_and_rules_read_the_values_of_a_stage(folder, base, tmp_path):
    store = copied(base, tmp_path)
    found = staged(folder, store, ranking={"weights": {"my_terms.py:compactness": 1.0}})
    rows = {row["formula"]: row for row in found["candidates"].values()}
    density = rows["K2ReH9"]["properties"]["density"]
    assert rows["K2ReH9"]["terms"]["compactness"]["value"] == pytest.approx(density / 10)
    assert rows["K3ReH10"]["terms"]["compactness"]["value"] == 0.0
    rows = {
        row["formula"]: row for row in staged(folder, store, rules={"files": ["my_rules.py"]})["candidates"].values()
    }
    [verdict] = [verdict for verdict in rows["K2ReH9"]["verdicts"] if verdict["rule"] == "dense"]
    assert (verdict["passed"], verdict["value"]) == (False, pytest.approx(density))
    assert (rows["K2ReH9"]["status"], rows["K2ReH9"]["rank"]) == ("rejected", None)
    assert rows["K3ReH10"]["rank"] == 1, "a value that is not there is not judged"


def test_an_edited_stage_computes_its_own_values_only(folder, base, tmp_path):
    for name in ("engines.py", "my_stages.py"):
        shutil.copy(folder / name, tmp_path / name)
    store = copied(base, tmp_path)
    first = staged(tmp_path, store)
    assert len(first["properties"]) == 3
    assert staged(tmp_path, store) == first, "run again: nothing is computed"
    (tmp_path / "my_stages.py").write_text(STAGES.replace("FEWEST = 0", "FEWEST = 1"))
    second = staged(tmp_path, store)
    assert len(second["properties"]) == 6
    for collection in ("pools", "searches", "minima", "calculations", "structures"):
        assert second[collection] == first[collection], collection
    rows = {row["formula"]: row for row in second["candidates"].values()}
    assert rows["K3ReH10"]["properties"]["density"] > 1


# 8: rows made anew from facts


def rebuilt(store, *, apply=False):
    """What does not follow from the facts, as (row, what); with `apply` written."""
    from ninefold.flows import rebuild

    done = rebuild.Rebuilt()
    with open_store(store, "write" if apply else "read") as opened:
        changes = list(rebuild.changes(opened, done, lambda *_: None))
        if apply:
            rebuild.apply(opened, changes)
    assert not done.failed
    return [(change.id, change.what) for change in changes]


def tables(store):
    """Every table of a store, to the last byte."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY id').fetchall() for name in MODELS}


def edit(store, statement):
    with sqlite3.connect(store) as connection:
        return connection.execute(statement).rowcount


DAMAGES = {
    "lost": "DELETE FROM candidates",
    "a number changed": "UPDATE candidates SET doc = json_set(doc, '$.e_above_hull', 0.123)",
    "a column that contradicts its document": "UPDATE candidates SET rank = 77",
    "no JSON": "UPDATE candidates SET doc = substr(doc, 1, 40)",
    "no candidate": "UPDATE candidates SET doc = json_set(doc, '$.minima', 'none')",
    "of other minima": "UPDATE candidates SET doc = json_set(doc, '$.minima_record', 'x', '$.minima', json('[]'))",
}


def test_rows_of_an_intact_store_follow_from_its_facts(plain, tmp_path):
    store = copied(plain[0], tmp_path)
    before, files = tables(store), sorted(tmp_path.rglob("*.gz"))
    assert rebuilt(store, apply=True) == []
    assert tables(store) == before
    assert sorted(tmp_path.rglob("*.gz")) == files, "no blob is added"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["", " WHERE rank = 1", " WHERE is_competitor", " WHERE NOT is_best"])
def test_damaged_rows_are_made_anew_to_the_last_byte(plain, tmp_path, damage, which):
    store = copied(plain[0], tmp_path)
    before = tables(store)
    count = edit(store, DAMAGES[damage] + which)
    assert count
    assert len(rebuilt(store)) == count
    rebuilt(store, apply=True)
    assert tables(store) == before


def test_a_row_that_nothing_explains_is_removed(plain, tmp_path):
    store = copied(plain[0], tmp_path)
    before = tables(store)
    columns = [row[1] for row in sqlite3.connect(store).execute("PRAGMA table_info(candidates)")]
    others = ", ".join(f'"{name}"' for name in columns if name not in ("id", "doc"))
    edit(
        store,
        f"INSERT INTO candidates (id, {others}, doc) SELECT 'ghost', {others}, json_set(doc, '$.id', 'ghost') "
        "FROM candidates WHERE rank = 1",
    )
    assert rebuilt(store, apply=True) == [("ghost", "does not follow from anything")]
    assert tables(store) == before


def test_without_its_facts_a_campaign_s_rows_stay_as_they_are(plain, tmp_path):
    from ninefold.flows import rebuild

    store = copied(plain[0], tmp_path)
    edit(store, "DELETE FROM structures")
    before, done = tables(store), rebuild.Rebuilt()
    with open_store(store, "write") as opened:
        rebuild.apply(opened, rebuild.changes(opened, done, lambda *_: None))
    assert tables(store) == before
    assert "lost" in done.failed["tiny"]
