"""The stages of a campaign: pure functions from records to records, one file each.

A stage declares its name, its place and what it counts (`STAGE`). An engine is handed in; a stage knows no store, no
campaign file and no process. The flow's jobs read what a stage takes, call it, and write what it gives.
"""

from __future__ import annotations

from ninefold.stages.own import CandidateStage, Column
from ninefold.stages.stage import Resources, Stage

__all__ = ["CandidateStage", "Column", "Resources", "Stage"]
