"""What is told of faults: a run goes on after them, stores no result of them, and tells them at its end.

A fault of the machine, or an error that an engine or other code raises undeclared, says nothing about a structure or a
composition, so it must not become a property of one: what it kept from being computed is left as it was before and is
computed by the next run. The machine's faults are told apart from errors of code: a user repairs a full disk elsewhere
than an engine, and a stage of their own in its file.
"""

from __future__ import annotations

import builtins
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ninefold.errors import MachineFaultError, listed

MOST_NAMED = 3
"""Things that a message names."""


ENGINE_RAISED = "engine raised "
OF_STAGE = "stages: "
"""What an error of a stage of the user's begins with, as `ninefold.stages.own` raises it."""


def is_of_machine(reason: str) -> bool:
    """Whether the reason for a lost calculation is the machine: memory, disk, device, library, a dead worker.

    Any other error that code raised is that code's own. A stage of the user's is itself to blame but for memory, disk
    and device: a file or a package that it does not find is named in its own code.

    Args:
        reason: As an engine's `reason_of`, `ninefold.errors.description` or an executor words it.
    """
    raised = _RAISED.search(reason)
    if reason.startswith(OF_STAGE):
        return (raised is not None and raised["kind"] in _OF_MEMORY) or _HARDWARE.search(reason) is not None
    return raised is None or raised["kind"] in _OF_MACHINE or _HARDWARE.search(reason) is not None


_OF_MEMORY = {"MemoryError", "OutOfMemoryError", "AcceleratorError"}
_OF_MACHINE = {
    name for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, (MemoryError, OSError, ImportError))
} | _OF_MEMORY  # fmt: skip
_HARDWARE = re.compile("out of memory|CUDA|cuDNN|No space left", re.IGNORECASE)
"""What libraries say of the device in a plain RuntimeError."""
_RAISED = re.compile(r"(?:^|\braise[sd] )(?P<kind>\w+(?:Error|Exception|Exit|Warning|Interrupt))\b")


def of_engine(reason: str) -> str:
    """An engine's undeclared error as the reason of a fault: its own, unless it tells of the machine."""
    return reason if is_of_machine(reason) or reason.startswith(ENGINE_RAISED) else f"{ENGINE_RAISED}{reason}"


def blamed(reason: str) -> str:
    """A fault's reason with its origin, machine or code, as the funnel and `ninefold status` have it.

    >>> blamed("out of memory"), blamed("engine raised ValueError: shape"), blamed("KeyError: 'x'")
    ('machine: out of memory', 'engine raised ValueError: shape', "raised KeyError: 'x'")
    >>> blamed("stages: 'x.py:S' gives y = nan")
    "your code: stages: 'x.py:S' gives y = nan"
    """
    if is_of_machine(reason):
        return f"machine: {reason}"
    if reason.startswith(OF_STAGE):
        return f"your code: {reason}"
    return f"raised {reason}" if reason.partition(":")[0].isidentifier() and " rais" not in reason else reason


def faults_error(faults: Sequence[Mapping[str, str]], again: str = "'ninefold resume'") -> MachineFaultError:
    """What a run that went on after faults says at its end.

    Args:
        faults: Stored documents, at least one.
        again: What tries again.
    """
    of_machine = [fault for fault in faults if is_of_machine(fault["reason"])]
    of_stages = [fault for fault in faults if fault["reason"].startswith(OF_STAGE) and fault not in of_machine]
    others = [fault for fault in faults if fault not in of_machine and fault not in of_stages]
    parts = []
    if of_machine:
        parts.append(f"the machine failed, not the calculation, for {_named(of_machine)}")
    if others:
        parts.append(f"not computed: {_named(others)}")
    if of_stages:
        parts.append(f"your code failed for {_named(of_stages)}")
    again += " tries again" + (" ('--update' after you have edited your file)" if of_stages else "")
    return MachineFaultError(
        f"{'; '.join(parts)}; nothing was stored of it and the rest is kept; {again}", is_at_end=True
    )


def _named(faults: Sequence[Mapping[str, str]]) -> str:
    """What was lost, a few by name, and the commonest reason."""
    [(commonest, _)] = Counter(fault["reason"] for fault in faults).most_common(1)
    is_named = is_of_machine(commonest) or commonest.startswith(OF_STAGE)
    reason = commonest if is_named else blamed(commonest)
    return f"{listed(list(dict.fromkeys(fault['what'] for fault in faults)), MOST_NAMED, '; ')} ({reason})"
