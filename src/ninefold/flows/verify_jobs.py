"""Jobs of a verification: planned, one job for each phase, gathered, judged against the potential."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jobflow import Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import verify_tasks
from ninefold.flows.compute import Line, compute_shard
from ninefold.flows.result_jobs import Hull, rank_rows
from ninefold.flows.rows import ROWS_PER_BLOB, as_assessed
from ninefold.flows.shards import (
    WHATEVER_IS_THERE,
    Settings,
    Shard,
    each_line,
    forget_other_shards,
    key_of,
    line_of,
    shards_of,
    side_by_side,
    stage_of,
)
from ninefold.flows.tasks import records_of, structures_of
from ninefold.flows.verify_plan import (
    check_finished,
    check_same_method,
    plan_of,
    read_references,
    rows_by_method,
    with_method,
)
from ninefold.flows.workplace import method_of
from ninefold.models.calculation import Calculation
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord, unpack_assignment, with_assignment
from ninefold.models.reference import ReferenceRecord
from ninefold.models.search import MinimaRecord
from ninefold.stages import verified, verify
from ninefold.stages.verify import VerifySettings
from ninefold.stages.verify_plan import REFERENCE
from ninefold.store import open_store
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.flows.runner import Task
    from ninefold.store import Store

Planned = dict[str, Any]
"""`selected`, shards of all compositions; `solids` and `molecules`, shards of phases; `left_out`, `attempt`."""


@job(name="plan verification")
def plan_verification(campaign: Settings, store: str, settings: Settings) -> Planned:
    """Choose what is computed, and note the method with the campaign.

    Args:
        campaign: As plain values, without the method of the verification.
        store: Its address.
        settings: `VerifySettings` as plain values.
    """
    screened, asked = parse_campaign(campaign), VerifySettings.model_validate(settings)
    with open_store(store, mode="write") as opened:
        plan = plan_of(opened, screened, asked)
        record, method = check_finished(opened, screened.name), method_of(asked.method)
        plain = asked.method.model_dump(mode="json")
        opened.insert("methods", [method])
        others = [each for each in record.verified if each != plain]
        ids = [*(key for key in record.methods if key != method.id), method.id]
        opened.put("campaigns", [record.model_copy(update={"verified": [*others, plain], "methods": ids})])
        compositions = list(read_all(opened, CompositionRecord, equal={"campaign": screened.name}))
        if old := [each for each in compositions if each.assignment is None]:
            opened.put("compositions", [with_assignment(each) for each in old])
            compositions = [with_assignment(each) for each in compositions]
        size, attempt = screened.execution.compositions_per_job, record.attempt
        selected = shards_of(opened, map(line_of, compositions), size, attempt)
        # references first: every hull needs them, and they are small
        order = sorted(plan.items, key=lambda item: (item.role != REFERENCE, item.nsites * (item.role == REFERENCE)))
        parts = {
            name: shards_of(
                opened,
                (item.line() for item in order if item.is_molecule == is_molecule),
                asked.phases_per_job,
                attempt,
            )
            for name, is_molecule in (("solids", False), ("molecules", True))
        }
        extended = with_method(screened, asked)
        stage = stage_of(verify.STAGE.name, extended, len(extended.methods) - 1)
        keys = [key_of(shard) for some in parts.values() for shard in some]
        forget_other_shards(opened, screened.name, (stage,), keys, attempt)
        return {"selected": selected, **parts, "left_out": plan.left_out, "attempt": attempt}


@job(name="compute phases")
def compute_phases(
    campaign: Settings, store: str, shards: list[Shard], method: int, settings: Settings, mode: verify.Mode
) -> Response:
    """Replace itself by a job for each shard.

    Args:
        campaign: As plain values, the method of the verification among its methods.
        store: Its address.
        shards: Of one phase each, or more: `VerifySettings.phases_per_job`.
        method: Its place among the campaign's methods.
        settings: `VerifySettings` as plain values.
        mode: Single points, or relaxations.
    """
    jobs = [compute_phase(campaign, store, shard, method, settings, mode) for shard in shards]
    return side_by_side(jobs, mode)


@job(name="compute a phase")
def compute_phase(
    campaign: Settings, store: str, shard: Shard, method: int, settings: Settings, mode: verify.Mode
) -> Shard | None:
    """The phases of a shard; their lines are handed on with `calculations`, ids of `Calculation` records."""
    task: Task = verify_tasks.static_one if mode == "static" else verify_tasks.relax_one
    return compute_shard(
        campaign, store, shard, stage_of(verify.STAGE.name, parse_campaign(campaign), method), task,
        method, settings,
        counts_of=verify.counts, unit="phases", method=method,
        handed_on=lambda _, line, found: {**line, "calculations": [record.id for record in found]},
    )  # fmt: skip


@job(name="gather verified phases", config=WHATEVER_IS_THERE)
def gather_verified(
    campaign: Settings, store: str, planned: Planned, computed: list[list[Shard | None] | None], method: int
) -> dict[str, Any]:
    """Minima and references from finished calculations, those of earlier verifications with the method included.

    Returns:
        `searched`, shards of compositions with the method's minima; `references`, as a hull takes them; `facts`, by
        composition, how it was computed; `missing`, elements and reason of phases without an energy.
    """
    screened = parse_campaign(campaign)
    of_method, name = method_of(screened.methods[method]), screened.name
    facts: dict[str, dict[str, Any]] = {}
    missing: list[dict[str, Any]] = []
    minima: dict[str, str] = {}
    with open_store(store, mode="write") as opened:
        for row in opened.iterate("candidates", equal={"campaign": name, "method": of_method.id}):
            if row["minima_record"]:
                minima[row["composition"]] = row["minima_record"]
                facts[row["composition"]] = row.get("verification") or {}
        done: set[str] = set()
        for line in each_line(opened, (shard for some in computed for shard in some or ())):
            done.add(line["id"])
            found = records_of(opened, Calculation, line["calculations"])
            calculations = [found[key] for key in line["calculations"]]
            check_same_method(calculations, of_method.id)
            ends = [key for each in calculations for key in (each.start, each.final) if key]
            cells = structures_of(opened, [line["structure"], *ends])
            of_phase = verify.out_of_equilibrium(calculations, cells)
            chosen = verify.standing(calculations)
            if chosen.error:
                missing.append({"name": line["name"], "elements": line["elements"], "reason": chosen.error})
            if line["role"] == REFERENCE:
                of_potential = records_of(opened, ReferenceRecord, [line["id"]])[line["id"]]
                record = verify.verified_reference(
                    of_potential, calculations, cells, of_method, screened.stability.hydrogen
                )
                note = verified.geometry_note(of_phase, of_potential.engine)
                opened.put("references", [record.model_copy(update={"notes": [*record.notes, note]})])
                continue
            composition = records_of(opened, CompositionRecord, [line["id"]])[line["id"]]
            assert composition.assignment is not None
            source = records_of(opened, MinimaRecord, [line["minima"]])[line["minima"]]
            result = verify.verified_minima(
                name, unpack_assignment(composition.assignment), source, line["structure"], calculations, cells,
                screened.structures, of_method,
            )  # fmt: skip
            for each in result.records:
                opened.put(each.collection, [each])
            made = result.records[-1]
            assert isinstance(made, MinimaRecord)
            if not chosen.error and not any(item.is_valid for item in made.minima):
                reason = "has lost the anion after relaxation"
                missing.append({"name": line["name"], "elements": line["elements"], "reason": reason})
            minima[line["id"]] = made.id
            start = {"geometry": line["structure"], "geometry_method": line["method"]}
            facts[line["id"]] = {**of_phase, "label": line["name"], **start}
        return {
            "searched": _searched(opened, minima, screened, planned["attempt"]),
            "references": _references(opened, name, of_method.id, planned, done),
            "facts": facts,
            "missing": missing,
        }


@job(name="rank verified candidates")
def rank_verified(
    campaign: Settings, store: str, planned: Planned, gathered: dict[str, Any], hull: Hull, method: int,
    settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Say what the method changes, and rank by the most trusted method of each candidate.

    Args:
        campaign: As plain values, the method of the verification among its methods.
        store: Its address.
        planned: Output of `plan_verification`.
        gathered: Output of `gather_verified`.
        hull: Of the method.
        method: Its place among the campaign's methods.
        settings: `VerifySettings` as plain values.
    """
    screened, asked = parse_campaign(campaign), VerifySettings.model_validate(settings)
    own = screened.model_copy(update={"energies": screened.energies[:-1]})
    attempt = planned["attempt"]
    with open_store(store, mode="write") as opened:
        record = check_finished(opened, screened.name)
        hulls = [
            {"shards": _shards(opened, rows, attempt), "method": place, "attempt": attempt}
            for place, rows in enumerate(rows_by_method(opened, own).values())
        ]
        before: dict[str, Candidate] = {}

        def keep(row: Candidate) -> None:
            if row.composition in gathered["facts"]:
                before[row.composition] = row

        rank_rows(opened, own, hulls, [method_of(each).id for each in own.methods], None, attempt, instead=keep)
        earlier = [each for each in map(_engine_settings, record.verified) if each.title != asked.method.title]
        every = screened.model_copy(update={"energies": (*own.energies, *earlier, asked.method)})
        methods = [method_of(each).id for each in every.methods]
        for place in range(len(own.methods), len(methods) - 1):
            documents = opened.find("candidates", equal={"campaign": own.name, "method": methods[place]}, limit=None)
            rows = [as_assessed(Candidate.model_validate(document)) for document in documents]
            hulls.append({"shards": _shards(opened, rows, attempt), "method": place, "attempt": attempt})
        references = read_references(opened, own.name, methods[-1])
        judged = (
            verified.judged(
                Candidate.model_validate(line["row"]), before, gathered["facts"], references, gathered["missing"],
                asked.window, own.stability.noise_eV_per_atom,
            )
            for line in each_line(opened, hull["shards"])
            if line["row"]["minima_record"]
        )  # fmt: skip
        hulls.append({"shards": _shards(opened, judged, attempt), "method": len(methods) - 1, "attempt": attempt})
        rank_rows(opened, every, hulls, methods, None, attempt)
    return {"missing": gathered["missing"]}


def _engine_settings(plain: dict[str, Any]) -> Any:
    from ninefold.engines.settings import EngineSettings

    return EngineSettings.model_validate(plain)


def _shards(store: Store, rows: Iterable[Candidate], attempt: int) -> list[Shard]:
    lines = (
        {"id": row.composition, "label": row.label, "row": json.loads(row.model_dump_json(exclude={"revision"}))}
        for row in rows
    )
    return shards_of(store, lines, ROWS_PER_BLOB, attempt)


def _searched(store: Store, minima: dict[str, str], campaign: Campaign, attempt: int) -> list[Shard]:
    found = records_of(store, MinimaRecord, minima.values())
    compositions = records_of(store, CompositionRecord, minima)

    def lines() -> Iterator[Line]:
        for key, record in minima.items():
            yield {**line_of(compositions[key]), "searches": found[record].searches, "minima": record}

    return shards_of(store, lines(), campaign.execution.compositions_per_job, attempt)


def _references(store: Store, campaign: str, method: str, planned: Planned, done: set[str]) -> list[dict[str, Any]]:
    """Every reference of the method; those that were asked for and are nowhere have no id."""
    known = {record.name: record.id for record in read_references(store, campaign, method)}
    asked = [
        line["name"]
        for line in each_line(store, [*planned["solids"], *planned["molecules"]])
        if line["role"] == REFERENCE and line["id"] not in done
    ]
    lost: list[dict[str, Any]] = [{"name": name, "reference": None} for name in asked if name not in known]
    return [*({"name": name, "reference": key} for name, key in sorted(known.items())), *lost]
