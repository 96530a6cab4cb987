"""What was measured of the engines that come with ninefold, and the rule on second derivatives with them."""

from __future__ import annotations

import pytest

from ninefold.engines import EngineSettings, make_engine
from ninefold.trust.hessian import asymmetry, hessian, structure_of_test
from ninefold.trust.uncertainty import LARGEST_ASYMMETRY, hessian_asymmetry, roughness_note


@pytest.mark.parametrize(
    ("title", "is_fit"),
    [
        ("chgnet", False), ("sevennet:7net-0", True), ("sevennet:7net-l3i5", True), ("sevennet:7net-mf-0:PBE", True),
        ("sevennet:7net-mf-0:R2SCAN", True),
    ],
)  # fmt: skip
def test_which_engines_may_relax_final_structures(title, is_fit):
    found = hessian_asymmetry(title)
    assert found is not None, "in the shipped table"
    assert (found <= LARGEST_ASYMMETRY) == is_fit
    assert (roughness_note([title]) is None) == is_fit
    assert roughness_note([title, "sevennet:7net-0"]) is None, "another one relaxes the final structures"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model", "expected"), [("chgnet", None, 0.0988), ("sevennet", "7net-0", 0.0002)])
def test_the_shipped_asymmetry_is_what_the_engine_has(name, model, expected):
    engine = make_engine(EngineSettings(name=name, model=model))
    structure = structure_of_test()
    assert structure.get_space_group_info()[1] == 6, "Pm: one mirror plane"
    found = asymmetry(hessian(engine, structure))
    assert found == pytest.approx(expected, rel=0.2, abs=2e-4)
    assert found == pytest.approx(hessian_asymmetry(engine.label), rel=0.2, abs=2e-4)
