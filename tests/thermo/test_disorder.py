"""The bound of disorder: its limits, and a number by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ninefold.thermo.disorder import BOLTZMANN, NEAR, disorder_bound

ENERGIES = st.lists(st.floats(-5.0, -4.985), min_size=1, max_size=12)


def test_eight_equal_minima_of_li5moh11_by_hand():
    """k T ln 8 at 973 K is 174.4 meV per anion, 10.3 per atom of Li5MoH11."""
    bound = disorder_bound([-4.0] * 8, 17, 973.0)
    assert 1000 * bound.largest_lowering_per_atom == pytest.approx(10.26, abs=0.01)
    assert bound.lowering_per_atom == pytest.approx(bound.largest_lowering_per_atom)
    assert bound.effective_minima == pytest.approx(8)
    assert bound.entropy_per_anion == pytest.approx(BOLTZMANN * math.log(8))


def test_cold_leaves_the_lowest_alone():
    bound = disorder_bound([-4.0, -3.998, -3.995], 17, 5.0)
    assert bound.effective_minima == pytest.approx(1.0, abs=1e-3)
    assert bound.lowering_per_atom == pytest.approx(0.0, abs=1e-6)


def test_what_lies_high_is_no_part_of_it():
    bound = disorder_bound([-4.0, -4.0 + NEAR + 1e-6], 10, 300.0)
    assert bound.minima == 1
    assert bound.largest_lowering_per_atom == 0.0


@given(ENERGIES, st.integers(3, 40), st.floats(50, 2000))
def test_between_none_and_all(energies, atoms, temperature):
    bound = disorder_bound(energies, atoms, temperature)
    assert 1 - 1e-9 <= bound.effective_minima <= bound.minima + 1e-9
    assert -1e-12 <= bound.lowering_per_atom <= bound.largest_lowering_per_atom + 1e-12
    warmer = disorder_bound(energies, atoms, temperature * 1.3)
    assert warmer.lowering_per_atom >= bound.lowering_per_atom - 1e-12
    assert warmer.effective_minima >= bound.effective_minima - 1e-9


@given(ENERGIES, st.integers(3, 40), st.floats(50, 2000))
def test_free_energy_is_that_of_the_mean_energy_and_the_entropy(energies, atoms, temperature):
    """F = <E> - T S of the Boltzmann weights, per anion."""
    bound = disorder_bound(energies, atoms, temperature)
    above = [(energy - min(energies)) * atoms for energy in energies if energy - min(energies) <= NEAR]
    weights = [math.exp(-energy / (BOLTZMANN * temperature)) for energy in above]
    mean = sum(weight * energy for weight, energy in zip(weights, above, strict=True)) / sum(weights)
    entropy = BOLTZMANN * math.log(bound.effective_minima)
    assert -bound.lowering_per_atom * atoms == pytest.approx(mean - temperature * entropy, abs=1e-9)


@pytest.mark.parametrize(("energies", "atoms", "temperature"), [([], 5, 300), ([-1.0], 0, 300), ([-1.0], 5, 0)])
def test_what_has_no_bound(energies, atoms, temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        disorder_bound(energies, atoms, temperature)
