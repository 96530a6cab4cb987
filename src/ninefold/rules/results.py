"""Rules on what was computed: the same protocol, on columns of results instead of compositions.

A result that is not there yet is NaN: such a row is not judged, meets every gate and scores 1, and
its verdict says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ninefold.rules.rule import Mode, Rule, Stage


class ResultTable:
    """Columns of candidates with results, by the keys of `ninefold.chemistry.quantities`.

    Args:
        rows: One mapping per candidate, such as stored documents.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, key: str) -> np.ndarray:
        """Shape (n_rows,), floats; yes and no are 1 and 0; NaN where a candidate has no such result yet."""
        values = (row.get(key) for row in self._rows)
        return np.array([np.nan if value is None else float(value) for value in values])


def _result(key: str) -> Any:
    return lambda table: table.column(key)


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
        "der: 1.9 to 2.0 between neighbours in a tricapped prism at M-H 1.68; H2 ligands 0.8 to 1.4",
        unit="Å", low=1.5, mode=Mode.GATE, stage=Stage.RESULT,
    ),
    Rule(
        "additive_volume",
        _result("volume_ratio"),
        "volume of the lowest structure over the sum of the additive increments",
        "der: increments reproduce K2ReH9 within 1 %; an open structure is a poor one or a molecular one",
        low=0.7, high=1.35, softness=0.3, mode=Mode.OFF, stage=Stage.RESULT,
    ),
    Rule(
        "band_gap",
        _result("band_gap"),
        "band gap; an 18-electron hydride is an insulator; off until a stage computes it",
        "Li5MoH11 and its relatives about 4 eV: Takagi et al., Angew. Chem. Int. Ed. 54, 5650 (2015)",
        unit="eV", low=0.1, mode=Mode.OFF, stage=Stage.RESULT,
    ),
    Rule(
        "hull_distance",
        _result("e_above_hull"),
        "distance to the hull of everything else",
        "der: off, because the ranking's term `stability` weighs the same number",
        unit="eV/atom", high=0.1, softness=0.1, mode=Mode.OFF, stage=Stage.RESULT,
    ),
    Rule(
        "ambient_stability",
        _result("reaction_energy_per_h2"),
        "static energy of hydrogenation per H2; at 298 K and 1 bar the gas costs 39 kJ/mol in entropy",
        "der: T times 130 J/(K mol H2); Li4FeH6 lies at the line; zero-point energy left out",
        unit="kJ/mol H2", high=-39.0, softness=20.0, mode=Mode.OFF, stage=Stage.RESULT,
    ),
)  # fmt: skip
"""In the order in which they are applied and shown."""
