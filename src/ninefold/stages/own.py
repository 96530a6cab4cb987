"""Stages of the user's: values of each candidate's structure, from a function in a file of theirs.

    from ninefold.stages import CandidateStage, Column, Stage

    def density(structure, candidate, engine):
        return {"density": structure.density}

    DENSITY = CandidateStage(
        Stage("density", after="stability", meaning="candidates with a density"),
        {"density": Column("g/cm3", "mass density")},
        density,
    )

A campaign that says `stages: [my_stages.py:DENSITY]` runs it for every candidate that has a structure; its values stand
in the candidate's `properties`, where rules on results and ranking terms find them, and its counts in the funnel.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from ninefold.clock import now
from ninefold.errors import InputError, shown
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.evidence import EVIDENCE
from ninefold.models.property import PropertyRecord
from ninefold.models.quantities import Kind
from ninefold.plugins import Registry, calling, description_of
from ninefold.stages.stage import Counts, ResourceKind, Resources, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Engine
    from ninefold.models.campaign import StageColumn
    from ninefold.models.structure import StructureRecord


class Column(NamedTuple):
    """A value that a stage adds."""

    unit: str
    meaning: str
    kind: Kind = "float"


@dataclass(frozen=True)
class CandidateStage:
    """A stage that computes values of one candidate's structure."""

    stage: Stage
    columns: Mapping[str, Column]
    """Key -> unit and meaning, of everything that `compute` gives."""
    compute: Callable[[Structure, Mapping[str, Any], Engine], Mapping[str, Any]]
    """Of structure (primitive cell), what is known of composition and minimum (`OF_COMPOSITION`, fields of `Minimum`),
    and engine; gives plain values by key. It raises
    `ninefold.engines.base.CalculationError` where a structure has no such value."""


OF_COMPOSITION = (
    "formula", "anion", "label", "chemical_system", "elements", "centre", "cations", "cation_counts", "group", "n", "q",
    "m", "electron_count", "oxidation_state",
)  # fmt: skip
"""What a stage is told of the composition: facts, which no rule and no other candidate can change."""

_KEY = re.compile("[a-z_][a-z0-9_]*")
"""A column's key: what a filter can name."""

STAGES = Registry(
    group="ninefold.stages",
    setting="stages",
    what="a stage",
    wanted="a CandidateStage",
    accepts=lambda thing: isinstance(thing, CandidateStage),
)


def own_stage(name: str) -> CandidateStage:
    """A stage of the user's, by the name that the campaign gives it.

    Raises:
        InputError: if there is none, or its name or columns are taken.
    """
    from ninefold.models.candidate import Candidate
    from ninefold.models.quantities import QUANTITIES
    from ninefold.stages.order import SHIPPED, STRUCTURED

    found: CandidateStage = STAGES.load(name)
    _check_declared(name, found.stage, STRUCTURED)
    if found.stage.name in SHIPPED or " " in found.stage.name:
        raise InputError(
            "stages", name, problem=f"is called {found.stage.name!r}",
            allowed=f"one word that is no stage of ninefold's: {', '.join(SHIPPED)}",
        )  # fmt: skip
    if taken := sorted(set(found.columns) & {*QUANTITIES, *Candidate.model_fields}):
        raise InputError("stages", name, problem=f"gives {taken[0]!r}, which is a quantity of ninefold's own")
    for key, column in found.columns.items():
        kind = getattr(column, "kind", None)
        if not isinstance(column, Column) or kind not in get_args(Kind):
            raise InputError(
                "stages", name, problem=f"declares {key!r} with kind={shown(kind)}" if isinstance(column, Column)
                else f"declares {key!r} as {shown(column)}",
                allowed=f"Column(unit, meaning, kind): kind is one of {', '.join(get_args(Kind))}",
            )  # fmt: skip
    if wrong := [key for key in found.columns if not _KEY.fullmatch(key) or key.startswith("_ninefold_")]:
        raise InputError(
            "stages", name, problem=f"gives {wrong[0]!r}, which no filter can name",
            allowed="small letters, digits and underscores, no digit first",
        )  # fmt: skip
    return found


def _check_declared(name: str, stage: Stage, before: tuple[str, ...]) -> None:
    """Refuse what the flow cannot keep.

    Args:
        name: As the campaign names the stage.
        stage: What its file declares.
        before: Stages that it may follow.

    Raises:
        InputError: with what is allowed.
    """
    needs, kinds = stage.resources, get_args(ResourceKind)
    numbers = needs[1:] if isinstance(needs, Resources) else ()
    are_numbers = all(isinstance(value, (int, float)) and 0 < value < math.inf for value in numbers)
    for what, value, is_right, allowed in (
        ("after", stage.after, stage.after in before, f"{', '.join(before)}: it needs candidates with a structure"),
        ("evidence", stage.evidence, stage.evidence in EVIDENCE, ", ".join(EVIDENCE)),
        (
            "resources", needs, isinstance(needs, Resources) and needs.kind in kinds and are_numbers,
            f"Resources(kind, cores, memory_GB, minutes): kind is one of {', '.join(kinds)}, the others are above 0",
        ),
    ):  # fmt: skip
        if not is_right:
            raise InputError("stages", name, problem=f"declares {what}={shown(value)}", allowed=allowed)


def columns_of(names: Iterable[str]) -> dict[str, Kind]:
    """Columns that some stages add to every candidate: key -> kind.

    Raises:
        InputError: if a stage cannot be loaded, or two give one column.
    """
    return {key: column.kind for key, column in stored_columns(names).items()}


def stored_columns(names: Iterable[str]) -> dict[str, StageColumn]:
    """Columns of some stages as a campaign's record keeps them; raises as `columns_of`."""
    from ninefold.models.campaign import StageColumn

    columns: dict[str, StageColumn] = {}
    for name in names:
        own = own_stage(name)
        for key, column in own.columns.items():
            if key in columns:
                raise InputError("stages", name, problem=f"gives {key!r}, which another stage gives too")
            columns[key] = StageColumn(stage=own.stage.name, kind=column.kind, unit=column.unit, meaning=column.meaning)
    return columns


def property_id(name: str, structure: str, method: str) -> str:
    """Id of what a stage computes of a structure.

    Args:
        name: As the campaign names the stage.
        structure: Id of the structure.
        method: Id of the method whose engine is handed in.
    """
    return content_key("property", STAGES.checksum([name]), structure, method, KEY_VERSION)


def compute(
    campaign: str, name: str, row: Mapping[str, Any], structure: StructureRecord, engine: Engine
) -> PropertyRecord:
    """Values of one candidate.

    Args:
        campaign: That asks for it.
        name: As the campaign names the stage.
        row: What is known of composition and minimum.
        structure: That stands for it.
        engine: Of the method that relaxed it.

    Raises:
        InputError: if the stage raises what it should not, or gives a value that it does not declare.
    """
    import time

    own, start = own_stage(name), time.process_time()
    values, reason = values_of(name, own, structure.to_structure(), row, engine)
    return PropertyRecord(
        id=property_id(name, structure.id, engine.fingerprint),
        campaign=campaign,
        stage=own.stage.name,
        label=row["label"],
        structure=structure.id,
        method=engine.fingerprint,
        values=values,
        reason=reason,
        core_seconds=time.process_time() - start,
        created=now(),
    )


def values_of(
    name: str, own: CandidateStage, structure: Structure, row: Mapping[str, Any], engine: Engine
) -> tuple[dict[str, Any], str | None]:
    """What a stage gives of one structure, checked; and the reason where it gives nothing.

    Args:
        name: As the campaign names the stage.
        own: The stage.
        structure: Primitive cell.
        row: What is known of composition and minimum.
        engine: Of the method that relaxed it.

    Raises:
        InputError: if the stage raises what it should not, or gives a value that it does not declare.
    """
    from ninefold.engines.base import CalculationError

    values: Any = {}
    reason = None
    with calling("stages", name):
        try:
            values = own.compute(structure, row, engine)
        except CalculationError as error:
            reason = str(error) or type(error).__name__
    if not isinstance(values, Mapping):
        raise InputError(
            "stages", name, problem=f"gives {description_of(values)}", allowed="a dictionary of its columns"
        )
    values = dict(values)
    if unknown := sorted(str(key) for key in values if key not in own.columns):
        raise InputError(
            "stages", name, problem=f"gives {unknown[0]!r}, which it does not declare", allowed=", ".join(own.columns)
        )
    for key, value in values.items():
        _check(name, key, value, own.columns[key].kind)
    return values, reason


_KINDS: dict[Kind, tuple[type, ...]] = {
    "float": (float, int), "integer": (int,), "string": (str,), "boolean": (bool,), "list": (list, tuple),
}  # fmt: skip


def _check(name: str, key: str, value: Any, kind: Kind) -> None:
    """Refuse a value of another kind than its column; None stands for unknown.

    Raises:
        InputError: with the column, the value and what is allowed.
    """
    if value is None:
        return
    is_right = isinstance(value, _KINDS[kind])
    if kind in ("float", "integer"):
        is_right = is_right and not isinstance(value, bool) and math.isfinite(value)
    if not is_right:
        raise InputError("stages", name, problem=f"gives {key} = {value!r}", allowed=f"a finite {kind}, or None")


NO_VALUES = "the stage gives no value, and no reason"


def counts(record: PropertyRecord) -> Counts:
    """Whether there are values, one at least that is known."""
    reason = record.reason
    if reason is None and all(value is None for value in record.values.values()):
        reason = NO_VALUES
    return Counts("compositions", 1, int(reason is None), Counter({reason: 1} if reason else {}), record.core_seconds)
