"""What a verification says of a candidate beside the potential that proposed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.errors import listed
from ninefold.stages.uncertainty import default_window

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.models.reference import ReferenceRecord

SINGLE_POINT = "single point at the geometry of"
MOST_NAMED = 6
"""Phases that a note names."""


def judged(
    row: Candidate,
    before: Mapping[str, Candidate],
    facts: Mapping[str, dict[str, Any]],
    references: Sequence[ReferenceRecord],
    missing: Iterable[Mapping[str, Any]],
    window: float | None,
    noise: float,
) -> Candidate:
    """A row of the verifying method with what it changes, and with what a reader must know.

    Args:
        row: With its hull.
        before: By composition, the row that stood for it by the campaign's own methods, with its rank.
        facts: By composition, how it was computed.
        references: Of the verifying method.
        missing: name, elements and reason of phases that have no energy.
        window: As asked for, eV/atom.
        noise: Of the campaign, eV/atom.

    Returns:
        Its `verification`: what `out_of_equilibrium` gives; `geometry`, `geometry_method` and `geometry_engine`, where
        the start came from; `distance_before`, `change` (eV/atom), `rank_before`, `window`, `disagrees`, `reaction`.
    """
    earlier, fact = before.get(row.composition), dict(facts.get(row.composition, {}))
    told = list(row.flags)
    if fact:
        fact["geometry_engine"] = None if earlier is None else earlier.engine
        told.append(geometry_note(fact, fact["geometry_engine"] or "the potential"))
    old = None if earlier is None else earlier.phase_separation_energy
    new = row.phase_separation_energy
    change = None if old is None or new is None else new - old
    limit = window if window is not None else noise if earlier is None else default_window(earlier, noise)
    fact |= {
        "distance_before": old, "change": change, "rank_before": None if earlier is None else earlier.rank,
        "window": limit, "disagrees": change is not None and abs(change) > limit, "reaction": reaction(row),
        "decomposition_before": [] if earlier is None else [item["name"] for item in earlier.decomposition],
    }  # fmt: skip
    if fact["disagrees"] and earlier is not None and old is not None and new is not None and change is not None:
        told.append(
            f"{row.engine} puts it at {1000 * new:+.0f} meV/atom, {earlier.engine} at {1000 * old:+.0f}: they disagree "
            f"by {1000 * abs(change):.0f}, more than the window of {1000 * limit:.0f}"
        )
    if told_modes := _mixed(row, fact, references, facts):
        told.append(told_modes)
    lost = [item for item in missing if set(item["elements"]) <= set(row.elements) and item["name"] != row.label]
    notes = [*row.stability_notes]
    if lost:
        named = listed([f"{item['name']} ({item['reason']})" for item in lost], MOST_NAMED)
        notes.append(f"not in this hull, which may be too kind: {named}")
    properties = row.properties if earlier is None else earlier.properties
    update = {
        "verification": fact, "flags": list(dict.fromkeys(told)), "stability_notes": notes, "properties": properties,
    }  # fmt: skip
    return row.model_copy(update=update)


def reaction(row: Candidate) -> str | None:
    """What it decomposes into by this method, balanced; None where there is no hull."""
    from ninefold.chemistry.equations import decomposition

    products = list(dict.fromkeys(item["formula"] for item in row.decomposition))
    equation = decomposition(row.formula, products) if products else None
    return None if equation is None else str(equation)


def geometry_note(fact: Mapping[str, Any], engine: str) -> str:
    """How a phase was computed, and how far it is from equilibrium, as one sentence."""
    far = []
    if fact.get("max_force") is not None:
        far.append(f"largest force {fact['max_force']:.2f} eV/Å")
    if fact.get("pressure") is not None:
        far.append(f"pressure {fact['pressure']:+.1f} GPa")
    left = f": {', '.join(far)}" if far else ""
    if fact.get("mode") == "static":
        return f"{SINGLE_POINT} {engine}{left}"
    end = "to the end" if fact.get("is_converged") else "and cut off; the next run goes on"
    change = fact.get("volume_change")
    volume = "" if change is None else f", volume {100 * change:+.1f} %"
    return f"relaxed from the geometry of {engine} by {fact.get('steps')} steps {end}{left}{volume}"


def _mixed(
    row: Candidate, fact: Mapping[str, Any], references: Sequence[ReferenceRecord], facts: Mapping[str, dict[str, Any]]
) -> str | None:
    """Whether a relaxed candidate is compared with single points, or the other way round."""
    static = {record.name: any(note.startswith(SINGLE_POINT) for note in record.notes) for record in references}
    static |= {str(each.get("label")): each.get("mode") == "static" for each in facts.values() if each.get("label")}
    is_static = fact.get("mode") == "static"
    molecules = {record.name for record in references if record.kind == "molecule"}
    other = [
        item["name"] for item in row.decomposition
        if item["name"] not in molecules and static.get(item["name"], is_static) != is_static
    ]  # fmt: skip
    if not other:
        return None
    one, another = ("a single point", "relaxed") if is_static else ("relaxed", "single points")
    return f"it is {one}, and {listed(other, MOST_NAMED)} {another}: the difference between both is in the distance"
