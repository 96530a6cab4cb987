"""Workflows by name: those that ninefold ships, and those that a user adds."""

from __future__ import annotations

import functools
from pathlib import Path

from ninefold.plugins import Registry
from ninefold.shipped import workflow_path

_NAME = "make_flow"


@functools.cache
def workflows() -> Registry:
    """Every workflow that can be named: a shipped one is a file of `workflows/`, so that a user can copy it."""
    return Registry(
        group="ninefold.workflows",
        setting="--workflow",
        what="a workflow",
        wanted="a function make_flow(campaign, store)",
        shipped={file.stem: f"{file}:{_NAME}" for file in sorted(workflow_path(".").glob("*.py")) if _makes_flow(file)},
        default=_NAME,
    )


def _makes_flow(file: Path) -> bool:
    return f"def {_NAME}(" in file.read_text(encoding="utf-8")
