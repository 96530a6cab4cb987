"""Workflows by name: those that ninefold ships, and those that a user adds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ninefold.chemistry.configs import workflow_path
from ninefold.plugins import Registry

MakeFlow = Callable[[dict[str, Any], str], Any]
"""Makes a flow of a campaign as plain values and a store."""


@functools.cache
def workflows() -> Registry:
    """Every workflow that can be named: a shipped one is a file of `workflows/`, so that a user can copy it."""
    name = "make_flow"
    return Registry(
        group="ninefold.workflows",
        setting="--workflow",
        what="a workflow",
        wanted="a function make_flow(campaign, store)",
        shipped={file.stem: f"{file}:{name}" for file in sorted(workflow_path(".").glob("*.py"))},
        default=name,
    )
