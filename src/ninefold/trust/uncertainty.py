"""How uncertain a distance to the hull is: the engine's error by class of phases, repeated searches, other methods.

The model, in words:

- Errors are those of formation energies, so that elements and hydrogen gas have none. A complex hydride's is that of
  its saline hydrides, by their share of its atoms, and one of its own: that of the reaction saline hydrides + metal +
  H2 -> complex hydride, which the trust set measures.
- An error per atom is a part that its class shares, so much per hydrogen atom, and an independent part of the phase.
  The distance of a candidate is a sum over phases, its products with negative weights: the shared part and that of a
  saline hydride on both sides cancel as far as the weights do; independent parts add in quadrature.
- The independent part is the leave-one-out error of the class on the trust set, to which the default counts as one
  phase more: few phases that agree prove little.
- The error of a distance is normal, with no bias; that of the hull's other facets is left out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import parse_formula
from ninefold.yaml_files import read_yaml

Hydrogen = Literal["calibrated", "own"]

DEFAULT_ERRORS = {"ML": 0.100, "DFT": 0.050}
"""eV/atom, of a phase of a method, or a class, that the trust table does not hold, by level of evidence.

ML: above the mean error of every potential that was tried on nine complex hydrides (32 to 76 meV/atom against static
PBE, some up to 150). DFT, against experiment: twice what Hautier et al. found for reactions among oxides (24 meV/atom,
Phys. Rev. B 85, 155208 (2012), doi:10.1103/PhysRevB.85.155208), since a metal and a gas take part here. The other
levels have none: their distances mean nothing."""
WINDOW_WIDTH = 1.645
"""Standard deviations: a candidate further above the hull lies on it with less than 5 % probability."""
LARGEST_ASYMMETRY = 0.02
"""Root mean square of the antisymmetric part of second derivatives over that of the whole, up to which an engine may
relax final structures and feed phonons."""
COMPLEX = "complex"
NO_TABLE = "no trust table for this method"

_CENTRES = frozenset(symbol for symbol, group in GROUP.items() if group >= 4)
_LARGEST_SALINE_CHARGE = 2
_LEAST_TERNARY = 2


@dataclass(frozen=True)
class ClassError:
    """What an engine's energies of a class of phases are wrong by."""

    shift: float
    """Shared by the class, eV per hydrogen atom, engine less DFT."""
    error: float
    """Of each phase when that is corrected for, root mean square, eV/atom, each left out of the fit applied to it."""
    error_before: float
    """Likewise, uncorrected."""
    phases: int
    groups: int
    """As in `ClassShift`."""

    def of_phase(self, default: float) -> float:
        """Standard deviation of one phase's independent error, eV/atom: measured, the default counting as one phase."""
        return math.sqrt((self.phases * self.error**2 + default**2) / (self.phases + 1))


@dataclass(frozen=True)
class ModelErrors:
    """Errors of a method by class of phases."""

    default: float
    """Of a phase of a class that was not measured, eV/atom."""
    source: str
    """What they rest on, for a reader."""
    by_class: Mapping[str, ClassError] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """Whether complex hydrides, which every candidate is, were measured."""
        return COMPLEX in self.by_class

    def of_distance(self, formula: str, products: Iterable[tuple[str, float]]) -> float:
        """Standard deviation of the error of a distance to the hull.

        Args:
            formula: Of the candidate.
            products: Formula of each phase that it decomposes into, and its share of the candidate's atoms.

        Returns:
            eV per atom of the candidate.
        """
        weights: dict[tuple[str, str], float] = {}
        for one, weight in [(formula, 1.0), *((product, -share) for product, share in products)]:
            for key, part in _parts(one).items():
                weights[key] = weights.get(key, 0.0) + weight * part
        shared: dict[str, float] = {}
        independent = 0.0
        for (name, one), weight in weights.items():
            found = self.by_class.get(name)
            own = self.default if found is None else found.of_phase(self.default)
            independent += (weight * own) ** 2
            if found is not None:
                shared[name] = shared.get(name, 0.0) + weight * found.shift * hydrogen_share(one)
        return math.sqrt(independent + sum(value**2 for value in shared.values()))

    def of_minima(self) -> float | None:
        """Standard deviation of the difference of two structures of one complex hydride, eV/atom; None if not measured.

        The shared part is the same for both. What the trust set measures is the error of different compounds; that of
        two structures of one compound is no larger.
        """
        found = self.by_class.get(COMPLEX)
        return None if found is None else math.sqrt(2) * found.of_phase(self.default)

    def describe(self) -> str:
        """Where the errors are from, and which class is not measured."""
        return self.source if self.is_measured or not self.by_class else f"{self.source}; complex hydrides: default"


def model_errors(engine: str, evidence: str, hydrogen: Hydrogen = "own") -> ModelErrors | None:
    """Errors of a method.

    Args:
        engine: Its label.
        evidence: Its level.
        hydrogen: Which energy of hydrogen gas its hulls are made with.

    Returns:
        None where its distances to a hull mean nothing: a force field, a potential for tests.
    """
    if evidence not in DEFAULT_ERRORS:
        return None
    default = DEFAULT_ERRORS[evidence]
    entry = next((one for one in _table()["engines"] if one["engine"] == engine), None)
    classes = {} if entry is None else entry["hydrogen"].get(hydrogen, {})
    if not classes:
        return ModelErrors(default, f"{NO_TABLE}: default of {1000 * default:.0f} meV/atom for {evidence}")
    measured = {name: ClassError(**values) for name, values in classes.items()}
    return ModelErrors(default, f"trust table against {_table()['reference']}", measured)


def hessian_asymmetry(engine: str) -> float | None:
    """Measured asymmetry of an engine's second derivatives, root mean square, relative; None if not measured.

    Args:
        engine: Its label, or how a campaign names it (`EngineSettings.title`).
    """
    entry = next((one for one in _table()["engines"] if engine in (one["engine"], one.get("title"))), None)
    return None if entry is None else entry.get("hessian_asymmetry")


def rough(asymmetry: float) -> str:
    """What an asymmetry above the limit means, for a reader."""
    return (
        f"its second derivatives are {100 * asymmetry:.1f} % asymmetric (limit {100 * LARGEST_ASYMMETRY:.0f} %): an "
        "energy surface too rough for final relaxations and phonons"
    )


def roughness_note(titles: Sequence[str]) -> str | None:
    """A sentence where the method that relaxes a campaign's final structures has too rough an energy surface.

    Args:
        titles: Of the campaign's methods, the search's first; the last relaxes what stands in the end.
    """
    found = hessian_asymmetry(titles[-1])
    if found is None or found <= LARGEST_ASYMMETRY:
        return None
    field_name = "energies" if len(titles) > 1 else "engine"
    return f"{field_name}: {titles[-1]} relaxes the final structures, and {rough(found)}; 'ninefold trust' lists others"


def class_of(formula: str) -> str | None:
    """The class of phases that a formula belongs to, by its elements.

    Returns:
        saline | interstitial | ternary | complex, as in the trust set; another word for what that does not hold;
        None of an element, whose formation energy has no error.
    """
    elements = set(parse_formula(formula))
    if len(elements) == 1:
        return None
    if "H" not in elements:
        return "intermetallic"
    cations = {symbol for symbol in elements if symbol in CATION_CHARGES}
    centres = elements & _CENTRES
    if elements - cations - centres != {"H"}:
        return "other"
    if centres:
        return COMPLEX if cations else "interstitial"
    if len(cations) >= _LEAST_TERNARY:
        return "ternary"
    return "saline" if _charge(*cations) <= _LARGEST_SALINE_CHARGE else "other"


def hydrogen_share(formula: str) -> float:
    """Hydrogen atoms over all."""
    amounts = parse_formula(formula)
    return amounts.get("H", 0) / sum(amounts.values())


def combined(*parts: float | None) -> float | None:
    """Independent standard deviations together, in quadrature; None where none is known."""
    known = [part for part in parts if part is not None]
    return math.sqrt(sum(part**2 for part in known)) if known else None


def disagreement(distance: float, own: float, others: Iterable[tuple[float, float]]) -> float:
    """What a method's distance differs from others' by beyond what their errors explain.

    Args:
        distance: eV/atom.
        own: Standard deviation of the method's error, eV/atom.
        others: Distance and standard deviation of other methods of the same level of evidence.

    Returns:
        eV/atom, of the one that differs most; 0 where every difference is explained.
    """
    beyond = ((distance - other) ** 2 - own**2 - error**2 for other, error in others)
    return math.sqrt(max(0.0, max(beyond, default=0.0)))


def hull_probability(distance: float, uncertainty: float) -> float:
    """Probability that a phase lies on the hull or below it, its distance having a normal error.

    Args:
        distance: As computed, signed, eV/atom.
        uncertainty: Standard deviation, eV/atom; 0: the distance is exact.
    """
    if uncertainty == 0:
        return float(distance <= 0)
    return 0.5 * math.erfc(distance / (uncertainty * math.sqrt(2)))


def window(uncertainty: float) -> float:
    """Distance to the hull up to which a candidate may lie on it after all, with 5 % probability or more, eV/atom."""
    return WINDOW_WIDTH * uncertainty


def _parts(formula: str) -> dict[tuple[str, str], float]:
    """Class and formula -> share of the atoms: of the phase itself, and of a complex hydride's saline hydrides."""
    name = class_of(formula)
    if name is None:
        return {}
    amounts = parse_formula(formula)
    total = sum(amounts.values())
    # of any number of formula units: one phase is one key
    parts = {(name, _normal(amounts)): 1.0}
    if name == COMPLEX:
        for symbol, count in amounts.items():
            if symbol in CATION_CHARGES:
                charge = _charge(symbol)
                saline = {symbol: 1, "H": charge}
                key = (class_of(_normal(saline)) or "", _normal(saline))
                parts[key] = count * (1 + charge) / total
    return parts


def _normal(amounts: Mapping[str, int]) -> str:
    divisor = math.gcd(*amounts.values())
    return "".join(f"{symbol}{amounts[symbol] // divisor}" for symbol in sorted(amounts))


def _charge(symbol: str) -> int:
    return CATION_CHARGES[symbol][0]


@functools.cache
def _table() -> dict[str, Any]:
    file = Path(str(files("ninefold.trust").joinpath("data/errors.yaml")))
    data: dict[str, Any] = read_yaml(file, "errors of engines")
    return data
