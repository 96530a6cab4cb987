"""Structures of complex hydrides: proposed, settled with an ionic force field, checked, compared."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.structures.checks import Shells, check_shells
    from ninefold.structures.proposal import Proposal

__all__ = ["Proposal", "Shells", "check_shells"]

_HOME = {"Proposal": "proposal", "Shells": "checks", "check_shells": "checks"}


def __getattr__(name: str) -> Any:
    """Import at first use: `description` is read by queries, which load no pymatgen."""
    if name in _HOME:
        return getattr(importlib.import_module(f"ninefold.structures.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
