"""Which candidates of a finished campaign get dynamics, in which supercells, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.flows.best_phases import best_phases
from ninefold.flows.tasks import structures_of
from ninefold.flows.verify_plan import check_finished
from ninefold.stages.dynamics import VASP, Subject, trajectory_ids
from ninefold.stages.verify_plan import CANDIDATE, Item

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.models.structure import StructureRecord
    from ninefold.stages.dynamics import DynamicsSettings
    from ninefold.store import Store


@dataclass
class PlannedRuns:
    """A candidate, and what its runs cost."""

    item: Item
    repeats: tuple[int, int, int]
    n_atoms: int
    """Of the supercell."""
    steps: int
    """Of the integrator that are not known."""
    known_pieces: int
    seconds: float | None
    """Estimated core time of these steps."""

    def lines(self, settings: DynamicsSettings) -> list[dict[str, Any]]:
        """One for each run, as a job takes them."""
        return [
            {
                "id": self.item.id, "name": self.item.name, "structure": self.item.structure,
                "repeats": list(self.repeats), "temperature_K": kelvin, "replica": replica,
                "label": f"{self.item.name}, {kelvin:g} K" + (f", replica {replica + 1}" if replica else ""),
            }
            for replica in range(settings.replicas)
            for kelvin in sorted(settings.temperatures, reverse=True)
        ]  # fmt: skip


@dataclass
class DynamicsPlan:
    """What is run, and what is left out and why."""

    candidates: list[PlannedRuns] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """Estimated core time of what is not known."""
        values = [one.seconds for one in self.candidates]
        return None if None in values else sum(value for value in values if value is not None)


def plan_of(store: Store, campaign: Campaign, settings: DynamicsSettings) -> DynamicsPlan:
    """What dynamics of a campaign's best candidates need.

    Args:
        store: With the finished campaign.
        campaign: As in the store.
        settings: Which, and how.

    Raises:
        InputError: if the campaign is not finished, the engine has no calculator, nothing is left to run, or `only`
            names no candidate.
    """
    from ninefold.dynamics.potentials.distilled import DistilledEngine
    from ninefold.engines import make_engine
    from ninefold.engines.base import calculator_of

    check_finished(store, campaign.name)
    engine = make_engine(settings.method)
    if settings.method.name != VASP:
        calculator_of(engine)
    own = engine.formula if isinstance(engine, DistilledEngine) else None
    if isinstance(engine, DistilledEngine) and settings.watched:
        engine.check(settings.watched)  # refuses a teacher that is not here, before anything is run
    try:
        chosen = best_phases(
            store, campaign, settings.method, settings.top, settings.only or (() if own is None else (own,))
        )
    except InputError as error:
        if own is None or settings.only:
            raise
        raise InputError(
            "--method", engine.label, problem=f"is of {own} alone, which is no candidate of {campaign.name}",
            allowed="a potential of one of its candidates",
        ) from error  # fmt: skip
    plan = DynamicsPlan()
    items = chosen.of(CANDIDATE)
    cells = structures_of(store, (item.structure for item in items))
    for item in items:
        try:
            if own not in (None, item.formula):
                raise InputError("--method", engine.label, problem=f"is of {own}, and {item.formula} is another one")
            plan.candidates.append(_planned(store, item, cells[item.structure], settings, engine.fingerprint))
        except InputError as error:
            plan.left_out.append({"name": item.name, "elements": item.elements, "reason": str(error)})
    if not plan.candidates:
        reason = plan.left_out[-1]["reason"]
        raise InputError("campaign", campaign.name, problem=f"has no candidate whose dynamics can be run: {reason}")
    return plan


def _planned(
    store: Store, item: Item, cell: StructureRecord, settings: DynamicsSettings, method: str
) -> PlannedRuns:  # fmt: skip
    from ninefold.dynamics.simulation.cells import repeats_of
    from ninefold.vibrations.cost import available_memory, check_memory, cost_of

    structure = cell.to_structure()
    repeats = repeats_of(structure.lattice.matrix, settings.min_width, len(structure), settings.max_atoms)
    atoms = len(structure) * repeats[0] * repeats[1] * repeats[2]
    subject = Subject("", item.name, cell, repeats, method, settings.watched)
    every = [
        one
        for kelvin in settings.temperatures
        for replica in range(settings.replicas)
        for one in trajectory_ids(subject, settings.run(kelvin, replica), settings.piece_frames, range(settings.pieces))
    ]
    known = len(store.get_many("trajectories", every))
    steps = (len(every) - known) * settings.piece_frames * settings.save_every
    cost = cost_of(settings.method, atoms, steps)
    check_memory(item.formula, atoms, cost, available_memory())
    return PlannedRuns(item, repeats, atoms, steps, known, cost.seconds)
