"""Terms of the ranking: what they look at, those that ninefold ships, and those of a user's.

A term is a function `(item, settings) -> float`, from 0 to 1, higher is better. One of your own is named in
`ranking.weights` as `FILE.py:function` or `module:function`, or announced by an installed package in the entry point
group `ninefold.ranking_terms`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ninefold.errors import InputError
from ninefold.models.quantities import QUANTITIES, Kind
from ninefold.plugins import Registry, description_of
from ninefold.rules.results import readable_columns, refuse_column
from ninefold.user_code import calling

if TYPE_CHECKING:
    from ninefold.ranking.settings import RankingSettings


class Quantities(Mapping[str, Any]):
    """The stored quantities of one candidate, read only: by the keys that `ninefold fields` lists; None if not known.

    What the ranking itself fills is not among them.

    Args:
        candidate: A stored candidate.
        extra_columns: Column -> kind, beside the quantities of every candidate: those of a user's stages.
    """

    def __init__(self, candidate: Mapping[str, Any], extra_columns: Mapping[str, Kind] | None = None) -> None:
        self._values = {key: candidate.get(key) for key in readable_columns(extra_columns)}

    def __getitem__(self, key: str) -> Any:
        """A quantity.

        Raises:
            InputError: if no candidate has one by this key; `get` raises it too, so that none is missed in silence.
        """
        if key not in self._values:
            refuse_column(key, self._values)
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def shifted(self, energy: float) -> Quantities:
        """With hull distances moved by an energy, eV/atom; E(hull) is 0 at least."""
        moved = Quantities({})
        moved._values = dict(self._values)
        for key, least in (("phase_separation_energy", -math.inf), ("e_above_hull", 0.0)):
            if (value := self[key]) is not None:
                moved._values[key] = max(least, value + energy)
        return moved


@dataclass(frozen=True)
class Rankable:
    """What the ranking looks at, of one candidate."""

    id: str
    phase_separation_energy: float | None
    """eV/atom, signed; None without a valid structure or a hull: such a candidate has no rank."""
    prior: float
    """0 to 1, from the soft rules."""
    hydrogen_fraction: float
    """Hydrogen atoms over all atoms."""
    group: int
    """Group number of the centre."""
    is_converged: bool
    """Whether the structure reached its force criterion."""
    anion_class: str = "classical"
    """`classical`, or `h2_ligand`: such complexes are no hydrides in this sense and have no rank among them."""
    e_above_same_composition: float = 0.0
    """eV/atom above the lowest structure of its composition at hand; a higher one is not what would form."""
    uncertainty: float | None = None
    """Of the hull distance, eV/atom, as measured; None where it was not."""
    is_competitor: bool = False
    """Whether it is no candidate but a made compound that was searched as a competitor."""
    is_rejected: bool = False
    """Whether a rule on results rejects it."""
    synthesis_separation: float | None = None
    """eV/atom, signed, under hydrogen where it is to be made; None without a hull there. `ranking.at` ranks by it."""
    ambient_separation: float | None = None
    """Likewise at 300 K and 1 bar."""
    window_width: float | None = None
    """Of the pressures at which it is stable at the temperature of the synthesis."""
    survives_ambient: bool | None = None
    """Whether it is stable at 300 K and 1 bar, or little above."""
    pseudorotation_barrier: float | None = None
    """meV, of the permutations of an anion's ligands; None where it is not resolved."""
    quantities: Quantities = field(default_factory=lambda: Quantities({}), compare=False, repr=False)
    """Everything that is stored with it, by key, for terms of a user's."""


@dataclass(frozen=True)
class RankableColumns:
    """What the terms that ninefold ships look at, of many candidates: arrays of shape (n,) in place of numbers."""

    phase_separation_energy: NDArray[np.float64]
    prior: NDArray[np.float64]
    hydrogen_fraction: NDArray[np.float64]
    group: NDArray[np.int_]
    is_converged: NDArray[np.bool_]
    e_above_same_composition: NDArray[np.float64]
    ambient_separation: NDArray[np.float64]
    """NaN where there is none, as the next."""
    window_width: NDArray[np.float64]
    survives_ambient: NDArray[np.bool_]
    pseudorotation_barrier: NDArray[np.float64]
    """NaN where there is none."""

    @classmethod
    def of(cls, items: Sequence[Rankable]) -> RankableColumns:
        """The columns of some candidates, each of which has a hull distance."""
        types = {"group": int, "is_converged": bool, "survives_ambient": bool}
        return cls(
            *(
                np.array([getattr(item, column.name) for item in items], dtype=types.get(column.name, float))
                for column in fields(cls)
            )
        )

    def shifted(self, energies: NDArray[np.float64]) -> RankableColumns:
        """With hull distances moved by energies, shape (n,), eV/atom."""
        return replace(
            self, phase_separation_energy=self.phase_separation_energy + energies,
            ambient_separation=self.ambient_separation + energies,
        )  # fmt: skip


Term = Callable[[Any, "RankingSettings"], Any]
"""A term of a user's takes a `Rankable`; those that ninefold ships take `RankableColumns` too."""

SHIPPED_TERMS = (
    "stability", "prior", "hydrogen", "convergence", "novelty", "free_energy", "window", "survival",
    "pseudorotation",
)  # fmt: skip
PSEUDOROTATION_SCALE = 100.0
"""meV; barrier at which the term has fallen to 1/e. At 300 K it is passed 0.2 times per ps with 10 attempts."""
WIDEST_WINDOW = 10.0
"""GPa; where the equations of state end, and presses that make a gram."""
TERMS = Registry(
    group="ninefold.ranking_terms",
    setting="ranking.weights",
    what="a ranking term",
    wanted="a function (item, settings) that gives a number from 0 to 1",
    shipped={name: f"{__name__}:{name}" for name in SHIPPED_TERMS},
)


def stability(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """1 on the hull or below, falling exponentially above it, or above a lower structure of the same composition."""
    hull = 0.0 if item.phase_separation_energy is None else item.phase_separation_energy
    above = np.maximum(np.maximum(hull, item.e_above_same_composition), 0.0)
    return np.exp(-above / settings.stability_scale_eV_per_atom)


def prior(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """Product of the soft rules' scores."""
    return item.prior


def hydrogen(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """Hydrogen atoms over all atoms."""
    return item.hydrogen_fraction


def convergence(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """1 if the structure reached its force criterion."""
    return np.where(item.is_converged, 1.0, 0.0)


def novelty(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """Left of the old group wall: 1 in groups 3 and 4, 0.5 in 5 and 6, 0 from 7 on."""
    group = np.asarray(item.group)
    return np.where(group <= 4, 1.0, np.where(group <= 6, 0.5, 0.0))


def free_energy(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """As `stability`, by the free energy at 300 K and 1 bar of hydrogen: what decides whether a synthesis is tried."""
    distance = np.asarray(item.ambient_separation, dtype=float)
    return np.nan_to_num(np.exp(-np.maximum(distance, 0.0) / settings.stability_scale_eV_per_atom), nan=0.0)


def window(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """Width of the range of pressures in which it is stable at the temperature of the synthesis, over 10 GPa."""
    width = np.nan_to_num(np.asarray(item.window_width, dtype=float), nan=0.0)
    return np.minimum(width / WIDEST_WINDOW, 1.0)


def survival(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """1 if it is stable at 300 K and 1 bar, or little above the hull there."""
    return np.where(np.asarray(item.survives_ambient, dtype=bool), 1.0, 0.0)


def pseudorotation(item: Rankable | RankableColumns, settings: RankingSettings) -> Any:
    """1 without a barrier for permutations of the ligands, falling exponentially with it; 0 where none is resolved."""
    barrier = np.asarray(item.pseudorotation_barrier, dtype=float)
    return np.nan_to_num(np.exp(-np.maximum(barrier, 0.0) / PSEUDOROTATION_SCALE), nan=0.0)


def load_terms(names: Iterable[str]) -> dict[str, Term]:
    """Terms by the names under which they are shown: ours in their order, then the others by name.

    Args:
        names: As in `ranking.weights`.

    Raises:
        InputError: if one cannot be loaded.
    """
    chosen = set(names)
    ordered = [*(name for name in TERMS.shipped if name in chosen), *sorted(chosen - set(TERMS.shipped))]
    return {shown_name(name, chosen): _checked(name, TERMS.load(name)) for name in ordered}


def shown_name(name: str, names: Iterable[str]) -> str:
    """A term without the path of its file, unless another term would then be shown by the same word."""
    labels = [TERMS.label(other) for other in names]
    label = TERMS.label(name)
    return label if labels.count(label) == 1 else name


def try_terms(settings: RankingSettings, extra_columns: Mapping[str, Kind] | None = None) -> None:
    """Load every term that has a weight and call it on a candidate, before anything is computed.

    Args:
        settings: With the weights.
        extra_columns: Column -> kind, beside the quantities of every candidate: those of a user's stages.

    Raises:
        InputError: if one cannot be loaded, raises, or gives anything but a number from 0 to 1.
    """
    added = {key: _FILLERS[kind] for key, kind in (extra_columns or {}).items()}
    trial = replace(_TRIAL, quantities=Quantities({**_TRIAL.quantities, **added}, extra_columns))
    for term in load_terms(name for name, weight in settings.weights.items() if weight > 0).values():
        term(trial, settings)


def _checked(name: str, term: Term) -> Term:
    """A term of a user's, held to its range."""
    if TERMS.is_shipped(name):
        return term

    def checked(item: Rankable, settings: RankingSettings) -> float:
        with calling(TERMS.setting, name):
            value: Any = term(item, settings)
        if getattr(value, "shape", None) == ():
            value = value.item()  # numpy's numbers and truth values
        if not isinstance(value, numbers.Real) or not 0 <= float(value) <= 1:
            candidate = item.quantities["label"] or item.id
            raise InputError(
                TERMS.setting, name, problem=f"gives {description_of(value)} for {candidate}",
                allowed="a number from 0 to 1",
            )  # fmt: skip
        return float(value)

    return checked


_FILLERS: dict[Kind, Any] = {"string": "x", "integer": 1, "float": 1.0, "boolean": True, "list": ["H"]}
_KNOWN = {
    "id": "trial", "campaign": "trial", "formula": "K2ReH9", "anion": "[ReH9]2-", "label": "K2[ReH9]",
    "chemical_system": "H-K-Re", "elements": ["H", "K", "Re"], "nelements": 3, "centre": "Re", "cations": ["K"],
    "group": 7, "n": 9, "q": 2, "m": 0, "electron_count": 18, "oxidation_state": 7, "anion_class": "classical",
    "is_neighbour": False, "is_competitor": False, "energy_per_atom": -4.13, "space_group_number": 189,
    "space_group_symbol": "P-62m", "nsites": 36, "volume_per_formula_unit": 143.0, "shortest_m_h": 1.69,
    "shortest_h_h": 1.95, "shortest_m_m": 5.5, "shortest_m_interstitial": None, "max_force": 0.005,
    "formation_energy_per_atom": -0.5, "e_above_hull": 0.01, "phase_separation_energy": 0.01,
    "e_above_references": 0.01, "e_above_hull_uncertainty": 0.005, "e_above_same_composition": 0.0,
    "reaction_energy_per_h2": -60.0, "search_spread": 0.005, "model_error": 0.04, "search_scatter": 0.005,
    "hull_probability": 0.4, "method_disagreement": 0.0,
}  # fmt: skip
"""A candidate like K2ReH9, complete as every one is that gets a rank, but for what such a compound lacks."""
_TRIAL = Rankable(
    "trial", 0.01, 0.5, 0.75, 7, True,
    quantities=Quantities({**{key: _FILLERS[item.kind] for key, item in QUANTITIES.items()}, **_KNOWN}),
)  # fmt: skip
