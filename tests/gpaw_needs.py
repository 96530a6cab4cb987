"""GPAW in the tests: skipped where it is not installed, unless it is required."""

import os

import pytest

REQUIRED = "NINEFOLD_TEST_DFT"
"""Set to `required`, a missing GPAW is a failure; set so where a submission is tested."""


def gpaw():
    """The module gpaw."""
    missing = "GPAW is not installed (make setup-dft)"
    if os.environ.get(REQUIRED) == "required":
        try:
            import gpaw
        except ImportError as error:
            pytest.fail(f"{missing}: {error}")
        return gpaw
    return pytest.importorskip("gpaw", reason=missing)
