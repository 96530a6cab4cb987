"""JSON has no NaN and no infinity."""

import json
import math

import pytest

from ninefold.cli.options import print_json


def test_what_is_not_known_or_has_no_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"rate": math.nan, "range": (0.0, math.inf), "rows": [{"a": -math.inf}, {"b": 1.5, "c": None}]})
    printed = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert printed == {"rate": None, "range": [0.0, None], "rows": [{"a": None}, {"b": 1.5, "c": None}]}
