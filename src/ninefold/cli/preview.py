"""What `campaign check` tells of a campaign before it runs: rules, recall, time, hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.chemistry.anions import Assignment
    from ninefold.chemistry.table import CandidateTable
    from ninefold.flows.estimate import Estimate
    from ninefold.rules import Recall, RuleSet, Selectivity


class Preview:
    """What a campaign would do.

    Args:
        campaign: The campaign.
        rule_set: Its rules.
        store: Where measured rates may be, if it is there.

    Raises:
        InputError: if the rules reject everything.
    """

    def __init__(self, campaign: Campaign, rule_set: RuleSet, store: str | None) -> None:
        from ninefold.errors import InputError
        from ninefold.rules import recall, selectivity

        self._campaign = campaign
        self.selectivity: Selectivity = selectivity(rule_set, _tables(campaign))
        if self.selectivity.compositions and not self.selectivity.kept:
            reasons = ", ".join(f"{name} ({count})" for name, count in self.selectivity.reasons.most_common(5))
            raise InputError(
                "rules", campaign.rules.set,
                problem=f"reject all {self.selectivity.compositions} compositions: {reasons}",
                hint="loosen a gate, or 'ninefold explain FORMULA' for one composition",
            )  # fmt: skip
        self.recall: Recall = recall(rule_set, campaign.known_compounds())
        self.estimate: Estimate | None = _estimate(campaign, rule_set, self.selectivity.kept, store)
        self.unused_hosts: list[str] = _unused_hosts(campaign, rule_set)

    def lines(self) -> list[str]:
        """For people."""
        name = self._campaign.engine.name
        time = (
            self.estimate.summary()
            if self.estimate
            else f"no rate measured for the engine {name}; 'ninefold search FORMULA --engine {name}' takes one search"
        )
        return [
            f"Rules:  {self.selectivity.summary('this space')}",
            f"Recall: {self.recall.summary()}",
            f"Time:   {time}",
            *(f"Host:   {host}" for host in self.unused_hosts),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rules": self.selectivity.to_dict(),
            "recall": self.recall.summary(),
            "estimate": self.estimate.to_dict() if self.estimate else None,
            "unused_hosts": self.unused_hosts,
        }


def _tables(campaign: Campaign) -> Iterator[CandidateTable]:
    from ninefold.enumeration import enumerate_assignments

    for space in campaign.space:
        yield from enumerate_assignments(space)


def _estimate(campaign: Campaign, rule_set: RuleSet, compositions: int, store: str | None) -> Estimate | None:
    from ninefold.errors import NinefoldError
    from ninefold.flows.estimate import estimate, measured_rates
    from ninefold.store import open_store

    rates = None
    if store is not None:
        try:
            with open_store(store) as repository:
                rates = measured_rates(campaign, repository)
        except NinefoldError:
            pass  # one that is not there yet, or cannot be read, is the run's to refuse; the shipped rates have to do
    rates = rates or measured_rates(campaign)
    if rates is None:
        return None
    return estimate(campaign, compositions, rates, _competitors(campaign, rule_set), _completing(campaign, rule_set))


def _completing(campaign: Campaign, rule_set: RuleSet) -> int:
    """Compositions that `stability.complete_search` adds, as `Selection.remaining` counts them."""
    if campaign.stability.complete_search is None:
        return 0
    from ninefold.enumeration import complete_assignments
    from ninefold.stages.select import FEWEST_LIGANDS

    systems: set[frozenset[str]] = set()
    known: set[str] = set()
    for table in _tables(campaign):
        for assignment in table.assignments(rule_set.apply(table).kept_rows):
            systems.add(frozenset(assignment.amounts))
            known.add(assignment.formula)
    if campaign.stability.search_known_compounds:
        made = (item for item in campaign.known_compounds() if item.assignment.n >= FEWEST_LIGANDS)
        known.update(item.formula for item in made)
    return len({each.formula for system in systems for each in complete_assignments(system)} - known)


def _competitors(campaign: Campaign, rule_set: RuleSet) -> int:
    """Made compounds in the chemical systems of what the rules keep that are no candidates: they are searched too."""
    if not campaign.stability.search_known_compounds:
        return 0
    import numpy as np

    from ninefold.stages.select import FEWEST_LIGANDS

    made = {item.formula: item.assignment for item in campaign.known_compounds() if item.assignment.n >= FEWEST_LIGANDS}
    within: set[str] = set()
    candidates: set[str] = set()
    for table in _tables(campaign):
        rows = rule_set.apply(table).kept_rows
        if not len(rows):
            continue
        kinds = np.column_stack([table.centre[rows], np.sort(table.cation_species[rows], axis=1)])
        _, first = np.unique(kinds, axis=0, return_index=True)
        systems = {frozenset(assignment.amounts) for assignment in table.assignments(rows[first])}
        for formula, compound in made.items():
            if any(system >= set(compound.amounts) for system in systems):
                within.add(formula)
        hydrogens, cations = table.n[rows] + table.m[rows], table.cation_count[rows]
        for formula in within - candidates:
            amounts, number = made[formula].amounts, sum(cation.count for cation in made[formula].cations)
            alike = rows[(hydrogens == amounts["H"]) & (cations == number)]
            if any(assignment.amounts == amounts for assignment in table.assignments(alike)):
                candidates.add(formula)
    return len(within - candidates)


def _unused_hosts(campaign: Campaign, rule_set: RuleSet) -> list[str]:
    """A line for every structure file among the sources that fits no composition kept by the rules."""
    from ninefold.structures.sources import is_host

    files = [Path(name) for name in campaign.structures.sources if is_host(name)]
    if not files:
        return []
    from ninefold.structures.prototypes import unfit

    assignments = _stoichiometries(campaign, rule_set)
    budget = campaign.structures
    found = ((file, unfit(file, assignments, budget.formula_units, budget.max_atoms)) for file in files)
    return [f"{file} fits no composition: {why}" for file, why in found if why]


def _stoichiometries(campaign: Campaign, rule_set: RuleSet) -> list[Assignment]:
    """One composition for every ratio of centre, cations, hydrides and ligands that the rules keep."""
    import numpy as np

    found: dict[tuple[int, ...], Assignment] = {}
    for table in _tables(campaign):
        rows = rule_set.apply(table).kept_rows
        if not len(rows):
            continue
        signature = np.column_stack([np.sort(table.cation_counts[rows], axis=1), table.m[rows], table.n[rows]])
        distinct, first = np.unique(signature, axis=0, return_index=True)
        new = [place for place, row in zip(first, distinct, strict=True) if tuple(map(int, row)) not in found]
        found.update(
            {
                tuple(map(int, signature[place])): assignment
                for place, assignment in zip(new, table.assignments(rows[new]), strict=True)
            }
        )
    return list(found.values())
