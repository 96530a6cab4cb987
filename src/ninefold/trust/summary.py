"""An engine's errors by class, as plain values for tables, JSON and the documentation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ninefold.trust.calibration import ClassShift, HydrogenEnergy, class_shift, hydrogen_energy, mean_absolute
from ninefold.trust.errors import EngineErrors, errors_of

if TYPE_CHECKING:
    from ninefold.engines.base import Engine
    from ninefold.trust.phases import TrustSet

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
    force: float | None
    """Of a component, eV/Å."""
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
    hessian_asymmetry: float | None
    """Root mean square, relative; None if it was not computed."""
    own: EngineErrors
    """Phase by phase, with the engine's own molecule."""
    fitted: EngineErrors
    """Likewise, with the fitted energy of hydrogen."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def summarise(engine: Engine, trust: TrustSet, *, with_hessian: bool = True) -> TrustSummary:
    """Compute an engine's errors on a trust set.

    Args:
        engine: Computes every frame once.
        trust: The set.
        with_hessian: Whether the symmetry of its Hessian is tested, on the smallest complex hydride: 6 n evaluations.
    """
    own = errors_of(engine, trust)
    return summary_of(own, trust, _asymmetry(engine, trust) if with_hessian else None)


def summary_of(own: EngineErrors, trust: TrustSet, hessian_asymmetry: float | None = None) -> TrustSummary:
    """Summary of errors that were computed with the engine's own molecule."""
    hydrogen = hydrogen_energy(own)
    fitted = own if hydrogen is None else with_hydrogen(own, trust, hydrogen.energy)
    classes = [_class_summary(own, fitted, name) for name in TITLES if own.of_class(name)]
    return TrustSummary(own.engine, own.fingerprint, hydrogen, classes, _by_n(fitted), hessian_asymmetry, own, fitted)


def with_hydrogen(errors: EngineErrors, trust: TrustSet, energy: float) -> EngineErrors:
    """Errors as they are with another energy of hydrogen, without computing anything.

    Args:
        errors: With some energy of hydrogen.
        trust: The set that they are of.
        energy: eV/atom of H2.
    """
    from dataclasses import replace

    from ninefold.trust.errors import parts_by_element, parts_of_reaction

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
        force=mean_absolute(phases, "force_error"),
        shift=class_shift(fitted, name),
    )


def _by_n(errors: EngineErrors) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for phase in errors.of_class("complex"):
        if phase.n is not None and phase.reaction_error is not None:
            found.setdefault(phase.n, []).append(phase.reaction_error)
    return {n: sum(values) / len(values) for n, values in sorted(found.items())}


def _asymmetry(engine: Engine, trust: TrustSet) -> float | None:
    from ninefold.trust.hessian import asymmetry, hessian

    complexes = [phase for phase in trust.of_class(["complex"]) if phase.curve]
    if not complexes:
        return None
    smallest = min(complexes, key=lambda phase: len(phase.curve[0].species))
    frame = min(smallest.curve, key=lambda one: one.energy_per_atom)
    return asymmetry(hessian(engine, frame.to_structure()))
