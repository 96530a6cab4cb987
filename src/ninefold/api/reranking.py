"""A campaign's ranking with other weights, from stored rows: a view, which writes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES, Kind, Quantity
from ninefold.ranking.settings import RankingSettings
from ninefold.ranking.terms import TERMS, shown_name
from ninefold.store.listing import fields_of
from ninefold.thermo.settings import SYNTHESIS

if TYPE_CHECKING:
    from ninefold.ranking.rank import Ranked, Scores
    from ninefold.store.store import Store

_AT_ONCE = 2000
_NUMBERS: tuple[Kind, ...] = ("integer", "float", "boolean")
_BEST = ("min", "max")


class Axis(NamedTuple):
    """What candidates are compared by on a Pareto front."""

    name: str
    """A term, or a field that holds numbers."""
    sign: float = 1.0
    """-1 where lower is better."""
    is_term: bool = True


@dataclass(frozen=True)
class Reranking:
    """The candidates of a campaign, scored."""

    campaign: str
    settings: RankingSettings
    scores: Scores
    before: list[int | None]
    """Stored rank of each, in the order of `scores.ids`."""
    fields: Mapping[str, list[Any]]
    """Values of further fields, in the same order."""

    def ranked(self) -> Iterator[tuple[Ranked, int | None]]:
        """The candidates that have a rank, the best first, each with its stored rank."""
        for place in self.scores.order:
            yield self.scores.ranked(place), self.before[place]

    def shown(self, axis: Axis) -> str:
        """An axis as it is shown: a term of the user's without the path of its file."""
        return shown_name(axis.name, self.settings.weights) if axis.is_term else axis.name

    def of(self, id: str) -> tuple[Ranked, int | None]:
        """One candidate and its stored rank.

        Raises:
            InputError: if it is none of the campaign's.
        """
        if id not in self.scores.ids:
            raise InputError("id", id, problem=f"is no candidate of campaign {self.campaign}")
        place = self.scores.ids.index(id)
        return self.scores.ranked(place), self.before[place]


def rerank(
    store: Store, campaign: Mapping[str, Any], settings: RankingSettings, fields: Sequence[str] = ()
) -> Reranking:
    """Score a campaign's candidates, some 2000 at a time, from their flat fields.

    Rules on results and the noise are the campaign's as it is stored; files of the user's are read where they lie.

    Args:
        store: Open.
        campaign: Its document.
        settings: Weights, and the scale of the stability term.
        fields: What else to read of each candidate.

    Raises:
        InputError: if a rule or a term of the user's cannot be loaded or used.
    """
    from ninefold.ranking.rank import Scores
    from ninefold.ranking.stored import FIELDS, rankables
    from ninefold.rules import RuleSettings, load_rule_set

    stored = campaign.get("settings") or {}
    _check_condition(settings, (stored.get("ranking") or {}).get("at"))
    columns = columns_of(campaign)
    kinds = {key: column.kind for key, column in columns.items()}
    rule_set = load_rule_set(RuleSettings.checked(stored.get("rules") or {}, "rules"), extra_columns=kinds)
    scores = Scores(settings, float((stored.get("stability") or {}).get("noise_eV_per_atom", _default_noise())))
    read = rule_set.result_columns()
    wanted = {*FIELDS, "rank", *fields, *(read or ())}
    if read is None or scores.needs_quantities:
        wanted |= {*QUANTITIES, *columns}
    rows = store.iterate(
        "candidates", equal={"campaign": campaign["name"], "is_best": True}, fields=sorted(wanted), properties=kinds
    )
    before: list[int | None] = []
    further: dict[str, list[Any]] = {key: [] for key in fields}
    while page := list(islice(rows, _AT_ONCE)):
        scores.add(rankables(page, rule_set, kinds, with_quantities=scores.needs_quantities))
        before += [row["rank"] for row in page]
        for key, values in further.items():
            values += [row[key] for row in page]
    return Reranking(campaign["name"], settings, scores, before, further)


def _check_condition(settings: RankingSettings, stored: Mapping[str, Any] | None) -> None:
    """Refuse to rank at a condition at which the rows were not assessed: the campaign's, by default that of a press.

    Raises:
        InputError: with how to assess them.
    """
    wanted = None if settings.at is None else settings.at.model_dump(mode="json")
    if wanted is not None and wanted != (stored or SYNTHESIS.model_dump(mode="json")):
        raise InputError(
            "ranking.at", f"{wanted['temperature_K']:g} K and {wanted['pressure_GPa']:g} GPa",
            problem="is not where the stored rows were assessed",
            hint="'ninefold run FILE --update' assesses them there",
        )  # fmt: skip


def pareto(reranking: Reranking, axes: Sequence[Axis]) -> tuple[list[int], int]:
    """The candidates that no other dominates: at least as good by every axis and better by one.

    Args:
        reranking: With a weight for every term among the axes, and the others' fields.
        axes: What candidates are compared by.

    Returns:
        Places of the front's candidates in `reranking.scores.ids`, by the first axis, the next and so on, the best
        first, then by id; and how many candidates lack a value.
    """
    import numpy as np

    from ninefold.ranking.pareto import pareto_front

    scores = reranking.scores
    places = sorted(scores.order)
    names = list(scores.weights)
    columns = [
        scores.values[:, names.index(reranking.shown(axis))] if axis.is_term
        else np.array([_number(reranking.fields[axis.name][place]) for place in places], dtype=float) * axis.sign
        for axis in axes
    ]  # fmt: skip
    points = np.column_stack(columns) if places else np.empty((0, len(axes)))
    is_known = ~np.isnan(points).any(axis=1)
    known = np.flatnonzero(is_known)
    front = [int(row) for row in known[pareto_front(points[known])]]
    front.sort(key=lambda row: (*(-points[row]).tolist(), scores.ids[places[row]]))
    return [places[row] for row in front], int((~is_known).sum())


def axes_of(text: str, columns: Mapping[str, Quantity], own_terms: Mapping[str, float]) -> list[Axis]:
    """Axes from text such as `stability,hydrogen` or `e_above_hull:min,n:max`.

    Raises:
        InputError: if one is neither a term nor a field with a direction; with near names.
    """
    fields = {**QUANTITIES, **columns}
    axes: list[Axis] = []
    for part in (part.strip() for part in text.split(",")):
        name, colon, direction = part.rpartition(":")
        if colon and name in TERMS.names():
            raise InputError("--pareto", part, problem="is a term, of which more is better", allowed=name)
        if direction in _BEST:
            [key] = fields_of(name, columns, "--pareto")
            if fields[key].kind not in _NUMBERS:
                raise InputError("--pareto", part, problem=f"is of kind {fields[key].kind}, not a number")
            axes.append(Axis(key, 1.0 if direction == "max" else -1.0, is_term=False))
            continue
        name = name if colon else part
        if name in fields and name not in TERMS.names():
            raise InputError(
                "--pareto", part, problem="does not say which is better", allowed=f"{name}:min or {name}:max"
            )  # fmt: skip
        axes.append(Axis(term_name(part, own_terms, "--pareto", fields)))
    if len({axis.name for axis in axes}) < len(axes):
        raise InputError("--pareto", text, problem="names one thing twice")
    return axes


def weights_of(text: str, own_terms: Mapping[str, float]) -> dict[str, float]:
    """Weights from text such as `stability=2,prior=1`.

    Args:
        text: As it was given.
        own_terms: Weights of the campaign, whose terms may be named without the path of their files.

    Raises:
        InputError: if a term is unknown or named twice, or a weight is no number from 0 on.
    """
    weights: dict[str, float] = {}
    for part in (part.strip() for part in text.split(",")):
        name, equals, value = part.rpartition("=")
        if not equals or not name.strip():
            raise InputError(
                "--weights", part, problem="is no weight", allowed="TERM=NUMBER, as in stability=2,prior=1"
            )
        term = term_name(name.strip(), own_terms, "--weights")
        if term in weights:
            raise InputError("--weights", name.strip(), problem="is named twice")
        weights[term] = _weight(name.strip(), value.strip())
    if not 0 < sum(weights.values()) < float("inf"):
        problem = "are all 0; at least one must count" if not any(weights.values()) else "are too large to be summed"
        raise InputError("--weights", text, problem=problem)
    return weights


def checked_weights(weights: Mapping[str, float], campaign: Mapping[str, Any]) -> RankingSettings:
    """The campaign's ranking with other weights.

    Raises:
        InputError: if no weight counts, or they cannot be summed.
    """
    stored = (campaign.get("settings") or {}).get("ranking") or {}
    kept = {key: stored[key] for key in ("stability_scale_eV_per_atom", "at") if stored.get(key) is not None}
    return RankingSettings.checked({**kept, "weights": dict(weights)}, "ranking")


def term_name(
    name: str, own_terms: Mapping[str, float], option: str, fields: Mapping[str, Quantity] | None = None
) -> str:
    """A term as `ranking.weights` has it.

    Args:
        name: As it was given: a shipped one, one of the campaign's without its path, or FILE.py:NAME.
        own_terms: As in `weights_of`.
        option: Where it was given, for errors.
        fields: Names that may be meant besides.

    Raises:
        InputError: if there is none.
    """
    if TERMS.is_shipped(name) or name in own_terms:
        return name
    meant = [term for term in own_terms if TERMS.label(term) == name]
    if len(meant) == 1:
        return meant[0]
    if ".py:" in name or name.endswith(".py"):
        anchored = TERMS.anchored(name, Path.cwd())
        TERMS.check(anchored)
        return anchored
    known = [*TERMS.names(), *map(TERMS.label, own_terms), *(fields or ())]
    if name not in TERMS.names() and ":" not in name and "." not in name:
        close = difflib.get_close_matches(name, dict.fromkeys(known), n=3)
        terms = list(dict.fromkeys([*TERMS.names(), *map(TERMS.label, own_terms)]))
        raise InputError(
            option, name, problem="is not a ranking term",
            allowed=", ".join(terms) + ", FILE.py:NAME" + ", a field with :min or :max" * bool(fields),
            hint=f"did you mean {' or '.join(map(repr, close))}?" if close else None,
        )  # fmt: skip
    TERMS.check(name)
    return name


def columns_of(campaign: Mapping[str, Any]) -> dict[str, Quantity]:
    """What stages of the user's have stored with a campaign's candidates."""
    return {
        key: Quantity(key, column["kind"], column["unit"], key, column["meaning"])
        for key, column in (campaign.get("columns") or {}).items()
    }


def _weight(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError("--weights", f"{name}={text}", problem="is no weight", allowed="a number from 0 on")
    return value


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _default_noise() -> float:
    from ninefold.thermo.settings import StabilitySettings

    return StabilitySettings().noise_eV_per_atom
