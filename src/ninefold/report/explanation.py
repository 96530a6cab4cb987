"""What the rules say of a formula, as lines of text: one per rule, within the width of the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.report.text import MISSING

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.chemistry.compounds import KnownCompound

NARROWEST = 60
"""Columns below which lines are allowed to be longer than the terminal."""
WIDEST = 100
"""Columns beyond which text is hard to read."""
_NAME, _VALUE, _BOUND = 28, 14, 17
"""Columns of a verdict; the longest name of a built-in rule has 28 characters."""
_LABELS = {"volume_per_atom": "volume_per_atom (increments)"}
"""Rule -> how its name is shown where it is that of a quantity of the structure, too: this one is a sum of volume
increments of ions, known before there is a structure."""
_UNITS = {"GPa": "(GPa|Pa|bar)", "K": "(K|°C)"}
"""Unit -> how a pressure or a temperature is recognised in words."""
_PROVENANCE = {"published": "read in the publication", "from memory": "from memory, unverified"}


def verdict_lines(verdicts: Sequence[Mapping[str, Any]], width: int, *, why: bool = False) -> list[str]:
    """One line per rule: mode, name, value, bound, outcome.

    Args:
        verdicts: As `Verdict.to_dict` gives them.
        width: Columns of the terminal.
        why: Whether reason and source follow, wrapped.
    """
    width = fitted_width(width)
    lines = []
    for verdict in verdicts:
        value = MISSING if verdict["value"] is None else f"{verdict['value']:.4g} {verdict['unit']}".rstrip()
        words = (rule_label(verdict["rule"]), value, verdict["bound"])
        cells = (verdict["mode"], *map(_cut, words, (_NAME, _VALUE, _BOUND)))
        lines.append(
            f"  {cells[0]:<5} {cells[1]:<{_NAME}} {cells[2]:>{_VALUE}}  {cells[3]:<{_BOUND}} {_outcome(verdict)}"
        )
        if why:
            bound = f" (bound: {verdict['bound']})" if len(verdict["bound"]) > _BOUND else ""
            lines += wrapped(f"{verdict['reason']}{bound}", width, 8)
            lines += wrapped(f"Source: {verdict['source']}", width, 8)
    return lines


def rule_label(rule: str) -> str:
    """The name of a rule as a list of verdicts shows it."""
    return _LABELS.get(rule, rule)


def headline(
    assignment: str,
    rules: str,
    rejected_by: Sequence[str],
    prior: float | None,
    made: Sequence[KnownCompound],
    width: int,
) -> list[str]:
    """Accepted or not, prior, made or not; below it where that stands and how it was made.

    Args:
        assignment: Label of the assignment.
        rules: Name of the rule set.
        rejected_by: Gates that reject it.
        prior: Product of the scores; None for a formula without an assignment.
        made: Compounds of ninefold's list that have this formula.
        width: Columns of the terminal.
    """
    if prior is None:
        verdict = f"rejected by {rules}, no assignment satisfies both equations"
    else:
        judged = f"rejected by {', '.join(rejected_by)}" if rejected_by else f"accepted by {rules}"
        verdict = f"{judged}, prior {prior:.2f}"
    known = "made" if made else "not in ninefold's list of made compounds"
    return [*wrapped(f"{assignment}: {verdict}; {known}", width, 0, 2), *made_lines(made, assignment, width)]


def made_lines(made: Iterable[KnownCompound], assignment: str, width: int) -> list[str]:
    """Where a compound was published and how it was made.

    Args:
        made: Compounds of one formula.
        assignment: Label of the assignment; a compound with another one names its own.
        width: Columns of the terminal.
    """
    return [line for compound in made for line in wrapped(f"Made: {_how(compound, assignment)}", width, 2)]


def anion_headline(
    anion: Assignment, rules: str, rejected_by: Sequence[str], made: Iterable[str], width: int
) -> list[str]:
    """What a bare anion comes to: its electrons, the gates that need no cations, compounds that hold it."""
    count = (
        f"{anion.electron_count} valence electrons "
        f"(G + n + q = {anion.group} + {anion.n} + {anion.q}), oxidation state {anion.oxidation_state}"
    )
    verdict = (
        f"rejected by {', '.join(rejected_by)}"
        if rejected_by
        else f"accepted by the gates of {rules} that need no counter-cations"
    )
    known = list(made)
    held = f"made in {', '.join(known)}" if known else "in no compound of ninefold's list"
    return wrapped(f"{anion.anion}: {count}; {verdict}; {held}", width, 0, 2)


def wrapped(text: str, width: int, indent: int, hanging: int = 0) -> list[str]:
    """Text in lines of at most `width` columns."""
    return textwrap.wrap(
        text, fitted_width(width), initial_indent=" " * indent, subsequent_indent=" " * (indent + hanging),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def fitted_width(width: int) -> int:
    """The columns to use of a terminal so wide."""
    return min(max(width, NARROWEST), WIDEST)


def _outcome(verdict: Mapping[str, Any]) -> str:
    if verdict["passed"] is None:
        return "not known"
    if verdict["mode"] == "gate":
        return "passes" if verdict["passed"] else "REJECTS"
    return f"{verdict['score']:.2f}"


def _how(compound: KnownCompound, assignment: str) -> str:
    parts = [compound.source]
    if compound.doi and compound.doi not in compound.source:
        parts.append(f"doi:{compound.doi}")
    made = compound.synthesis or ""
    conditions = [
        f"{value:g} {unit}"
        for value, unit in ((compound.pressure_GPa, "GPa"), (compound.temperature_K, "K"))
        # the words of the synthesis may have it already, in other units or as a range
        if value is not None and not re.search(rf"\d (M|k)?{_UNITS[unit]}\b", made)
    ]
    parts += [", ".join(filter(None, [made, *conditions]))] if made or conditions else []
    structure = [f"structure {compound.structure_type}"] if compound.structure_type else []
    structure += [f"space group {compound.space_group}"] if compound.space_group else []
    parts += [", ".join(structure)] if structure else []
    if compound.assignment.label != assignment:
        parts.append(f"listed as {compound.assignment.label}")
    if compound.violates:
        parts.append(f"breaks {', '.join(compound.violates)}")
    return f"{'; '.join(parts)} ({_PROVENANCE.get(compound.provenance, compound.provenance)})"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
