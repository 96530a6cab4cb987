"""The hulls of a stored campaign, for questions at any temperature and pressure: read, and nothing written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, listed
from ninefold.flows.tasks import structures_of
from ninefold.flows.thermal import thermal_of
from ninefold.flows.trusted import own_methods
from ninefold.flows.verify_plan import read_references
from ninefold.models.campaign import CampaignRecord, Status
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.method import Method
from ninefold.models.reference import ReferenceRecord
from ninefold.stages.stability import Hulls
from ninefold.store.records import read_all
from ninefold.thermo.competition import Searched, given, low_budget, searched_of

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store import Store
    from ninefold.thermo.phase import Phase
    from ninefold.thermo.phase_map import PhaseMap
    from ninefold.thermo.system import ChemicalSystem

MOST_NAMED = 12
"""Chemical systems that an error lists."""


@dataclass(frozen=True)
class StoredHulls:
    """The phases of one method of a campaign."""

    campaign: Campaign
    method: Method
    hulls: Hulls
    rows: dict[str, Candidate]
    """By label, those with a structure."""
    references: list[ReferenceRecord]
    compositions: list[CompositionRecord]
    searched_ids: frozenset[str]
    """Of the compositions whose structures were searched."""
    status: Status
    """Of the campaign."""

    def unfinished(self) -> str | None:
        """That the campaign has not finished; None where it has."""
        if self.status == "finished":
            return None
        return (
            f"campaign {self.campaign.name} is {self.status}, not finished: what is left may change these hulls "
            "('ninefold status' says what)"
        )

    def systems(self) -> list[str]:
        """Chemical systems with candidates, as they are written."""
        return sorted({row.chemical_system for row in self.rows.values()})

    @property
    def predicted(self) -> frozenset[str]:
        """Formulas of the phases that nobody has made."""
        return frozenset(row.formula for row in self.rows.values() if not row.is_known)

    def system(self, elements: Iterable[str]) -> ChemicalSystem:
        """The phases of a chemical system."""
        return self.hulls.system(elements)

    def searched(self, elements: Iterable[str]) -> Searched:
        """What of a system's compositions was searched."""
        system = self.system(elements)
        found = [
            (item.formula, item.is_low_budget)
            for item in self.compositions
            if item.id in self.searched_ids and set(system.elements) >= set(item.elements)
        ]
        rows = [row for row in self.rows.values() if set(system.elements) >= set(row.elements)]
        placed = [row.formula for row in rows]
        found += [(row.formula, row.is_low_budget) for row in rows]  # an imported structure has no low budget
        return searched_of(
            system.elements, [formula for formula, _ in found], placed, low_budget(found), given(system)
        )  # fmt: skip

    def notes(self, elements: Iterable[str]) -> list[str]:
        """What the hulls of a system rest on: vibrations, compression, guesses, what was searched."""
        from ninefold.thermo.competition import facets_of

        system = self.system(elements)
        facets = facets_of(system, _missing(system))
        told = [system.vibrations_note(), system.pressure_note(), facets.describe()]
        return [*filter(None, told), self.searched(system.elements).describe()]

    def candidate(self, text: str) -> tuple[Candidate, Phase]:
        """A candidate by its formula or assignment; of several assignments the lowest.

        Raises:
            InputError: if there is none with a structure.
        """
        from ninefold.chemistry.formula import formula_of, parse_formula, reduced

        try:
            formula = formula_of(reduced(parse_formula(text)))
        except InputError:
            formula = text
        able = [row for row in self.rows.values() if text in (row.label, row.id, row.formula) or row.formula == formula]
        if not able:
            raise InputError(
                "formula", text, problem=f"has no structure in campaign {self.campaign.name} by {self.method.label}",
                allowed="a candidate's formula, or a chemical system: " + ", ".join(self.systems()),
            )  # fmt: skip
        row = min(able, key=lambda each: (each.energy_per_atom or 0.0, each.id))
        phase = self.hulls.phase_of(row)
        assert phase is not None
        return row, phase


@dataclass(frozen=True)
class SystemMap:
    """Of one chemical system."""

    phases: PhaseMap
    engine: str
    notes: list[str]
    """What its hulls rest on, one sentence each."""
    predicted: frozenset[str] = frozenset()
    """Formulas of the phases that nobody has made."""


def stored_hulls(
    store: Store, name: str, method: str | None = None, systems: Iterable[str] | None = None
) -> StoredHulls:
    """The phases of one method of a campaign.

    Args:
        store: Open.
        name: Of the campaign.
        method: Id; default: the most trusted of the campaign's own methods that has a candidate with a structure.
        systems: Chemical systems that are asked about (H-K-Re); their subsystems are read with them. Default: all.

    Raises:
        InputError: if there is no such candidate.
    """
    record = CampaignRecord.model_validate(store.get("campaigns", name))
    campaign = parse_campaign(record.settings)
    own = own_methods(record)
    among: dict[str, Any] = {} if systems is None else {"chemical_system": sorted(_with_subsystems(systems))}
    for identifier in [method] if method is not None else list(reversed(own)):
        rows = [
            row for row in read_all(store, Candidate, equal={"campaign": name, "method": identifier, **among})
            if row.energy_per_atom is not None
        ]  # fmt: skip
        if not rows:
            continue
        references = sorted(read_references(store, name, identifier), key=lambda item: item.id)
        cells = structures_of(store, (item.structure for item in references if item.structure is not None))
        hulls = Hulls(references, cells, campaign.stability, thermal_of(store, identifier, name), campaign.synthesis)
        for row in rows:
            hulls.add(row)
        document = store.get("methods", identifier)
        compositions = list(read_all(store, CompositionRecord, equal={"campaign": name, **among}))
        by_label = {row.label: row for row in rows}
        return StoredHulls(
            campaign, Method.model_validate(document), hulls, by_label, references, compositions,
            _searched(store, name, own, among), record.status,
        )  # fmt: skip
    if systems is not None:
        rows_of_all = store.iterate("candidates", equal={"campaign": name, "is_best": True}, fields=["chemical_system"])
        there = sorted({str(row["chemical_system"]) for row in rows_of_all})
        raise InputError(
            "system", ", ".join(systems), problem=f"has no candidate with a structure in campaign {name}",
            allowed=listed(there, MOST_NAMED) if there else None,
        )  # fmt: skip
    raise InputError("campaign", name, problem="has no candidate with a structure", hint="'ninefold status' says why")


def _searched(store: Store, campaign: str, methods: Sequence[str], among: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the compositions that a campaign's own methods have searched: a budget may have left out others."""
    equal = {"campaign": campaign, "method": list(methods), **among}
    rows = store.iterate("candidates", equal=equal, fields=["composition", "search_rounds"])
    return frozenset(row["composition"] for row in rows if row["search_rounds"])


def phases_of_hull(store: Store, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and name of the corners of a candidate's hull by its method: static, at each condition, at the synthesis'.

    Args:
        store: Open.
        row: The candidate, as it is stored.

    Returns:
        As `ninefold.store.competition.competing_phases` takes them; empty where there is no hull.
    """
    from ninefold.store.competition import stored_name

    try:
        stored = stored_hulls(store, row["campaign"], row["method"], [row["chemical_system"]])
    except InputError:  # of an earlier version, without its structures
        return []
    corners = stored.system(row["elements"]).corners([stored.campaign.synthesis])
    return [stored_name(phase.name, phase.kind) for phase in corners]


def lowest_pressures_between(
    store: Store, rows: Iterable[Mapping[str, Any]]
) -> dict[str, tuple[float | None, float | None]]:
    """Between which pressures some candidates form with a probability of 90 %, at the temperature of their synthesis.

    A row holds it, unless it is of an earlier version or another method's distance adds to its uncertainty: then the
    hulls are made.

    Args:
        store: Open.
        rows: Of stored candidates; those without an uncertainty or a hull under hydrogen are left out.

    Returns:
        By the row's id; see `ninefold.thermo.window.lowest_pressures`.
    """
    from ninefold.thermo.window import CONFIDENCE, known_interval, lowest_pressures

    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    found = {}
    for row in rows:
        if not row.get("formation") or row.get("e_above_hull_uncertainty") is None:
            continue
        known = known_interval(row["formation"], row["e_above_hull_uncertainty"])
        if known is None:
            groups[row["campaign"], row["method"]].append(row)
        else:
            found[row["id"]] = known
    for (campaign, method), some in groups.items():
        try:
            stored = stored_hulls(store, campaign, method, {row["chemical_system"] for row in some})
        except InputError:  # of an earlier version, without its structures
            continue
        for row in sorted(some, key=lambda row: str(row["chemical_system"])):
            system, own = stored.system(row["elements"]), stored.rows.get(row["label"])
            phase = None if own is None else stored.hulls.phase_of(own)
            if phase is None or system.missing:
                continue
            sigma = CONFIDENCE * row["e_above_hull_uncertainty"]
            found[row["id"]] = lowest_pressures(system, phase, row["formation"]["temperature_K"], sigma)
    return found


def _missing(system: ChemicalSystem) -> list[str]:
    """Formulas of known compounds that no phase of a system stands for."""
    from ninefold.thermo.references import missing_phases

    there = {phase.formula for phase in system.competing}
    return [item.formula for item in missing_phases(system.elements) if item.formula not in there]


def _with_subsystems(systems: Iterable[str]) -> set[str]:
    return {
        "-".join(some)
        for system in systems
        for size in range(1, system.count("-") + 2)
        for some in combinations(sorted(system.split("-")), size)
    }


def synthesis_maps(store: Store, name: str, systems: Sequence[str], most: int) -> dict[str, SystemMap]:
    """Maps of a campaign's chemical systems over temperature and hydrogen pressure, with what their hulls rest on.

    Args:
        store: Open.
        name: Of the campaign.
        systems: As candidates' `chemical_system` has them, those wanted most first.
        most: How many at most.

    Returns:
        By system; those without a hull under hydrogen are left out.
    """
    from ninefold.thermo.phase_map import COARSE_TEMPERATURES, coarse_system_map
    from ninefold.thermo.window import melting_note

    wanted = list(systems)[:most]
    if not wanted:
        return {}
    try:
        found = stored_hulls(store, name, systems=wanted)
    except InputError:  # no candidate of these has a structure
        return {}
    maps = {}
    for label in wanted:
        system = found.system(label.split("-"))
        if label not in found.systems() or system.missing or not system.has_hydrides:
            continue
        notes = [*found.notes(label.split("-")), *filter(None, [melting_note(COARSE_TEMPERATURES)])]
        maps[label] = SystemMap(coarse_system_map(system), found.method.label, notes, found.predicted)
    return maps
