"""Equations of state of a finished campaign: which structures are compressed, and the task that does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ninefold.flows.tasks import structures_of
from ninefold.flows.verify_plan import check_finished, read_references
from ninefold.flows.workplace import Failure, Workplace, isolated, method_of
from ninefold.models.candidate import Candidate
from ninefold.models.property import PropertyRecord
from ninefold.stages import compress
from ninefold.stages.uncertainty import default_window
from ninefold.store.records import read

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store import Store

Line = dict[str, Any]
"""`label`, `structure`, `energy_per_atom`, and `method`, its place among the campaign's."""


def plan(
    store: Store,
    campaign: Campaign,
    window: float | None = None,
    top: int | None = None,
    minima: int = compress.MINIMA,
    *,
    all_methods: bool = False,
) -> list[Line]:
    """Structures to compress, by method: all references of the systems of what is in the window, then its minima.

    Candidates that those in the window decompose into, static or at a stored condition, come with them.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        window: Distance to the hull up to which a candidate is compressed, static or at any stored condition, eV/atom;
            default: 1.645 times its own uncertainty.
        top: Candidates of each method at most, the nearest to the hull first.
        minima: Of each candidate, at most.
        all_methods: Those of every method of the campaign, not of the most trusted alone.

    Raises:
        InputError: if the campaign is not finished.
    """
    check_finished(store, campaign.name)
    lines: list[Line] = []
    for place, settings in enumerate(campaign.methods):
        if place < len(campaign.methods) - 1 and not all_methods:
            continue
        method = method_of(settings).id
        rows = [
            (nearest, row)
            for document in store.iterate("candidates", equal={"campaign": campaign.name, "method": method})
            if (nearest := _nearest(row := Candidate.model_validate(document))) is not None
        ]
        by_label = {row.label: row for _, row in rows}
        limit = campaign.stability.noise_eV_per_atom
        rows = [pair for pair in rows if pair[0] <= (default_window(pair[1], limit) if window is None else window)]
        rows.sort(key=lambda pair: (pair[0], pair[1].id))
        chosen = [row for _, row in rows[:top]]
        # a phase with an equation of state beside one with p V would win by what p V is too high
        others = dict.fromkeys(name for row in chosen for name in _products(row) if name in by_label)
        chosen += [by_label[name] for name in others if by_label[name] not in chosen]
        systems = [set(row.elements) for row in chosen]
        for reference in read_references(store, campaign.name, method):
            is_needed = any(set(reference.elements) <= system for system in systems)
            if is_needed and reference.volume_per_atom and reference.structure and not reference.refuted:
                assert reference.energy_per_atom is not None
                lines.append(_line(reference.name, reference.structure, reference.energy_per_atom, place))
        for row in chosen:
            places = {minimum.structure: place for place, minimum in enumerate(row.minima, start=1)}
            for minimum in compress.chosen_minima(row.minima, minima):
                label = f"{row.label}, minimum {places[minimum.structure]} ({minimum.space_group_symbol})"
                lines.append(_line(label, minimum.structure, minimum.energy_per_atom, place))
    return list({(line["structure"], line["method"]): line for line in lines}.values())


@isolated
def compress_one(place: Workplace, line: Line) -> PropertyRecord | Failure:
    """The equation of state of one structure, made or found."""
    engine = place.engine(place.campaign.methods[line["method"]])
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


def _line(label: str, structure: str, energy_per_atom: float, method: int) -> Line:
    return {"label": label, "structure": structure, "energy_per_atom": energy_per_atom, "method": method}
