"""Flows: the stages as jobflow jobs, and the Makers that put them together.

`from ninefold.flows import ScreenMaker` loads jobflow; the modules beside it that need none load without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.flows.compress_makers import CompressMaker
    from ninefold.flows.dynamics_makers import DynamicsMaker
    from ninefold.flows.makers import (
        EnergiesMaker,
        HullMaker,
        RankMaker,
        ReferencesMaker,
        ScreenMaker,
        SearchMaker,
    )
    from ninefold.flows.verify_makers import PhasesMaker, VerifyMaker
    from ninefold.flows.vibration_makers import VibrationsMaker

_OF_VERIFY = ("PhasesMaker", "VerifyMaker")
__all__ = [
    "CompressMaker", "DynamicsMaker", "EnergiesMaker", "HullMaker", "PhasesMaker", "RankMaker", "ReferencesMaker",
    "ScreenMaker", "SearchMaker", "VerifyMaker", "VibrationsMaker",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _OF_VERIFY:
        from ninefold.flows import verify_makers

        return getattr(verify_makers, name)
    if name == "VibrationsMaker":
        from ninefold.flows import vibration_makers

        return vibration_makers.VibrationsMaker
    if name == "CompressMaker":
        from ninefold.flows import compress_makers

        return compress_makers.CompressMaker
    if name == "DynamicsMaker":
        from ninefold.flows import dynamics_makers

        return dynamics_makers.DynamicsMaker
    from ninefold.flows import makers

    return getattr(makers, name)
