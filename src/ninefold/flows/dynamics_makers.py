"""`DynamicsMaker`: molecular dynamics of a finished campaign's best candidates.

flow = DynamicsMaker(settings={"only": ["K2ReH9"], "picoseconds": 100}).make(campaign.to_dict(), "sqlite:///ninefold.db")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.flows import dynamics_jobs
from ninefold.flows.best_phases import campaign_with
from ninefold.flows.rows_anew import make_rows_anew
from ninefold.stages.dynamics import VASP, DynamicsSettings
from ninefold.store import public_address


@dataclass
class RunsMaker(Maker):
    """Runs by engines with a calculator, a job a shard.

    Args:
        name: Of the flow.
    """

    name: str = "runs"

    def make(self, campaign: dict[str, Any], store: str, shards: Any, method: int, settings: dict[str, Any]) -> Flow:
        """The flow; its output is a list of shards, None for what was lost, whose lines have gained `trajectory`.

        That is the id of a run's last `TrajectoryRecord`, in the store.

        Args:
            campaign: As plain values, the method among its methods.
            store: Its address.
            shards: Of runs; see `ninefold.flows.dynamics_plan.PlannedRuns.lines` for a line's keys.
            method: Its place among the campaign's methods.
            settings: `DynamicsSettings` as plain values.

        Raises:
            InputError: if the method has no calculator.
        """
        asked = DynamicsSettings.model_validate(settings).method
        if asked.name == VASP:
            raise InputError(
                "--method", asked.title, problem="runs as jobs of a flow, which this workflow has not",
                allowed="--workflow with vasp_dynamics_maker; docs/dynamics.md",
            )  # fmt: skip
        run = dynamics_jobs.compute_dynamics(campaign, store, shards, method, settings)
        return Flow([run], output=run.output, name=self.name)


@dataclass
class DynamicsMaker(Maker):
    """Runs at several temperatures, each a task; then an analysis of each candidate.

    Args:
        name: Of the flow.
        settings: Which candidates and how, as plain values of `DynamicsSettings`.
        runs_maker: Makes the runs.
    """

    name: str = "dynamics"
    settings: dict[str, Any] = field(default_factory=dict)
    runs_maker: RunsMaker = field(default_factory=RunsMaker)

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
        run = self.runs_maker.make(plain, store, planned.output["shards"], method, settings)
        analysed = dynamics_jobs.analyse_dynamics(plain, store, planned.output, run.output, method, settings)
        rows = make_rows_anew(campaign, store, analysed.output)
        return Flow([planned, run, analysed, rows], output=rows.output, name=f"{self.name} {screened.name}")
