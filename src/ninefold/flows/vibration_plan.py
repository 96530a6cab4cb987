"""Which phases of a finished campaign get vibrations, and what that costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.flows.best_phases import best_phases
from ninefold.flows.tasks import structures_of
from ninefold.flows.verify_plan import check_finished
from ninefold.flows.vibration_tasks import known_expansion, known_vibrations
from ninefold.stages import vibrations
from ninefold.stages.verify_plan import CANDIDATE, Item
from ninefold.vibrations.cost import available_memory, check_memory, cost_of

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.vibrations import VibrationsSettings
    from ninefold.store import Store


@dataclass
class PlannedPhase:
    """A phase, and what its vibrations cost."""

    item: Item
    supercell_atoms: int
    displacements: int
    """Supercells whose forces are computed."""
    seconds: float | None
    memory_GB: float | None
    vibrations: str | None = None
    """Id of what has been computed already."""

    @property
    def is_known(self) -> bool:
        """Whether nothing is left to compute."""
        return self.vibrations is not None

    def line(self) -> dict[str, Any]:
        """As a job takes it."""
        own = {key: value for key, value in asdict(self).items() if key != "item"}
        return {**self.item.line(), **own, "is_known": self.is_known}


@dataclass
class VibrationPlan:
    """What is computed, and what is left out and why."""

    phases: list[PlannedPhase] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """Estimated core time of the forces that are not known."""
        values = [phase.seconds for phase in self.phases if not phase.is_known]
        return None if None in values else sum(value for value in values if value is not None)


def plan_of(store: Store, campaign: Campaign, settings: VibrationsSettings) -> VibrationPlan:
    """What vibrations of a campaign's best candidates and of what competes with them need.

    Geometries are those of the method where it is one of the campaign's, else those of the most trusted one.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        settings: Which, and how.

    Raises:
        InputError: if the campaign is not finished, the method is not fit, nothing is left to compute, or `only` names
            no candidate.
    """
    from ninefold.engines import make_engine

    check_finished(store, campaign.name)
    engine = make_engine(settings.method)
    vibrations.check_engine(
        engine.label, settings.method.title, engine.evidence, lambda: vibrations.measured_asymmetry(engine)
    )
    chosen = best_phases(store, campaign, settings.method, settings.top, settings.only)
    plan = VibrationPlan(left_out=list(chosen.left_out))
    for item in chosen.items:
        if item.is_molecule or (item.role != CANDIDATE and not settings.competitors):
            continue
        _add(plan, store, item, settings, engine.fingerprint)
    if not plan.phases:
        reason = plan.left_out[-1]["reason"] if plan.left_out else "no solid phase is among them"
        raise InputError("campaign", campaign.name, problem=f"has nothing whose vibrations can be computed: {reason}")
    return plan


def _add(plan: VibrationPlan, store: Store, item: Item, settings: VibrationsSettings, method: str) -> None:
    from ninefold.structures.symmetry import symmetrised
    from ninefold.vibrations.displacements import displacements_of

    structure = symmetrised(structures_of(store, [item.structure])[item.structure].to_structure())
    try:
        needed = displacements_of(structure, settings)
        atoms = needed.supercell.n_atoms
        cells = (len(needed.displaced) + 1) * (1 if settings.volumes == 1 else 1 + settings.volumes)
        cost = cost_of(settings.method, atoms, cells)
        check_memory(item.formula, atoms, cost, available_memory())
    except InputError as error:
        plan.left_out.append({"name": item.name, "elements": item.elements, "reason": str(error)})
        return
    known = known_vibrations(store, item.structure, method, settings.phonons())
    if known is not None and settings.volumes > 1 and known.is_stable:
        known = known if known_expansion(store, known, settings) else None
    item.nsites = len(structure)
    plan.phases.append(PlannedPhase(item, atoms, cells, *cost, None if known is None else known.id))
