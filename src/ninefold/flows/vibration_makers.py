"""`VibrationsMaker`: vibrations of a finished campaign's best candidates and of what competes with them.

flow = VibrationsMaker(settings={"top": 3}).make(campaign.to_dict(), "sqlite:///ninefold.db")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker

from ninefold.campaign import parse_campaign
from ninefold.flows import vibration_jobs
from ninefold.flows.best_phases import campaign_with
from ninefold.flows.rows_anew import make_rows_anew
from ninefold.stages.vibrations import VibrationsSettings
from ninefold.store import public_address


@dataclass
class VibrationsMaker(Maker):
    """Vibrations, one job for each phase; saddle points are left for the minima beside them.

    Args:
        name: Of the flow.
        settings: Which phases and how, as plain values of `VibrationsSettings`.
    """

    name: str = "vibrations"
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self, campaign: dict[str, Any], store: str) -> Flow:
        """The flow of a finished campaign; its output is what `gather_vibrations` returns.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store that holds it, which every job must reach.
        """
        asked = VibrationsSettings.model_validate(self.settings)
        settings = asked.model_dump(mode="json")
        screened, store = parse_campaign(campaign), public_address(store)  # jobs are stored, a login must not be
        extended, method = campaign_with(screened, asked.method)
        planned = vibration_jobs.plan_vibrations(campaign, store, settings)
        computed = vibration_jobs.compute_vibrations(
            extended.to_dict(), store, planned.output["shards"], method, settings
        )  # fmt: skip
        gathered = vibration_jobs.gather_vibrations(campaign, store, planned.output, computed.output)
        rows = make_rows_anew(campaign, store, gathered.output)
        jobs = [planned, computed, gathered, rows]
        return Flow(jobs, output=rows.output, name=f"{self.name} {screened.name}")
