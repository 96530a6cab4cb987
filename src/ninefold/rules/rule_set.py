"""A rule set: rules with their parameters, applied to columns or explained for one composition."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.table import CandidateTable
from ninefold.errors import InputError
from ninefold.models.quantities import Kind
from ninefold.paths import user_path
from ninefold.rules.anion import AnionTable, NeedsCations
from ninefold.rules.builtin import BUILTIN
from ninefold.rules.evaluation import named, values_of
from ninefold.rules.registry import RULES, known_rules
from ninefold.rules.results import RESULT_RULES, ResultTable
from ninefold.rules.rule import Mode, Rule, Stage, Table, Verdict
from ninefold.rules.settings import RuleParameters, RuleSetFile, RuleSettings
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

ELECTRON_COUNT = "electron_count"
"""The rule that a neighbour, one hydrogen away, cannot meet."""
_SCORE_DIGITS = 6
"""Of a verdict's score, as it is stored and multiplied."""
_TRIAL_RESULTS: Sequence[Mapping[str, Any]] = ({}, {"centre": "Re", "is_coordination_kept": True, "e_above_hull": 0.01})
"""A candidate without and one with results: a rule on results is tried on both before a campaign starts."""


@dataclass(frozen=True)
class Verdicts:
    """What a rule set says of the rows of a table."""

    kept: np.ndarray
    """shape (n_rows,), no gate rejects it."""
    prior: np.ndarray
    """shape (n_rows,), product of the soft rules' scores, 0 to 1."""
    reasons: Counter[str]
    """First gate that rejects -> rows."""

    @property
    def kept_rows(self) -> np.ndarray:
        """Indices of the kept rows."""
        return np.flatnonzero(self.kept)


@dataclass(frozen=True)
class RuleSet:
    """Rules in the order in which they are applied."""

    name: str
    rules: tuple[Rule, ...]
    extra_columns: Mapping[str, Kind] = field(default_factory=dict)
    """Columns that rules on results may read beside the quantities of every candidate: those of a user's stages."""

    def apply(self, table: CandidateTable) -> Verdicts:
        """Judge every row.

        Raises:
            InputError: if a rule raises, or returns anything but one number per row.
        """
        kept = np.ones(len(table), dtype=bool)
        prior = np.ones(len(table))
        reasons: Counter[str] = Counter()
        for rule in self.active(Stage.COMPOSITION):
            values = values_of(rule, table)
            if rule.mode is Mode.GATE:
                with named(rule):
                    passed = rule.passed(table, values)
                if rejected := int((kept & ~passed).sum()):
                    reasons[rule.name] = rejected
                kept &= passed
            else:
                with named(rule):
                    prior *= rule.score(table, values)
        return Verdicts(kept, prior, reasons)

    def explain(self, assignment: Assignment) -> list[Verdict]:
        """Every rule's verdict on one composition, from the formula alone."""
        return self.explain_all([assignment])[0]

    def explain_all(self, assignments: Sequence[Assignment]) -> list[list[Verdict]]:
        """As `explain`, of many compositions at once, in their order."""
        if not assignments:
            return []
        table = CandidateTable.from_assignments(assignments)
        by_rule = [_verdicts(rule, table) for rule in self.active(Stage.COMPOSITION)]
        return [[verdicts[row] for verdicts in by_rule] for row in range(len(assignments))]

    def explain_anion(self, anion: Assignment) -> tuple[list[Verdict], list[str]]:
        """The verdicts on a bare anion, and the rules that need counter-cations to judge it.

        Args:
            anion: Its `cations` and `m` are not looked at.
        """
        table, verdicts, others = AnionTable(anion), [], []
        for rule in self.active(Stage.COMPOSITION):
            try:
                verdicts.append(_verdict(rule, table))
            except NeedsCations:
                others.append(rule.name)
        return verdicts, others

    def judge_neighbour(self, assignment: Assignment) -> tuple[float | None, list[Verdict]]:
        """A composition one hydrogen beside a survivor: every gate but the electron count's must let it through.

        Returns:
            Product of the soft rules' scores, or None if another gate rejects it; and every verdict.
        """
        verdicts = self.explain(assignment)
        if any(v.mode == "gate" and v.passed is False and v.rule != ELECTRON_COUNT for v in verdicts):
            return None, verdicts
        return math.prod(v.score for v in verdicts if v.mode == "score"), verdicts

    def judge(self, results: Mapping[str, Any]) -> list[Verdict]:
        """The verdicts of the rules on results, on one candidate.

        Args:
            results: Quantities by key; what is missing or None is not judged.

        Raises:
            InputError: as `apply`.
        """
        table = ResultTable([results], self.extra_columns)
        return [_verdict(rule, table) for rule in self.active(Stage.RESULT)]

    def judge_all(self, table: ResultTable) -> tuple[np.ndarray, np.ndarray]:
        """The rules on results, on many candidates at once.

        Returns:
            Whether no gate rejects each, and the product of its scores, both of shape (n_rows,): as the verdicts of
            `judge` say, digit for digit.

        Raises:
            InputError: as `apply`.
        """
        kept, scores = np.ones(len(table), dtype=bool), np.ones(len(table))
        for rule in self.active(Stage.RESULT) if len(table) else ():
            values = values_of(rule, table)
            is_known = ~np.isnan(values)
            with named(rule), np.errstate(invalid="ignore"):
                if rule.mode is Mode.GATE:
                    kept &= rule.passed(table, values) | ~is_known
                else:
                    # Python's rounding, as of a verdict: numpy's differs where a digit is a tie
                    each = [round(score, _SCORE_DIGITS) for score in rule.score(table, values).tolist()]
                    scores *= np.where(is_known, each, 1.0)
        return kept, scores

    def result_columns(self) -> set[str] | None:
        """What the rules on results read of a candidate; None if one is a user's, which may read anything."""
        if any(rule.origin != "ninefold" for rule in self.active(Stage.RESULT)):
            return None
        read: set[str] = set()
        for results in _TRIAL_RESULTS:
            table = ResultTable([results], self.extra_columns)
            self.judge_all(table)
            read |= table.read
        return read

    def electron_counts(self) -> tuple[int, ...]:
        """Counts at the centre that are tried for a formula: what the gate allows, or 12 to 18 without one."""
        for rule in self.rules:
            if rule.name == ELECTRON_COUNT and rule.mode is Mode.GATE and rule.allowed is not None:
                return tuple(int(count) for count in rule.allowed)
        return tuple(range(12, 19))

    def active(self, stage: Stage) -> Iterator[Rule]:
        """The rules of a stage that are switched on, in order."""
        return (rule for rule in self.rules if rule.stage is stage and rule.mode is not Mode.OFF)

    def to_dict(self) -> dict[str, Any]:
        """The set as plain values; enters a campaign's provenance."""
        return {"name": self.name, "rules": [rule.to_dict() for rule in self.rules]}


def load_rule_set(
    settings: RuleSettings, *, run_code: bool = True, extra_columns: Mapping[str, Kind] | None = None
) -> RuleSet:
    """A rule set with the campaign's overrides and the user's own rules, tried on the compounds in ninefold's list.

    Args:
        settings: What the campaign says.
        run_code: Load the user's files and what installed packages announce. Without it, ninefold's own rules alone
            are checked, and parameters of a rule that another file may define are passed over.
        extra_columns: Column -> kind, of what stages of the user's store with a candidate.

    Raises:
        InputError: naming rule and file: an unknown set or rule, a file that does not load, a name
            that comes twice, a rule that raises, reads a column that is not there, or returns the wrong shape.
    """
    file = _read_set(settings.set)
    found = known_rules(settings.files) if run_code else [*BUILTIN, *RESULT_RULES]
    may_miss_rules = not run_code and bool(settings.files or RULES.announced())
    rules = {rule.name: rule for rule in found}
    for where, changes in ((f"rule set {settings.set}", file.rules), ("rules.overrides", settings.overrides)):
        for name, parameters in changes.items():
            base = parameters.like or name
            if base not in rules:
                if may_miss_rules:
                    continue
                raise InputError(where, base, problem="is not a rule", allowed=", ".join(sorted(rules)))
            if parameters.like and name in rules:
                raise InputError(where, name, problem="is the name of another rule", hint="choose a new one")
            rules[name] = _set(dataclasses.replace(rules[base], name=name), parameters)
    rule_set = RuleSet(file.name, tuple(rules.values()), extra_columns or {})
    rule_set.apply(CandidateTable.from_assignments(compound.assignment for compound in known_compounds()))
    for results in _TRIAL_RESULTS:
        rule_set.judge(results)
    return rule_set


def _read_set(name: str) -> RuleSetFile:
    is_file = name.endswith((".yaml", ".yml"))
    path = user_path(name if is_file else config_path("rules", f"{name}.yaml"), "rules.set")
    if not path.is_file() or not (is_file or path.parent.samefile(config_path("rules"))):
        shipped = ", ".join(sorted(file.stem for file in config_path("rules").glob("*.yaml")))
        raise InputError("rules.set", name, problem="is not a rule set", allowed=f"{shipped}, or a YAML file")
    return RuleSetFile.checked(read_yaml(path, "rules.set"), name)


def _set(rule: Rule, parameters: RuleParameters) -> Rule:
    given = {
        name: getattr(parameters, name)
        for name in Rule.PARAMETERS
        if name in parameters.model_fields_set and getattr(parameters, name) is not None
    }
    if {"low", "high"} & given.keys() and "levels" not in given:
        given["levels"] = None
    return dataclasses.replace(rule, **given)


def _verdict(rule: Rule, table: Table) -> Verdict:
    """Of the table's only row."""
    return _verdicts(rule, table)[0]


def _verdicts(rule: Rule, table: Table) -> list[Verdict]:
    """Of each row of a table."""
    values = values_of(rule, table)
    with named(rule):
        bounds = rule.bound_texts(table)
        passed = [bool(each) for each in rule.passed(table, values)]
        scores = rule.score(table, values).tolist() if rule.mode is Mode.SCORE else list(map(float, passed))
    unit = f" {rule.unit}" if rule.unit else ""
    verdicts = []
    for value, bound, is_within, score in zip(map(float, values), bounds, passed, scores, strict=True):
        if np.isnan(value):
            reason = f"{rule.meaning}: not known yet"
            verdicts.append(Verdict(rule.name, rule.mode.value, None, rule.unit, bound, None, 1.0, reason, rule.source))
            continue
        is_met = score >= 1.0 if rule.levels is not None and rule.mode is Mode.SCORE else is_within
        outcome = f"scores {score:g}" if rule.levels is not None else f"{'meets' if is_met else 'misses'} {bound}"
        verdicts.append(
            Verdict(
                rule.name, rule.mode.value, round(value, 6), rule.unit, bound, is_met, round(score, _SCORE_DIGITS),
                f"{rule.meaning}: {value:.4g}{unit}, {outcome}", rule.source,
            )
        )  # fmt: skip
    return verdicts
