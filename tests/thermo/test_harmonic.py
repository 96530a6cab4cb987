"""Harmonic oscillators against closed formulas, limits and the relations between their functions."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.errors import InputError
from ninefold.thermo.harmonic import BOLTZMANN, MEV_PER_THZ, HarmonicVibrations

EINSTEIN = HarmonicVibrations([120.0], [3.0])
SPECTRUM = HarmonicVibrations([5.0, 20.0, 80.0, 150.0], [0.2, 0.8, 1.0, 1.0])


@pytest.mark.parametrize("temperature", [10.0, 77.0, 298.15, 973.0, 2500.0])
def test_einstein_solid_is_that_of_the_textbook(temperature):
    quantum, kt = 0.120, BOLTZMANN * temperature
    # Z = 1/(2 sinh(e/2kT)): another form than the code sums
    assert EINSTEIN.free_energy(temperature) == pytest.approx(
        3 * kt * math.log(2 * math.sinh(quantum / (2 * kt))), abs=1e-10
    )
    assert EINSTEIN.internal_energy(temperature) == pytest.approx(
        1.5 * quantum / math.tanh(quantum / (2 * kt)), abs=1e-10
    )
    x = quantum / (2 * kt)
    assert EINSTEIN.heat_capacity(temperature) == pytest.approx(3 * BOLTZMANN * (x / math.sinh(x)) ** 2, abs=1e-14)
    assert EINSTEIN.zero_point_energy == pytest.approx(0.180)


def test_nothing_but_the_zero_point_energy_is_left_at_zero_kelvin():
    assert SPECTRUM.free_energy(0.0) == SPECTRUM.internal_energy(0.0) == SPECTRUM.zero_point_energy
    assert SPECTRUM.entropy(0.0) == SPECTRUM.heat_capacity(0.0) == 0.0
    assert SPECTRUM.free_energy(1e-3) == pytest.approx(SPECTRUM.zero_point_energy, abs=1e-12)
    assert SPECTRUM.entropy(1e-3) == pytest.approx(0.0, abs=1e-15)


def test_classical_limit_is_that_of_dulong_and_petit():
    soft = HarmonicVibrations([1.0, 2.0], [1.5, 1.5])
    kt = BOLTZMANN * 3000
    assert soft.heat_capacity(3000.0) == pytest.approx(3 * BOLTZMANN, rel=1e-5)
    assert soft.internal_energy(3000.0) == pytest.approx(3 * kt, rel=1e-5)
    classical = 1.5 * kt * (math.log(0.001 / kt) + math.log(0.002 / kt))
    correction = kt * 1.5 * ((0.001 / kt) ** 2 + (0.002 / kt) ** 2) / 24  # Wigner and Kirkwood's first
    assert soft.free_energy(3000.0) == pytest.approx(classical + correction, abs=1e-9)


@given(st.floats(5.0, 2500.0))
def test_functions_are_derivatives_of_the_free_energy(temperature):
    step = temperature * 1e-3
    free = SPECTRUM.free_energy(np.array([temperature - step, temperature, temperature + step]))
    entropy = SPECTRUM.entropy(temperature)
    assert entropy == pytest.approx(-(free[2] - free[0]) / (2 * step), rel=1e-4, abs=1e-12)
    assert free[1] == pytest.approx(SPECTRUM.internal_energy(temperature) - temperature * entropy, abs=1e-12)
    slope = (SPECTRUM.entropy(temperature + step) - SPECTRUM.entropy(temperature - step)) / (2 * step)
    assert SPECTRUM.heat_capacity(temperature) == pytest.approx(temperature * slope, rel=1e-4, abs=1e-12)


def test_arrays_of_temperatures_keep_their_shape():
    temperatures = np.array([[0.0, 100.0], [300.0, 973.0]])
    found = SPECTRUM.free_energy(temperatures)
    assert found.shape == (2, 2)
    assert found[1, 1] == SPECTRUM.free_energy(973.0)


def test_a_mesh_is_averaged_over_its_points_and_counted_per_atom():
    mesh = HarmonicVibrations.of_mesh([[-1.0, 0.0, 0.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], [1, 3], 2)
    assert mesh.weights.sum() == pytest.approx((3 * 1 + 6 * 3) / 4 / 2)
    assert mesh.missing_modes == pytest.approx(3 * 1 / 4 / 2)
    expected = (0.25 * (4 + 5 + 6) + 0.75 * (1 + 2 + 3 + 4 + 5 + 6)) / 2 * MEV_PER_THZ / 2000
    assert mesh.zero_point_energy == pytest.approx(expected)


def test_a_condensed_spectrum_has_the_same_energies():
    generator = np.random.default_rng(3)
    frequencies = generator.uniform(0.5, 250.0, 20_000)
    full = HarmonicVibrations(frequencies, np.full(20_000, 3 / 20_000), 2)
    short = full.condensed()
    assert len(short.weights) < 13_000
    assert short.n_imaginary == 2
    assert short.zero_point_energy == pytest.approx(full.zero_point_energy, abs=1e-13)
    for temperature in (10.0, 298.0, 973.0):
        assert short.free_energy(temperature) == pytest.approx(full.free_energy(temperature), abs=1e-7)


def test_it_is_plain_json_pickled_compared_and_immutable():
    again = HarmonicVibrations.from_dict(json.loads(json.dumps(SPECTRUM.to_dict())))
    assert again == SPECTRUM == pickle.loads(pickle.dumps(SPECTRUM))
    assert hash(again) == hash(SPECTRUM)
    assert again != EINSTEIN
    with pytest.raises(ValueError, match="read-only"):
        SPECTRUM.weights[0] = 1.0


@pytest.mark.parametrize("temperature", [-1.0, 3001.0, math.nan, math.inf])
def test_a_temperature_out_of_range_is_refused(temperature):
    with pytest.raises(InputError, match=r"temperature_K: .* allowed: 0 to 3000"):
        SPECTRUM.free_energy(temperature)


@pytest.mark.parametrize(
    ("frequencies", "weights"),
    [([0.0], [1.0]), ([-3.0], [1.0]), ([math.nan], [1.0]), ([1.0], [-1.0]), ([1.0], [3.1]), ([1.0, 2.0], [1.0])],
)
def test_what_is_no_list_of_oscillators_is_refused(frequencies, weights):
    with pytest.raises(ValueError, match="must be"):
        HarmonicVibrations(frequencies, weights)
