"""An engine's errors by class, as plain values for tables, JSON and the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ninefold.chemistry.formula import parse_formula
from ninefold.trust.calibration import ClassShift, HydrogenEnergy, class_shift, hydrogen_energy, mean_absolute
from ninefold.trust.errors import EngineErrors, PhaseErrors, errors_of
from ninefold.trust.hessian import asymmetry, hessian

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Engine
    from ninefold.trust.phases import TrustSet

Key = TypeVar("Key", int, str)

TITLES = {
    "saline": "saline hydrides", "interstitial": "interstitial hydrides", "ternary": "ternary hydrides",
    "complex": "complex hydrides",
}  # fmt: skip
"""Classes that have an energy of formation, in the order of tables."""


@dataclass(frozen=True)
class ClassSummary:
    """Mean absolute errors of an engine over a class of phases; None where no phase has the quantity."""

    phase_class: str
    phases: int
    """In the set."""
    computed: int
    """That the engine could compute."""
    formation_own: float | None
    """Formation energy with the engine's own H2 molecule, eV/atom."""
    formation: float | None
    """With the fitted energy of hydrogen, eV/atom."""
    reaction: float | None
    """Saline hydrides + metal + H2 -> complex hydride, with the fitted energy of hydrogen, eV/atom."""
    volume: float | None
    """Relative."""
    pressure: float | None
    """GPa."""
    shape: float | None
    """Of a component of the stress without its pressure, GPa."""
    force: float | None
    """Of a component, eV/Å."""
    bond: float | None
    """Of the mean M-H length, Å."""
    shift: ClassShift | None
    """What corrects the class, and the error that is left."""


@dataclass(frozen=True)
class TrustSummary:
    """An engine on a trust set."""

    engine: str
    fingerprint: str
    hydrogen: HydrogenEnergy | None
    classes: list[ClassSummary]
    by_n: dict[int, float]
    """Hydrogens on the centre -> mean error (with sign) of the reaction energies of its complexes, eV/atom."""
    by_centre: dict[str, float]
    """Centre -> the same."""
    by_cation: dict[str, float]
    """Counter-cation -> the same."""
    hessian_asymmetry: float | None
    """Root mean square, relative; None if it was not computed."""
    own: EngineErrors
    """Phase by phase, with the engine's own molecule."""
    fitted: EngineErrors
    """Likewise, with the fitted energy of hydrogen."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def summarise(engine: Engine, trust: TrustSet, hessian_of: Structure | None = None) -> TrustSummary:
    """Compute an engine's errors on a trust set.

    Args:
        engine: Computes every frame once.
        trust: The set.
        hessian_of: Structure of n atoms on which the symmetry of its Hessian is tested, by 6 n evaluations; None: it is
            not. `ninefold.trust.hessian.structure_of_test` is the one for which the limit is meant.
    """
    own = errors_of(engine, trust)
    return summary_of(own, trust, None if hessian_of is None else asymmetry(hessian(engine, hessian_of)))


def summary_of(own: EngineErrors, trust: TrustSet, hessian_asymmetry: float | None = None) -> TrustSummary:
    """Summary of errors that were computed with the engine's own molecule."""
    hydrogen = hydrogen_energy(own)
    fitted = own if hydrogen is None else with_hydrogen(own, trust, hydrogen.energy)
    classes = [_class_summary(own, fitted, name) for name in TITLES if own.of_class(name)]
    return TrustSummary(
        engine=own.engine,
        fingerprint=own.fingerprint,
        hydrogen=hydrogen,
        classes=classes,
        by_n=_mean_reaction(fitted, lambda phase: [] if phase.n is None else [phase.n]),
        by_centre=_mean_reaction(fitted, lambda phase: [] if phase.centre is None else [phase.centre]),
        by_cation=_mean_reaction(fitted, lambda phase: sorted(set(parse_formula(phase.formula)) - {phase.centre, "H"})),
        hessian_asymmetry=hessian_asymmetry,
        own=own,
        fitted=fitted,
    )


def with_hydrogen(errors: EngineErrors, trust: TrustSet, energy: float) -> EngineErrors:
    """Errors as they are with another energy of hydrogen, without computing anything.

    Args:
        errors: With some energy of hydrogen.
        trust: The set that they are of.
        energy: eV/atom of H2.
    """
    from dataclasses import replace

    from ninefold.trust.reactions import parts_by_element, parts_of_reaction

    molecule = trust.of_element("H")
    if errors.hydrogen is None or molecule is None:
        return errors
    change = energy - errors.hydrogen
    phases = []
    for phase, of_set in zip(errors.phases, trust.phases, strict=True):
        by_element, by_reaction = (
            (parts or {}).get(molecule.name, 0.0)
            for parts in (parts_by_element(trust, of_set), parts_of_reaction(trust, of_set))
        )
        phases.append(
            replace(
                phase,
                formation_engine=_less(phase.formation_engine, by_element * change),
                reaction_engine=_less(phase.reaction_engine, by_reaction * change),
            )
        )
    return replace(errors, hydrogen=energy, phases=phases)


def _less(value: float | None, change: float) -> float | None:
    return None if value is None else value - change


def _class_summary(own: EngineErrors, fitted: EngineErrors, name: str) -> ClassSummary:
    phases = fitted.of_class(name)
    return ClassSummary(
        phase_class=name,
        phases=len(phases),
        computed=sum(phase.reason is None for phase in phases),
        formation_own=mean_absolute(own.of_class(name), "formation_error"),
        formation=mean_absolute(phases, "formation_error"),
        reaction=mean_absolute(phases, "reaction_error"),
        volume=mean_absolute(phases, "volume_error"),
        pressure=mean_absolute(phases, "pressure_error"),
        shape=mean_absolute(phases, "shape_error"),
        force=mean_absolute(phases, "force_error"),
        bond=mean_absolute(phases, "bond_error"),
        shift=class_shift(fitted, name),
    )


def _mean_reaction(errors: EngineErrors, keys: Callable[[PhaseErrors], Iterable[Key]]) -> dict[Key, float]:
    """Mean error, with sign, of the reaction energies of complexes, by what a phase counts to."""
    found: dict[Key, list[float]] = {}
    for phase in errors.of_class("complex"):
        if phase.reaction_error is not None:
            for key in keys(phase):
                found.setdefault(key, []).append(phase.reaction_error)
    return {key: sum(found[key]) / len(found[key]) for key in sorted(found)}
