"""Every stored record by its collection."""

from __future__ import annotations

from ninefold.models.calculation import Calculation
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.dynamics import DynamicsRecord, TrajectoryRecord
from ninefold.models.fault import Fault
from ninefold.models.funnel import FunnelRecord
from ninefold.models.method import Method
from ninefold.models.property import PropertyRecord
from ninefold.models.record import Record
from ninefold.models.reference import ReferenceRecord
from ninefold.models.search import MinimaRecord, PoolRecord, SearchRecord
from ninefold.models.structure import StructureRecord
from ninefold.models.vibrations import VibrationRecord

MODELS: dict[str, type[Record]] = {
    model.collection: model
    for model in (
        CampaignRecord, CompositionRecord, Method, StructureRecord, PoolRecord, SearchRecord, MinimaRecord, Calculation,
        PropertyRecord, VibrationRecord, TrajectoryRecord, DynamicsRecord, ReferenceRecord, Candidate,
        FunnelRecord, Fault,
    )
}  # fmt: skip
"""Collection -> what it holds."""
