"""Rules by name: ours, those that installed packages announce, and those of a user's files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ninefold.errors import InputError
from ninefold.plugins import Registry
from ninefold.rules.builtin import BUILTIN
from ninefold.rules.results import RESULT_RULES
from ninefold.rules.rule import Mode, Rule, Stage
from ninefold.rules.settings import RuleParameters

RULES = Registry(
    group="ninefold.rules",
    setting="rules.files",
    what="a rule",
    wanted="a Rule: from ninefold.rules import Rule",
    shipped={rule.name: rule for rule in (*BUILTIN, *RESULT_RULES)},
    accepts=lambda found: isinstance(found, Rule),
    default="*",
)


def known_rules(files: tuple[str, ...] = ()) -> list[Rule]:
    """The built-in rules, those that installed packages announce, and those of the files.

    Raises:
        InputError: if a file or package does not load, or two rules share a name.
    """
    rules = [*BUILTIN, *RESULT_RULES]
    for name in (*RULES.announced(), *files):
        file = RULES.file(name)
        origin = RULES.origin(name) if file is None else str(file)
        rules += [_validated(dataclasses.replace(rule, origin=origin), RULES.setting) for rule in RULES.load_all(name)]
    origins: dict[str, str] = {}
    for rule in rules:
        if rule.name in origins:
            raise InputError(
                "rules", rule.name, problem=f"comes twice: in {origins[rule.name]} and in {rule.origin}",
                hint="rename one; rules.overrides changes a built-in rule",
            )  # fmt: skip
        origins[rule.name] = rule.origin
    return rules


def _validated(rule: Rule, field: str) -> Rule:
    """A rule of the user's Python, held to what a campaign file may say of a rule.

    Raises:
        InputError: naming file, rule and parameter.
    """
    where = f"{field}: {rule.origin}: rule {rule.name}"
    given = {
        name: value for name in Rule.PARAMETERS if (value := getattr(rule, name)) is not None and not callable(value)
    }
    if isinstance(rule.levels, Mapping):
        given["levels"] = dict(rule.levels)
    RuleParameters.checked(given, where)
    for name, words in (("name", rule.name), ("meaning", rule.meaning), ("source", rule.source), ("unit", rule.unit)):
        if not isinstance(words, str):
            raise InputError(f"{where}: {name}", words, allowed="text")
    for name, value, kind in (("mode", rule.mode, Mode), ("stage", rule.stage, Stage)):
        if value not in tuple(kind):
            raise InputError(f"{where}: {name}", value, allowed=", ".join(kind))
    return dataclasses.replace(rule, mode=Mode(rule.mode), stage=Stage(rule.stage))
