"""Jobs of the flow: what a funnel counts, with the reason of every loss; what is found again and what is not."""

from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from uuid import uuid4

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.campaign import parse_campaign
from ninefold.chemistry.anions import Assignment, Cation
from ninefold.engines.base import Relaxation
from ninefold.flows import campaign_jobs, reference_jobs, result_jobs, search_jobs, tasks
from ninefold.flows.funnel import total
from ninefold.flows.register import register
from ninefold.flows.runner import Run
from ninefold.flows.shards import line_of, lines_of, shard_of
from ninefold.flows.workplace import Failure, method_of
from ninefold.models.search import PoolRecord
from ninefold.models.structure import StructureRecord
from ninefold.search import FoundStructure, SearchOutcome
from ninefold.search.budget import SearchBudget
from ninefold.search.pool import Pool
from ninefold.stages.references import reference_record
from ninefold.stages.row import candidate_row
from ninefold.stages.select import Selection
from ninefold.store import open_store
from ninefold.structures.proposal import Proposal
from ninefold.thermo.references import MissingPhase, ReferencePhase

ASSIGNMENTS = tuple(Assignment(centre, 9, 4, 0, (Cation("Rb", 4, 1),)) for centre in ("V", "Nb", "Ta"))
CELL = Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]])
SETTINGS = {
    "name": "x", "space": [{"centres": ["V", "Nb", "Ta"], "cations": ["Rb"], "n": 9}], "engine": {"name": "lj"},
    "execution": {"workers": 1},
}  # fmt: skip


@dataclass
class Prepared:
    """A store with the compositions of the assignments, and jobs run on it as an executor would run them."""

    path: str

    def settings(self, **changes):
        return parse_campaign({**SETTINGS, **changes}).to_dict()

    def shard(self, attempt=1):
        with open_store(self.path, mode="write") as store:
            records = [store.get("compositions", identifier) for identifier in self.identifiers.values()]
            return shard_of(store, [line_of(SimpleNamespace(**record)) for record in records], attempt)

    @property
    def identifiers(self):
        with open_store(self.path) as store:
            found = {row["centre"]: row["id"] for row in store.find("compositions", fields=["centre", "id"])}
        return {assignment.centre: found[assignment.centre] for assignment in ASSIGNMENTS}

    def build(self, number=1, attempt=1, **changes):
        shard = self.shard(attempt)
        return search_jobs.build_structures.original(self.settings(**changes), self.path, shard, number)

    def search(self, number=1, attempt=1, **changes):
        built = self.build(number, attempt, **changes)
        return search_jobs.prescreen_structures.original(self.settings(**changes), self.path, built, number)

    def assess(self, searched, relaxed=(), number=2, attempt=1, **changes):
        return result_jobs.assess_stability.original(
            self.settings(**changes), self.path, [self.shard(attempt)], list(relaxed), searched, number
        )

    def rank(self, *hulls):
        return result_jobs.rank_candidates.original(self.settings(), self.path, list(hulls), [])

    def lines(self, shard):
        with open_store(self.path) as store:
            return lines_of(store, shard)

    def candidates(self):
        with open_store(self.path) as store:
            return {document["centre"]: document for document in store.find("candidates")}

    def funnel(self, stage):
        with open_store(self.path) as store:
            [funnel] = [row for row in total(store.find("funnel")) if row["stage"] == stage]
        return funnel["count_in"], funnel["count_out"], funnel["reasons"]

    def faults(self):
        with open_store(self.path) as store:
            return {(row["stage"], row["what"]): row["reason"] for row in store.find("faults")}


@pytest.fixture
def prepared(tmp_path):
    from ninefold.rules import load_rule_set

    case = Prepared(str(tmp_path / "s.db"))
    campaign = parse_campaign(SETTINGS)
    selection = Selection(campaign.name, campaign.space, load_rule_set(campaign.rules), frozenset())
    records = [selection._record(assignment, 0.5, []) for assignment in ASSIGNMENTS]
    with open_store(case.path, mode="write") as store:
        store.put("compositions", records)
        store.put("candidates", [candidate_row(record, method_of(campaign.engine), None) for record in records])
    return case


def pool_of(count_in, **reasons):
    left = count_in - sum(reasons.values())
    proposals = tuple(Proposal(CELL, f"random:{index}") for index in range(left))
    return Pool(proposals, Counter(reasons), count_in, 0.5, {})


@pytest.fixture
def pools(monkeypatch):
    """What `build_pool` is asked, and what it answers by the centre."""
    answers, asked = {}, []

    def build_pool(assignment, budget, seed, a_round=1, **_):
        asked.append((assignment.centre, budget, seed, a_round))
        answer = answers.get(assignment.centre, pool_of(1))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("ninefold.search.build_pool", build_pool)
    return SimpleNamespace(answers=answers, asked=asked)


def found(is_valid, energy=-1.0):
    return FoundStructure(CELL, energy, 1, "P1", 1, 27.0, 1.0, [9], 1.7, 1.9, 0.0, True, "random:Z1", is_valid)


@pytest.fixture
def searches(monkeypatch):
    """What `prescreen` is asked, and what it answers by the centre."""
    answers, asked = {}, []

    def prescreen(assignment, proposals, budget, engine, **_):
        asked.append((assignment.centre, len(proposals), budget))
        answer = answers.get(assignment.centre, [found(True)])
        if isinstance(answer, Exception):
            raise answer
        reasons = Counter({"coordination lost": sum(not item.is_valid for item in answer)})
        return SearchOutcome(tuple(answer), reasons, {}, 3, 2.0)

    monkeypatch.setattr("ninefold.search.prescreen", prescreen)
    return SimpleNamespace(answers=answers, asked=asked)


# every loss has its reason


def test_building_counts_every_packing_with_its_reason(prepared, pools):
    pools.answers.update(
        V=pool_of(10, **{"same minimum": 3, "force field: H2 ligand": 2}),
        Nb=pool_of(4, **{"same minimum": 1}),
        Ta=ValueError("no unit fits\nand more"),
    )
    lines = prepared.lines(prepared.build())
    fault = "ValueError: no unit fits and more"
    assert prepared.funnel("build") == (
        14, 8, {"same minimum": 4, "force field: H2 ligand": 2, f"raised {fault}": 1}
    )  # fmt: skip
    assert [line["id"] for line in lines] == list(prepared.identifiers.values())
    assert [line["pool"] is None for line in lines] == [False, False, True]
    assert prepared.faults() == {("build", lines[2]["label"]): fault}


def test_prescreening_counts_compositions_and_keeps_the_reasons_of_each(prepared, pools, searches):
    pools.answers["V"] = RuntimeError("no unit")
    searches.answers.update(Nb=[found(False), found(False)], Ta=[found(True), found(False)])
    lines = prepared.lines(prepared.search())
    assert prepared.funnel("prescreen") == (
        3, 1, {"no structure with the coordination asked": 1, search_jobs.NOT_BUILT: 1}
    )  # fmt: skip
    candidates = prepared.candidates()
    assert {centre: item["reasons"] for centre, item in candidates.items()} == {
        "V": {}, "Nb": {"coordination lost": 2}, "Ta": {"coordination lost": 1}
    }  # fmt: skip
    assert {centre: item["status"] for centre, item in candidates.items()} == {
        "V": "selected", "Nb": "no_structure", "Ta": "searched"
    }  # fmt: skip
    label = method_of(parse_campaign(prepared.settings()).engine).label
    assert {centre: item["engine"] for centre, item in candidates.items()} == {"V": None, "Nb": label, "Ta": label}
    assert len(lines) == 2, "what was not searched is not handed on"


def test_a_search_that_raises_ends_only_itself(prepared, pools, searches):
    searches.answers["Nb"] = ZeroDivisionError("nothing left")
    prepared.search()
    assert prepared.funnel("prescreen") == (3, 2, {"raised ZeroDivisionError: nothing left": 1})
    assert (prepared.candidates()["Nb"]["status"], prepared.candidates()["Nb"]["reasons"]) == ("selected", {})
    del searches.answers["Nb"]
    prepared.search()
    assert prepared.funnel("prescreen") == (3, 3, {})
    assert prepared.faults() == {}, "computed now"
    assert prepared.candidates()["Nb"]["status"] == "searched"


@pytest.mark.parametrize("error", [OSError("disk full"), MemoryError()], ids=repr)
def test_a_fault_of_the_machine_ends_the_run(prepared, pools, searches, error):
    searches.answers["Nb"] = error
    with pytest.raises(type(error)):
        prepared.search()


def test_choosing_counts_what_is_not_searched_again(prepared):
    distances = {"V": 0.3, "Nb": -0.1, "Ta": 0.1}
    rows = prepared.candidates()
    lines = [
        {**line, "row": {**rows[assignment.centre], "phase_separation_energy": distances[assignment.centre]}}
        for line, assignment in zip(prepared.lines(prepared.shard()), ASSIGNMENTS, strict=True)
    ]
    with open_store(prepared.path, mode="write") as store:
        assessed = {"shards": [shard_of(store, lines[:2], 1), shard_of(store, lines[2:], 1)], "attempt": 1}
    [shard] = campaign_jobs.choose_compositions.original(prepared.settings(), prepared.path, assessed, 2)
    chosen = prepared.lines(shard)
    assert [line["id"] for line in chosen] == [prepared.identifiers["Nb"], prepared.identifiers["Ta"]]
    assert not any("row" in line for line in chosen)
    assert prepared.funnel("choose 2") == (3, 2, {"less promising": 1})


def relaxed_references(prepared, monkeypatch, results):
    """The jobs of the references, on an engine that gives these results by the name of the phase."""
    phases = [
        ReferencePhase(name, name.split()[0], "element", CELL.copy(), "Pm-3m", source="test", provenance="from memory")
        for name in results
    ]

    def relax_reference(place, line, method):
        answer = results[name := line["name"]]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Failure):
            return answer
        [phase] = [phase for phase in phases if phase.name == name]
        return reference_record("x", phase, answer, method_of(parse_campaign(SETTINGS).engine))

    monkeypatch.setattr(tasks, "relax_reference", relax_reference)
    monkeypatch.setattr("ninefold.thermo.references.reference_phases", lambda system: phases if "Ta" in system else [])
    monkeypatch.setattr("ninefold.thermo.references.missing_phases", lambda system: [MissingPhase("RbH", "unknown")])
    *parts, gather = references_jobs(prepared)
    shards = [reference_jobs.relax_references_of.original(*part.function_args) for part in parts]
    settings, path, names, _, method, attempt = gather.function_args
    return reference_jobs.gather_references.original(settings, path, names, shards, method, attempt)


def references_jobs(prepared):
    """The jobs that the planning job replaces itself by."""
    planned = reference_jobs.relax_reference_phases.original(prepared.settings(), prepared.path, [prepared.shard()])
    return planned.replace.jobs


def test_references_count_failures_and_name_what_is_missing(prepared, monkeypatch):
    died = "worker process died (out of memory?)"
    failed = Relaxation(CELL, None, 0.0, 0.0, 1, False, 1.0, error="forces explode")
    results = {
        "Rb bcc": Relaxation(CELL, -1.0, 0.0, 0.0, 1, True, 1.0),
        "Ta bcc": Relaxation(CELL, -2.0, 0.0, 0.0, 1, False, 1.0),
        "V bcc": failed,
        "Nb bcc": failed,
        "H2 box": Failure(died),
    }
    relaxed = relaxed_references(prepared, monkeypatch, results)
    count_in, count_out, reasons = prepared.funnel("references")
    assert (count_in, count_out) == (5, 2)
    assert reasons == {
        "Nb bcc: forces explode": 1, "V bcc: forces explode": 1, f"machine: {died}": 1,
        "in the hull, though not converged: Ta bcc": 1, "not in the hull: RbH: unknown": 1,
    }  # fmt: skip
    with open_store(prepared.path) as store:
        notes = {row["name"]: row["notes"] for row in store.find("references")}
    assert notes["V bcc"] == ["forces explode"]
    assert "H2 box" not in notes, "the machine's fault is no property of the phase"
    assert notes["Ta bcc"] == []
    assert prepared.faults() == {("references", "H2 box"): died}
    assert [item["name"] for item in relaxed if item["reference"] is None] == ["H2 box"]


def test_each_phase_of_a_dft_method_is_a_job_and_others_share_one(prepared, monkeypatch):
    phases = [
        ReferencePhase(f"X{number:03}", "Rb", "element", CELL, "Pm-3m", source="test", provenance="from memory")
        for number in range(70)
    ]
    monkeypatch.setattr("ninefold.thermo.references.reference_phases", lambda system: phases)
    method = method_of(parse_campaign(SETTINGS).engine)
    for evidence, sizes in (("ML", [64, 6]), ("DFT", 70 * [1])):
        monkeypatch.setattr(
            reference_jobs, "method_of", lambda _, evidence=evidence: method.model_copy(update={"evidence": evidence})
        )
        *parts, gather = references_jobs(prepared)
        shards = [part.function_args[2] for part in parts]
        assert [shard["count"] for shard in shards] == sizes
        names = [line["name"] for shard in shards for line in prepared.lines(shard)]
        assert names == gather.function_args[2] == sorted(phase.name for phase in phases)


def test_a_lost_job_of_references_leaves_a_gap_and_a_fault(prepared, monkeypatch):
    monkeypatch.setattr("ninefold.stages.references.PHASES_PER_JOB", 1)
    results = {name: Relaxation(CELL, -1.0, 0.0, 0.0, 1, True, 1.0) for name in ("Rb bcc", "Ta bcc")}
    assert all(item["reference"] for item in relaxed_references(prepared, monkeypatch, results))
    _, lost, gather = references_jobs(prepared)
    settings, path, names, _, method, attempt = gather.function_args
    one = reference_jobs.relax_references_of.original(*references_jobs(prepared)[0].function_args)
    gathered = reference_jobs.gather_references.original(settings, path, names, [one, None], method, attempt)
    assert [item["reference"] is None for item in gathered] == [False, True]
    assert prepared.faults() == {("references", "some reference phases"): "a job ended without a result"}
    other = reference_jobs.relax_references_of.original(*lost.function_args)
    reference_jobs.gather_references.original(settings, path, names, [one, other], method, attempt)
    assert prepared.faults() == {}


def test_another_division_of_the_references_counts_each_once(prepared, monkeypatch):
    results = {name: Relaxation(CELL, -1.0, 0.0, 0.0, 1, True, 1.0) for name in ("Rb bcc", "Ta bcc", "V bcc")}
    for size in (64, 2, 1):
        monkeypatch.setattr("ninefold.stages.references.PHASES_PER_JOB", size)
        relaxed_references(prepared, monkeypatch, results)
        assert prepared.funnel("references") == (3, 3, {"not in the hull: RbH: unknown": 1})


def test_without_a_reference_that_the_machine_failed_there_is_no_hull(prepared, pools, searches, monkeypatch):
    searched = prepared.search()
    relaxed = [{"name": "Ta bcc", "reference": None}]
    phases = [ReferencePhase("Ta bcc", "Ta", "element", CELL, "Pm-3m", source="test", provenance="from memory")]
    monkeypatch.setattr("ninefold.thermo.references.reference_phases", lambda system: phases if "Ta" in system else [])
    prepared.assess([[searched]], relaxed)
    count_in, count_out, reasons = prepared.funnel("stability")
    assert (count_in, count_out) == (3, 2)
    assert reasons["no hull: a reference phase could not be computed in this run"] == 1
    assert prepared.candidates()["Ta"]["stability_notes"] == [
        "no hull: a reference phase could not be computed in this run: Ta bcc"
    ]


def test_what_has_no_structure_has_no_hull_distance_and_no_rank(prepared, pools, searches):
    pools.answers["V"] = RuntimeError("no unit")
    searches.answers["Nb"] = [found(False)]
    searched = prepared.search()
    assessed = prepared.assess([[searched]])
    count_in, count_out, reasons = prepared.funnel("stability")
    assert (count_in, count_out) == (3, 1)
    assert (reasons["no valid structure"], reasons["not searched"]) == (1, 1)
    assert any(reason.startswith("no hull") for reason in reasons), "no reference phase is stored"
    prepared.rank(assessed)
    count_in, count_out, reasons = prepared.funnel("rank")
    assert (count_in, count_out) == (3, 0)
    assert reasons["not searched"] == 1
    assert reasons["no_structure"] == 1
    assert sum(reasons.values()) == 3


def test_a_round_that_finds_nothing_keeps_what_was_found_and_no_old_rank(prepared, pools, searches):
    """The row is that of all rounds together: a second one that finds nothing takes nothing away."""
    first = prepared.search()
    pools.answers["V"] = pool_of(2)
    searches.answers["V"] = [found(False, -2.0)]
    with open_store(prepared.path, mode="write") as store:
        again = shard_of(store, [{**line, "searches": line["searches"]} for line in prepared.lines(first)], 1)
    built = search_jobs.build_structures.original(prepared.settings(), prepared.path, again, 2)
    search_jobs.prescreen_structures.original(prepared.settings(), prepared.path, built, 2)
    row = prepared.candidates()["V"]
    assert (row["search_rounds"], row["lowest_by_round"], row["structures_found"]) == (2, [-1.0, None], 1)
    assert (row["energy_per_atom"], row["relaxations"]) == (-1.0, 6)


def test_the_hull_of_an_earlier_round_run_late_counts_nothing_over_the_last(prepared, pools, searches):
    """The first round finds a structure of two of three compositions, the second of the third too."""
    settings = prepared.settings(structures={"rounds": 2})
    searches.answers["V"] = [found(False)]
    first = prepared.search(structures={"rounds": 2})
    searches.answers["V"] = [found(True)]
    built = search_jobs.build_structures.original(settings, prepared.path, first, 2)
    second = search_jobs.prescreen_structures.original(settings, prepared.path, built, 2)
    for searched, number in (([[first], [second]], 2), ([[first]], 1)):
        prepared.assess(searched, number=number, structures={"rounds": 2})
    assert prepared.funnel("stability")[:2] == (3, 3)
    assert prepared.candidates()["V"]["search_rounds"] == 2


@pytest.mark.parametrize(("evidence", "sizes"), [("ML", [2, 1]), ("DFT", [1, 1, 1])])
def test_each_composition_of_a_dft_method_is_a_job(prepared, pools, searches, monkeypatch, evidence, sizes):
    changes = {"energies": [{"name": "lj", "model": "x"}], "execution": {"workers": 1, "compositions_per_job": 2}}
    hull = prepared.assess([[prepared.search()]])
    method = method_of(parse_campaign(SETTINGS).engine).model_copy(update={"evidence": evidence})
    monkeypatch.setattr(search_jobs, "method_of", lambda _: method)
    planned = search_jobs.relax_minima.original(prepared.settings(**changes), prepared.path, hull, 1)
    shards = [part.function_args[2] for part in planned.replace.jobs]
    assert [shard["count"] for shard in shards] == sizes
    found = [line["id"] for shard in shards for line in prepared.lines(shard)]
    assert sorted(found) == sorted(prepared.identifiers.values())


# runs and attempts


def registered(prepared):
    with open_store(prepared.path, mode="write") as store:
        return register(store, parse_campaign(SETTINGS), Run(str(uuid4()), "screen", ""))


def test_a_late_job_of_an_earlier_attempt_writes_over_no_later_row(prepared, pools, searches):
    """Attempt 1 is at its searches when attempt 2 registers, runs to its end and finds other structures."""
    first = registered(prepared)
    built = prepared.build(attempt=first)
    early = prepared.search(attempt=first, seed=1)
    second = registered(prepared)
    assert (first, second) == (1, 2)
    searches.answers["V"] = [found(True, -3.0)]
    prepared.rank(prepared.assess([[prepared.search(attempt=second, seed=2)]], attempt=second))
    before = prepared.candidates()
    assert before["V"]["energy_per_atom"] == -3.0
    searches.answers["V"] = [found(True, -9.0)]
    search_jobs.prescreen_structures.original(prepared.settings(), prepared.path, built, 1)
    assert prepared.candidates() == before
    late = prepared.assess([[early]], attempt=first)
    assert prepared.candidates() == before
    prepared.rank(late)
    assert prepared.candidates() == before


def every_count(store):
    return {row["id"]: (row["attempt"], row["count_in"], row["count_out"]) for row in store.find("funnel")}


@pytest.mark.parametrize("size", [100, 1], ids=["same shards", "other shards"])
def test_a_late_job_of_an_earlier_attempt_changes_no_later_count(prepared, pools, searches, size):
    """Attempt 1 is at its selection when attempt 2 runs to its end, with other compositions in a shard."""

    def selected(attempt, size=100):
        settings = prepared.settings(execution={"workers": 1, "compositions_per_job": size})
        return campaign_jobs.select_compositions.original(settings, prepared.path, {"attempt": attempt})

    def searched(shards, attempt):
        settings = prepared.settings()
        done = []
        for shard in shards:
            built = search_jobs.build_structures.original(settings, prepared.path, shard, 1)
            done.append(search_jobs.prescreen_structures.original(settings, prepared.path, built, 1))
        hull = result_jobs.assess_stability.original(settings, prepared.path, shards, [], [done], 2)
        return prepared.rank(hull)

    early = selected(registered(prepared), size)
    second = registered(prepared)
    searched(selected(second), second)
    with open_store(prepared.path) as store:
        before = every_count(store)
    stages = {identifier.split(":")[1] for identifier in before}
    assert stages == {"enumerate", "select", "competitors", "build", "prescreen", "stability", "rank"}
    assert {attempt for attempt, _, _ in before.values()} == {second}
    pools.answers["V"] = pool_of(7)
    searches.answers["V"] = [found(False)]
    searched(early, 1)
    selected(1, size)
    with open_store(prepared.path) as store:
        assert every_count(store) == before
    registered(prepared)
    searched(selected(3, size), 3)
    with open_store(prepared.path) as store:
        after = every_count(store)
    assert {attempt for attempt, _, _ in after.values()} == {3}, "a later attempt counts anew, and none twice"
    for stage in ("select", "prescreen"):
        assert prepared.funnel(stage)[0] == sum(
            values[1] for key, values in before.items() if key.split(":")[1] == stage
        )  # fmt: skip


def test_a_late_job_of_an_earlier_attempt_neither_adds_nor_clears_a_fault(prepared, pools, searches):
    first = registered(prepared)
    shard = prepared.shard(first)
    searches.answers["V"] = RuntimeError("first")
    built = prepared.build(attempt=first)
    search_jobs.prescreen_structures.original(prepared.settings(), prepared.path, built, 1)
    second = registered(prepared)
    del searches.answers["V"]
    pools.answers["Nb"] = RuntimeError("second")
    prepared.search(attempt=second, seed=2)
    [label] = [line["label"] for line in prepared.lines(shard) if line["id"] == prepared.identifiers["Nb"]]
    expected = {("build", label): "RuntimeError: second"}
    assert prepared.faults() == expected, "what the second attempt has computed is a fault no longer"
    pools.answers.clear()
    search_jobs.build_structures.original(prepared.settings(seed=3), prepared.path, shard, 1)
    assert prepared.faults() == expected, "not cleared by the first"
    searches.answers["Ta"] = RuntimeError("late")
    search_jobs.prescreen_structures.original(prepared.settings(seed=3), prepared.path, built, 1)
    gathered = (prepared.settings(), prepared.path, ["Rb bcc"], [None], 0, first)
    reference_jobs.gather_references.original(*gathered)
    assert prepared.faults() == expected, "not added to by the first"
    prepared.build(attempt=second, seed=3)
    assert prepared.faults() == {}


def test_the_end_of_an_earlier_attempt_ends_no_later_one(prepared):
    registered(prepared)
    registered(prepared)

    def ended(attempt):
        ranked = {"ranked": 0, "attempt": attempt}
        return campaign_jobs.finish_campaign.original(prepared.settings(), prepared.path, ranked)["status"]

    assert [ended(1), ended(2), ended(1)] == ["running", "finished", "finished"]


def test_a_hull_run_again_is_ranked_by_its_new_values(prepared, pools, searches):
    """In one attempt: a reference is there at last, the hull is made again, then the ranking."""
    searched = prepared.search()
    missing = [{"name": "Rb bcc", "reference": None}]
    prepared.rank(prepared.assess([[searched]], missing))
    [before] = {row["stability_notes"][0] for row in prepared.candidates().values()}
    assert before.endswith("Rb bcc")
    with open_store(prepared.path, mode="write") as store:
        for symbol in ("Rb", "V", "Nb", "Ta"):
            cell = cell_of(symbol)
            store.put("structures", [StructureRecord.of(cell)])
            store.put("references", [reference(symbol, cell, -0.5)])
        relaxed = [{"name": row["name"], "reference": row["id"]} for row in store.find("references")]
    again = prepared.assess([[searched]], relaxed)
    assert prepared.candidates()["V"]["stability_notes"] == [before], "the row of the ranking stays until the next one"
    prepared.rank(again)
    after = prepared.candidates()
    assert not any(before in row["stability_notes"] for row in after.values())
    again = prepared.assess([[searched]], relaxed)
    prepared.rank(again)
    assert prepared.candidates() == after


def cell_of(symbol):
    return Structure(Lattice.cubic(3), [symbol], [[0, 0, 0]])


def reference(symbol, cell, energy):
    phase = ReferencePhase(f"{symbol} bcc", symbol, "element", cell, "Pm-3m", source="test", provenance="from memory")
    relaxation = Relaxation(phase.structure, energy, 0.0, 0.0, 1, True, 1.0)
    return reference_record("x", phase, relaxation, method_of(parse_campaign(SETTINGS).engine))


@pytest.mark.parametrize("size", [1, 2, 400])
def test_where_rows_are_cut_into_blobs_changes_nothing(prepared, pools, searches, monkeypatch, size):
    searched = prepared.search()
    prepared.rank(prepared.assess([[searched]]))
    before = prepared.candidates()
    monkeypatch.setattr(result_jobs, "ROWS_PER_BLOB", size)
    hull = prepared.assess([[searched]])
    assert [shard["count"] for shard in hull["shards"]] == {1: [1, 1, 1], 2: [2, 1], 400: [3]}[size]
    prepared.rank(hull)
    assert prepared.candidates() == before


def test_a_row_that_this_attempt_has_nothing_for_is_dropped(prepared, pools, searches):
    """A further method found a structure once; now the machine keeps it from being relaxed."""
    hull = prepared.assess([[prepared.search()]])
    prepared.rank(hull)
    other = {**hull, "attempt": 2, "shards": hull["shards"][:0]}
    prepared.rank(other)
    assert prepared.candidates() == {}


def test_a_lost_job_is_a_fault_until_it_has_run(prepared, pools, searches):
    hull = prepared.assess([[prepared.search(), None]])
    assert prepared.faults() == {("prescreen", "some compositions"): "a job ended without a result"}
    prepared.rank(None)
    assert ("stability", "every hull") in prepared.faults()
    prepared.rank(hull)
    prepared.assess([[prepared.search()]])
    assert prepared.faults() == {}


def test_the_funnel_of_a_whole_campaign_loses_nothing_without_a_reason(finished):
    with open_store(finished / "ninefold.db") as store:
        funnel = total(store.find("funnel"))
    beside = ("not made: ", "not in the hull: ", "in the hull, though not converged: ")
    for stage in funnel:
        losses = sum(count for reason, count in stage["reasons"].items() if not reason.startswith(beside))
        assert stage["count_in"] - stage["count_out"] == losses, stage["stage"]


# what is found again


OTHER_BUDGET = {
    "sources": ("hosts",), "withhold_types": ("K2ReH9",), "formula_units": (1, 2), "max_atoms": 61, "pool": 241,
    "single_points": 49, "coarse_relaxations": 11, "refinements": 4, "relaxations": 20, "patience": 7,
    "coarse_fmax": 0.2, "coarse_steps": 41, "final_fmax": 0.02, "final_steps": 251,
}  # fmt: skip
OF_POOL = {"sources", "withhold_types", "formula_units", "max_atoms", "pool", "single_points"}
"""What a pool depends on; the number of single points ends the drawing of a source that brings nothing new."""


def test_every_setting_of_the_search_has_another_value_here():
    of_flow = {"rounds", "passed_on", "passed_on_window", "search_fmax"}
    assert {*OTHER_BUDGET} | of_flow == set(SearchBudget.model_fields)


@pytest.mark.parametrize("field", OTHER_BUDGET)
def test_another_budget_is_another_search_and_another_pool_only_where_it_decides_the_pool(
    prepared, pools, searches, field
):
    other = {"structures": {field: OTHER_BUDGET[field]}}
    for changes in ({}, other, {}, other):
        prepared.search(**changes)
    both = [getattr(SearchBudget(), field), OTHER_BUDGET[field]]
    assert [getattr(budget, field) for *_, budget in searches.asked[::3]] == both
    asked = [getattr(budget, field) for _, budget, *_ in pools.asked[::3]]
    assert asked == (both if field in OF_POOL else both[:1])


@pytest.mark.parametrize(
    ("further", "criteria"), [({}, [0.01]), ({"energies": [{"name": "lj", "model": "x"}]}, [0.01, 0.05])]
)
def test_a_search_refines_roughly_only_where_a_further_method_follows(prepared, pools, searches, further, criteria):
    for changes in ({}, {"structures": {"search_fmax": 0.05}}, {}):
        prepared.search(**further, **changes)
    assert [budget.final_fmax for *_, budget in searches.asked[::3]] == criteria
    assert len(pools.asked) == 3


def test_seed_and_round_draw_anew_and_the_number_of_rounds_does_not(prepared, pools, searches):
    for number, changes in (
        (1, {}), (1, {"seed": 7}), (2, {}), (1, {"structures": {"rounds": 5}}), (1, {}), (2, {"seed": 7})
    ):  # fmt: skip
        prepared.search(number, **changes)
    assert [(seed, number) for _, _, seed, number in pools.asked[::3]] == [(0, 1), (7, 1), (0, 2), (7, 2)]


def test_another_pool_and_another_composition_are_searched_on_their_own(prepared, pools, searches):
    prepared.search()
    pools.answers["Nb"] = pool_of(5)
    prepared.search(seed=1)
    asked = [(centre, count) for centre, count, _ in searches.asked]
    assert asked == [("V", 1), ("Nb", 1), ("Ta", 1), ("V", 1), ("Nb", 5), ("Ta", 1)]


def test_a_lost_pool_is_built_again(prepared, pools, searches):
    pools.answers.update({assignment.centre: pool_of(place + 1) for place, assignment in enumerate(ASSIGNMENTS)})
    prepared.search()
    with open_store(prepared.path, mode="write") as store:
        for pool in store.find("pools"):
            store.blobs.delete(pool["packings"])
    prepared.search()
    assert len(pools.asked) == 2 * len(ASSIGNMENTS)
    assert len(searches.asked) == len(ASSIGNMENTS), "the searches are there"


def test_what_another_campaign_has_computed_is_found(prepared, pools, searches):
    prepared.search()
    with open_store(prepared.path) as store:
        before = store.find("pools"), store.find("searches"), store.find("minima")
    prepared.search(name="other")
    assert (len(pools.asked), len(searches.asked)) == (len(ASSIGNMENTS), len(ASSIGNMENTS))
    with open_store(prepared.path) as store:
        assert (store.find("pools"), store.find("searches"), store.find("minima")) == before
        assert all(PoolRecord.model_validate(row).campaign == "x" for row in before[0])
