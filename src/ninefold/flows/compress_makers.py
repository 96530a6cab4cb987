"""`CompressMaker`: equations of state of a finished campaign's candidates and of what competes with them.

flow = CompressMaker(settings={"top": 12}).make(campaign.to_dict(), "sqlite:///ninefold.db")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker

from ninefold.flows import compress_jobs
from ninefold.flows.rows_anew import make_rows_anew
from ninefold.stages.compress import CompressSettings
from ninefold.store import public_address


@dataclass
class CompressMaker(Maker):
    """Structures relaxed under pressure, one job for each; then hulls and ranks with their equations of state.

    Args:
        name: Of the flow.
        settings: Which structures, as plain values of `CompressSettings`.
    """

    name: str = "compress"
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self, campaign: dict[str, Any], store: str) -> Flow:
        """The flow of a finished campaign; its output are shards of structures with the ids of their records.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store that holds it, which every job must reach.
        """
        settings = CompressSettings.model_validate(self.settings).model_dump(mode="json")
        store = public_address(store)  # jobs are stored, a login must not be
        planned = compress_jobs.plan_compression(campaign, store, settings)
        computed = compress_jobs.compress_structures(campaign, store, planned.output["shards"])
        rows = make_rows_anew(campaign, store, computed.output)
        return Flow([planned, computed, rows], output=rows.output, name=f"{self.name} {campaign['name']}")
