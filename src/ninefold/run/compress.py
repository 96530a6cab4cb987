"""Equations of state on this machine: lease, workers, and the candidates' rows made anew with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.campaign.foreign import load_foreign_code
from ninefold.errors import MachineFaultError
from ninefold.flows import rebuild
from ninefold.flows.compress import Line, compress_one
from ninefold.flows.kept import lease_purpose
from ninefold.flows.progress import announce, listening
from ninefold.flows.runner import run_tasks, running_with
from ninefold.flows.workplace import Failure
from ninefold.models.property import PropertyRecord
from ninefold.run.local import Noting
from ninefold.run.workers import Workers
from ninefold.store import open_store
from ninefold.store.store import EXECUTOR

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign

STAGE = "equation of state"


def compress_campaign(
    campaign: Campaign, store: str, lines: Sequence[Line], tell: Callable[[PropertyRecord], None] = lambda record: None
) -> None:
    """Compress some structures of a finished campaign, each kept as soon as it is done, and assess the candidates anew.

    Args:
        campaign: As in the store.
        store: Its address.
        lines: From `ninefold.flows.compress.plan`.
        tell: Told of every equation of state.

    Raises:
        MachineFaultError: at the end, if the machine kept some from being computed; the rows hold what is there.
        InputError: if another process runs on the store.
    """
    load_foreign_code(campaign)
    settings, faults = campaign.to_dict(), []
    with (
        open_store(store, mode="write") as opened,
        opened.lease(EXECUTOR, f"compress {lease_purpose(campaign.name)}") as lease,
    ):
        with Workers(campaign.execution.worker_count) as workers, listening(Noting(lease)), running_with(workers):
            announce(STAGE, 0, len(lines), unit="structures")
            for done, (index, result) in enumerate(
                run_tasks(compress_one, [(line,) for line in lines], settings, store), 1
            ):
                if isinstance(result, Failure):
                    faults.append(f"{lines[index]['label']}: {result.reason}")
                else:
                    tell(result)
                announce(STAGE, done, len(lines), unit="structures", note=lines[index]["label"].split()[0])
        assess_again(opened, campaign.name)
    if faults:
        raise MachineFaultError(
            f"{len(faults)} of {len(lines)} structures were not computed, first {faults[0]}; the same command goes on",
            is_at_end=True,
        )


def assess_again(opened: Any, campaign: str) -> int:
    """Make a campaign's rows anew from what the store holds; how many changed.

    Raises:
        StoreError: if they cannot be made.
    """
    from ninefold.store import StoreError

    done = rebuild.Rebuilt()
    found = list(rebuild.changes(opened, done, lambda *_: None, campaign))
    if reason := done.failed.get(campaign):
        raise StoreError(f"campaign {campaign!r}: rows cannot be made anew: {reason}")
    rebuild.apply(opened, found)
    return len(found)
