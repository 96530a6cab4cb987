"""The hulls of a stored campaign, for questions at any temperature and pressure: read, and nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.flows.tasks import structures_of
from ninefold.flows.thermal import thermal_of
from ninefold.flows.verify_plan import read_references
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.method import Method
from ninefold.models.reference import ReferenceRecord
from ninefold.stages.stability import Hulls
from ninefold.store.records import read_all
from ninefold.thermo.competition import Searched, searched_of

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store import Store
    from ninefold.thermo.phase import Phase
    from ninefold.thermo.system import ChemicalSystem


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

    def systems(self) -> list[str]:
        """Chemical systems with candidates, as they are written."""
        return sorted({row.chemical_system for row in self.rows.values()})

    def system(self, elements: Iterable[str]) -> ChemicalSystem:
        """The phases of a chemical system."""
        return self.hulls.system(elements)

    def searched(self, elements: Iterable[str]) -> Searched:
        """What of a system's compositions was searched."""
        wanted = frozenset(elements)
        found = [item.formula for item in self.compositions if frozenset(item.elements) == wanted]
        with_structure = [row.formula for row in self.rows.values() if frozenset(row.elements) == wanted]
        return searched_of(wanted, found, with_structure)

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


def stored_hulls(store: Store, name: str, method: str | None = None) -> StoredHulls:
    """The phases of one method of a campaign.

    Args:
        store: Open.
        name: Of the campaign.
        method: Id; default: the most trusted of the campaign's own methods that has a candidate with a structure.

    Raises:
        InputError: if there is no such candidate.
    """
    record = CampaignRecord.model_validate(store.get("campaigns", name))
    campaign = parse_campaign(record.settings)
    own = record.methods[: len(campaign.methods)]
    for identifier in [method] if method is not None else list(reversed(own)):
        rows = [
            row for row in read_all(store, Candidate, equal={"campaign": name, "method": identifier})
            if row.energy_per_atom is not None
        ]  # fmt: skip
        if not rows:
            continue
        references = sorted(read_references(store, name, identifier), key=lambda item: item.id)
        cells = structures_of(store, (item.structure for item in references if item.structure is not None))
        hulls = Hulls(references, cells, campaign.stability, thermal_of(store, identifier), campaign.synthesis)
        for row in rows:
            hulls.add(row)
        document = store.get("methods", identifier)
        compositions = list(read_all(store, CompositionRecord, equal={"campaign": name}))
        by_label = {row.label: row for row in rows}
        return StoredHulls(
            campaign, Method.model_validate(document), hulls, by_label, references, compositions
        )  # fmt: skip
    raise InputError("campaign", name, problem="has no candidate with a structure", hint="'ninefold status' says why")
