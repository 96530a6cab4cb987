"""A campaign as it was submitted."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ninefold.models.quantities import Kind
from ninefold.models.record import Record

Status = Literal["running", "finished", "incomplete", "stopped"]
"""running: work is left, whether a process is at it or not. finished: everything was computed. incomplete: run to its
end, and the machine kept something from being computed (see `Fault`); `ninefold resume` computes that. stopped: being
discarded."""


class Attempt(BaseModel):
    """One run of a campaign, from its registration to its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    started: str
    """ISO 8601, UTC; likewise the next."""
    ended: str | None = None
    """When the flow came to its end; of a run that was interrupted, when it last stored something, as the next run
    notes it. None while it runs, and after an interruption until then."""


class StageColumn(BaseModel):
    """A value that a stage of the user's stores with every candidate, as its file declared it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    kind: Kind
    unit: str
    meaning: str


class CampaignRecord(Record):
    """A campaign; its id is its name."""

    collection: ClassVar[str] = "campaigns"

    name: str
    fingerprint: str
    """Hash of everything in the campaign file that changes results."""
    settings: dict[str, Any]
    """The campaign file as read, defaults filled in."""
    versions: dict[str, str]
    """ninefold, engine and key libraries."""
    status: Status
    methods: list[str] = Field(default_factory=list)
    """Ids of its methods, by rising trust: the search's first; empty in a store made before they were recorded."""
    columns: dict[str, StageColumn] = Field(default_factory=dict)
    """Key -> what stages of the user's store in `Candidate.properties`: known where their files are gone."""
    verified: list[dict[str, Any]] = Field(default_factory=list)
    """Settings of the engines that `ninefold verify` has used, as plain values, the last one last."""
    workflow: str = "screen"
    """The flow that it runs by: a shipped name, or the path of a file."""
    workflow_content: str = ""
    """Hash of the user's file that makes the flow; empty of a shipped one, and in a store made before it was kept."""
    created: str
    """ISO 8601, UTC."""
    run: str = ""
    """Identifies the run that registered it last."""
    attempt: int = 1
    """How many runs there have been."""
    attempts: list[Attempt] = Field(default_factory=list)
    """Every run since the first, or since the last fresh start; empty where one of them was not recorded."""
    finished: str | None = None
    """When the flow last came to its end, finished or incomplete."""
