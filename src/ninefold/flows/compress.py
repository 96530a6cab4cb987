"""Equations of state of a finished campaign: which structures are compressed, and the task that does it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.flows.tasks import structures_of
from ninefold.flows.verify_plan import check_finished, read_references
from ninefold.flows.workplace import Failure, Workplace, isolated, method_of
from ninefold.models.candidate import Candidate
from ninefold.models.property import PropertyRecord
from ninefold.stages import compress
from ninefold.stages.uncertainty import default_window
from ninefold.stages.verify_plan import matching, not_among
from ninefold.store.records import read
from ninefold.vibrations.cost import cost_of

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.engines.settings import EngineSettings
    from ninefold.stages.compress import CompressSettings
    from ninefold.store import Store

Line = dict[str, Any]
"""`label`, `structure`, `nsites`, `energy_per_atom`; `method`, its place among the campaign's; and `state`, the id of
its equation of state, which may be there."""


EVALUATIONS = 30
"""Of one structure in its three relaxations: measured with SevenNet 7net-0, 9 structures of 2 to 24 atoms and one of
56, 0.16 to 0.28 core-seconds an atom in all."""


def core_seconds(lines: Sequence[Line], methods: Sequence[EngineSettings]) -> float | None:
    """What equations of state take; None where nothing is known of a method.

    Args:
        lines: Of `plan`.
        methods: Of the campaign.
    """
    costs = [cost_of(methods[line["method"]], line["nsites"], EVALUATIONS).seconds for line in lines]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def plan(store: Store, campaign: Campaign, settings: CompressSettings) -> list[Line]:
    """Structures to compress, by method: all references of the systems of what is in the window, then its minima.

    Candidates that those in the window decompose into, static or at a stored condition, come with them.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        settings: Which.

    Raises:
        InputError: if the campaign is not finished, or a name of `only` is not among the candidates.
    """
    check_finished(store, campaign.name)
    lines: list[Line] = []
    named: set[str] = set()
    able: list[Candidate] = []
    for place, engine in enumerate(campaign.methods):
        if place < len(campaign.methods) - 1 and not settings.all_methods:
            continue
        method = method_of(engine).id
        rows = [
            (nearest, row)
            for document in store.iterate("candidates", equal={"campaign": campaign.name, "method": method})
            if (nearest := _nearest(row := Candidate.model_validate(document))) is not None
        ]
        able += (row for _, row in rows)
        by_label = {row.label: row for _, row in rows}
        if settings.only:
            found = {name: matching([row for _, row in rows], name) for name in settings.only}
            named |= {name for name, some in found.items() if some}
            asked = {row.id for some in found.values() for row in some}
            rows = [(nearest, row) for nearest, row in rows if row.id in asked]
        noise = campaign.stability.noise_eV_per_atom
        rows = [(nearest, row) for nearest, row in rows if nearest <= _window(row, settings, noise)]
        rows.sort(key=lambda pair: (pair[0], pair[1].id))
        chosen = [row for _, row in rows[: settings.top]]
        # a phase with an equation of state beside one with p V would win by what p V is too high
        others = dict.fromkeys(name for row in chosen for name in _products(row) if name in by_label)
        chosen += [by_label[name] for name in others if by_label[name] not in chosen]
        systems = [set(row.elements) for row in chosen]
        for reference in read_references(store, campaign.name, method):
            is_needed = any(set(reference.elements) <= system for system in systems)
            if is_needed and reference.volume_per_atom and reference.structure and not reference.refuted:
                assert reference.energy_per_atom is not None
                line: Line = {"label": reference.name, "structure": reference.structure, "method": place}
                lines.append({**line, "energy_per_atom": reference.energy_per_atom})
        for row in chosen:
            places = {minimum.structure: place for place, minimum in enumerate(row.minima, start=1)}
            for minimum in compress.chosen_minima(row.minima, settings.minima):
                label = f"{row.label}, minimum {places[minimum.structure]} ({minimum.space_group_symbol})"
                line = {"label": label, "structure": minimum.structure, "method": place}
                lines.append({**line, "energy_per_atom": minimum.energy_per_atom})
    if missing := [name for name in settings.only if name not in named]:
        raise not_among(missing[0], able)
    cells = structures_of(store, (line["structure"] for line in lines))
    ids = [method_of(engine).id for engine in campaign.methods]
    for line in lines:
        key = line["structure"]
        line |= {"nsites": len(cells[key].species), "state": compress.state_id(key, ids[line["method"]])}
    return list({(line["structure"], line["method"]): line for line in lines}.values())


@isolated
def compress_one(place: Workplace, line: Line, method: int) -> PropertyRecord | Failure:
    """The equation of state of one structure, made or found."""
    engine = place.engine(place.campaign.methods[method])
    key = line["structure"]
    known = read(place.store, PropertyRecord, compress.state_id(key, engine.fingerprint))
    if known is not None:
        return known
    structure = structures_of(place.store, [key])[key]
    made = compress.compress(place.campaign.name, line["label"], structure, line["energy_per_atom"], engine)
    if isinstance(made, str):
        return Failure(made)
    place.store.insert("properties", [made])
    return made


def _window(row: Candidate, settings: CompressSettings, noise: float) -> float:
    """Distance to the hull up to which a candidate is compressed, eV/atom."""
    if settings.window is not None:
        return settings.window
    return math.inf if settings.only else default_window(row, noise)


def _products(row: Candidate) -> Iterator[str]:
    """Names of what a candidate decomposes into, static and at every condition; a polymorph by its candidate."""
    for products in (row.decomposition, *(at["decomposition"] for at in row.conditions)):
        for product in products:
            yield str(product.get("name", "")).split(", minimum ")[0]


def _nearest(row: Candidate) -> float | None:
    """Its lowest signed distance to the hull, static or at a condition, eV/atom."""
    found = [row.phase_separation_energy, row.synthesis_separation, row.ambient_separation]
    found += [at.get("phase_separation_energy") for at in row.conditions]
    known = [value for value in found if value is not None]
    return min(known) if known and row.minima and not row.verification else None
