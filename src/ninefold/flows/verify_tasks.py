"""What a worker does for one phase of a verification: a single point, or some steps of a relaxation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.flows.compute import Line
from ninefold.flows.tasks import structures_of
from ninefold.flows.workplace import Failure, Workplace, isolated
from ninefold.models.calculation import Calculation
from ninefold.stages.verify import VerifySettings
from ninefold.store.records import read, read_all

if TYPE_CHECKING:
    from ninefold.engines.settings import RelaxSettings
    from ninefold.flows.cached_engine import CachedEngine
    from ninefold.store import Store

_OF_ONE_RUN = ("max_steps", "fmax")
"""Settings of a relaxation that the parts of one may differ in."""


@isolated
def static_one(place: Workplace, line: Line, method: int, settings: dict[str, Any]) -> list[Calculation] | Failure:
    """A single point of a phase, made or found, and what has been relaxed of it before."""
    engine, start = place.engine(place.campaign.methods[method]), line["structure"]
    structure = structures_of(place.store, [start])[start].to_structure()
    key, result = engine.static(structure)
    if key is None:
        return Failure(str(result.error))
    relaxation = VerifySettings.model_validate(settings).relaxation(is_molecule=line["is_molecule"])
    return [_there(place.store, key), *parts_of(place.store, engine, start, relaxation)]


@isolated
def relax_one(place: Workplace, line: Line, method: int, settings: dict[str, Any]) -> list[Calculation] | Failure:
    """One more part of a phase's relaxation, unless it is at its end; gives all parts, and a single point if known."""
    engine, store, start = place.engine(place.campaign.methods[method]), place.store, line["structure"]
    relaxation = VerifySettings.model_validate(settings).relaxation(is_molecule=line["is_molecule"])
    parts = parts_of(store, engine, start, relaxation)
    if not parts or not _is_over(parts[-1], relaxation):
        here = (parts[-1].final if parts else None) or start
        structure = structures_of(store, [here])[here].to_structure()
        [result] = engine.relax([structure], relaxation)
        if result.is_transient:
            return Failure(str(result.error))
        parts.append(_there(store, engine.relax_key(structure, relaxation)))
    known = read_all(store, Calculation, equal={"kind": "static", "method": engine.fingerprint, "start": start})
    return [*known, *parts]


def parts_of(store: Store, engine: CachedEngine, start: str, settings: RelaxSettings) -> list[Calculation]:
    """The finished parts of a relaxation in their order, each from the end of the one before.

    Args:
        store: Where they are.
        engine: Whose.
        start: Id of the structure that the first one began with.
        settings: Of the relaxation; the parts may have had other numbers of steps and another criterion.
    """
    wanted = _lasting(settings.model_dump(mode="json"))
    parts: list[Calculation] = []
    seen = {start}
    while True:
        equal = {"kind": "relax", "method": engine.fingerprint, "start": start}
        able = [part for part in read_all(store, Calculation, equal=equal) if _lasting(part.settings or {}) == wanted]
        if not able:
            return parts
        # one that has come to an end before one that was cut, a long one before a short one
        part = max(able, key=lambda each: (_is_over(each, settings), each.error is None, each.steps or 0, each.id))
        parts.append(part)
        if part.final is None or part.final in seen or _is_over(part, settings):
            return parts
        start = part.final
        seen.add(start)


def _is_over(part: Calculation, settings: RelaxSettings) -> bool:
    """Whether a relaxation needs no further part: it failed, stands still, or met the criterion."""
    if part.error is not None or part.final == part.start:
        return True
    return bool(part.is_converged) and (part.settings or {}).get("fmax", 0.0) <= settings.fmax


def _lasting(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in _OF_ONE_RUN}


def _there(store: Store, key: str) -> Calculation:
    record = read(store, Calculation, key)
    assert record is not None, "a finished calculation is in the store"
    return record
