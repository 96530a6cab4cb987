"""What vibrations will cost, said before they are computed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ninefold.errors import InputError

if TYPE_CHECKING:
    from ninefold.engines.settings import EngineSettings


class Rate(NamedTuple):
    """Of an engine, forces of one structure on one core; pairs of neighbours grow with the atoms."""

    seconds_per_atom: float
    base_GB: float
    GB_per_atom: float


RATES = {
    "chgnet": Rate(0.0045, 0.7, 0.0045),
    "sevennet:7net-0": Rate(0.007, 1.0, 0.004),
    "sevennet:7net-l3i5": Rate(0.025, 1.2, 0.008),
    "sevennet:7net-mf-0": Rate(0.025, 1.2, 0.008),
}
"""Of dense hydrides; `docs/engines.md`."""
ALIASES = {"sevennet": "sevennet:7net-0"}


class Cost(NamedTuple):
    """Estimated; None where nothing is known of the engine."""

    seconds: float | None
    memory_GB: float | None


def cost_of(method: EngineSettings, atoms: int, supercells: int) -> Cost:
    """Core time of all forces and memory of one.

    Args:
        method: What computes.
        atoms: Of the supercell.
        supercells: Whose forces are computed.
    """
    title = method.title.rpartition(":")[0] if method.title.count(":") > 1 else method.title  # without a head
    rate = RATES.get(ALIASES.get(title, title))
    if rate is None:
        return Cost(None, None)
    return Cost(supercells * atoms * rate.seconds_per_atom, rate.base_GB + atoms * rate.GB_per_atom)


def check_memory(formula: str, atoms: int, cost: Cost, available_GB: float | None) -> None:
    """Refuse what will not fit, before it starts.

    Args:
        formula: Of the structure, for the message.
        atoms: Of its supercell.
        cost: Estimated.
        available_GB: Of this machine; None where it is not known.

    Raises:
        InputError: with both numbers.
    """
    if cost.memory_GB is not None and available_GB is not None and cost.memory_GB > available_GB:
        raise InputError(
            "min_width", f"{atoms} atoms", allowed=f"what fits into {available_GB:.1f} GB, which are free",
            problem=f"is a supercell of {formula} that takes some {cost.memory_GB:.1f} GB",
            hint="a smaller --min-width",
        )  # fmt: skip


def available_memory() -> float | None:
    """What new processes may take, GB; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found) / 1024**2
