"""Windows of pressure and maps: roots against the equation of hydrogen alone, and the laws between the two."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from ninefold.errors import InputError
from ninefold.thermo import Condition, Phase, StabilitySettings
from ninefold.thermo.ensembles import EV_PER_GPA_A3
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential
from ninefold.thermo.phase_map import composition_map, system_map
from ninefold.thermo.results import Formation
from ninefold.thermo.system import ChemicalSystem
from ninefold.thermo.window import (
    CONFIDENCE,
    QUENCH_LIMIT,
    crossings_of,
    decomposition_temperature,
    formation_of,
    known_interval,
    lowest_pressures,
    melting_note,
    pressure_text,
    pressure_with_unit,
    range_text,
    range_with_unit,
    sentence,
    stable_ranges,
    with_interval,
)

PRESS = Condition(temperature_K=973, pressure_GPa=5)
MOLECULE = Phase("H2", "H2", {"H": 2}, 0.0, None, "molecule")


def binary(energy, volume=10.0):
    """Li and LiH; with 10 Å³ per atom of LiH the solids' volumes are the same and p V cancels.

    Args:
        energy: Of Li + H2/2 -> LiH, eV.
        volume: Å³/atom of LiH.
    """
    hydride = Phase("LiH", "LiH", {"Li": 1, "H": 1}, energy / 2, volume)
    metal = Phase("Li bcc", "Li", {"Li": 1}, 0.0, 20.0, "element")
    return ChemicalSystem(frozenset({"Li", "H"}), [hydride], [metal, MOLECULE], StabilitySettings()), hydride


@pytest.mark.parametrize("energy", [-0.6, -0.4, -0.2])
@pytest.mark.parametrize("temperature", [500.0, 973.0, 1200.0])
def test_the_lowest_pressure_is_where_hydrogen_s_potential_is_the_reaction_energy(energy, temperature):
    system, hydride = binary(energy)
    found = formation_of(system, hydride, Condition(temperature_K=temperature, pressure_GPa=5))
    assert found.lowest_pressure_GPa is not None
    if found.lowest_pressure_GPa > 1e-9:
        potential = chemical_potential(temperature, found.lowest_pressure_GPa) / KJ_PER_MOL
        assert potential == pytest.approx(2 * energy, abs=2e-4)
        assert found.reaction == "Li + 1/2 H2 -> LiH"
        assert found.pressure_slope < 0
    assert found.highest_pressure_GPa == 10
    assert found.is_monotone


def test_a_hydride_of_larger_volume_has_a_window():
    """p V of the solids ends it where the gas's own volume is the smaller one: the root is that of G by hand."""
    system, hydride = binary(-0.35, volume=17.5)  # 15 Å³ more per formula unit
    found = formation_of(system, hydride, PRESS)
    assert found.lowest_pressure_GPa is not None
    assert found.highest_pressure_GPa < 10

    def by_hand(pressure):
        return -0.35 + pressure * 15 * EV_PER_GPA_A3 - chemical_potential(973, pressure) / KJ_PER_MOL / 2

    for root in (found.lowest_pressure_GPa, found.highest_pressure_GPa):
        assert by_hand(root) == pytest.approx(0, abs=2e-4)
    assert not found.is_monotone
    [only] = stable_ranges(system, hydride, 973)
    assert only == (found.lowest_pressure_GPa, found.highest_pressure_GPa), "in and out are one window"
    told = sentence(found, "LiH", 0.3)
    assert f"up to {found.highest_pressure_GPa:.1f} GPa" in told


class Levels:
    """In place of a chemical system: a distance to the hull that is a function of the pressure alone."""

    def __init__(self, distance):
        self.distance = distance

    def separation(self, candidate, temperature, pressure):
        return self.distance(pressure)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (lambda p: 1.0, []),
        (lambda p: -1.0, [(1e-9, 10)]),
        (lambda p: p - 0.5, [(1e-9, 0.5)]),
        (lambda p: 0.5 - p, [(0.5, 10)]),
        (lambda p: (p - 0.02) * (p - 3.2), [(0.02, 3.2)]),
        (lambda p: (p - 0.02) * (p - 0.5) * (p - 3.2), [(1e-9, 0.02), (0.5, 3.2)]),
        (lambda p: -(p - 0.02) * (p - 0.5) * (p - 3.2), [(0.02, 0.5), (3.2, 10)]),
        (lambda p: -(p - 0.02) * (p - 0.5), [(1e-9, 0.02), (0.5, 10)]),
    ],
)
def test_the_ranges_of_stability_are_counted_not_the_changes_of_sign(distance, expected):
    found = stable_ranges(Levels(distance), None, 973)
    assert [end for each in found for end in each] == pytest.approx(
        [end for each in expected for end in each], rel=1e-3
    )


def test_solid_hydrogen_is_noted_as_conditions_note_it():
    assert melting_note([500, 973, 1200]) is None
    told = melting_note([973, 300, 300, 350])
    assert told.startswith("hydrogen is solid above 5.4 GPa at 300 K, ")
    assert " GPa at 350 K: " in told
    assert "the potential is that of the undercooled fluid" in told
    assert "973" not in told


def test_decomposition_at_one_bar_is_the_temperature_of_that_potential():
    system, hydride = binary(-0.4)
    temperature = decomposition_temperature(system, hydride)
    assert chemical_potential(temperature, 1e-4) / KJ_PER_MOL == pytest.approx(-0.8, abs=1e-3)
    assert decomposition_temperature(*binary(0.1)) is None
    assert decomposition_temperature(*binary(-3.0)) == 1200


def test_what_survives_is_stable_or_little_above():
    potential = chemical_potential(300, 1e-4) / KJ_PER_MOL
    for above, survives in ((-0.01, True), (QUENCH_LIMIT - 0.001, True), (QUENCH_LIMIT + 0.001, False)):
        found = formation_of(*binary(potential / 2 + 2 * above), PRESS)
        assert found.ambient_separation == pytest.approx(above, abs=1e-6)
        assert found.survives_ambient is survives


def test_every_change_of_sign_is_found():
    found, first = crossings_of(lambda x: (x - 2) * (x - 30) * (x - 700), [1, 10, 100, 1000])
    assert [crossing.at for crossing in found] == [pytest.approx(root, rel=1e-3) for root in (2, 30, 700)]
    assert [crossing.rises for crossing in found] == [True, False, True]
    assert first < 0


@pytest.mark.parametrize(
    ("energy", "words"),
    [
        (-0.35, ["LiH forms from Li + H2 above", "± 1.2 GPa at 973 K; stable at 300 K and 1 bar", "decomposes above"]),
        (0.0, ["GPa at 973 K; not expected to survive at 300 K and 1 bar, 0.0"]),
        (-0.14, ["metastable at 300 K and 1 bar by 0.0"]),
        (4.0, ["LiH is stable at no pressure to 10 GPa at 973 K"]),
        (-3.0, ["is stable at 973 K from 1e-05 bar of hydrogen on", "stable to 1200 K at 1 bar"]),
    ],
)
def test_the_sentence_says_it(energy, words):
    system, hydride = binary(energy)
    told = sentence(formation_of(system, hydride, PRESS), "LiH", 1.2)
    assert all(word in told for word in words), told


def test_the_range_of_lowest_pressures_is_where_the_distance_is_plus_and_minus_its_uncertainty():
    system, hydride = binary(-0.35)
    low, high = lowest_pressures(system, hydride, 973, 0.03)
    assert system.separation(hydride, 973, low) == pytest.approx(0.03, abs=1e-4)
    assert system.separation(hydride, 973, high) == pytest.approx(-0.03, abs=1e-4)
    middle = formation_of(system, hydride, PRESS)
    assert low < middle.lowest_pressure_GPa < high
    assert lowest_pressures(system, hydride, 973, 50.0) == (1e-9, None)
    told = sentence(middle, "LiH", 99.0, (low, high))
    assert f"at 973 K (90 %: {range_with_unit((low, high))})" in told
    assert "±" not in told
    assert range_text((0.02, None)) == "0.02 to more than 10"
    assert range_text((1e-9, 0.3)) == "below 0 to 0.3"
    assert range_text((None, None)) == "more than 10"
    assert range_text((1e-9, 1e-9)) == "below 0"
    assert range_text((2.0, 2.0)) == "2.0 to 2.0"
    assert (range_with_unit((None, None)), range_with_unit((1e-9, 1e-9))) == ("more than 10 GPa", "below 0 GPa")


def test_a_stored_interval_holds_for_its_uncertainty_alone():
    system, hydride = binary(-0.35)
    found = with_interval(formation_of(system, hydride, PRESS), system, hydride, 0.03)
    assert found.lowest_between_GPa == lowest_pressures(system, hydride, 973, CONFIDENCE * 0.03)
    stored = json.loads(json.dumps(asdict(found)))
    assert known_interval(stored, 0.03) == found.lowest_between_GPa
    assert known_interval(stored, 0.031) is None, "another method's distance has been added since"
    assert known_interval(stored, None) is None
    earlier = asdict(formation_of(system, hydride, PRESS))
    assert known_interval(earlier, 0.03) is None
    del earlier["lowest_between_GPa"], earlier["between_uncertainty"]
    assert known_interval(earlier, 0.03) is None
    assert Formation(**earlier).reaction == found.reaction, "rows of an earlier version are read"


def bent(energy):
    """Li, LiH, and a Li2H that takes the metal's place beside LiH: LiH forms from Li, or at higher pressure from Li2H.

    Args:
        energy: Of LiH, eV/atom.
    """
    phases = [Phase("LiH", "LiH", {"Li": 1, "H": 1}, energy, 16.0)]
    half = Phase("Li2H", "Li2H", {"Li": 2, "H": 1}, -0.14, 13.0)
    metal = Phase("Li bcc", "Li", {"Li": 1}, 0.0, 20.0, "element")
    system = ChemicalSystem(frozenset({"Li", "H"}), [*phases, half], [metal, MOLECULE], StabilitySettings())
    return system, phases[0]


@pytest.mark.parametrize("energy", [-0.12, -0.05, 0.02, 0.07])
@pytest.mark.parametrize("moved", [0.01, 0.04, 0.12])
def test_the_interval_is_that_of_hulls_with_the_energy_moved(energy, moved):
    """Brute force: the first of many pressures at which the moved hydride is stable."""
    system, hydride = bent(energy)
    found = lowest_pressures(system, hydride, 600, moved)
    grid = np.logspace(-9, 1, 2001)
    for shift, at in zip((-moved, moved), found, strict=True):
        other, its_hydride = bent(energy + shift)
        stable = [pressure for pressure in grid if other.separation(its_hydride, 600, pressure) <= 0]
        if not stable:
            assert at is None
        else:
            assert at == pytest.approx(stable[0], rel=0.012), "the step of the grid"
    # the slope at the root would say something else, which is why the ends are said
    middle = formation_of(system, hydride, Condition(temperature_K=600, pressure_GPa=5))
    width = moved / abs(middle.pressure_slope) / 1.645 if middle.pressure_slope else None
    told = sentence(middle, "LiH", width, found)
    lowest, (low, high) = middle.lowest_pressure_GPa, found
    if lowest is None:
        assert ("(within its uncertainty, 90 %, from " in told) == (low is not None)
        assert "90 %: " not in told, "a range would read as one where it forms"
    elif lowest <= 1e-9:
        assert ("(90 %: " in told) == (low != high)
    elif low is not None and low > 1e-9 and high is not None:
        linear = lowest - 1.645 * width, lowest + 1.645 * width
        is_straight = np.allclose(linear, found, rtol=0, atol=0.1 * 1.645 * width)
        assert ("±" in told) == is_straight
        assert (f"(90 %: {range_with_unit(found)})" in told) == (not is_straight)
    else:
        assert "±" not in told
        assert ("below 0 to" if low == 1e-9 else "more than 10") in told


def test_a_straight_boundary_has_its_standard_deviation():
    middle = formation_of(*binary(-0.35), PRESS)
    lowest = middle.lowest_pressure_GPa
    ends = (lowest - 1.645 * 0.1 * lowest, lowest + 1.645 * 0.1 * lowest)
    assert f"above {pressure_text(lowest)} ± {pressure_text(0.1 * lowest)} GPa" in sentence(
        middle, "LiH", 0.1 * lowest, ends
    )


def test_the_map_agrees_with_the_roots():
    system, hydride = binary(-0.35)
    temperatures, pressures = np.linspace(300, 1200, 4), np.logspace(-4, 1, 11)
    drawn = composition_map(system, hydride, temperatures, pressures)
    whole = system_map(system, temperatures, pressures)
    for row, temperature in enumerate(temperatures):
        lowest = formation_of(
            system, hydride, Condition(temperature_K=float(temperature), pressure_GPa=5)
        ).lowest_pressure_GPa  # fmt: skip
        for column, pressure in enumerate(pressures):
            is_stable = lowest is not None and pressure > lowest
            assert drawn.assemblages[drawn.indices[row, column]] == ("LiH" if is_stable else "Li")
            assert (drawn.distances[row, column] <= 0) == is_stable
            assert whole.assemblages[whole.indices[row, column]] == ("LiH" if is_stable else "no phase of all elements")
    assert drawn.at(1190, 1.1e-4) == "Li"


@pytest.mark.parametrize(
    ("temperatures", "pressures", "words"),
    [
        ([300, 1300], [1], "temperature_K: 1300.* allowed: 100 to 1200"),
        ([300], [1, 20], "pressure_GPa: 20.* allowed: 1e-09 to 10"),
        ([], [1], "temperature_K"),
        ([math.nan], [1], "temperature_K"),
    ],
)
def test_a_map_out_of_range_is_refused(temperatures, pressures, words):
    system, hydride = binary(-0.35)
    with pytest.raises(InputError, match=words):
        composition_map(system, hydride, temperatures, pressures)


def test_a_root_at_the_end_of_the_range_is_not_looked_for_beyond_it():
    """The logarithm of 10 and back is above 10."""
    asked = []

    def function(pressure):
        asked.append(pressure)
        return 9.9999 - pressure

    [found], _ = crossings_of(function, [1.0, 10.0])
    assert found.at == pytest.approx(9.9999, rel=2e-4)
    assert max(asked) <= 10


def test_what_it_forms_from_is_marked_where_nobody_has_made_it():
    found = replace(formation_of(*binary(-0.35), PRESS), formed_from=["K3ReH10", "Re"])
    assert " forms from K3ReH10 (predicted) + Re + H2 above" in sentence(found, "K2ReH9", predicted={"K3ReH10"})
    assert " forms from K3ReH10 + Re + H2 above" in sentence(found, "K2ReH9", predicted=["Re2"])


@pytest.mark.parametrize(
    ("pressure", "words"), [(4.5e-6, "0.045 bar"), (0.99e-4, "0.99 bar"), (1e-4, "0.0001 GPa"), (3.14, "3.1 GPa")]
)
def test_a_sentence_gives_what_is_below_one_bar_in_bar(pressure, words):
    assert pressure_with_unit(pressure) == words
    found = replace(formation_of(*binary(-0.35), PRESS), lowest_pressure_GPa=pressure)
    assert f"above {words} at 973 K" in sentence(found, "LiH")
    number, unit = words.split()
    assert f"above {number} ± {number} {unit} at 973 K" in sentence(found, "LiH", pressure)
    assert f"above {words.removesuffix(' GPa')} ± more than 10 GPa at" in sentence(found, "LiH", 99.0)


def test_a_range_below_one_bar_has_both_units():
    assert range_with_unit((0.02, None)) == "0.02 to more than 10 GPa"
    assert range_with_unit((4.5e-6, 0.3)) == "0.045 bar to 0.3 GPa"
    assert range_with_unit((1e-9, 4.5e-6)) == "below 0 GPa to 0.045 bar"
    assert range_with_unit((4.5e-6, None)) == "0.045 bar to more than 10 GPa"
