"""`VerifyMaker`: candidates of a finished campaign, and what competes with them, carried to another method's hull.

flow = VerifyMaker(window=0.03).make(campaign.to_dict(), "sqlite:///ninefold.db")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker

from ninefold.campaign import parse_campaign
from ninefold.flows import verify_jobs
from ninefold.flows.makers import HullMaker
from ninefold.flows.verify_plan import with_method
from ninefold.stages.verify import VerifySettings
from ninefold.store import public_address

if TYPE_CHECKING:
    from ninefold.stages.verify import Mode


@dataclass
class PhasesMaker(Maker):
    """Phases computed with a method, one job a shard: single points or relaxations.

    Args:
        name: Of the flow.
        mode: static | relax.
    """

    name: str = "phases"
    mode: Mode = "static"

    def make(self, campaign: dict[str, Any], store: str, shards: Any, method: int, settings: dict[str, Any]) -> Flow:
        """The flow; its output is a list of shards, None for what was lost, whose lines have gained `calculations`.

        These are the ids of `Calculation` records of the method, in the store: of kind static, at the line's
        `structure`; of kind relax, the parts of a relaxation in their order.

        Args:
            campaign: As plain values, the method among its methods.
            store: Its address.
            shards: Of `phases_per_job` phases each, one where nothing else is said; see
                `ninefold.stages.verify_plan.Item` for a line's keys.
            method: Its place among the campaign's methods.
            settings: `VerifySettings` as plain values.
        """
        computed = verify_jobs.compute_phases(campaign, store, shards, method, settings, self.mode)
        return Flow([computed], output=computed.output, name=f"{self.name} ({self.mode})")


@dataclass
class VerifyMaker(Maker):
    """The best candidates and their competitors with a method that is believed more, on a hull of its own.

    Args:
        name: Of the flow.
        settings: What is verified and how, as plain values of `VerifySettings`.
        window: Distance to the hull up to which a candidate is verified, eV/atom; in place of the settings'.
        static_maker: Computes single points.
        relax_maker: Computes relaxations; molecules in every mode.
        hull_maker: Makes the hull.
    """

    name: str = "verify"
    settings: dict[str, Any] = field(default_factory=dict)
    window: float | None = None
    static_maker: PhasesMaker = field(default_factory=lambda: PhasesMaker(mode="static"))
    relax_maker: PhasesMaker = field(default_factory=lambda: PhasesMaker(mode="relax"))
    hull_maker: HullMaker = field(default_factory=HullMaker)

    def make(self, campaign: dict[str, Any], store: str) -> Flow:
        """The flow of a finished campaign; its output is what could not be computed.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store that holds it, which every job must reach.

        Raises:
            InputError: if the method is one of the campaign's own.
        """
        asked = VerifySettings.model_validate(self.settings)
        if self.window is not None:
            asked = asked.model_copy(update={"window": self.window})
        settings = asked.model_dump(mode="json")
        screened, store = parse_campaign(campaign), public_address(store)  # jobs are stored, a login must not be
        extended, method = with_method(screened, asked).to_dict(), len(screened.methods)
        planned = verify_jobs.plan_verification(campaign, store, settings)
        of_solids = self.relax_maker if asked.mode == "relax" else self.static_maker
        molecules = self.relax_maker.make(extended, store, planned.output["molecules"], method, settings)
        solids = of_solids.make(extended, store, planned.output["solids"], method, settings)
        gathered = verify_jobs.gather_verified(
            extended, store, planned.output, [molecules.output, solids.output], method
        )  # fmt: skip
        hull = self.hull_maker.make(
            extended, store, planned.output["selected"], gathered.output["references"],
            [gathered.output["searched"]], screened.structures.rounds, method,
        )  # fmt: skip
        ranked = verify_jobs.rank_verified(
            extended, store, planned.output, gathered.output, hull.output, method, settings
        )  # fmt: skip
        return Flow(
            [planned, molecules, solids, gathered, hull, ranked], output=ranked.output,
            name=f"{self.name} {screened.name}",
        )  # fmt: skip
