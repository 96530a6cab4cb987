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


@contextmanager
def counted(
    store: Store,
    campaign: str,
    stage: str,
    shard: str = "0",
    *,
    is_of_facts: bool = False,
    after: str | None = None,
    method: int = 0,
    is_stored: bool = True,
) -> Iterator[Counts]:
    """Count a stage, or a shard of it, and write its funnel record when it is finished.

    Args:
        store: Where the record goes.
        campaign: Its name.
        stage: With its round or method, as in `FunnelRecord`.
        shard: Which part of the stage.
        after: The stage that it follows, if it is none of ninefold's own.
        method: Its place among the campaign's methods.
        is_of_facts: Whether the core time is that of the facts counted, found or made; else it is this process's.
        is_stored: Whether the record is written; not where a later job counts the same anew.
    """
    counts = Counts()
    wall, cpu = time.monotonic(), time.process_time()
    yield counts
    if not is_stored:
        return
    seconds = counts.core_seconds if is_of_facts else time.process_time() - cpu
    store.put(
        "funnel",
        [
            FunnelRecord(
                id=f"{campaign}:{stage}:{shard}",
                campaign=campaign,
                stage=stage,
                shard=shard,
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
def surviving(store: Store, campaign: str, stage: str, shard: str) -> Iterator[None]:
    """What nobody foresaw ends only this shard, and is told at the end of the run as a fault.

    What is wrong with the store, the input or the machine's memory ends the run: every other shard would meet it too.

    Args:
        store: Where faults are kept.
        campaign: Its name.
        stage: With its round or method.
        shard: Its key.
    """
    faults, what = Faults(store, campaign, stage), f"shard {shard}"
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
    """

    def __init__(self, store: Store, campaign: str, stage: str) -> None:
        self._store, self._campaign, self._stage = store, campaign, stage
        self._known = {row["id"] for row in store.find("faults", equal={"campaign": campaign, "stage": stage})}

    def add(self, what: str, reason: str, counts: Counts) -> None:
        """Something that was not computed."""
        counts.reasons[blamed(reason)] += 1
        record = Fault(
            id=self._id(what), campaign=self._campaign, stage=self._stage, what=what, reason=reason, created=now()
        )
        self._store.put("faults", [record])
        self._known.add(record.id)

    def clear(self, what: str) -> None:
        """Something that has been computed now."""
        if (identifier := self._id(what)) in self._known:
            self._store.delete("faults", equal={"id": identifier})
            self._known.discard(identifier)

    def _id(self, what: str) -> str:
        return f"{self._campaign}:{self._stage}:{what}"


def tell_missing(store: Store, campaign: str, stages: Sequence[str], what: str, is_missing: bool) -> None:
    """A fault of what a job was to give and did not, where no other fault of these stages says why.

    Args:
        store: Where faults are kept.
        campaign: Its name.
        stages: That the job's output comes from; the fault is told of the last.
        what: Was to be given.
        is_missing: Whether it was not; what is there now is a fault no longer.
    """
    faults = Faults(store, campaign, stages[-1])
    if not is_missing:
        faults.clear(what)
    elif not store.count("faults", equal={"campaign": campaign, "stage": list(stages)}):
        faults.add(what, "a job ended without a result", Counts())
