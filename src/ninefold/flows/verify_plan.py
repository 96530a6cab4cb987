"""The plan of a verification, made from what a store holds of a finished campaign."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, NinefoldError
from ninefold.flows.rows import as_assessed
from ninefold.flows.tasks import structures_of
from ninefold.flows.workplace import method_of
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.reference import ReferenceRecord
from ninefold.stages import verify_cost
from ninefold.stages.rank import best_methods
from ninefold.stages.uncertainty import by_method
from ninefold.stages.verify_plan import Plan, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ninefold.campaign.model import Campaign
    from ninefold.engines.base import Engine
    from ninefold.stages.verify import VerifySettings
    from ninefold.store import Store


def with_method(campaign: Campaign, settings: VerifySettings) -> Campaign:
    """The campaign with the verification's method as its last.

    Raises:
        InputError: if it is one of the campaign's own, which relaxes every candidate with it.
    """
    if settings.method.title in {method.title for method in campaign.methods}:
        raise InputError(
            "--method", settings.method.title, problem="is one of the campaign's own methods, whose hull is there",
            hint="'ninefold query --all-methods' shows it",
        )  # fmt: skip
    # validated anew: a title that is there twice would be refused, too
    return parse_campaign({**campaign.to_dict(), "energies": [
        *(method.model_dump(mode="json") for method in campaign.energies), settings.method.model_dump(mode="json"),
    ]})  # fmt: skip


def plan_of(store: Store, campaign: Campaign, settings: VerifySettings) -> Plan:
    """What a verification computes, with its estimated cost.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        settings: Of the verification.

    Raises:
        InputError: if the campaign is not finished, nothing is in the window, the method is one of the campaign's, its
            package is missing, or it does not know an element.
    """
    from ninefold.engines import make_engine

    check_finished(store, campaign.name)
    with_method(campaign, settings)
    engine = make_engine(settings.method)
    rows, references = rows_by_method(store, campaign), {}
    for method in rows:
        references[method] = read_references(store, campaign.name, method)
    told = by_method(rows, campaign.stability.noise_eV_per_atom)
    best = best_methods((row for some in told.values() for row in some), list(rows))
    known = {
        row.composition: row.phase_separation_energy
        for row in _rows(store, campaign.name, engine.fingerprint)
        if row.phase_separation_energy is not None
    }
    plan = make_plan(told, best, references, known, settings, campaign.stability.noise_eV_per_atom)
    _price(store, plan, settings)
    _check_elements(engine, plan)
    return plan


def check_finished(store: Store, name: str) -> CampaignRecord:
    """Refuse a campaign that is not finished: its hull is not the one that it will have.

    Raises:
        InputError: with how to finish it.
    """
    record = CampaignRecord.model_validate(store.get("campaigns", name))
    if record.status != "finished":
        raise InputError(
            "campaign", name, problem=f"is {record.status}, not finished", hint=f"ninefold resume {name}; then verify"
        )
    return record


def rows_by_method(store: Store, campaign: Campaign) -> dict[str, list[Candidate]]:
    """Rows of the campaign's own methods, by rising trust, as the hull left them: without places."""
    return {
        method.id: [as_assessed(row) for row in _rows(store, campaign.name, method.id)]
        for method in map(method_of, campaign.methods)
    }


def read_references(store: Store, campaign: str, method: str) -> list[ReferenceRecord]:
    """The reference phases of one method."""
    documents = store.find("references", equal={"campaign": campaign, "method": method}, limit=None)
    return [ReferenceRecord.model_validate(document) for document in documents]


def _rows(store: Store, campaign: str, method: str) -> Iterable[Candidate]:
    for document in store.iterate("candidates", equal={"campaign": campaign, "method": method}):
        yield Candidate.model_validate(document)


def _price(store: Store, plan: Plan, settings: VerifySettings) -> None:
    """Sizes and estimated costs."""
    from ninefold.engines.spin import starting_moments

    cells = structures_of(store, (item.structure for item in plan.items))
    for item in plan.items:
        cell = cells[item.structure]
        item.nsites = len(cell.species)
        steps = settings.max_steps if settings.mode == "relax" else 0
        if item.is_molecule:
            steps = min(settings.max_steps, verify_cost.MOLECULE_STEPS)
        item.seconds = verify_cost.core_seconds(
            settings.method, None if item.is_molecule else cell.to_structure().volume, steps=steps,
            is_polarised=starting_moments(cell.species) is not None,
        )  # fmt: skip


def _check_elements(engine: Engine, plan: Plan) -> None:
    """Refuse elements that the engine does not know, where it can say so before it computes."""
    check: Any = getattr(engine, "check_elements", None)
    if check is not None:
        check(sorted({symbol for item in plan.items for symbol in item.elements}))


def check_same_method(records: Sequence[Any], method: str) -> None:
    """Refuse results of another method than the one whose hull they are for.

    Args:
        records: Calculations.
        method: Id of the method.

    Raises:
        NinefoldError: naming the methods.
    """
    others = Counter(record.method for record in records if record.method != method)
    if others:
        raise NinefoldError(
            f"verify: calculations of other methods ({', '.join(sorted(map(str, others)))}) cannot share a hull with "
            f"{method}"
        )
