"""Rules: verdicts on compositions and on results, with value, bound, reason and source."""

from ninefold.rules.assignments import Diagnosis, assignments, diagnose
from ninefold.rules.recall import Recall, Selectivity, compare, recall, selectivity
from ninefold.rules.registry import known_rules
from ninefold.rules.results import ResultTable
from ninefold.rules.rule import Mode, Rule, Stage, Verdict
from ninefold.rules.rule_set import RuleSet, Verdicts, load_rule_set
from ninefold.rules.settings import RuleParameters, RuleSettings

__all__ = [
    "Diagnosis",
    "Mode",
    "Recall",
    "ResultTable",
    "Rule",
    "RuleParameters",
    "RuleSet",
    "RuleSettings",
    "Selectivity",
    "Stage",
    "Verdict",
    "Verdicts",
    "assignments",
    "compare",
    "diagnose",
    "known_rules",
    "load_rule_set",
    "recall",
    "selectivity",
]  # fmt: skip
