"""The last job of what is computed of a finished campaign: its rows, hulls and ranks with what is there now."""

from __future__ import annotations

from typing import Any

from jobflow import job

from ninefold.flows import rebuild
from ninefold.flows.progress import announce
from ninefold.flows.shards import WHATEVER_IS_THERE, Settings
from ninefold.flows.verify_plan import check_finished
from ninefold.store import open_store


@job(name="make rows anew", config=WHATEVER_IS_THERE)
def make_rows_anew(campaign: Settings, store: str, computed: Any) -> Any:
    """Make rows, hulls and ranks of a finished campaign anew from what the store holds.

    Args:
        campaign: As plain values.
        store: Its address.
        computed: Output of the job before, which is waited for; None where it failed.

    Returns:
        `computed`.
    """
    with open_store(store, mode="write") as opened:
        record = check_finished(opened, campaign["name"])
        rebuild.apply(opened, rebuild.changes_of(opened, record, rebuild.Rebuilt(), announce))
    return computed
