"""Where the files are that ninefold ships: campaigns, rule sets, spaces, workflows."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent


def config_path(*parts: str) -> Path:
    """A path under `configs/`: inside the installed wheel, else in the checkout."""
    return _shipped("configs").joinpath(*parts)


def workflow_path(*parts: str) -> Path:
    """A path under `workflows/`: inside the installed wheel, else in the checkout."""
    return _shipped("workflows").joinpath(*parts)


def _shipped(folder: str) -> Path:
    installed = _PACKAGE / folder
    return installed if installed.is_dir() else _CHECKOUT / folder
