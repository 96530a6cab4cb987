"""Hydrogen gas: tables, limits, Maxwell's relations."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.errors import InputError
from ninefold.thermo.hydrogen import (
    GAS_CONSTANT,
    chemical_potential,
    chemical_potential_per_atom,
    is_solid,
)

PRESSURES = (1e-4, 0.01, 0.1, 1, 3, 5, 7, 10)
TABLE = {
    300: (-30.7, -19.1, -11.9, 6.2, 29.9, 48.8, 65.5, 88.1),
    600: (-73.4, -50.2, -37.3, -13.3, 13.3, 33.5, 51.1, 74.6),
    873: (-116.2, -82.6, -64.5, -35.1, -5.9, 15.5, 33.9, 58.2),
    973: (-132.6, -95.2, -75.1, -43.7, -13.6, 8.3, 26.9, 51.5),
    1200: (-170.9, -124.8, -100.4, -64.5, -32.2, -9.3, 10.0, 35.3),
}
"""kJ/mol H2, computed independently: NIST's Shomate equation and two published equations of state."""

temperatures = st.floats(100, 1200)
pressures = st.floats(-9, 1).map(lambda exponent: min(10.0**exponent, 10.0))


@pytest.mark.parametrize(
    ("temperature", "pressure", "expected"),
    [(t, p, mu) for t, row in TABLE.items() for p, mu in zip(PRESSURES, row, strict=True)],
)
def test_table(temperature, pressure, expected):
    assert chemical_potential(temperature, pressure) == pytest.approx(expected, abs=0.4)


def shomate(temperature):
    """Gibbs energy at 1 bar from H(0 K), kJ/mol: NIST Chemistry WebBook."""
    low = (33.066178, -11.363417, 11.432816, -2.772874, -0.158558, -9.980797, 172.707974)
    high = (18.563083, 12.257357, -2.859786, 0.268238, 1.977990, -1.147438, 156.288133)
    a, b, c, d, e, f, g = low if temperature < 1000 else high
    t = temperature / 1000
    enthalpy = a * t + b * t**2 / 2 + c * t**3 / 3 + d * t**4 / 4 - e / t + f
    entropy = a * math.log(t) + b * t + c * t**2 / 2 + d * t**3 / 3 - e / (2 * t**2) + g
    return 8.467 + enthalpy - temperature * entropy / 1000  # H(298.15 K) - H(0 K): JANAF


@pytest.mark.parametrize("temperature", [298.15, 400, 600, 900, 1100, 1200])
def test_the_ideal_gas_is_that_of_the_thermochemical_tables(temperature):
    assert chemical_potential(temperature, 1e-4) == pytest.approx(shomate(temperature), abs=0.03)


def hemmes_volume(temperature, pressure):
    """Hemmes, Driessen & Griessen, J. Phys. C 19, 3571 (1986), bar and cm³/mol, from memory."""
    p = pressure * 1e4
    x = math.log(p)
    a = math.exp(19.599 - 0.8946 * x - math.exp(-18.608 + 2.6013 * x))
    coefficients = (
        20.285, -7.44171, 7.318565, -3.463717, 0.87372903, -0.12385414, 9.8570583e-3, -4.1153723e-4, 7.02499e-6,
    )  # fmt: skip
    b = sum(coefficient * x**power for power, coefficient in enumerate(coefficients))
    bounded = min(temperature, 300.0)
    alpha = 2.9315 - 1.531e-3 * bounded + 4.154e-6 * bounded**2
    volume = GAS_CONSTANT * 10 * temperature / p + b
    for _ in range(200):
        volume = GAS_CONSTANT * 10 * temperature / (p + a / volume**alpha) + b
    return volume


def volume(temperature, pressure, step=1e-4):
    """cm³/mol = kJ/(mol GPa): the pressure derivative of the chemical potential, pressure in GPa."""
    low, high = pressure * (1 - step), pressure * (1 + step)
    return (chemical_potential(temperature, high) - chemical_potential(temperature, low)) / (high - low)


@pytest.mark.parametrize("temperature", [300, 600, 973])
@pytest.mark.parametrize("pressure", [0.05, 0.2, 1, 5, 9.99])
def test_volume_against_the_equation_of_hemmes(temperature, pressure):
    assert volume(temperature, pressure) == pytest.approx(hemmes_volume(temperature, pressure), rel=0.03)


def tkacz_volume(temperature, pressure):
    """Tkacz & Litwiniuk, J. Alloys Compd. 330-332, 89 (2002), MPa and cm³/mol, from memory."""
    p = pressure * 1e3
    return (
        176.330 * p ** (-1 / 3)
        - 633.675 * p ** (-2 / 3)
        - 304.574 * p ** (-4 / 3)
        + (731.393 + 8.59805 * temperature) / p
    )


@given(temperatures, st.floats(0.1, 9.99))
def test_volume_is_that_of_the_equation_of_state(temperature, pressure):
    pressure = max(pressure, 0.1002)
    assert volume(temperature, pressure) == pytest.approx(tkacz_volume(temperature, pressure), rel=1e-4)


@given(temperatures, st.floats(-8.9, -1.01))
def test_below_the_join_the_covolume_depends_on_temperature_alone(temperature, exponent):
    covolume = tkacz_volume(temperature, 0.1) - GAS_CONSTANT * temperature / 100
    pressure = 10**exponent
    expected = GAS_CONSTANT * temperature / (pressure * 1e3) + covolume
    assert volume(temperature, pressure) == pytest.approx(expected, rel=1e-4)


@given(st.floats(101, 1199), pressures)
def test_entropy_is_positive(temperature, pressure):
    slope = (chemical_potential(temperature + 1, pressure) - chemical_potential(temperature - 1, pressure)) / 2
    assert slope < 0


@given(temperatures, st.floats(-9, -6))
def test_a_thin_gas_is_ideal(temperature, exponent):
    pressure = 10**exponent
    difference = chemical_potential(temperature, 10 * pressure) - chemical_potential(temperature, pressure)
    assert difference == pytest.approx(GAS_CONSTANT * temperature * math.log(10) / 1e3, abs=2e-3)


@given(temperatures)
def test_volume_is_continuous_where_the_equations_meet(temperature):
    below, above = volume(temperature, 0.09999, 1e-5), volume(temperature, 0.10001, 1e-5)
    assert below == pytest.approx(above, rel=5e-4)


def test_the_real_gas_matters_under_a_press():
    ideal = chemical_potential(973, 1e-4) + GAS_CONSTANT * 973 * math.log(5e4) / 1e3
    assert chemical_potential(973, 5) - ideal == pytest.approx(54, abs=2)


def test_per_atom():
    assert chemical_potential_per_atom(300, 1e-4) == pytest.approx(-30.7 / 96.485 / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("temperature", "pressure", "solid"),
    [(300, 5.3, False), (300, 5.7, True), (973, 10, False), (14.0, 0, True), (14.1, 0, False)],
)
def test_melting_line(temperature, pressure, solid):
    assert is_solid(temperature, pressure) is solid


@pytest.mark.parametrize(
    ("temperature", "pressure", "field"),
    [(99, 1, "temperature_K"), (1201, 1, "temperature_K"), (300, 10.1, "pressure_GPa"), (300, 0, "pressure_GPa"),
     (float("nan"), 1, "temperature_K"), (300, -1, "pressure_GPa")],
)  # fmt: skip
def test_range_guard(temperature, pressure, field):
    with pytest.raises(InputError, match=f"{field}.*is outside the range"):
        chemical_potential(temperature, pressure)
