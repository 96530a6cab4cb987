"""Stages at the edge: what a funnel counts, with the reason of every loss; what is found again and what is not."""

from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from ninefold.flows.packing import pack_assignment, pack_structure
from ninefold.flows.workers import Failure
from pymatgen.core import Lattice, Structure

from ninefold.campaign import parse_campaign
from ninefold.chemistry.anions import Assignment, Cation
from ninefold.flows import convert, stages
from ninefold.search import FoundStructure, SearchOutcome
from ninefold.search.budget import SearchBudget
from ninefold.search.pool import Pool
from ninefold.store import open_repository
from ninefold.store.shards import read_shard, shard_folder, write_shard
from ninefold.structures.proposal import Proposal
from ninefold.thermo.references import MissingPhase, ReferencePhase

READINGS = tuple(Assignment(centre, 9, 4, 0, (Cation("Rb", 4, 1),)) for centre in ("V", "Nb", "Ta"))
CELL = Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]])
SETTINGS = {
    "name": "x", "space": [{"centres": ["V", "Nb", "Ta"], "cations": ["Rb"], "n": 9}], "engine": {"name": "lj"},
    "execution": {"workers": 1},
}  # fmt: skip


@dataclass
class Prepared:
    """A store with candidates as selecting leaves them, and the shard of their assignments."""

    path: str

    def campaign(self, **changes):
        return parse_campaign({**SETTINGS, **changes})

    def shard(self):
        return write_shard(shard_folder(self.path), [pack_assignment(reading) for reading in READINGS])

    def update(self, **by_centre):
        with open_repository(self.path, mode="write") as repository:
            for document in repository.find("candidates"):
                repository.put(
                    "candidates",
                    [convert.CandidateDocument.model_validate({**document, **by_centre.get(document["centre"], {})})],
                )

    def candidates(self):
        with open_repository(self.path) as repository:
            return {document["centre"]: document for document in repository.find("candidates")}

    def funnel(self, stage):
        with open_repository(self.path) as repository:
            [funnel] = [row for row in repository.find("funnel") if row["stage"] == stage]
        return funnel["count_in"], funnel["count_out"], funnel["reasons"]


@pytest.fixture
def prepared(tmp_path):
    case = Prepared(str(tmp_path / "s.db"))
    with open_repository(case.path, mode="write") as repository:
        for reading in READINGS:
            repository.put("candidates", [convert.selected_candidate(case.campaign(), reading, 0.5, [])])
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


def found(is_valid):
    return FoundStructure(CELL, -1.0, 1, "P1", 1, 27.0, 1.0, [9], 1.7, 1.9, 0.0, True, "random:Z1", is_valid)


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
    records = read_shard(stages.build(prepared.campaign(), prepared.path, prepared.shard()))
    assert prepared.funnel("build") == (
        14, 8, {"same minimum": 4, "force field: H2 ligand": 2, "machine: ValueError: no unit fits and more": 1}
    )  # fmt: skip
    assert [record["assignment"] for record in records] == [pack_assignment(reading) for reading in READINGS]
    assert [record["pool"] is None for record in records] == [False, False, True]


def test_prescreening_counts_compositions_and_keeps_the_reasons_of_each(prepared, pools, searches):
    campaign = prepared.campaign()
    pools.answers["V"] = RuntimeError("no unit")
    searches.answers.update(Nb=[found(False), found(False)], Ta=[found(True), found(False)])
    stages.prescreen(campaign, prepared.path, stages.build(campaign, prepared.path, prepared.shard()))
    assert prepared.funnel("prescreen") == (3, 1, {"no structure with the coordination asked": 1, stages.NOT_BUILT: 1})
    candidates = prepared.candidates()
    assert {centre: item["reasons"] for centre, item in candidates.items()} == {
        "V": {}, "Nb": {"coordination lost": 2}, "Ta": {"coordination lost": 1}
    }  # fmt: skip
    assert {centre: item["status"] for centre, item in candidates.items()} == {
        "V": "selected", "Nb": "no_structure", "Ta": "searched"
    }  # fmt: skip


def test_a_search_that_raises_ends_only_itself(prepared, pools, searches):
    campaign = prepared.campaign()
    searches.answers["Nb"] = ZeroDivisionError("nothing left")
    stages.prescreen(campaign, prepared.path, stages.build(campaign, prepared.path, prepared.shard()))
    assert prepared.funnel("prescreen") == (3, 2, {"machine: ZeroDivisionError: nothing left": 1})
    assert (prepared.candidates()["Nb"]["status"], prepared.candidates()["Nb"]["reasons"]) == ("selected", {})


def test_a_full_disk_ends_the_run(prepared, pools, searches):
    campaign = prepared.campaign()
    searches.answers["Nb"] = OSError("disk full")
    shard = stages.build(campaign, prepared.path, prepared.shard())
    with pytest.raises(OSError, match="disk full"):
        stages.prescreen(campaign, prepared.path, shard)


def test_a_search_without_memory_ends_only_itself(prepared, pools, searches):
    campaign = prepared.campaign()
    searches.answers["Nb"] = MemoryError()
    stages.prescreen(campaign, prepared.path, stages.build(campaign, prepared.path, prepared.shard()))
    assert prepared.funnel("prescreen") == (3, 2, {"machine: out of memory": 1})
    assert (prepared.candidates()["Nb"]["status"], prepared.candidates()["Nb"]["reasons"]) == ("selected", {})


def test_choosing_counts_what_is_not_searched_again(prepared):
    distances = {"V": 0.3, "Nb": -0.1, "Ta": 0.1}
    prepared.update(**{centre: {"phase_separation_energy": distance} for centre, distance in distances.items()})
    [shard] = stages.choose(prepared.campaign(), prepared.path, [prepared.shard()], 2)
    assert read_shard(shard) == [pack_assignment(READINGS[1]), pack_assignment(READINGS[2])]
    assert prepared.funnel("choose 2") == (3, 2, {"less promising": 1})


def test_references_count_failures_and_name_what_is_missing(prepared, monkeypatch):
    results = {
        "Rb bcc": {"energy_per_atom": -1.0, "is_converged": True, "error": None},
        "Ta bcc": {"energy_per_atom": -2.0, "is_converged": False, "error": None},
        "V bcc": {"energy_per_atom": None, "is_converged": False, "error": "forces explode"},
        "Nb bcc": {"energy_per_atom": None, "is_converged": False, "error": "forces explode"},
        "H2 box": Failure("worker process died (out of memory?)"),
    }
    phases = [
        ReferencePhase(name, name.split()[0], "element", CELL, "Pm-3m", source="test", provenance="from memory")
        for name in results
    ]
    answers = iter(results.values())

    def relax_one(context, structure, settings):
        answer = next(answers)
        if isinstance(answer, Failure):
            return answer
        return {**answer, "structure": pack_structure(structure), "core_seconds": 1.0}

    monkeypatch.setattr(stages, "relax_one", relax_one)
    monkeypatch.setattr("ninefold.thermo.references.reference_phases", lambda system: phases if "Ta" in system else [])
    monkeypatch.setattr("ninefold.thermo.references.missing_phases", lambda system: [MissingPhase("RbH", "unknown")])
    stages.relax_references(prepared.campaign(), prepared.path)
    count_in, count_out, reasons = prepared.funnel("references")
    assert (count_in, count_out) == (5, 2)
    assert reasons == {
        "forces explode": 2, "machine: worker process died (out of memory?)": 1,
        "in the hull, though not converged: Ta bcc": 1, "not in the hull: RbH: unknown": 1,
    }  # fmt: skip
    with open_repository(prepared.path) as repository:
        notes = {row["name"]: row["notes"] for row in repository.find("references")}
    assert notes["V bcc"] == ["forces explode"]
    assert "H2 box" not in notes, "the machine's fault is no property of the phase"
    assert notes["Ta bcc"] == []


def test_what_has_no_structure_has_no_hull_distance_and_no_rank(prepared):
    prepared.update(Ta={"energy_per_atom": -1.0, "volume_per_formula_unit": 300.0, "structures_found": 1})
    stages.assess_stability(prepared.campaign(), prepared.path)
    count_in, count_out, reasons = prepared.funnel("stability")
    assert (count_in, count_out) == (3, 1)
    assert reasons["no valid structure"] == 2
    assert any(reason.startswith("no hull") for reason in reasons), "no reference phase is stored"
    stages.rank_candidates(prepared.campaign(), prepared.path)
    count_in, count_out, reasons = prepared.funnel("rank")
    assert (count_in, count_out) == (3, 0)
    assert reasons["selected"] == 2, "not searched"
    assert sum(reasons.values()) == 3


def test_the_funnel_of_a_whole_campaign_loses_nothing_without_a_reason(finished):
    from ninefold.flows.funnel import total

    with open_repository(finished / "ninefold.db") as repository:
        funnel = total(repository.find("funnel"))
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


def test_every_setting_of_the_search_has_another_value_here():
    assert {*OTHER_BUDGET, "rounds"} == set(SearchBudget.model_fields)


def run_search(prepared, number=1, **changes):
    campaign = prepared.campaign(**changes)
    shard = stages.build(campaign, prepared.path, prepared.shard(), number)
    stages.prescreen(campaign, prepared.path, shard, number)


@pytest.mark.parametrize("field", OTHER_BUDGET)
def test_another_budget_is_another_search(prepared, pools, searches, field):
    other = {"structures": {field: OTHER_BUDGET[field]}}
    for changes in ({}, other, {}, other):
        run_search(prepared, **changes)
    asked = [getattr(budget, field) for _, budget, *_ in pools.asked[::3]]
    assert asked == [getattr(SearchBudget(), field), OTHER_BUDGET[field]]
    assert [getattr(budget, field) for *_, budget in searches.asked[::3]] == asked


def test_seed_and_round_draw_anew_and_the_number_of_rounds_does_not(prepared, pools, searches):
    for number, changes in (
        (1, {}), (1, {"seed": 7}), (2, {}), (1, {"structures": {"rounds": 5}}), (1, {}), (2, {"seed": 7})
    ):  # fmt: skip
        run_search(prepared, number, **changes)
    assert [(seed, number) for _, _, seed, number in pools.asked[::3]] == [(0, 1), (7, 1), (0, 2), (7, 2)]


def test_another_pool_and_another_composition_are_searched_on_their_own(prepared, pools, searches):
    run_search(prepared)
    pools.answers["Nb"] = pool_of(5)
    run_search(prepared, seed=1)
    assert [(centre, count) for centre, count, _ in searches.asked] == [("V", 1), ("Nb", 1), ("Ta", 1), ("Nb", 5)]


def test_a_lost_pool_is_built_again(prepared, pools, searches):
    pools.answers.update({reading.centre: pool_of(place + 1) for place, reading in enumerate(READINGS)})
    run_search(prepared)
    for file in shard_folder(prepared.path).rglob("*.gz"):
        file.unlink()
    run_search(prepared)
    assert len(pools.asked) == 2 * len(READINGS)
