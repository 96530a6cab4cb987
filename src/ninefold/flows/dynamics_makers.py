"""`DynamicsMaker`: molecular dynamics of a finished campaign's best candidates.

flow = DynamicsMaker(settings={"only": ["K2ReH9"], "picoseconds": 100}).make(campaign.to_dict(), "sqlite:///ninefold.db")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker

from ninefold.campaign import parse_campaign
from ninefold.flows import dynamics_jobs
from ninefold.flows.best_phases import campaign_with
from ninefold.flows.rows_anew import make_rows_anew
from ninefold.stages.dynamics import DynamicsSettings
from ninefold.store import public_address


@dataclass
class DynamicsMaker(Maker):
    """Runs at several temperatures, each a task; then an analysis of each candidate.

    Args:
        name: Of the flow.
        settings: Which candidates and how, as plain values of `DynamicsSettings`.
    """

    name: str = "dynamics"
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self, campaign: dict[str, Any], store: str) -> Flow:
        """The flow of a finished campaign; its output is what `gather_dynamics` returns.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store that holds it, which every job must reach.
        """
        asked = DynamicsSettings.model_validate(self.settings)
        settings = asked.model_dump(mode="json")
        screened, store = parse_campaign(campaign), public_address(store)  # jobs are stored, a login must not be
        extended, method = campaign_with(screened, asked.method)
        plain = extended.to_dict()
        planned = dynamics_jobs.plan_dynamics(campaign, store, settings)
        run = dynamics_jobs.compute_dynamics(plain, store, planned.output["shards"], method, settings)
        analysed = dynamics_jobs.analyse_dynamics(plain, store, planned.output, run.output, method, settings)
        rows = make_rows_anew(campaign, store, analysed.output)
        return Flow([planned, run, analysed, rows], output=rows.output, name=f"{self.name} {screened.name}")
