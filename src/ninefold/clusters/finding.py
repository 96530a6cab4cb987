"""What a check of a cluster found."""

from __future__ import annotations

from typing import Literal, NamedTuple

Status = Literal["ok", "note", "failed"]


class Finding(NamedTuple):
    """One line of `ninefold cluster check`."""

    what: str
    """What was tested: `database from a compute node`."""
    status: Status
    """failed: a campaign would not run; note: it would, and the user should know."""
    text: str
    """What was found, or what is wrong."""
    advice: str = ""
    """What to do about it."""
