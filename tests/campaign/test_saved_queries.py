"""Saved queries of a campaign file are read with it, and change nothing else."""

import re
from pathlib import Path

import pytest
import yaml

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError
from ninefold.stages.own import columns_of

BASE = {"name": "x", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}]}
STAGE = """
from ninefold.stages import CandidateStage, Column, Stage

DENSITY = CandidateStage(
    Stage("density", after="stability", meaning="m"), {"density": Column("g/cm3", "d")}, lambda *some: {"density": 1.0}
)
"""


def read(queries, **more):
    return parse_campaign({**BASE, "queries": queries, **more})


def test_text_with_commas_is_a_list():
    one = read({"a": {"filter": "n = 9", "sort": "e_above_hull,-n", "fields": "formula, n"}})
    other = read({"a": {"filter": "n = 9", "sort": ["e_above_hull", "-n"], "fields": ["formula", "n"]}})
    assert one == other
    assert parse_campaign(one.to_dict()) == one
    assert read({"a": {}}).queries["a"].sort == ("rank",)


def test_they_change_no_result():
    assert read({"a": {"filter": "n = 9"}}).fingerprint() == parse_campaign(BASE).fingerprint()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            {"filter": "n = = 9"},
            "a.filter: 'n = = 9' is not an OPTIMADE filter: stops making sense at column 5",
        ),
        ({"filter": "n = 9 AND"}, "stops making sense at its end"),
        ({"filter": "nn = 9"}, "queries.a.filter: 'nn' is not a field; allowed: n"),
        ({"filter": "formula = K2ReH9"}, 'formula = "K2ReH9"'),
        ({"filter": "is_known = true"}, "is_known = TRUE"),
        ({"filter": 'n = "9"'}, "cannot be compared with n"),
        ({"filter": 9}, "queries.a.filter: 9 is not allowed"),
        ({"sort": "rnk"}, "queries.a.sort: 'rnk' cannot be sorted by; allowed: rank"),
        ({"sort": ["elements"]}, "queries.a.sort: 'elements' cannot be sorted by"),
        ({"sort": [1]}, "queries.a.sort.0: 1 is not allowed"),
        ({"fields": ["formla"]}, "queries.a.fields: 'formla' is not a field; did you mean 'formula'?"),
        ({"columns": ["formula"]}, "queries.a: 'columns' is not a known key"),
        ("n = 9", "queries.a: 'n = 9' is not allowed"),
    ],
)
def test_a_query_that_could_not_be_asked_is_one_line(query, words):
    with pytest.raises(InputError) as error:
        read({"a": query})
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_example_of_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", page, re.S)
    [query] = read(**yaml.safe_load(example)).queries.values()
    assert query.sort == ("e_above_hull", "-n")


def test_a_name_is_one_word():
    with pytest.raises(InputError):
        read({"a b": {}})


def test_values_of_a_stage_are_known_once_its_file_is_read(tmp_path):
    (tmp_path / "mine.py").write_text(STAGE)
    stages = [f"{tmp_path}/mine.py:DENSITY"]
    right = read({"a": {"filter": "density > 3", "sort": "-density", "fields": "formula,density"}}, stages=stages)
    right.check_queries(columns_of(right.stages))
    for query, words in (
        ({"filter": "densty > 3"}, "queries.a.filter: 'densty' is not a field"),
        ({"sort": "densty"}, "queries.a.sort: 'densty' cannot be sorted by"),
        ({"fields": "densty"}, "queries.a.fields: 'densty' is not a field"),
    ):
        wrong = read({"a": query}, stages=stages)
        with pytest.raises(InputError, match=words):
            wrong.check_queries(columns_of(wrong.stages))
    with pytest.raises(InputError, match="stops making sense"):
        read({"a": {"filter": "densty > > 3"}}, stages=stages)
