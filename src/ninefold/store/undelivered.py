"""Facts that a worker has computed while its database does not answer: kept in files, delivered when it does.

What took hours must not be lost because a server is restarted. Only what may be written in any order by anybody is
kept so; whatever a job reads afterwards still fails, so the job ends and is run again, and then finds these facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ninefold.errors import InputError

if TYPE_CHECKING:
    from ninefold.store.spool import Spool

AWAY_SECONDS = 30.0
"""For so long after it did not answer, a server is not asked again."""
Result = TypeVar("Result")

_spool: Spool | None = None
_away_since = float("-inf")


@contextmanager
def kept_in(spool: Spool) -> Iterator[None]:
    """Inside the block, facts that cannot be stored go into a spool folder."""
    global _spool
    before, _spool = _spool, spool
    try:
        yield
    finally:
        _spool = before
        spool.flush()


def instead(write: Callable[[], Result], keep: Callable[[Spool], Result]) -> Result:
    """What a write gives, or what keeping it gives where the server does not answer and there is a spool folder."""
    global _away_since
    if _spool is None:
        return write()
    if time.monotonic() - _away_since < AWAY_SECONDS:
        return keep(_spool)
    try:
        return write()
    except InputError as error:
        if "cannot be reached" not in error.problem:
            raise
        _away_since = time.monotonic()
        return keep(_spool)
