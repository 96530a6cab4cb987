"""What a process keeps between tasks: engines and methods, by their settings and their code."""

import pytest

from ninefold.campaign import parse_campaign
from ninefold.flows.workplace import Workplace, method_of

ENGINE = """
from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine


def engine(settings):
    return ASEEngine("mine", "mine", LennardJones(epsilon=EPSILON), (), evidence="test")


EPSILON = 0.02
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "mine.py").write_text(ENGINE)
    settings = {
        "name": "x", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}], "engine": {"name": "mine.py:engine"}
    }  # fmt: skip
    place = Workplace(parse_campaign(settings, folder=tmp_path).to_dict(), str(tmp_path / "s.db"))
    yield place
    place.store.close()


def test_an_engine_and_its_method_are_made_once(place):
    settings = place.campaign.engine
    assert place.engine(settings) is place.engine(settings)
    assert method_of(settings) is method_of(settings)
    assert method_of(settings).id == place.engine(settings).fingerprint


def test_an_engine_file_that_is_edited_while_a_process_runs_is_another_method(place, tmp_path):
    settings = place.campaign.engine
    before = method_of(settings).id, place.engine(settings)
    (tmp_path / "mine.py").write_text(ENGINE.replace("0.02", "0.03"))
    after = method_of(settings).id, place.engine(settings)
    assert after[0] == after[1].fingerprint != before[0]
    assert after[1] is not before[1]
    (tmp_path / "mine.py").write_text(ENGINE)
    assert (method_of(settings).id, place.engine(settings)) == before
