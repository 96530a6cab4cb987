"""Where a structure comes from can be told from the facts of a store, for every structure of a campaign."""

import pytest
from pymatgen.core import Lattice, Structure
from test_invariants import ENGINES, TINY

from ninefold.campaign import parse_campaign
from ninefold.engines import RelaxSettings, make_engine
from ninefold.engines.settings import EngineSettings
from ninefold.flows import tasks
from ninefold.flows.cached_engine import CachedEngine
from ninefold.flows.workplace import Workplace, method_of
from ninefold.models.calculation import Calculation
from ninefold.models.composition import pack_assignment
from ninefold.models.lines import decode_lines
from ninefold.models.structure import StructureRecord, structure_id, unpack_structure
from ninefold.report.history import history_lines
from ninefold.rules import load_rule_set
from ninefold.rules.assignments import assignments
from ninefold.search.lineage import Lineage
from ninefold.search.minima import COARSE
from ninefold.stages.select import Selection
from ninefold.store import open_store
from ninefold.store.provenance import history
from ninefold.thermo.references import reference_phase

CAMPAIGN = {**TINY, "energies": [{"name": "engines.py:weaker"}]}
CELLS = [Structure(Lattice.cubic(3 + place / 10), ["Cu"], [[0, 0, 0]]) for place in range(4)]
PHASES = ("K bcc", "KH rocksalt")
IDS = [StructureRecord.of(cell).id for cell in CELLS]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The tasks of a campaign of two methods and two rounds, for one composition and two reference phases."""
    folder = tmp_path_factory.mktemp("provenance")
    (folder / "engines.py").write_text(ENGINES)
    settings = parse_campaign(CAMPAIGN, folder=folder).to_dict()
    place = Workplace(settings, str(folder / "ninefold.db"))
    [assignment] = [item for item in assignments("K2ReH9", (18,)) if item.centre == "Re"]
    selection = Selection("tiny", place.campaign.space, load_rule_set(place.campaign.rules), frozenset())
    place.store.put("compositions", [selection._record(assignment, 0.5, [])])
    place.store.put("methods", [method_of(method) for method in place.campaign.methods])
    line = {"label": assignment.label, "assignment": pack_assignment(assignment), "searches": []}
    for number in (1, 2):
        line["pool"] = tasks.build_one(place, line, number).id
        search, line["minima"] = tasks.prescreen_one(place, line, number)
        line["searches"] = [*line["searches"], search.id]
    tasks.relax_minima_one(place, line, 1)
    place.store.put("references", [tasks.relax_reference(place, {"name": name}, 0) for name in PHASES])
    yield place.store
    place.store.close()


def records_of(store, method):
    """Those of all rounds, of one of the methods."""
    label = f"Lennard-Jones {('weak', 'weaker')[method]}"
    [method] = store.find("methods", equal={"label": label})
    records = store.find("minima", equal={"method": method["id"]})
    assert records
    return [record for record in records if len(record["searches"]) == 2]


def assert_is_joined(store, told):
    """Each step was made from the one before: a relaxation that says so, or the same structure with its symmetry."""
    for before, step in zip(told.steps, told.steps[1:], strict=False):
        if step.made_by == "relaxation":
            calculation = store.get("calculations", step.calculation)
            assert (calculation["start"], calculation["final"]) == (before.structure, step.structure)
        else:
            assert step.made_by == "symmetry"
            cells = store.get_many("structures", [before.structure, step.structure])
            if len(cells) == 2:  # a start in its symmetry is stored with the relaxation that begins there
                pair = [unpack_structure(cells[name]) for name in (before.structure, step.structure)]
                assert pair[0].composition.reduced_formula == pair[1].composition.reduced_formula


@pytest.mark.parametrize("method", [0, 1])
def test_every_minimum_leads_back_to_a_structure_of_its_pool(store, method):
    seen, count = set(), 0
    for record in records_of(store, method):
        for minimum in record["minima"]:
            told = history(store, minimum["structure"], record["id"])
            assert_is_joined(store, told)
            pool = store.get("pools", told.pool)
            lines = decode_lines(store.blobs.get(pool["packings"]))
            start = lines[told.line - 1]
            assert told.steps[0].structure == structure_id(start)
            assert (start["source"], len(lines), pool["label"]) == (minimum["source"], told.lines, record["label"])
            assert (told.source, told.round, told.label) == (minimum["source"], pool["round"], record["label"])
            assert told.steps[-1].structure == told.structure == minimum["structure"]
            relaxations = [step for step in told.steps if step.made_by == "relaxation"]
            assert relaxations[0].settings["max_steps"] == CAMPAIGN["structures"]["coarse_steps"]
            if minimum["is_valid"] and COARSE not in minimum["notes"]:
                assert relaxations[-1].settings["max_steps"] == CAMPAIGN["structures"]["final_steps"]
            assert relaxations[0].method == "Lennard-Jones weak"
            assert relaxations[-1].method == f"Lennard-Jones {('weak', 'weaker')[method]}"
            assert history(store, minimum["structure"]) == told, "the record need not be named"
            seen.add(told.round)
            count += 1
    assert seen == {1, 2}
    assert count > 2


def test_a_reference_leads_back_to_its_published_structure(store):
    rows = store.find("references")
    assert {row["name"] for row in rows} == set(PHASES)
    for row in rows:
        told = history(store, row["structure"])
        assert [step.made_by for step in told.steps] == ["reference", "relaxation"]
        assert told.steps[0].structure == StructureRecord.of(reference_phase(row["name"]).structure).id
        assert told.source == f"{row['name']}: {row['source']}"
        assert told.label is told.pool is None


def test_the_history_in_words(store):
    [record] = records_of(store, 1)
    told = history(store, record["minima"][0]["structure"], record["id"])
    first, *steps = history_lines(told.as_dict())
    assert first == (
        f"{told.source}: structure {told.line} of {told.lines} in pool {told.pool[:12]}, round {told.round}"
    )
    assert steps[0].startswith("relaxed by Lennard-Jones weak (to ")
    assert steps[-1].startswith(("relaxed by Lennard-Jones weaker (to ", "atoms moved onto their symmetry"))
    assert len(steps) == len(told.steps) - 1


def test_what_is_not_known_is_told_as_unknown(tmp_path):
    with open_store(tmp_path / "s.db", mode="write") as store:
        told = history(store, "0" * 32)
        assert [step.made_by for step in told.steps] == ["unknown"]
        engine = CachedEngine(make_engine(EngineSettings(name="emt")), store, "x")
        [relaxed] = engine.relax(CELLS[:1], RelaxSettings(max_steps=2))
        final = StructureRecord.of(relaxed.structure).id
        told = history(store, final)
        assert [(step.structure, step.made_by) for step in told.steps] == [(IDS[0], "unknown"), (final, "relaxation")]
        [document] = store.find("calculations")
        store.put("calculations", [Calculation(**{**document, "start": None})])  # as an older ninefold left it
        told = history(store, final)
        assert [(step.structure, step.made_by) for step in told.steps] == [(None, "unknown"), (final, "relaxation")]
        assert "before the store recorded" in history_lines(told.as_dict())[0]


def test_a_structure_has_one_parent_the_first_and_is_none_of_its_own_ancestors():
    lineage = Lineage()
    for made, parent in ((1, 0), (2, 1), (0, 2), (1, 3), (2, 2), (3, 2)):
        lineage.add(CELLS[made], CELLS[parent])
    assert lineage.origins(CELLS) == {IDS[0]: [], IDS[1]: IDS[:1], IDS[2]: IDS[:2], IDS[3]: []}
