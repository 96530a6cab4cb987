"""What a candidate's row says of its dynamics, and which of several results it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ninefold.models.dynamics import DynamicsRecord, StoredInterval

PERMUTED = "permutation"
"""The anions' events of `PaddleWheelTest` that a row tells of."""

ROW_FIELDS = (
    "dynamics_record", "dynamics_engine", "dynamics_evidence", "dynamics_length", "is_dynamics_too_short",
    "pseudorotation_barrier", "pseudorotation_barrier_low", "pseudorotation_barrier_high", "pseudorotation_rate_300",
    "pseudorotation_rate_300_high", "site_exchange_barrier", "site_exchange_barrier_low", "site_exchange_barrier_high",
    "site_exchange_rate_300", "site_exchange_rate_300_high",
    "cation_diffusion_300", "cation_diffusion_300_high", "cation_jump_barrier",
    "cation_jump_barrier_low", "cation_jump_barrier_high", "cation_jump_rate_300", "cation_jump_rate_300_high",
    "paddle_wheel_p", "dynamics_rung",
)  # fmt: skip
"""Of a candidate's row that dynamics fills."""


def row_values(record: DynamicsRecord | None) -> dict[str, Any]:
    """What a row says of the dynamics of its candidate; nothing where there are none.

    Where rates are not claimed, the row has none.
    """
    if record is None:
        return dict.fromkeys(ROW_FIELDS)
    nothing = StoredInterval()
    ion, jumping, exchanging = record.fastest, record.most_jumping, record.most_exchanging
    barrier, rate = record.barrier or nothing, record.rate_300 or nothing
    diffusion = nothing if ion is None else ion.at_300
    jump_barrier = (None if jumping is None else jumping.barrier) or nothing
    jump_rate = (None if jumping is None else jumping.rate_300) or nothing
    exchange_barrier = (None if exchanging is None else exchanging.total.barrier) or nothing
    exchange_rate = (None if exchanging is None else exchanging.total.rate_300) or nothing
    permuted = next((one.p for one in ([] if jumping is None else jumping.paddle_wheel) if one.event == PERMUTED), None)
    rates = {
        "pseudorotation_barrier": barrier.value, "pseudorotation_barrier_low": barrier.low,
        "pseudorotation_barrier_high": barrier.high, "pseudorotation_rate_300": rate.value,
        "pseudorotation_rate_300_high": rate.high, "site_exchange_barrier": exchange_barrier.value,
        "site_exchange_barrier_low": exchange_barrier.low, "site_exchange_barrier_high": exchange_barrier.high,
        "site_exchange_rate_300": exchange_rate.value, "site_exchange_rate_300_high": exchange_rate.high,
        "cation_diffusion_300": diffusion.value,
        "cation_diffusion_300_high": diffusion.high, "cation_jump_barrier": jump_barrier.value,
        "cation_jump_barrier_low": jump_barrier.low, "cation_jump_barrier_high": jump_barrier.high,
        "cation_jump_rate_300": jump_rate.value, "cation_jump_rate_300_high": jump_rate.high,
        "paddle_wheel_p": permuted,
    }  # fmt: skip
    return (rates if record.is_claimed else dict.fromkeys(rates)) | {
        "dynamics_record": record.id, "dynamics_engine": record.engine, "dynamics_evidence": record.evidence,
        "dynamics_length": record.length_ps, "is_dynamics_too_short": record.is_too_short,
        "dynamics_rung": record.rung,
    }  # fmt: skip


def preferred(records: Sequence[DynamicsRecord], structure: str | None) -> DynamicsRecord | None:
    """Of what several runs say of one composition, what its row shows.

    That of its own minimum first; then what is claimed, what is long enough, and what took longest.

    Args:
        records: Of one composition.
        structure: Id of the row's minimum.
    """
    from ninefold.models.evidence import TRUST

    def place(record: DynamicsRecord) -> tuple[Any, ...]:
        return (
            record.structure == structure, TRUST.index(record.evidence), record.is_claimed, not record.is_too_short,
            record.length_ps, len(record.jumps), record.id,
        )  # fmt: skip

    usable = [record for record in records if record.error is None]
    return max(usable, key=place, default=None)
