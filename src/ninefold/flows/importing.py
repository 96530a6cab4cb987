"""Calculations of other programs stored as facts, and the hulls that they suffice for.

Facts: structures, methods, calculations of no campaign. Views: references and rows of a campaign, made anew from all
imported calculations of a method whenever one is added, so that the order of imports makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ninefold.clock import now
from ninefold.flows.imported_rows import ImportedRows
from ninefold.imported.run import PREFIX, ImportedRun, check_potentials, difference
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.calculation import Calculation
from ninefold.models.method import Method
from ninefold.models.structure import StructureRecord

if TYPE_CHECKING:
    from ninefold.models.campaign import CampaignRecord
    from ninefold.store import Store

NO_CAMPAIGN = ""
"""Of an imported calculation: a campaign that is run afresh discards its own, and not these."""
_IDENTITY = "import"
"""Key of a calculation's settings below which the method's own stand."""


@dataclass
class Imported:
    """What an import has done."""

    calculations: int = 0
    """That were new."""
    known: int = 0
    """That were in the store already."""
    methods: dict[str, str] = field(default_factory=dict)
    """Id -> label."""
    rows: list[str] = field(default_factory=list)
    """Label of a candidate, with method and distance to the hull."""
    references: int = 0
    notes: list[str] = field(default_factory=list)
    """What is missing for a hull, and which methods differ in what."""


def import_runs(store: Store, runs: Sequence[ImportedRun], campaign: CampaignRecord | None) -> Imported:
    """Store runs, and make the hulls of a campaign that they suffice for.

    Args:
        store: Where; its lease is held.
        runs: Read and checked.
        campaign: Whose candidates and competing phases they may be; None: they are stored alone.

    Raises:
        InputError: if two runs of one method have different potentials for an element; nothing is stored then.
    """
    done = Imported()
    by_method: dict[str, list[ImportedRun]] = defaultdict(list)
    for run in runs:
        by_method[run.method.id].append(run)
    for identifier, own in by_method.items():
        done.methods[identifier] = own[0].method.label
        check_potentials(_potentials(store, identifier, own), own[0].method.label)
    facts = [_facts(run) for run in runs]
    store.insert("structures", [structure for structure, _ in facts])
    store.insert("methods", [_method(own[0]) for own in by_method.values()])
    unique = {calculation.id: calculation for _, calculation in facts}
    done.calculations = store.insert("calculations", list(unique.values()))
    done.known = len(unique) - done.calculations
    done.notes += _differences(store, by_method)
    if campaign is not None:
        for identifier in by_method:
            made = ImportedRows(store, campaign, identifier).make()
            done.references += made.references
            done.rows += made.rows
            done.notes += made.notes
    return done


def imported_methods(store: Store) -> set[str]:
    """Ids of the methods whose calculations were imported."""
    return {method["id"] for method in store.find("methods") if str(method["name"]).startswith(PREFIX)}


def _facts(run: ImportedRun) -> tuple[StructureRecord, Calculation]:
    import numpy as np

    structure = StructureRecord.of(run.structure)
    largest = None if run.forces is None else float(np.linalg.norm(run.forces, axis=1).max())
    return structure, Calculation(
        id=content_key("imported calculation", run.method.id, structure.id, round(run.energy_per_atom, 9), KEY_VERSION),
        campaign=NO_CAMPAIGN,
        kind="static",
        method=run.method.id,
        settings={
            _IDENTITY: run.method.to_dict(),
            "potentials": dict(run.potentials),
            "source": run.source,
            "of": dict(run.of),
        },
        start=structure.id,
        energy_per_atom=run.energy_per_atom,
        core_seconds=0.0,
        forces=None if run.forces is None else run.forces.tolist(),
        stress=run.stress,
        max_force=largest,
        max_stress=None if run.stress is None else max(map(abs, run.stress)),
        steps=run.steps,
        is_converged=True,
        notes=[f"imported from {run.source}", *run.notes],
        created=now(),
    )  # fmt: skip


def _method(run: ImportedRun) -> Method:
    return Method(
        id=run.method.id,
        name=f"{PREFIX}{run.method.code}",
        label=run.method.label,
        evidence="DFT",
        hydrogen_reference="H2 among the imported calculations",
    )


def _potentials(store: Store, method: str, runs: Iterable[ImportedRun]) -> Iterable[tuple[str, Mapping[str, str]]]:
    for document in store.find("calculations", equal={"method": method}):
        settings = document["settings"] or {}
        yield settings.get("source", document["id"]), settings.get("potentials") or {}
    for run in runs:
        yield run.source, run.potentials


def _differences(store: Store, by_method: Mapping[str, Sequence[ImportedRun]]) -> list[str]:
    """In what the methods of an import differ from each other and from those imported before."""
    known = {identifier: (runs[0].method.label, runs[0].method.to_dict()) for identifier, runs in by_method.items()}
    for identifier in sorted(imported_methods(store) - known.keys()):
        for document in store.find("calculations", equal={"method": identifier}, limit=1):
            method = store.get("methods", identifier) or {"label": identifier}
            known[identifier] = (str(method["label"]), (document["settings"] or {}).get(_IDENTITY) or {})
    items = list(known.items())
    notes = []
    for place, (identifier, (label, settings)) in enumerate(items):
        for other, (other_label, other_settings) in items[place + 1 :]:
            if identifier in by_method or other in by_method:
                told = difference(settings, other_settings)
                notes.append(f"two methods, which share no hull: {label} and {other_label} differ in {told}")
    return notes
