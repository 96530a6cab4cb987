"""Rules on what was computed: the same protocol, on columns of results instead of compositions.

A result that is not there yet is NaN: such a row is not judged, meets every gate and scores 1, and
its verdict says so.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ninefold.chemistry.distances import (
    CENTRE_DISTANCE,
    INTERSTITIAL_DISTANCE,
    M_H_DISTANCE,
    M_H_TOLERANCE,
)
from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES, Kind
from ninefold.rules.rule import Mode, Rule, Stage

OF_RANKING = frozenset({"score", "rank", "rank_best", "rank_worst", "is_pareto", "status"})
"""Quantities that the ranking fills, after rules on results have judged: a rule would read those of an earlier run."""
_NUMBERS: tuple[Kind, ...] = ("float", "integer", "boolean")


class ResultTable:
    """Columns of candidates with results, by the keys of `ninefold.models.quantities`.

    Args:
        rows: One mapping per candidate, such as stored documents.
        extra_columns: Column -> kind, beside the quantities of every candidate: those of a user's stages.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], extra_columns: Mapping[str, Kind] | None = None) -> None:
        self._rows, self._extra = rows, extra_columns or {}
        self.read: set[str] = set()
        """Columns that have been asked for."""

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, key: str) -> np.ndarray:
        """Shape (n_rows,), floats; yes and no are 1 and 0; NaN where a candidate has no such result yet.

        Raises:
            InputError: if no candidate ever has a number by this key: it would never be judged, and always pass.
        """
        self._check(key, _NUMBERS, "a number", "text")
        values = (row.get(key) for row in self._rows)
        return np.array([np.nan if value is None else float(value) for value in values])

    def text(self, key: str) -> list[str | None]:
        """One text per row, such as the centre's symbol; None where a candidate has none yet.

        Raises:
            InputError: if no candidate ever has text by this key.
        """
        self._check(key, ("string",), "text", "column")
        return [row.get(key) for row in self._rows]

    def _check(self, key: str, kinds: tuple[Kind, ...], what: str, other: str) -> None:
        """Refuse a column that candidates do not have, or not as numbers or text."""
        self.read.add(key)
        found = readable_columns(self._extra)
        if key not in found:
            refuse_column(key, {name: kind for name, kind in found.items() if kind in kinds})
        if found[key] not in kinds:
            reads = None if found[key] == "list" else f"table.{other}({key!r}) reads it"
            raise InputError("column", key, problem=f"is of kind {found[key]}, not {what}", hint=reads)


def readable_columns(extra_columns: Mapping[str, Kind] | None = None) -> dict[str, Kind]:
    """Column -> kind, of what rules on results and ranking terms may read of a candidate."""
    own: dict[str, Kind] = {key: quantity.kind for key, quantity in QUANTITIES.items() if key not in OF_RANKING}
    return own | dict(extra_columns or {})


def refuse_column(key: object, allowed: Iterable[str]) -> NoReturn:
    """Say what a misspelt column could have been.

    Raises:
        InputError: with the columns that exist.
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(str(key), names, n=1)
    problem = "is filled by the ranking itself" if key in OF_RANKING else "is not a field of a candidate"
    hint = f"did you mean {close[0]!r}?" if close else "'ninefold fields' says what they are"
    raise InputError("column", key, problem=problem, allowed=", ".join(names), hint=hint)


def _result(key: str) -> Any:
    return lambda table: table.column(key)


def _bond(sign: int) -> Any:
    """Bound of the M-H distance by centre, Å; a centre without a known distance has none."""

    def bound(table: ResultTable) -> np.ndarray:
        lengths = [M_H_DISTANCE.get(centre or "") for centre in table.text("centre")]
        return np.array([sign * np.inf if length is None else length + sign * M_H_TOLERANCE for length in lengths])

    return bound


RESULT_RULES: tuple[Rule, ...] = (
    Rule(
        "coordination_kept",
        _result("is_coordination_kept"),
        "1 if every centre of the lowest structure carries exactly n hydrogens",
        "definition; shell: hydrogens within 1.25 times the shortest M-H",
        low=1.0, mode=Mode.GATE, stage=Stage.RESULT,
    ),
    Rule(
        "hydrogen_separation",
        _result("shortest_h_h"),
        "shortest H-H distance of the lowest structure; below 1.5 Å hydrogens pair up as a ligand",
        "derived: 1.9 to 2.0 between neighbours in a tricapped prism at M-H 1.68; H2 ligands 0.8 to 1.4",
        unit="Å", low=1.5, mode=Mode.GATE, stage=Stage.RESULT,
    ),
    Rule(
        "metal_hydrogen_distance",
        _result("shortest_m_h"),
        "shortest M-H distance, within 0.10 Å of that in complexes of the centre; ionic hydrides have longer ones",
        "published: Fe, Ru, Os, Re by neutrons; from memory: Cr, Mo, W, Nb, Ta; derived: the others, and the width: 32 "
        "published complexes within 0.075, dihydrides of the centres 0.14 and more above",
        unit="Å", low=_bond(-1), high=_bond(+1), softness=0.1, mode=Mode.SCORE, stage=Stage.RESULT,
    ),
    Rule(
        "centre_separation",
        _result("shortest_m_m"),
        "shortest M-M distance; nearer, neighbouring anions share hydrogens",
        "derived: 4.30 (Mg2NiH4) and more in the published complexes with n >= 4, at most 4.01 (LaH2) in binary "
        "hydrides",
        unit="Å", low=CENTRE_DISTANCE, softness=0.3, mode=Mode.SCORE, stage=Stage.RESULT,
    ),
    Rule(
        "interstitial_distance",
        _result("shortest_m_interstitial"),
        "shortest distance from a centre to a hydrogen that no centre is bonded to",
        "published: Mg3ReH7, whose hydride ion lies among Mg at 1.90 and 2.80 Å; derived: the number",
        unit="Å", low=INTERSTITIAL_DISTANCE, softness=0.2, mode=Mode.SCORE, stage=Stage.RESULT,
    ),
    Rule(
        "additive_volume",
        _result("volume_ratio"),
        "volume of the lowest structure over the sum of the additive increments",
        "derived: increments reproduce K2ReH9 within 1 %; an open structure is a poor one or a molecular one",
        low=0.7, high=1.35, softness=0.3, mode=Mode.OFF, stage=Stage.RESULT,
    ),
    Rule(
        "hull_distance",
        _result("e_above_hull"),
        "distance to the hull, polymorphs and candidates included",
        "derived: off, because the ranking's term `stability` weighs the same number",
        unit="eV/atom", high=0.1, softness=0.1, mode=Mode.OFF, stage=Stage.RESULT,
    ),
    Rule(
        "ambient_stability",
        _result("reaction_energy_per_h2"),
        "static energy of hydrogenation per H2; at 298 K and 1 bar the gas costs 39 kJ/mol in entropy",
        "derived: T times 130 J/(K mol H2); Li4FeH6 lies at the line; zero-point energy left out",
        unit="kJ/mol H2", high=-39.0, softness=20.0, mode=Mode.OFF, stage=Stage.RESULT,
    ),
)  # fmt: skip
"""In the order in which they are applied and shown."""
