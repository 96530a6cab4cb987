"""Enumerate the spaces and apply the rules: which compositions are searched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ninefold.chemistry.anions import Assignment
from ninefold.keys import content_key
from ninefold.models.composition import CompositionRecord, pack_assignment
from ninefold.stages.stage import Counts, Resources, Stage

if TYPE_CHECKING:
    from ninefold.chemistry.compounds import KnownCompound
    from ninefold.enumeration.space import ChemicalSpace
    from ninefold.rules import RuleSet, Verdict

ENUMERATE = Stage(
    "enumerate", None, evidence="rule", resources=Resources(memory_GB=2.0, minutes=30.0),
    meaning="compositions that satisfy electron count and charge balance",
)  # fmt: skip
STAGE = Stage(
    "select", "enumerate", evidence="rule", resources=Resources(memory_GB=2.0, minutes=30.0),
    meaning="compositions that the rules keep",
)  # fmt: skip
COMPETITORS = Stage(
    "competitors", "select", is_beside=True, evidence="rule", resources=Resources(memory_GB=2.0, minutes=30.0),
    meaning="other compositions of the candidates' systems, searched beside them",
)  # fmt: skip

RECORDS = 1000
"""Held at once."""
FEWEST_LIGANDS = 2
"""Of a made compound, for a search by the polyhedra that ninefold has."""


class Selection:
    """Compositions of some spaces, judged by a rule set, in the order of the enumeration.

    Args:
        campaign: Name that enters the ids.
        spaces: Whose union is enumerated.
        rule_set: Gates reject, scores make the prior.
        made: Formulas of compounds that have been made.
        with_neighbours: Whether compositions one hydrogen beside those kept come along.
    """

    def __init__(
        self,
        campaign: str,
        spaces: Sequence[ChemicalSpace],
        rule_set: RuleSet,
        made: frozenset[str],
        with_neighbours: bool = False,
    ) -> None:
        self._campaign, self._spaces, self._rule_set = campaign, spaces, rule_set
        self._made, self._with_neighbours = made, with_neighbours
        self._electron_counts = sorted({count for space in spaces for count in space.electron_counts})
        self.enumerated, self.selected = Counts(), Counts()
        self.kept = 0
        """How many compositions have been yielded."""
        self._systems: set[frozenset[str]] = set()
        self._formulas: set[str] = set()
        self._without_neighbours: list[Assignment] = []

    def __iter__(self) -> Iterator[list[CompositionRecord]]:
        """Records of what is kept, some at a time; the counts are whole at the end."""
        from ninefold.enumeration import enumerate_assignments

        seen: set[str] = set()
        for space in self._spaces:
            for table in enumerate_assignments(space):
                self.enumerated.count_in += len(table)
                verdicts = self._rule_set.apply(table)
                rows, kept = [], []
                for row, assignment in zip(verdicts.kept_rows, table.assignments(verdicts.kept_rows), strict=True):
                    if assignment.label in seen:
                        self.selected.reasons["in another space already"] += 1
                        continue
                    seen.add(assignment.label)
                    self._keep(assignment)
                    if self._with_neighbours:
                        self._without_neighbours.append(assignment)
                    rows.append(row)
                    kept.append(assignment)
                self.selected.reasons.update(verdicts.reasons)
                for start in range(0, len(kept), RECORDS):
                    part = kept[start : start + RECORDS]
                    priors = (float(verdicts.prior[row]) for row in rows[start : start + RECORDS])
                    explained = self._rule_set.explain_all(part)
                    yield [self._record(*each) for each in zip(part, priors, explained, strict=True)]
        self.enumerated.count_out = self.selected.count_in = self.enumerated.count_in
        if self._with_neighbours:
            yield self._neighbours(seen)
        self.selected.count_out = self.kept

    def _neighbours(self, seen: set[str]) -> list[CompositionRecord]:
        from ninefold.enumeration import neighbours

        records = []
        for assignment in self._without_neighbours:
            for neighbour in neighbours(assignment):
                if neighbour.label in seen:
                    continue
                seen.add(neighbour.label)
                self.selected.count_in += 1
                prior, verdicts = self._rule_set.judge_neighbour(neighbour)
                if prior is None:
                    self.selected.reasons["neighbour that another gate rejects"] += 1
                    continue
                self._keep(neighbour)
                records.append(self._record(neighbour, prior, verdicts, neighbour_of=assignment.label))
        return records

    def _keep(self, assignment: Assignment) -> None:
        self.kept += 1
        self._systems.add(frozenset(assignment.amounts))
        self._formulas.add(assignment.formula)

    def competitors(self, compounds: Iterable[KnownCompound]) -> tuple[list[CompositionRecord], Counts]:
        """Made compounds of the kept compositions' chemical systems that are not among them.

        They are searched as the candidates are: a competitor whose published structure is not its lowest with the
        engine in use would flatter everything that is measured against it.

        Args:
            compounds: That have been made.
        """
        counts = Counts()
        made = [compound.assignment for compound in compounds]
        within = [
            assignment for assignment in made if any(system >= set(assignment.amounts) for system in self._systems)
        ]
        found = {item.formula: item for item in within if item.formula not in self._formulas}
        counts.count_in = len(within)
        for formula, assignment in list(found.items()):
            if assignment.n < FEWEST_LIGANDS:
                counts.reasons[f"no polyhedron of fewer than {FEWEST_LIGANDS} ligands: {formula}"] += 1
                del found[formula]
        counts.reasons["candidate already"] = sum(item.formula in self._formulas for item in within)
        counts.count_out = len(found)
        records = []
        for assignment in found.values():
            verdicts = self._rule_set.explain(assignment)
            prior = math.prod(verdict.score for verdict in verdicts if verdict.mode == "score")
            records.append(self._record(assignment, prior, verdicts, is_competitor=True))
        return records, counts

    def remaining(self, competitors: Iterable[CompositionRecord]) -> tuple[list[CompositionRecord], Counts]:
        """Every other composition of a complete search of the kept compositions' chemical systems.

        Args:
            competitors: That are searched already; see `competitors`.
        """
        from ninefold.enumeration import complete_assignments

        known = {record.formula for record in competitors}
        every = {each.formula: each for system in self._systems for each in complete_assignments(system)}
        counts = Counts(count_in=len(every))
        counts.reasons["candidate already"] = sum(formula in self._formulas for formula in every)
        counts.reasons["made compound already"] = sum(formula in known - self._formulas for formula in every)
        records = []
        for formula in sorted(every.keys() - self._formulas - known):
            verdicts = self._rule_set.explain(every[formula])
            prior = math.prod(verdict.score for verdict in verdicts if verdict.mode == "score")
            records.append(self._record(every[formula], prior, verdicts, is_competitor=True, is_low_budget=True))
        counts.count_out = len(records)
        return records, counts

    def _record(
        self,
        assignment: Assignment,
        prior: float,
        verdicts: Sequence[Verdict],
        neighbour_of: str | None = None,
        is_competitor: bool = False,
        is_low_budget: bool = False,
    ) -> CompositionRecord:
        from ninefold.rules.assignments import assignments
        from ninefold.thermo.references import known_hydride_formulas

        amounts = assignment.amounts
        others = assignments(assignment.formula, self._electron_counts)
        return CompositionRecord(
            id=composition_id(self._campaign, assignment),
            campaign=self._campaign,
            formula=assignment.formula,
            anion=assignment.anion,
            label=assignment.label,
            chemical_system=assignment.chemical_system,
            elements=sorted(amounts),
            nelements=len(amounts),
            centre=assignment.centre,
            cations=sorted({cation.symbol for cation in assignment.cations}),
            cation_counts={cation.symbol: cation.count for cation in assignment.cations},
            group=assignment.group,
            n=assignment.n,
            q=assignment.q,
            m=assignment.m,
            assignment=pack_assignment(assignment),
            electron_count=assignment.electron_count,
            oxidation_state=assignment.oxidation_state,
            anion_class=assignment.anion_class.value,
            is_neighbour=neighbour_of is not None,
            neighbour_of=neighbour_of,
            is_competitor=is_competitor,
            is_low_budget=is_low_budget,
            is_known=assignment.formula in self._made | known_hydride_formulas(),
            other_assignments=[other.label for other in others if other != assignment],
            prior=prior,
            verdicts=[verdict.to_dict() for verdict in verdicts],
            rules=self._rule_set.name,
        )


def composition_id(campaign: str, assignment: Assignment) -> str:
    """Id of an assignment in a campaign: the first 16 digits of a content hash."""
    return content_key(campaign, assignment.label)[:16]
