"""Free energies in hulls: hydrogen's zero-point energy once, all phases or none, estimates marked."""

import math

import numpy as np
import pytest

from ninefold.thermo import Condition, Phase, StabilitySettings, assess
from ninefold.thermo.equation_of_state import EV_PER_GPA_A3, EquationOfState
from ninefold.thermo.free_energy import HYDROGEN_ERROR, METAL_ERROR, STATIC_SOLIDS, VibrationModel
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.hydrogen import (
    KJ_PER_MOL,
    chemical_potential_per_atom,
    enthalpy,
)
from ninefold.thermo.system import ChemicalSystem
from ninefold.thermo.window import decomposition_temperature, formation_of
from ninefold.thermo.zero_point import HYDROGEN_ZERO_POINT as ZERO_POINT_ENERGY
from ninefold.thermo.zero_point import EnergyScale

AMBIENT = StabilitySettings(conditions=(Condition(temperature_K=298.15, pressure_GPa=1e-4),))


def einstein(*quanta):
    """Vibrations of quanta in meV, three modes per atom in all."""
    return HarmonicVibrations(np.array(quanta, dtype=float), np.full(len(quanta), 3 / len(quanta)))


def phase(formula, amounts, energy, kind="binary", volume=10.0, **more):
    return Phase(formula, formula, amounts, energy, volume, kind, **more)


def lithium_hydride(energy=-0.85, with_vibrations=True):
    """LiH with Li and H2: the static energy of reaction and zero-point energies of the size that PBE gives.

    ZPE of LiH 0.217 eV per formula unit and of Li 0.040 eV: Einstein quanta of 4 and 6 modes.
    """
    some = {"vibrations": einstein(27.0)} if with_vibrations else {}
    hydride = {"vibrations": einstein(72.3)} if with_vibrations else {}
    lithium = phase("Li", {"Li": 1}, 0.0, "element", 20.0, **some)
    molecule = Phase("H2", "H2", {"H": 2}, -3.4, None, "molecule")
    lih = phase("LiH", {"Li": 1, "H": 1}, (energy - 3.4) / 2, "candidate", 8.0, phase_class="saline", **hydride)
    return lih, [lithium, molecule]


def test_the_gas_s_enthalpy_is_nist_s():
    """H(298.15) - H(0) of H2: 8.467 kJ/mol (JANAF)."""
    assert enthalpy(298.15) == pytest.approx(8.467, abs=0.03)


def test_hydrogen_s_zero_point_energy_is_counted_once():
    """By hand: G(LiH) - G(Li) - G(H2)/2 with every zero-point energy once, per atom of LiH."""
    lih, others = lithium_hydride()
    [result] = assess([lih], others, AMBIENT)
    T = 298.15
    solids = 2 * lih.vibrations.free_energy(T) - others[0].vibrations.free_energy(T)
    gas = -3.4 + ZERO_POINT_ENERGY / 2 + chemical_potential_per_atom(T, 1e-4)
    by_hand = (-0.85 - 3.4 + solids - gas) / 2
    assert result.conditions[0].phase_separation_energy == pytest.approx(by_hand, abs=1e-5)
    # the static condition leaves out both
    lih, others = lithium_hydride(with_vibrations=False)
    [static] = assess([lih], others, AMBIENT)
    by_hand = (-0.85 - chemical_potential_per_atom(T, 1e-4)) / 2
    assert static.conditions[0].phase_separation_energy == pytest.approx(by_hand, abs=1e-5)
    assert static.conditions[0].notes[0] == STATIC_SOLIDS


def test_the_reaction_enthalpy_of_lithium_hydride_is_the_measured_one():
    """-181 kJ/mol H2 at 298 K, and -171 at 0 K (JANAF, from memory: -90.6 and -85.5 per LiH).

    From the static -0.85 eV, zero-point energies and thermal enthalpies; the difference of the two temperatures does
    not depend on the static energy: -5.1 kJ per LiH.
    """
    lih, (lithium, _) = lithium_hydride()
    at_zero = (
        -0.85 + 2 * lih.vibrations.zero_point_energy - lithium.vibrations.zero_point_energy - ZERO_POINT_ENERGY / 2
    )
    T = 298.15
    at_room = (
        -0.85 + 2 * lih.vibrations.internal_energy(T) - lithium.vibrations.internal_energy(T)
        - ZERO_POINT_ENERGY / 2 - enthalpy(T) / KJ_PER_MOL / 2
    )  # fmt: skip
    assert (at_room - at_zero) * KJ_PER_MOL == pytest.approx(-5.1, abs=1.0)
    assert 2 * at_room * KJ_PER_MOL == pytest.approx(-181, abs=25)


def test_the_gibbs_helmholtz_slope_of_the_root_is_the_enthalpy():
    """d ln p / d(1/T) = Delta H / R of the plateau: van 't Hoff, with the same enthalpies as above."""
    lih, others = lithium_hydride(energy=-0.45)
    system = ChemicalSystem(frozenset({"Li", "H"}), [lih], others, StabilitySettings())

    def plateau(T):
        return formation_of(system, lih, Condition(temperature_K=T, pressure_GPa=5)).lowest_pressure_GPa

    def reaction(T):
        return (
            -0.45 + 2 * lih.vibrations.internal_energy(T) - others[0].vibrations.internal_energy(T)
            - ZERO_POINT_ENERGY / 2 - enthalpy(T) / KJ_PER_MOL / 2
        )  # fmt: skip

    low, high = 480.0, 520.0
    slope = (math.log(plateau(high)) - math.log(plateau(low))) / (1 / high - 1 / low)
    assert slope * 8.617333e-5 == pytest.approx(2 * reaction(500.0), abs=0.01)


def test_decomposition_at_1_bar_is_where_the_plateau_is_1_bar():
    lih, others = lithium_hydride(energy=-0.45)
    system = ChemicalSystem(frozenset({"Li", "H"}), [lih], others, StabilitySettings())
    temperature = decomposition_temperature(system, lih)
    found = formation_of(system, lih, Condition(temperature_K=temperature, pressure_GPa=5))
    assert found.lowest_pressure_GPa == pytest.approx(1e-4, rel=0.01)
    assert found.is_monotone
    assert found.reaction == "Li + 1/2 H2 -> LiH"
    assert found.formed_from == ["Li"]


def of_class(formula, amounts, energy=-1.0, quantum=None, name="saline"):
    more = {} if quantum is None else {"vibrations": einstein(quantum)}
    return phase(formula, amounts, energy, phase_class=name, **more)


def test_a_phase_without_vibrations_gets_those_of_its_class():
    T = 300.0
    metals = [phase("Na", {"Na": 1}, 0.0, "element", vibrations=einstein(10.0))]
    known = of_class("NaH", {"Na": 1, "H": 1}, quantum=50.0)
    unknown = of_class("KH", {"K": 1, "H": 1})
    found = VibrationModel([*metals, known, unknown]).at(T)
    assert found.of(known) == (pytest.approx(known.vibrations.free_energy(T)), 0.0, "own")
    # the same composition of hydrogen and metal, so the same free energy
    assert found.of(unknown).energy == pytest.approx(known.vibrations.free_energy(T))
    assert found.of(unknown).source == "class"
    assert found.of(unknown).uncertainty == pytest.approx(math.hypot(HYDROGEN_ERROR / 2, METAL_ERROR / 2))


def test_another_minimum_lends_its_vibrations_before_the_class_does():
    lowest = of_class("K2ReH9", {"K": 2, "Re": 1, "H": 9}, -4.0, name="complex")
    twin = of_class("K2ReH9", {"K": 2, "Re": 1, "H": 9}, -3.9, quantum=60.0, name="complex")
    found = VibrationModel([twin, lowest]).at(300.0)
    assert found.of(lowest).energy == twin.vibrations.free_energy(300.0)
    assert found.of(lowest).source == "other minimum"


@pytest.mark.parametrize("n_imaginary", [0, 2])
def test_a_class_without_vibrations_makes_the_whole_condition_static(n_imaginary):
    """A hull never mixes phases with and without: an imaginary mode is as good as none."""
    known = of_class("NaH", {"Na": 1, "H": 1})
    vibrations = HarmonicVibrations(np.array([50.0]), np.array([3.0]), n_imaginary)
    known = Phase(**{**known.__dict__, "vibrations": vibrations})
    metal = phase("Na", {"Na": 1}, 0.0, "element", vibrations=einstein(10.0))
    unknown = of_class("K2ReH9", {"K": 2, "Re": 1, "H": 9}, name="complex")
    model = VibrationModel([metal, known, unknown])
    assert model.at(300.0) is None
    assert "complex" in model.reason
    assert model.reason.startswith(STATIC_SOLIDS)
    assert ("saline" in model.reason) == bool(n_imaginary), "no hydride is left to estimate another by"


def test_a_class_of_competitors_without_vibrations_takes_the_mean_of_all_hydrides():
    metal = phase("Na", {"Na": 1}, 0.0, "element", vibrations=einstein(10.0))
    known = [
        of_class("NaH", {"Na": 1, "H": 1}, quantum=50.0),
        of_class("K2ReH9", {"K": 2, "Re": 1, "H": 9}, quantum=80.0, name="complex"),
    ]
    interstitial = of_class("CrH", {"Cr": 1, "H": 1}, name="interstitial")
    model = VibrationModel([metal, *known, interstitial])
    found, low = model.at(300.0).of(interstitial), model.at(300.0).of(of_class("KH", {"K": 1, "H": 1}))
    bare = metal.vibrations.free_energy(300.0)
    saline = 2 * known[0].vibrations.free_energy(300.0) - bare
    of_complex = (12 * known[1].vibrations.free_energy(300.0) - 3 * bare) / 9
    assert found.energy == pytest.approx((bare + (saline + of_complex) / 2) / 2)
    assert (low.source, found.source) == ("class", "other classes")
    assert found.uncertainty > low.uncertainty


def test_compression_is_in_the_free_energy_and_its_fallback_is_told():
    soft = EquationOfState(-1.0, 20.0, 5.0, 4.0)
    lih, (lithium, molecule) = lithium_hydride(with_vibrations=False)
    compressed = Phase(**{**lithium.__dict__, "equation_of_state": soft})
    pressed = StabilitySettings(conditions=(Condition(temperature_K=973, pressure_GPa=5),))
    [simple] = assess([lih], [lithium, molecule], pressed)
    [own] = assess([lih], [compressed, molecule], pressed)
    less = 5 * 20.0 * EV_PER_GPA_A3 - soft.pressure_term(5)
    gained = own.conditions[0].phase_separation_energy - simple.conditions[0].phase_separation_energy
    assert gained == pytest.approx(less / 2, abs=1e-9)
    assert "2 of 2 structures" in simple.conditions[0].notes[1]
    assert "1 of 2 structures" in own.conditions[0].notes[1]


def test_enthalpies_at_298_k_are_given_no_zero_point_energy_twice():
    """A method that gives enthalpies at 298.15 K: there F(T) becomes -T S, and hydrogen's likewise."""
    lih, others = lithium_hydride()
    scale = EnergyScale("included")
    [result] = assess([lih], others, AMBIENT, scale=scale)
    T = 298.15
    solids = -T * (2 * lih.vibrations.entropy(T) - others[0].vibrations.entropy(T))
    gas = -3.4 + chemical_potential_per_atom(T, 1e-4) - enthalpy(T) / KJ_PER_MOL / 2
    assert result.conditions[0].phase_separation_energy == pytest.approx((-0.85 - 3.4 + solids - gas) / 2, abs=2e-4)
