"""A zero-point energy is counted once, in a solid as in hydrogen gas."""

import pytest

from ninefold.errors import InputError
from ninefold.models.method import Method
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential
from ninefold.thermo.zero_point import HYDROGEN_HEAT_CONTENT, HYDROGEN_ZERO_POINT, ROOM_TEMPERATURE, EnergyScale

RAW, CORRECTED = EnergyScale("none"), EnergyScale("included")
SOLID = HarmonicVibrations([30.0, 100.0, 150.0], [1.0, 1.0, 1.0])


def method(name, label, zero_point=None):
    return Method(id="1", name=name, label=label, evidence="ML", zero_point=zero_point)


def test_the_method_says_which():
    assert EnergyScale.of(method("chgnet", "CHGNet 0.3.0", "included")) == CORRECTED
    assert EnergyScale.of(method("gpaw", "GPAW", "none")) == RAW


@pytest.mark.parametrize(
    ("name", "label", "scale"),
    [
        ("chgnet", "CHGNet 0.3.0", CORRECTED), ("chgnet", "CHGNet r2scan", RAW), ("sevennet", "SevenNet 7net-0", RAW),
        ("gpaw", "GPAW 26.7.0, PBE, 500 eV", RAW),
    ],
)  # fmt: skip
def test_a_method_of_an_older_store_is_known_by_its_name(name, label, scale):
    assert EnergyScale.of(method(name, label)) == scale


def test_hydrogen_fitted_to_static_energies_makes_a_static_scale():
    assert EnergyScale.of(method("chgnet", "CHGNet 0.3.0"), is_hydrogen_calibrated=True) == RAW


def test_engines_say_it_of_themselves():
    from ninefold.engines import EngineSettings, make_engine

    assert Method.of(make_engine(EngineSettings(name="chgnet"))).zero_point == "included"
    assert Method.of(make_engine(EngineSettings(name="chgnet", model="r2scan"))).zero_point == "none"
    assert Method.of(make_engine(EngineSettings(name="lj"))).zero_point == "none"


def test_it_is_not_added_twice():
    assert RAW.zero_point_of_solid(SOLID) == pytest.approx(0.140)
    assert RAW.zero_point_of_hydrogen() == pytest.approx(HYDROGEN_ZERO_POINT / 2)
    for twice in (lambda: CORRECTED.zero_point_of_solid(SOLID), CORRECTED.zero_point_of_hydrogen):
        with pytest.raises(InputError, match=r"zero_point: 'included' .* counted twice"):
            twice()


def test_at_298_kelvin_a_corrected_enthalpy_stands_as_it_is():
    # G = H - TS: nothing but the entropy is added to an enthalpy at 298.15 K
    entropy = SOLID.entropy(ROOM_TEMPERATURE)
    assert CORRECTED.of_solid(SOLID, ROOM_TEMPERATURE) == pytest.approx(-ROOM_TEMPERATURE * entropy, abs=1e-12)
    step = 0.5
    slope = (chemical_potential(ROOM_TEMPERATURE + step, 1e-4) - chemical_potential(ROOM_TEMPERATURE - step, 1e-4)) / (
        2 * step
    )
    entropy_of_gas = -slope  # kJ/(mol K); NIST-JANAF: 0.130680
    assert entropy_of_gas == pytest.approx(0.13068, rel=1e-3)
    expected = -ROOM_TEMPERATURE * entropy_of_gas / KJ_PER_MOL / 2
    assert CORRECTED.of_hydrogen(ROOM_TEMPERATURE, 1e-4) == pytest.approx(expected, abs=2e-4)


def test_heat_content_of_hydrogen_is_that_of_its_chemical_potential():
    step = 0.5
    low, middle, high = (chemical_potential(ROOM_TEMPERATURE + shift, 1e-4) for shift in (-step, 0.0, step))
    enthalpy = middle - ROOM_TEMPERATURE * (high - low) / (2 * step)
    assert enthalpy == pytest.approx(HYDROGEN_HEAT_CONTENT, abs=0.02)


def test_both_scales_differ_by_what_the_corrections_hold():
    solid = RAW.of_solid(SOLID, 973.0) - CORRECTED.of_solid(SOLID, 973.0)
    assert solid == pytest.approx(SOLID.internal_energy(ROOM_TEMPERATURE))
    gas = RAW.of_hydrogen(973.0, 5.0) - CORRECTED.of_hydrogen(973.0, 5.0)
    assert 2 * gas == pytest.approx(HYDROGEN_ZERO_POINT + HYDROGEN_HEAT_CONTENT / KJ_PER_MOL)
    assert (RAW.hydrogen_temperature, CORRECTED.hydrogen_temperature) == (0.0, ROOM_TEMPERATURE)
