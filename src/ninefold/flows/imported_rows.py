"""The references and rows of a campaign from imported calculations of one method, made anew from all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError, listed
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.calculation import Calculation
from ninefold.models.composition import CompositionRecord
from ninefold.models.method import Method
from ninefold.models.reference import ReferenceRecord
from ninefold.models.structure import StructureRecord
from ninefold.store.records import read_many

if TYPE_CHECKING:
    from ninefold.models.campaign import CampaignRecord
    from ninefold.models.candidate import Candidate
    from ninefold.store import Store


@dataclass
class Made:
    """What has been made."""

    references: int = 0
    rows: list[str] = field(default_factory=list)
    """Label of a candidate, with method and distance to the hull."""
    notes: list[str] = field(default_factory=list)
    """What is missing for a hull."""


class ImportedRows:
    """The references and rows of one campaign with one imported method.

    Args:
        store: Where they are.
        campaign: Whose.
        method: Id.
    """

    def __init__(self, store: Store, campaign: CampaignRecord, method: str) -> None:
        self._store, self._campaign, self._done = store, campaign, Made()
        self._method = Method.model_validate(store.get("methods", method))
        found = store.find("calculations", equal={"method": method})
        self._calculations = [Calculation.model_validate(document) for document in found]
        self._structures = read_many(store, StructureRecord, [item.start or "" for item in self._calculations])
        compositions = store.find("compositions", equal={"campaign": campaign.name})
        self._compositions: dict[str, list[CompositionRecord]] = defaultdict(list)
        for document in compositions:
            composition = CompositionRecord.model_validate(document)
            self._compositions[_reduced(composition.formula)].append(composition)
        self._systems = {frozenset(document["elements"]) for document in compositions}

    def make(self) -> Made:
        """Write them, and drop what an earlier import has left and this one does not make."""
        from ninefold.flows.rows import Step, write_rows

        by_formula: dict[str, list[Calculation]] = defaultdict(list)
        for calculation in self._calculations:
            species = set(self._structure(calculation).species)
            if any(species <= system for system in self._systems):
                by_formula[self._formula(calculation)].append(calculation)
            else:
                self._done.notes.append(
                    f"kept as a calculation: {self._formula(calculation)} lies in no chemical system of "
                    f"{self._campaign.name}"
                )
        references = self._references(by_formula)
        rows = self._rows(by_formula, references)
        name, method = self._campaign.name, self._method.id
        self._store.put("references", list(references.values()))
        write_rows(self._store, rows, Step.ASSESSED, self._campaign.attempt, 0, len(self._campaign.methods))
        for collection, kept in (("references", set(_ids(references.values()))), ("candidates", set(_ids(rows)))):
            for document in self._store.find(collection, equal={"campaign": name, "method": method}, fields=["id"]):
                if document["id"] not in kept:
                    self._store.delete(collection, equal={"id": document["id"]})
        self._done.references = len(references)
        return self._done

    def _references(self, by_formula: Mapping[str, Sequence[Calculation]]) -> dict[str, ReferenceRecord]:
        """By name; of two of one name the lower."""
        found: dict[str, ReferenceRecord] = {}
        for formula, calculations in by_formula.items():
            for calculation in calculations:
                of = (calculation.settings or {}).get("of") or {}
                is_candidate = formula in self._compositions and of.get("kind") != "reference"
                if is_candidate:
                    continue
                record = self._reference(formula, calculation, of)
                other = found.get(record.name)
                if other is None or (record.energy_per_atom or 0.0) < (other.energy_per_atom or 0.0):
                    found[record.name] = record
        return found

    def _reference(self, formula: str, calculation: Calculation, of: Mapping[str, str]) -> ReferenceRecord:
        from ninefold.engines.gpaw_engine import is_molecule
        from ninefold.stages.references import reference_id
        from ninefold.structures.symmetry import space_group
        from ninefold.thermo.phase import MOLECULE
        from ninefold.thermo.references import known_hydride_formulas

        record = self._structure(calculation)
        structure = record.to_structure()
        is_box = is_molecule(structure)
        group = None if is_box else space_group(structure)
        elements = sorted(set(record.species))
        kind = {1: "element", 2: "binary"}.get(len(elements), "ternary")
        if formula in {_reduced(known) for known in known_hydride_formulas()}:
            kind = "known_hydride"
        if is_box:
            kind = MOLECULE
        name = f"{formula} molecule in a box" if group is None else f"{formula} {group.symbol}"
        known = self._known(of.get("name")) if of.get("kind") == "reference" else {}
        name = str(known.get("name") or name)
        source = (calculation.settings or {}).get("source", "imported")
        return ReferenceRecord(
            id=reference_id(self._campaign.name, self._method.id, name),
            campaign=self._campaign.name,
            method=self._method.id,
            engine=self._method.label,
            name=name,
            formula=formula,
            chemical_system="-".join(elements),
            elements=elements,
            kind=str(known.get("kind") or kind),
            energy_per_atom=calculation.energy_per_atom,
            space_group_number=None if group is None else group.number,
            volume_per_atom=None if group is None else structure.volume / len(structure),
            is_converged=True,
            structure=record.id,
            source=str(known.get("source") or source),
            provenance=str(known.get("provenance") or "derived"),
            refuted=known.get("refuted"),
            notes=list(calculation.notes),
        )

    def _known(self, name: str | None) -> Mapping[str, Any]:
        """A reference of another method by its name, for its source."""
        equal = {"campaign": self._campaign.name, "name": name or ""}
        return next(iter(self._store.find("references", equal=equal, limit=1)), {})

    def _rows(
        self, by_formula: Mapping[str, Sequence[Calculation]], references: Mapping[str, ReferenceRecord]
    ) -> list[Candidate]:
        from ninefold.campaign import parse_campaign
        from ninefold.stages.stability import Hulls

        present = {_reduced(record.formula) for record in references.values() if not record.refuted}
        present |= set(by_formula)
        elements = {record.elements[0] for record in references.values() if len(record.elements) == 1}
        settings = parse_campaign(self._campaign.settings)
        rows = []
        for formula, calculations in by_formula.items():
            own = [item for item in calculations if ((item.settings or {}).get("of") or {}).get("kind") != "reference"]
            for composition in self._compositions.get(formula, ()) if own else ():
                lacking = self._lacking(composition, present, elements)
                if composition.assignment is None:
                    self._done.notes.append(
                        f"kept as a calculation: {composition.label}: the store was made before charges were recorded; "
                        "run the campaign again, then import again"
                    )
                    continue
                if lacking:
                    self._done.notes.append(
                        f"kept as a calculation: {composition.label} has no hull with {self._method.label}: "
                        f"not imported yet: {listed(lacking, 8)}"
                    )
                    continue
                rows.append(self._row(composition, own, settings))
        hulls = Hulls(references.values(), self._structures, settings.stability, synthesis=settings.synthesis)
        for row in rows:
            hulls.add(row)
        by_system: dict[str, list[Candidate]] = defaultdict(list)
        for row in rows:
            by_system[row.chemical_system].append(row)
        assessed = []
        structures = {key: record.to_structure() for key, record in self._structures.items()}
        for system in sorted(by_system):
            members = by_system[system]
            structures |= self._minima_structures(members)
            found, _ = hulls.assess(members, structures)
            # the ranking alone says which method's row stands for a composition
            absent = self._absent(members[0], references)
            note = [f"imported phases alone; not among them: {listed(absent, 6)}"] if absent else []
            assessed += [
                row.model_copy(update={"is_best": False, "stability_notes": [*row.stability_notes, *note]})
                for row in found
            ]
        for row in assessed:
            at = "no structure of the anion" if row.e_above_hull is None else f"{1000 * row.e_above_hull:.0f} meV/atom"
            self._done.rows.append(f"{row.label}: {at} above the hull of {self._method.label}")
        return assessed

    def _absent(self, row: Candidate, references: Mapping[str, ReferenceRecord]) -> list[str]:
        """Formulas of a system's reference phases that other methods have and this one lacks."""
        present = {record.formula for record in references.values()}
        documents = self._store.find("references", equal={"campaign": self._campaign.name})
        return sorted(
            {
                document["formula"]
                for document in documents
                if set(document["elements"]) <= set(row.elements) and not document["refuted"]
            }
            - present
            - {"H2", row.formula}
        )

    def _lacking(self, composition: CompositionRecord, present: set[str], elements: set[str]) -> list[str]:
        """What a hull needs and is not there: elements, and what other methods say the composition decomposes to."""
        missing = [symbol for symbol in composition.elements if symbol not in elements]
        own = _reduced(composition.formula)
        for row in self._store.find("candidates", equal={"composition": composition.id}):
            if row["method"] != self._method.id:
                missing += [phase["formula"] for phase in row["decomposition"] or ()]
        symbols = set(elements)
        return [
            name
            for name in dict.fromkeys(missing)
            if _reduced(name) not in present and _reduced(name) != own and name not in symbols
        ]

    def _row(self, composition: CompositionRecord, calculations: Sequence[Calculation], settings: Any) -> Candidate:
        import numpy as np

        from ninefold.engines.base import Relaxation
        from ninefold.models.search import MinimaRecord
        from ninefold.search.relaxed import described_minima
        from ninefold.stages.prescreen import minima_of, representative_first
        from ninefold.stages.row import candidate_row

        starts = [self._structure(item).to_structure() for item in calculations]
        relaxations = [
            Relaxation(
                structure=start,
                energy_per_atom=item.energy_per_atom,
                max_force=np.inf if item.max_force is None else item.max_force,
                max_stress=item.max_stress or 0.0,
                steps=item.steps or 0,
                is_converged=True,
                core_seconds=0.0,
            )
            for start, item in zip(starts, calculations, strict=True)
        ]
        sources = [str((item.settings or {}).get("source", "imported")) for item in calculations]
        outcome = described_minima(composition.to_assignment(), starts, relaxations, sources, settings.structures)
        minima, structures = minima_of(outcome)
        self._store.insert("structures", structures)
        lowest = min((minimum.energy_per_atom for minimum in minima if minimum.is_valid), default=None)
        record = MinimaRecord(
            id=content_key("imported minima", composition.id, self._method.id, sorted(_ids(calculations)), KEY_VERSION),
            campaign=self._campaign.name,
            label=composition.label,
            method=self._method.id,
            searches=[],
            minima=representative_first(minima),
            origins=dict(outcome.origins),
            lowest_by_round=[lowest],
            reasons=dict(outcome.reasons),
            relaxations=0,
        )
        self._store.insert("minima", [record])
        # its structure is the import's, whatever budget a search of the campaign had
        return candidate_row(composition, self._method, record).model_copy(update={"is_low_budget": False})

    def _minima_structures(self, rows: Sequence[Candidate]) -> dict[str, Any]:
        keys = [minimum.structure for row in rows for minimum in row.minima]
        return {key: record.to_structure() for key, record in read_many(self._store, StructureRecord, keys).items()}

    def _structure(self, calculation: Calculation) -> StructureRecord:
        try:
            return self._structures[calculation.start or ""]
        except KeyError:
            raise InputError(
                "store", calculation.id, problem="has lost the structure of an imported calculation"
            ) from None

    def _formula(self, calculation: Calculation) -> str:
        from ninefold.chemistry.formula import formula_of, reduced

        formula = formula_of(reduced(Counter(self._structure(calculation).species)))
        return "H2" if formula == "H" else formula


def _reduced(formula: str) -> str:
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced

    made = formula_of(reduced(parse_formula(formula)))
    return "H2" if made == "H" else made


def _ids(records: Iterable[Any]) -> list[str]:
    return [record.id for record in records]
