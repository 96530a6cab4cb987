"""What was measured of the engines that come with ninefold, and the rule on second derivatives with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ninefold.engines import EngineSettings, make_engine
from ninefold.thermo.references import reference_phase
from ninefold.trust.calibration import BINARY, hydrogen_energy
from ninefold.trust.errors import errors_of
from ninefold.trust.hessian import asymmetry, hessian, structure_of_test
from ninefold.trust.hydrogen import calibration_of
from ninefold.trust.phases import trust_set
from ninefold.trust.summary import with_hydrogen
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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), [("chgnet", None), ("sevennet", "7net-0")])
def test_the_shipped_energy_of_hydrogen_and_its_left_out_error_are_those_of_blind_fits(name, model):
    """On the real set: each binary hydride by a fit to the others, its formation energy computed anew with that."""
    engine = make_engine(EngineSettings(name=name, model=model))
    shipped, whole = calibration_of(engine.label), trust_set()
    binaries = whole.model_copy(update={"phases": whole.of_class(["element", "molecule", *BINARY])})
    molecule = reference_phase("H2 molecule in a box")
    [relaxed] = engine.relax([molecule.structure], molecule.relax_settings)
    own = errors_of(engine, binaries, relaxed.energy_per_atom)
    left_out = []
    for phase in own.phases:
        if phase.phase_class in BINARY:
            others = [other for other in own.phases if other.name != phase.name]
            blind = hydrogen_energy(replace(own, phases=others))
            judged = with_hydrogen(own, binaries, blind.energy)
            left_out.append(next(one.formation_error for one in judged.phases if one.name == phase.name))
    assert len(left_out) == shipped.hydrides
    assert sum(map(abs, left_out)) / len(left_out) == pytest.approx(shipped.error, abs=2e-4)
    assert hydrogen_energy(own).energy == pytest.approx(shipped.energy, abs=5e-4)
    assert relaxed.energy_per_atom == pytest.approx(shipped.own, abs=5e-4)
