"""The best candidates of a finished campaign and what competes with them, for what is computed of them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.flows.shards import divided, stage_of
from ninefold.flows.verify_plan import check_finished, read_references, rows_by_method
from ninefold.flows.workplace import method_of
from ninefold.stages.rank import best_methods
from ninefold.stages.uncertainty import by_method
from ninefold.stages.verify import VerifySettings
from ninefold.stages.verify_plan import REFERENCE, Plan, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ninefold.campaign.model import Campaign
    from ninefold.engines.settings import EngineSettings
    from ninefold.stages.stage import Stage
    from ninefold.store import Store

_EVERY = 10.0
"""eV/atom; no candidate lies farther from the hull: how many are computed is what `top` says."""


def campaign_with(campaign: Campaign, method: EngineSettings) -> tuple[Campaign, int]:
    """The campaign with a method among its methods, and the method's place: one of its own, or the last."""
    wanted = method_of(method).id
    for place, own in enumerate(campaign.methods):
        if method_of(own).id == wanted:
            return campaign, place
    energies = [*campaign.energies, method]
    return parse_campaign(
        {**campaign.to_dict(), "energies": [one.model_dump(mode="json") for one in energies]}
    ), len(campaign.methods)  # fmt: skip


def plan_shards(
    store: Store, campaign: Campaign, method: EngineSettings, stage: Stage, lines: Iterable[dict[str, Any]], size: int,
    left_out: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    """What a job hands on that plans what is computed of a finished campaign afterwards, by one method.

    Args:
        store: Open for writing; takes the method.
        campaign: As in the store.
        method: That computes.
        stage: Of what is computed.
        lines: What is computed, what takes longest first: none of it is left alone at the end.
        size: Lines of a job.
        left_out: Names and reasons.

    Returns:
        `shards`, `left_out`, `attempt`.
    """
    store.insert("methods", [method_of(method)])
    attempt = check_finished(store, campaign.name).attempt
    name = stage_of(stage.name, *campaign_with(campaign, method))
    return {
        "shards": divided(store, campaign.name, name, lines, size, attempt), "left_out": left_out, "attempt": attempt,
    }  # fmt: skip


def best_phases(
    store: Store, campaign: Campaign, method: EngineSettings, top: int, only: tuple[str, ...]
) -> Plan:  # fmt: skip
    """Candidates, the best placed first, and their competitors, each with the minimum that stands for it.

    Geometries are those of the method where it is one of the campaign's, else those of the most trusted one.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        method: That they will be computed by.
        top: Candidates at most.
        only: Formulas or chemical systems; empty for all.

    Raises:
        InputError: if there is none, or `only` names none.
    """
    noise = campaign.stability.noise_eV_per_atom
    rows = rows_by_method(store, campaign)
    own = method_of(method).id
    if own in rows:
        rows = {own: rows[own]}
    told = by_method(rows, noise)
    best = best_methods((row for some in told.values() for row in some), list(rows))
    references = {name: read_references(store, campaign.name, name) for name in rows}
    asked = VerifySettings(method=method, window=_EVERY, top=top, only=only)
    plan = make_plan(told, best, references, {}, asked, noise)
    standing = {row.composition: row for some in told.values() for row in some if best[row.composition] == row.method}
    for item in plan.items:
        if item.role != REFERENCE:
            # and not its smallest cell, which a verification takes
            lowest = standing[item.id].minima[0]
            item.structure, item.nsites = lowest.structure, lowest.nsites
    return plan
