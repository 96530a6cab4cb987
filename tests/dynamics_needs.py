"""Packages of `make setup-dynamics` in the tests: skipped where they are not installed, unless they are required."""

import os
from importlib import import_module

import pytest

REQUIRED = "NINEFOLD_TEST_DYNAMICS"
"""Set to `required`, a missing package is a failure; set so where a submission is tested."""


def module(name):
    """An optional module by name."""
    try:
        return import_module(name)
    except ImportError as error:
        missing = f"{name} is not installed (make setup-dynamics): {error}"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(missing)
        pytest.skip(missing)
