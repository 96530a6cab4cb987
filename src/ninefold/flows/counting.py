"""Counting a stage while it runs: its funnel record, and its progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ninefold.clock import now
from ninefold.errors import NinefoldError, description
from ninefold.flows.faults import blamed
from ninefold.machine import hardware
from ninefold.models.fault import Fault
from ninefold.models.funnel import FunnelRecord
from ninefold.stages.stage import Counts

if TYPE_CHECKING:
    from ninefold.store import Store


def is_late(store: Store, campaign: str, attempt: int) -> bool:
    """Whether a later attempt has been registered: it tells what is counted and what failed.

    Args:
        store: Where the campaign is.
        campaign: Its name.
        attempt: That a job belongs to.
    """
    return registered_attempt(store, campaign) > attempt


def registered_attempt(store: Store, campaign: str) -> int:
    """Number of a campaign's last attempt; 0 where none is recorded."""
    rows = store.find("campaigns", equal={"id": campaign}, fields=["attempt"])
    return next((row["attempt"] or 0 for row in rows), 0)


@contextmanager
def counted(
    store: Store,
    campaign: str,
    stage: str,
    shard: str = "0",
    *,
    attempt: int,
    is_of_facts: bool = False,
    after: str | None = None,
    method: int = 0,
    is_stored: bool = True,
) -> Iterator[Counts]:
    """Count a stage, or a shard of it, and write its funnel record when it is finished, unless that is late.

    Args:
        store: Where the record goes.
        campaign: Its name.
        stage: With its round or method, as in `FunnelRecord`.
        shard: Which part of the stage.
        attempt: That the job belongs to.
        after: The stage that it follows, if it is none of ninefold's own.
        method: Its place among the campaign's methods.
        is_of_facts: Whether the core time is that of the facts counted, found or made; else it is this process's.
        is_stored: Whether the record is written; not where a later job counts the same anew.
    """
    counts = Counts()
    wall, cpu = time.monotonic(), time.process_time()
    yield counts
    # the shards of a later attempt may be others: beside these a late one would count twice
    if not is_stored or is_late(store, campaign, attempt):
        return
    seconds = counts.core_seconds if is_of_facts else time.process_time() - cpu
    store.put_unless_newer(
        "funnel",
        [
            FunnelRecord(
                id=f"{campaign}:{stage}:{shard}",
                campaign=campaign,
                stage=stage,
                shard=shard,
                attempt=attempt,
                after=after,
                method=method,
                count_in=counts.count_in,
                count_out=counts.count_out,
                unit=counts.unit,
                reasons=dict(counts.reasons.most_common()),
                core_seconds=round(seconds, 3),
                wall_seconds=round(time.monotonic() - wall, 3),
                hardware=hardware(),
            )
        ],
    )


@contextmanager
def errors_as_fault(store: Store, campaign: str, stage: str, shard: str, attempt: int) -> Iterator[None]:
    """An unforeseen error ends only this shard, and is told at the end of the run as a fault.

    What is wrong with the store, the input or the machine's memory ends the run: every other shard would meet it too.

    Args:
        store: Where faults are kept.
        campaign: Its name.
        stage: With its round or method.
        shard: Its key.
        attempt: That the job belongs to.
    """
    faults, what = Faults(store, campaign, stage, attempt), f"shard {shard}"
    try:
        yield
    except (NinefoldError, OSError, MemoryError):
        raise
    except Exception as error:
        faults.add(what, description(error), Counts())
    else:
        faults.clear(what)


class Faults:
    """What the machine failed at in one job: stored one by one, and removed when it has been computed.

    Args:
        store: Where they are kept.
        campaign: Its name.
        stage: With its round or method.
        attempt: That the job belongs to; it adds and removes none where a later one does.
    """

    def __init__(self, store: Store, campaign: str, stage: str, attempt: int) -> None:
        self._store, self._campaign, self._stage, self._attempt = store, campaign, stage, attempt
        rows = store.find("faults", equal={"campaign": campaign, "stage": stage}, fields=["id", "attempt"])
        self._known: dict[str, int | None] = {row["id"]: row["attempt"] for row in rows}

    def add(self, what: str, reason: str, counts: Counts) -> None:
        """Something that was not computed."""
        counts.reasons[blamed(reason)] += 1
        if is_late(self._store, self._campaign, self._attempt):
            return
        record = Fault(
            id=self._id(what), campaign=self._campaign, stage=self._stage, what=what, attempt=self._attempt,
            reason=reason, created=now(),
        )  # fmt: skip
        self._store.put_unless_newer("faults", [record])
        self._known[record.id] = self._attempt

    def clear(self, what: str) -> None:
        """Something that has been computed now."""
        identifier = self._id(what)
        if identifier in self._known and (self._known[identifier] or 0) <= self._attempt:
            # none that a later attempt has written since
            self._store.delete("faults", equal={"id": identifier, "attempt": self._known.pop(identifier)})

    def _id(self, what: str) -> str:
        return f"{self._campaign}:{self._stage}:{what}"


def tell_missing(store: Store, campaign: str, stages: Sequence[str], what: str, is_missing: bool, attempt: int) -> None:
    """A fault of what a job was to give and did not, where no other fault of these stages says why.

    Args:
        store: Where faults are kept.
        campaign: Its name.
        stages: That the job's output comes from; the fault is told of the last.
        what: Was to be given.
        is_missing: Whether it was not; a fault of what is there is removed.
        attempt: That the job belongs to.
    """
    faults = Faults(store, campaign, stages[-1], attempt)
    if not is_missing:
        faults.clear(what)
    elif not store.count("faults", equal={"campaign": campaign, "stage": list(stages)}):
        faults.add(what, "a job ended without a result", Counts())
