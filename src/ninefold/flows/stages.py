"""The stages of a campaign at the edge: read documents, call the science, write documents.

Every stage may be killed and run again: selecting and judging are cheap and done anew, what is
expensive (force-field pools, energies, relaxations, whole searches) is found in the store by its
key. A stage's funnel entry is written when the stage, or its shard, is finished.
"""

from __future__ import annotations

import functools
import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.campaign.model import Campaign
from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_formulas
from ninefold.errors import InputError, MachineFaultError, description
from ninefold.flows import convert
from ninefold.flows.clock import now
from ninefold.flows.faults import IN_FUNNEL, named, note_fault
from ninefold.flows.packing import pack_assignment, pack_structure, unpack_assignment, unpack_structure
from ninefold.flows.progress import announce
from ninefold.flows.workers import Context, Failure, run_tasks
from ninefold.keys import KEY_VERSION, content_key
from ninefold.machine import usable_cores
from ninefold.store import open_repository
from ninefold.store.documents import FunnelDocument, ResultDocument
from ninefold.store.repository import Repository, StoreError
from ninefold.store.shards import Shard, read_shard, shard_folder, write_shard

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines import RelaxSettings
    from ninefold.rules import RuleSet


FEWEST_LIGANDS = 2
"""Of a made compound, for a search by the polyhedra that ninefold has."""


NOT_BUILT = "no pool of structures: the machine failed"
"""Reason in the funnel of a search that could not begin."""


class Funnel:
    """What one stage, or one shard of it, let through, while it is being counted."""

    def __init__(self) -> None:
        self.count_in = self.count_out = 0
        self.unit = "compositions"
        self.reasons: Counter[str] = Counter()
        self.core_seconds = 0.0
        """Of the workers; this process's own are added at the end."""
        self.is_in_process = False
        """Whether the tasks ran in this process, whose seconds hold theirs already."""


@contextmanager
def counted(repository: Repository, campaign: Campaign, stage: str, shard: str = "0") -> Iterator[Funnel]:
    """Count a stage and write its funnel document when it is finished."""
    funnel = Funnel()
    wall, cpu = time.monotonic(), time.process_time()
    yield funnel
    own = time.process_time() - cpu
    repository.put(
        "funnel",
        [
            FunnelDocument(
                id=f"{campaign.name}:{stage}:{shard}",
                campaign=campaign.name,
                stage=stage,
                shard=shard,
                count_in=funnel.count_in,
                count_out=funnel.count_out,
                unit=funnel.unit,
                reasons=dict(funnel.reasons.most_common()),
                core_seconds=round((0.0 if funnel.is_in_process else funnel.core_seconds) + own, 3),
                wall_seconds=round(time.monotonic() - wall, 3),
                hardware=hardware(),
            )
        ],
    )


@functools.cache
def hardware() -> str:
    """Processor and the cores that this process may use."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass  # not Linux: the platform's own word has to do
    return f"{model}, {usable_cores()} cores"


def select(campaign: Campaign, store: str) -> list[Shard]:
    """Enumerate the spaces, apply the rules, store the survivors, and their neighbours where asked for.

    Returns:
        Shards of at most `execution.compositions_per_job` assignments.

    Raises:
        InputError: if no composition satisfies the space, or none passes the rules.
    """
    from ninefold.enumeration import enumerate_assignments, neighbours
    from ninefold.rules import load_rule_set

    rule_set = load_rule_set(campaign.rules)
    made = known_formulas(campaign.known_compounds())
    seen: set[str] = set()
    kept: list[Assignment] = []
    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, "enumerate") as enumerated,
        counted(repository, campaign, "select") as selected,
    ):
        for space in campaign.space:
            for table in enumerate_assignments(space):
                enumerated.count_in += len(table)
                verdicts = rule_set.apply(table)
                documents = []
                for row, assignment in zip(verdicts.kept_rows, table.assignments(verdicts.kept_rows), strict=True):
                    if assignment.label in seen:
                        selected.reasons["in another space already"] += 1
                        continue
                    seen.add(assignment.label)
                    kept.append(assignment)
                    documents.append(
                        convert.selected_candidate(
                            campaign, assignment, float(verdicts.prior[row]), rule_set.explain(assignment), made=made
                        )
                    )
                _put_new(repository, documents)
                selected.reasons.update(verdicts.reasons)
                announce("select", len(kept), None)
        enumerated.count_out = selected.count_in = enumerated.count_in
        if campaign.rules.neighbours:
            documents = []
            for assignment in tuple(kept):
                for neighbour in neighbours(assignment):
                    if neighbour.label in seen:
                        continue
                    seen.add(neighbour.label)
                    selected.count_in += 1
                    prior, verdicts_on_it = rule_set.judge_neighbour(neighbour)
                    if prior is None:
                        selected.reasons["neighbour that another gate rejects"] += 1
                        continue
                    kept.append(neighbour)
                    documents.append(
                        convert.selected_candidate(
                            campaign, neighbour, prior, verdicts_on_it, neighbour_of=assignment, made=made
                        )
                    )
            _put_new(repository, documents)
        selected.count_out = len(kept)
        if enumerated.count_in == 0:
            raise InputError(
                "space",
                "; ".join(str(space) for space in campaign.space),
                problem="holds no composition that satisfies G + n + q = electron count and Z = q + m",
                hint="widen n, m, cations or max_cations_per_centre; 'ninefold enumerate FILE --count' counts",
            )
        if not kept:
            raise InputError(
                "rules",
                campaign.rules.set,
                problem=f"reject all {enumerated.count_in} compositions: {_reasons(selected.reasons)}",
                hint="loosen a gate, or 'ninefold explain FORMULA' for one composition",
            )
        searched = [*kept, *_competitors(repository, campaign, rule_set, kept)]
        _forget_others(repository, campaign, {convert.candidate_id(campaign, assignment) for assignment in searched})
        size = campaign.execution.compositions_per_job
        packed = [pack_assignment(assignment) for assignment in searched]
        return [write_shard(shard_folder(store), packed[start : start + size]) for start in range(0, len(packed), size)]


def _competitors(
    repository: Repository, campaign: Campaign, rule_set: RuleSet, kept: Sequence[Assignment]
) -> list[Assignment]:
    """Store the made compounds of the candidates' chemical systems that are no candidates themselves.

    They are searched as the candidates are: a competitor whose published structure is not its lowest with the
    engine in use would flatter everything that is measured against it.
    """
    if not campaign.stability.search_known_compounds:
        return []
    with counted(repository, campaign, "competitors") as funnel:
        systems = {frozenset(assignment.amounts) for assignment in kept}
        formulas = {assignment.formula for assignment in kept}
        compounds = campaign.known_compounds()
        made = [compound.assignment for compound in compounds]
        within = [assignment for assignment in made if any(system >= set(assignment.amounts) for system in systems)]
        found = {item.formula: item for item in within if item.formula not in formulas}
        funnel.count_in = len(within)
        for formula, assignment in list(found.items()):
            if assignment.n < FEWEST_LIGANDS:
                funnel.reasons[f"no polyhedron of fewer than {FEWEST_LIGANDS} ligands: {formula}"] += 1
                del found[formula]
        funnel.reasons["candidate already"] = sum(item.formula in formulas for item in within)
        funnel.count_out = len(found)
        documents = []
        for assignment in found.values():
            verdicts = rule_set.explain(assignment)
            prior = math.prod(verdict.score for verdict in verdicts if verdict.mode == "score")
            documents.append(
                convert.selected_candidate(
                    campaign, assignment, prior, verdicts, is_competitor=True, made=known_formulas(compounds)
                )
            )
        _put_new(repository, documents)
        return list(found.values())


def choose(campaign: Campaign, store: str, shards: Sequence[Shard], number: int) -> list[Shard]:
    """The compositions that a further round searches again, as shards.

    Args:
        campaign: Whose compositions.
        store: Where their hull distances are.
        shards: Every composition of the campaign.
        number: Of the round, 2 or more.
    """
    from ninefold.search import promising

    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, f"choose {number}") as funnel,
    ):
        candidates = list(repository.find("candidates", equal=_of(campaign), limit=None))
        competitors = [candidate["id"] for candidate in candidates if candidate["is_competitor"]]
        own = [candidate for candidate in candidates if not candidate["is_competitor"]]
        chosen = promising([convert.prospect(candidate) for candidate in own], number)
        funnel.count_in, funnel.count_out = len(own), len(chosen)
        funnel.reasons["less promising"] = len(own) - len(chosen)
        chosen += competitors  # as often as the candidates that are measured against them
        assignments = [unpack_assignment(record) for shard in shards for record in read_shard(shard)]
        by_id = {convert.candidate_id(campaign, assignment): assignment for assignment in assignments}
        size = campaign.execution.compositions_per_job
        packed = [pack_assignment(by_id[identifier]) for identifier in chosen]
        announce(f"choose {number}", len(chosen), len(chosen))
        return [write_shard(shard_folder(store), packed[start : start + size]) for start in range(0, len(packed), size)]


def build(campaign: Campaign, store: str, shard: Shard, number: int = 1) -> Shard:
    """Force-field pools for the assignments of a shard.

    Args:
        campaign: Whose compositions.
        store: Where pools are looked up.
        shard: Assignments.
        number: Of the round; each draws anew.

    Returns:
        A shard with one record per assignment: the assignment and where its pool is; None where the machine failed.
    """
    assignments = [unpack_assignment(record) for record in read_shard(shard)]
    records: list[dict[str, Any] | None] = [None] * len(assignments)
    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, _in_round("build", number), shard.sha256[:12]) as funnel,
    ):
        funnel.unit = "structures"
        tasks = [(assignment, store, number) for assignment in assignments]
        funnel.is_in_process = _workers(campaign, tasks) == 1
        announce(_in_round("build", number), 0, len(tasks))
        for done, (index, result) in enumerate(_run(campaign, store, _build_one, tasks), start=1):
            assignment = assignments[index]
            if isinstance(result, Failure):
                _went_on_after(result, _in_round("build", number), assignment.label, funnel)
                result = {"pool": None}
            else:
                funnel.count_in += result["count_in"]
                funnel.count_out += result["count_out"]
                funnel.reasons.update(result["reasons"])
                funnel.core_seconds += result["core_seconds"]
            records[index] = {"assignment": pack_assignment(assignment), **result}
            announce(_in_round("build", number), done, len(assignments), note=assignment.formula)
        return write_shard(shard_folder(store), [record for record in records if record is not None])


def prescreen(campaign: Campaign, store: str, shard: Shard, number: int = 1) -> None:
    """Search the pools of a shard with the engine; candidate documents fill as compositions finish.

    A further round adds what it finds to what the rounds before it found.
    """
    from ninefold.engines import make_engine

    engine = make_engine(campaign.engine)
    records = read_shard(shard)
    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, _in_round("prescreen", number), shard.sha256[:12]) as funnel,
    ):
        funnel.count_in = len(records)
        if lost := sum(record["pool"] is None for record in records):
            funnel.reasons[NOT_BUILT] = lost
        tasks = [
            (unpack_assignment(record["assignment"]), record["pool"], store)
            for record in records
            if record["pool"] is not None
        ]
        funnel.is_in_process = _workers(campaign, tasks) == 1
        announce(_in_round("prescreen", number), 0, len(tasks))
        for done, (index, result) in enumerate(_run(campaign, store, _prescreen_one, tasks), start=1):
            assignment = tasks[index][0]
            document = repository.get("candidates", convert.candidate_id(campaign, assignment))
            if document is None:
                raise InputError("store", store, problem=f"has lost the candidate {assignment.label}", hint="run again")
            if isinstance(result, Failure):
                _went_on_after(result, _in_round("prescreen", number), assignment.label, funnel)
            else:
                repository.put("candidates", [convert.searched_candidate(campaign, document, result, engine, number)])
                funnel.core_seconds += result["core_seconds"]
                if any(found["is_valid"] for found in result["found"]):
                    funnel.count_out += 1
                else:
                    funnel.reasons["no structure with the coordination asked"] += 1
            announce(_in_round("prescreen", number), done, len(tasks), note=assignment.formula)


def relax_references(campaign: Campaign, store: str) -> None:
    """Relax every competing phase of the chemical systems at hand with the campaign's engine."""
    from ninefold.engines import make_engine
    from ninefold.thermo.references import missing_phases, reference_phases

    engine = make_engine(campaign.engine).label
    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, "references") as funnel,
    ):
        systems = _systems(repository, campaign)
        phases = {phase.name: phase for system in systems for phase in reference_phases(system)}
        funnel.unit = "structures"
        funnel.count_in = len(phases)
        tasks = [(phase.structure, phase.relax_settings) for phase in phases.values()]
        order = list(phases.values())
        funnel.is_in_process = _workers(campaign, tasks) == 1
        announce("references", 0, len(tasks), unit="structures")
        for done, (index, result) in enumerate(_run(campaign, store, relax_one, tasks), start=1):
            phase = order[index]
            if isinstance(result, Failure):
                _went_on_after(result, "references", phase.name, funnel)
                repository.delete("references", equal={"id": convert.reference_id(campaign, phase)})
            else:
                funnel.core_seconds += result["core_seconds"]
                if result["error"]:
                    funnel.reasons[result["error"]] += 1
                else:
                    funnel.count_out += 1
                    if not result["is_converged"]:
                        funnel.reasons[f"in the hull, though not converged: {phase.name}"] = 1
                repository.put("references", [convert.reference(campaign, phase, result, engine)])
            announce("references", done, len(order), unit="structures", note=phase.name)
        for system in systems:
            for missing in missing_phases(system):
                funnel.reasons[f"not in the hull: {missing.formula}: {missing.reason}"] = 1


def assess_stability(campaign: Campaign, store: str) -> None:
    """Hull distances, competitors and conditions for every candidate with a structure.

    Raises:
        MachineFaultError: if the machine kept a reference phase from being relaxed: without it compounds would seem
            more stable than they are.
    """
    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, "stability") as funnel,
    ):
        candidates = list(repository.find("candidates", equal=_of(campaign), limit=None))
        references = list(repository.find("references", equal=_of(campaign), limit=None))
        _check_references(repository, campaign, {reference["name"] for reference in references})
        documents, reasons = convert.assessed_candidates(campaign, candidates, references)
        repository.put("candidates", documents)
        funnel.count_in = len(candidates)
        funnel.count_out = len(documents)
        funnel.reasons.update(reasons)
        announce("stability", len(documents), len(documents))


def rank_candidates(campaign: Campaign, store: str) -> None:
    """Judge the results by the rules, score and rank every candidate; the campaign is finished after this."""
    from ninefold.rules import load_rule_set

    with (
        open_repository(store, mode="write") as repository,
        counted(repository, campaign, "rank") as funnel,
    ):
        candidates = list(repository.find("candidates", equal=_of(campaign), limit=None))
        documents = convert.ranked_candidates(campaign, candidates, load_rule_set(campaign.rules))
        repository.put("candidates", documents)
        ranked = [document for document in documents if not document.is_competitor]
        funnel.count_in = len(ranked)
        funnel.count_out = sum(1 for document in ranked if document.rank is not None)
        funnel.reasons.update(document.status for document in ranked if document.rank is None)
        announce("rank", len(documents), len(documents))


def _isolated(task: Callable[..., Any]) -> Callable[..., Any]:
    """What goes wrong with one task ends only that; what goes wrong with the store, files or memory ends the run.

    A composition that cannot be built or searched says so in its result. An exception is no such result, whatever its
    class: it says nothing about the composition.
    """

    @functools.wraps(task)
    def run(*arguments: Any) -> Any:
        try:
            return task(*arguments)
        except (StoreError, OSError, MemoryError):
            raise
        except Exception as error:  # whatever one composition brings up must not end the others
            return Failure(description(error))

    return run


@_isolated
def _build_one(context: Context, assignment: Assignment, store: str, number: int) -> dict[str, Any]:
    from ninefold.search import build_pool, structures_version
    from ninefold.structures.sources import sources_checksum

    campaign = context.campaign
    budget = campaign.structures
    key = content_key(
        "pool",
        pack_assignment(assignment),
        budget.model_dump(mode="json", exclude={"rounds"}),
        campaign.seed,
        number,
        structures_version(),
        sources_checksum(budget.sources),
        KEY_VERSION,
    )
    known = context.repository.get("results", key)
    if known is not None and Shard.from_dict(known["value"]["pool"], shard_folder(store)).path.exists():
        return known["value"]
    pool = build_pool(assignment, budget, campaign.seed, a_round=number)
    shard = write_shard(
        shard_folder(store),
        [{"source": proposal.source, **pack_structure(proposal.structure)} for proposal in pool.proposals],
    )
    value = {
        "pool": shard.to_dict(),
        "count_in": pool.count_in,
        "count_out": len(pool.proposals),
        "reasons": dict(pool.reasons),
        "core_seconds": pool.core_seconds,
    }
    context.repository.put(
        "results", [ResultDocument(id=key, campaign=campaign.name, kind="pool", value=value, created=now())]
    )
    return value


@_isolated
def _prescreen_one(
    context: Context, assignment: Assignment, pool: dict[str, Any], store: str
) -> dict[str, Any] | Failure:
    from ninefold.engines.base import RELAXATION_VERSION, is_foreign
    from ninefold.search import prescreen as search
    from ninefold.search import structures_version
    from ninefold.search.state import OF_ENGINE
    from ninefold.structures import Proposal

    campaign = context.campaign
    key = content_key(
        "search",
        pack_assignment(assignment),
        pool["sha256"],
        campaign.structures.model_dump(mode="json", exclude={"rounds"}),
        context.engine.fingerprint,
        structures_version(),
        RELAXATION_VERSION,
        KEY_VERSION,
    )
    known = context.repository.get("results", key)
    reasons = [reason.removeprefix(OF_ENGINE) for reason in known["value"]["reasons"]] if known else []
    if known is not None and not any(map(is_foreign, reasons)):  # an earlier version stored faults of the machine
        return known["value"]
    proposals = [
        Proposal(unpack_structure(record), record["source"])
        for record in read_shard(Shard.from_dict(pool, shard_folder(store)))
    ]
    before = context.engine.faults.copy()
    value = convert.outcome(search(assignment, proposals, campaign.structures, context.engine))
    if faults := context.engine.faults - before:
        # what was computed is remembered: the next run's search goes the same way, as far as the machine lets it
        return Failure(next(iter(faults)))
    context.repository.put(
        "results", [ResultDocument(id=key, campaign=campaign.name, kind="search", value=value, created=now())]
    )
    return value


def relax_one(context: Context, structure: Structure, settings: RelaxSettings) -> dict[str, Any] | Failure:
    """Relax one structure in a worker; the result is in the store when it comes back."""
    [relaxation] = context.engine.relax([structure], settings)
    if relaxation.is_transient:
        return Failure(str(relaxation.error))
    return {
        "structure": pack_structure(relaxation.structure),
        "energy_per_atom": relaxation.energy_per_atom,
        "is_converged": relaxation.is_converged,
        "core_seconds": relaxation.core_seconds,
        "error": relaxation.error,
    }


def _went_on_after(failure: Failure, stage: str, what: str, funnel: Funnel) -> None:
    """Count a fault of the machine and note it for the end of the run."""
    funnel.reasons[f"{IN_FUNNEL}{failure.reason}"] += 1
    note_fault(stage, what, failure.reason)


def _systems(repository: Repository, campaign: Campaign) -> list[tuple[str, ...]]:
    """Chemical systems of the candidates, sorted."""
    candidates = repository.find("candidates", equal=_of(campaign), fields=["elements"], limit=None)
    return sorted({tuple(document["elements"]) for document in candidates})


def _check_references(repository: Repository, campaign: Campaign, stored: set[str]) -> None:
    """Refuse a hull from which the machine left phases out; what it fails to relax is not in the store.

    Raises:
        MachineFaultError: naming them.
    """
    from ninefold.thermo.references import reference_phases

    names = {phase.name for system in _systems(repository, campaign) for phase in reference_phases(system)}
    if stored and (missing := sorted(names - stored)):
        raise MachineFaultError(
            f"the machine kept reference phases from being relaxed ({named(missing)}); without them compounds would "
            "seem more stable than they are; everything else is kept; 'ninefold resume' tries again"
        )


def _run(campaign: Campaign, store: str, task: Any, arguments: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
    return run_tasks(task, arguments, campaign.to_dict(), store, _workers(campaign, arguments))


def _workers(campaign: Campaign, tasks: Sequence[Any]) -> int:
    return min(campaign.execution.worker_count, max(1, len(tasks)))


def _put_new(repository: Repository, documents: Sequence[Any]) -> None:
    """Store the candidates that are not there yet: a resumed campaign keeps what it has found."""
    known = repository.get_many("candidates", [document.id for document in documents])
    repository.put("candidates", [document for document in documents if document.id not in known])


def _forget_others(repository: Repository, campaign: Campaign, selected: set[str]) -> None:
    """Drop candidates that an earlier selection kept and this one does not: a rule file may have changed."""
    stored = repository.find("candidates", equal=_of(campaign), fields=["id"], limit=None)
    for identifier in [document["id"] for document in stored if document["id"] not in selected]:
        repository.delete("candidates", equal={"id": identifier})


def _in_round(stage: str, number: int) -> str:
    """Name of a stage in a round; the first has none of its own."""
    return stage if number == 1 else f"{stage} {number}"


def _of(campaign: Campaign) -> dict[str, str]:
    return {"campaign": campaign.name}


def _reasons(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(5))
