"""A rule set: rules with their parameters, applied to columns or explained for one composition."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_compounds
from ninefold.chemistry.configs import config_path
from ninefold.chemistry.table import CandidateTable
from ninefold.errors import InputError
from ninefold.rules.builtin import BUILTIN
from ninefold.rules.rule import Mode, Rule, Verdict
from ninefold.rules.settings import RuleParameters, RuleSetFile, RuleSettings
from ninefold.yaml_files import read_yaml

ENTRY_POINTS = "ninefold.rules"


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

    def apply(self, table: CandidateTable) -> Verdicts:
        """Judge every row.

        Raises:
            InputError: if a rule raises, or returns anything but one number per row.
        """
        kept = np.ones(len(table), dtype=bool)
        prior = np.ones(len(table))
        reasons: Counter[str] = Counter()
        for rule in self.rules:
            if rule.mode is Mode.OFF:
                continue
            values = _values(rule, table)
            if rule.mode is Mode.GATE:
                passed = rule.passed(table, values)
                if rejected := int((kept & ~passed).sum()):
                    reasons[rule.name] = rejected
                kept &= passed
            else:
                prior *= rule.score(table, values)
        return Verdicts(kept, prior, reasons)

    def explain(self, assignment: Assignment) -> list[Verdict]:
        """Every rule's verdict on one composition."""
        table = CandidateTable.from_assignments([assignment])
        verdicts = []
        for rule in self.rules:
            if rule.mode is Mode.OFF:
                continue
            values = _values(rule, table)
            passed = bool(rule.passed(table, values)[0])
            score = float(rule.score(table, values)[0]) if rule.mode is Mode.SCORE else float(passed)
            if rule.levels is not None and rule.mode is Mode.SCORE:
                passed = score >= 1.0
            bound = rule.bound_text(table)
            value = float(values[0])
            unit = f" {rule.unit}" if rule.unit else ""
            outcome = f"scores {score:g}" if rule.levels is not None else f"{'meets' if passed else 'misses'} {bound}"
            verdicts.append(
                Verdict(
                    rule.name, rule.mode.value, round(value, 6), rule.unit, bound, passed, round(score, 6),
                    f"{rule.meaning}: {value:.4g}{unit}, {outcome}", rule.source,
                )
            )  # fmt: skip
        return verdicts

    def to_dict(self) -> dict[str, Any]:
        """The set as plain values; enters a campaign's provenance."""
        return {"name": self.name, "rules": [rule.to_dict() for rule in self.rules]}


def load_rule_set(settings: RuleSettings) -> RuleSet:
    """A rule set with the campaign's overrides and the user's own rules, tried on the known compounds.

    Raises:
        InputError: naming rule and file: an unknown set or rule, a file that does not load, a name
            that comes twice, a rule that raises or returns the wrong shape.
    """
    file = _read_set(settings.set)
    rules = {rule.name: rule for rule in known_rules(settings.files)}
    for where, changes in ((f"rule set {settings.set}", file.rules), ("rules.overrides", settings.overrides)):
        for name, parameters in changes.items():
            base = parameters.like or name
            if base not in rules:
                raise InputError(where, base, problem="is not a rule", allowed=", ".join(sorted(rules)))
            if parameters.like and name in rules:
                raise InputError(where, name, problem="is the name of another rule", hint="choose a new one")
            rules[name] = _set(dataclasses.replace(rules[base], name=name), parameters)
    rule_set = RuleSet(file.name, tuple(rules.values()))
    rule_set.apply(CandidateTable.from_assignments(compound.assignment for compound in known_compounds()))
    return rule_set


def known_rules(files: tuple[str, ...] = ()) -> list[Rule]:
    """The built-in rules, those that installed packages announce, and those of the files.

    Raises:
        InputError: if a file or package does not load, or two rules share a name.
    """
    rules = list(BUILTIN)
    for point in entry_points(group=ENTRY_POINTS):
        try:
            rules.append(dataclasses.replace(point.load(), origin=point.value))
        except Exception as error:  # whatever the package raises, its name must be told
            raise InputError(
                "rules", point.value, problem=f"cannot be loaded: {type(error).__name__}: {error}"
            ) from error
    for file in files:
        rules += _rules_of_file(Path(file))
    origins: dict[str, str] = {}
    for rule in rules:
        if rule.name in origins:
            raise InputError(
                "rules", rule.name, problem=f"comes twice: in {origins[rule.name]} and in {rule.origin}",
                hint="rename one; rules.overrides changes a built-in rule",
            )  # fmt: skip
        origins[rule.name] = rule.origin
    return rules


def _rules_of_file(path: Path) -> list[Rule]:
    spec = importlib.util.spec_from_file_location(f"ninefold_rules_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError("rules.files", str(path), problem="is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises is the user's to mend
        raise InputError("rules.files", str(path), problem=f"raises {type(error).__name__}: {error}") from error
    found = [dataclasses.replace(value, origin=str(path)) for value in vars(module).values() if isinstance(value, Rule)]
    if not found:
        raise InputError("rules.files", str(path), problem="holds no Rule", hint="from ninefold.rules import Rule")
    return found


def _read_set(name: str) -> RuleSetFile:
    from pydantic import ValidationError

    path = Path(name) if name.endswith((".yaml", ".yml")) else config_path("rules", f"{name}.yaml")
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in config_path("rules").glob("*.yaml")))
        raise InputError("rules.set", name, problem="is not a rule set", allowed=f"{shipped}, or a YAML file")
    try:
        return RuleSetFile.model_validate(read_yaml(path, "rules.set"))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{name}: {field}", first["input"], problem=f"is not allowed: {first['msg']}") from error


def _set(rule: Rule, parameters: RuleParameters) -> Rule:
    given = {
        name: getattr(parameters, name)
        for name in Rule.PARAMETERS
        if name in parameters.model_fields_set and getattr(parameters, name) is not None
    }
    if {"low", "high"} & given.keys() and "levels" not in given:
        given["levels"] = None
    return dataclasses.replace(rule, **given)


def _values(rule: Rule, table: CandidateTable) -> np.ndarray:
    try:
        values = np.asarray(rule.value(table))
    except Exception as error:  # a user's rule may raise anything; its name and file must be told
        raise InputError(f"rule {rule.name}", rule.origin, problem=f"raises {type(error).__name__}: {error}") from error
    if values.shape != (len(table),) or values.dtype.kind not in "iufb":
        raise InputError(
            f"rule {rule.name}", rule.origin,
            problem=f"returns shape {values.shape} of {values.dtype}", allowed=f"numbers of shape ({len(table)},)",
        )  # fmt: skip
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise InputError(f"rule {rule.name}", rule.origin, problem="returns values that are not numbers")
    return values
