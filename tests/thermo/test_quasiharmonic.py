"""Thermal expansion: phonopy's own quasi-harmonic fit, a model solved on paper, and the laws between G, V and F."""

import numpy as np
import pytest

from ninefold.errors import InputError
from ninefold.thermo import Condition, Phase, StabilitySettings
from ninefold.thermo.equation_of_state import EV_PER_GPA_A3
from ninefold.thermo.free_energy import AT_REST
from ninefold.thermo.harmonic import BOLTZMANN, HarmonicVibrations
from ninefold.thermo.quasiharmonic import QuasiHarmonic, QuasiHarmonicError, _well, vinet
from ninefold.thermo.system import ChemicalSystem
from ninefold.thermo.zero_point import EnergyScale

V0, B0, GRUENEISEN, QUANTUM = 8.0, 70.0, 1.3, 60.0
"""Å³/atom, GPa, 1, meV: of the size of a hydride's."""
MODULUS = B0 * EV_PER_GPA_A3


def einstein(volume):
    """Three oscillators per atom that soften as V^-gamma."""
    return HarmonicVibrations(np.array([QUANTUM * (V0 / volume) ** GRUENEISEN]), np.array([3.0]))


def energy(volume):
    """Vinet with B' = 4.5."""
    x, xi = (volume / V0) ** (1 / 3), 1.5 * 3.5
    return -3.0 + 9 * MODULUS * V0 / xi**2 * (1 + (xi * (1 - x) - 1) * np.exp(xi * (1 - x)))


@pytest.fixture(scope="module")
def solid():
    volumes = np.linspace(0.92, 1.14, 9) * V0
    return QuasiHarmonic(tuple(volumes), tuple(map(energy, volumes)), tuple(map(einstein, volumes)))


@pytest.mark.parametrize("pressure", [0.0, 2.0])
def test_phonopy_gives_the_same(solid, pressure):
    """Oracle: phonopy's quasi-harmonic fit of the same energies and free energies."""
    from phonopy import PhonopyQHA

    temperatures = np.arange(0.0, 803.0, 1.0)
    per_mole = 96.48533212331  # eV to kJ/mol
    cells = [(modes.free_energy(temperatures), modes.entropy(temperatures), modes.heat_capacity(temperatures))
             for modes in solid.vibrations]  # fmt: skip
    free, entropy, capacity = (np.array(values).T * per_mole for values in zip(*cells, strict=True))
    oracle = PhonopyQHA(
        volumes=np.array(solid.volumes), electronic_energies=np.array(solid.energies), temperatures=temperatures,
        free_energy=free, entropy=1000 * entropy, cv=1000 * capacity, pressure=pressure, eos="vinet", t_max=800,
    )  # fmt: skip
    for kelvin in (0, 100, 300, 500, 800):
        found = solid.at(float(kelvin), pressure)
        assert found.gibbs_energy == pytest.approx(oracle.gibbs_temperature[kelvin], abs=1e-6)
        assert found.volume_per_atom == pytest.approx(oracle.volume_temperature[kelvin], rel=1e-6)
        assert found.bulk_modulus == pytest.approx(oracle.bulk_modulus_temperature[kelvin], rel=1e-4)
        assert solid.thermal_expansion(float(kelvin), pressure) == pytest.approx(
            oracle.thermal_expansion[kelvin], rel=0.01, abs=2e-7
        )


@pytest.mark.parametrize("temperature", [0.0, 300.0, 700.0])
def test_the_volume_is_where_the_thermal_pressure_is_balanced(solid, temperature):
    """On paper: -dE/dV = -gamma U(V, T) / V, by bisection of the exact functions; the fit is what differs."""

    def pressure(volume):
        return (energy(volume - 1e-4) - energy(volume + 1e-4)) / 2e-4 + (
            GRUENEISEN * einstein(volume).internal_energy(temperature) / volume
        )

    low, high = 0.95 * V0, 1.13 * V0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if pressure(middle) > 0 else (low, middle)
    assert solid.at(temperature).volume_per_atom == pytest.approx(low, rel=2e-4)
    exact = energy(low) + einstein(low).free_energy(temperature)
    assert solid.at(temperature).gibbs_energy == pytest.approx(exact, abs=2e-5)


def test_expansion_is_grueneisen_s(solid):
    """alpha = gamma Cv / (B V): of the fit's own B, V and the oscillators' heat capacity there."""
    at = solid.at(300.0)
    capacity = einstein(at.volume_per_atom).heat_capacity(300.0)
    expected = GRUENEISEN * capacity / (at.bulk_modulus * EV_PER_GPA_A3 * at.volume_per_atom)
    assert solid.thermal_expansion(300.0) == pytest.approx(expected, rel=0.01)
    assert solid.thermal_expansion(0.0) == pytest.approx(0, abs=1e-9)
    assert capacity < 3 * BOLTZMANN


def test_the_gibbs_energy_s_slope_with_the_pressure_is_the_volume(solid):
    high, low = solid.at(500.0, 1.01), solid.at(500.0, 0.99)
    slope = (high.gibbs_energy - low.gibbs_energy) / 0.02 / EV_PER_GPA_A3
    assert slope == pytest.approx(solid.at(500.0, 1.0).volume_per_atom, rel=1e-4)
    fixed = einstein(V0).free_energy(500.0) + energy(V0)
    assert solid.at(500.0).gibbs_energy < fixed, "it may choose its volume"
    assert solid.static().volume_per_atom == pytest.approx(V0, rel=1e-6)
    assert solid.static().bulk_modulus == pytest.approx(B0, rel=1e-4)


def test_a_volume_beyond_the_computed_ones_is_refused(solid):
    with pytest.raises(QuasiHarmonicError, match=r"10 GPa: the minimum at .* lies outside the computed volumes, 7.36"):
        solid.at(100.0, 10.0)
    assert vinet(np.linspace(7, 9, 6), -((np.linspace(7, 9, 6) - 8) ** 2)) is None


def test_energies_on_no_curve_are_refused(solid):
    """As of a potential whose frequencies jump with the volume."""
    assert solid.at(300.0).misfit < 5e-5
    jump = [0.0015 * (-1) ** place for place in range(len(solid.energies))]
    energies = tuple(energy + change for energy, change in zip(solid.energies, jump, strict=True))
    rough = QuasiHarmonic(solid.volumes, energies, solid.vibrations)
    with pytest.raises(QuasiHarmonicError, match=r"300 K, 0 GPa: free energies are 1\.\d meV/atom .* off one curve"):
        rough.at(300.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: (s.volumes[:4], s.energies[:4], s.vibrations[:4]), "volumes: 4 are too few; allowed: 5 or more"),
        (lambda s: (s.volumes[:6], s.energies, s.vibrations), "must be as many as"),
        (lambda s: (s.volumes[::-1], s.energies, s.vibrations), "must rise"),
        (
            lambda s: (s.volumes, s.energies, (*s.vibrations[:8], HarmonicVibrations([5.0], [2.0], 1))),
            "has imaginary modes",
        ),
    ],
)
def test_bad_input_is_refused(solid, change, words):
    with pytest.raises(InputError, match=words):
        QuasiHarmonic(*change(solid))


def system(solid, scale=AT_REST):
    """Li with one oscillator, and a hydride whose volume follows temperature and pressure."""
    hydride = Phase(
        "LiH", "LiH", {"Li": 1, "H": 1}, -0.5, V0, "binary", phase_class="saline", vibrations=einstein(V0),
        quasi_harmonic=solid,
    )  # fmt: skip
    metal_modes = HarmonicVibrations(np.array([20.0]), np.array([3.0]))
    metal = Phase("Li bcc", "Li", {"Li": 1}, 0.0, 20.0, "element", vibrations=metal_modes)
    molecule = Phase("H2", "H2", {"H": 2}, 0.0, None, "molecule")
    references = [metal, molecule, hydride]
    settings = StabilitySettings()
    return ChemicalSystem(frozenset({"Li", "H"}), [], references, settings, scale), hydride, metal


@pytest.mark.parametrize("zero_point", ["none", "included"])
@pytest.mark.parametrize(("temperature", "pressure"), [(300.0, 1e-4), (600.0, 2.0)])
def test_the_hull_has_the_gibbs_energy_of_its_volume_counted_once(solid, zero_point, temperature, pressure):
    """By hand: E + G(T, p) - E at rest - n mu; what the energies hold at 298 K is taken off once."""
    own, hydride, metal = system(solid, EnergyScale(zero_point))
    ensemble = own.ensemble(temperature, pressure)
    gibbs = -0.5 + solid.at(temperature, pressure).gibbs_energy - solid.static().gibbs_energy
    if zero_point == "included":
        gibbs -= einstein(V0).internal_energy(298.15)
    assert ensemble.energy(hydride) == pytest.approx((gibbs - 0.5 * ensemble.potential) / 0.5, abs=1e-9)
    fixed = metal.vibrations.free_energy(temperature) + pressure * 20.0 * EV_PER_GPA_A3
    if zero_point == "included":
        fixed -= metal.vibrations.internal_energy(298.15)
    assert ensemble.energy(metal) == pytest.approx(fixed, abs=1e-9)
    assert "thermal expansion of 1, the others at the volume of 0 K" in own.vibrations_note()


def test_outside_its_volumes_a_phase_has_its_harmonic_energy_and_a_note_says_so(solid):
    own, hydride, _ = system(solid)
    ensemble = own.ensemble(100.0, 10.0)
    harmonic = -0.5 + 10 * V0 * EV_PER_GPA_A3 + einstein(V0).free_energy(100.0)
    assert ensemble.energy(hydride) == pytest.approx((harmonic - 0.5 * ensemble.potential) / 0.5, abs=1e-9)
    words = "volume not known here, harmonic at that of 0 K: 1 of 1 structures with thermal expansion (LiH)"
    assert words in own._at(Condition(temperature_K=100, pressure_GPa=10), hydride).notes
    assert not any(
        "not known here" in note for note in own._at(Condition(temperature_K=300, pressure_GPa=1), hydride).notes
    )


def test_pressure_and_temperature_have_their_ranges(solid):
    with pytest.raises(InputError, match="pressure_GPa: 11"):
        solid.at(300.0, 11.0)
    with pytest.raises(InputError, match="temperature_K: 4000"):
        solid.at(4000.0)


def wide(solid):
    """The same at its volumes from 0.975 V0 on: 10 GPa lead beyond them."""
    return QuasiHarmonic(solid.volumes[2:], solid.energies[2:], solid.vibrations[2:])


def test_a_condition_is_fitted_once_refused_or_not(solid, monkeypatch):
    """Hulls ask for each phase at each condition many times: 10 s a candidate where every refusal was fitted anew."""
    from ninefold.thermo import quasiharmonic

    asked = []
    monkeypatch.setattr(quasiharmonic, "vinet", lambda *points: asked.append(points) or vinet(*points))
    fresh = wide(solid)
    for _ in range(3):
        fresh.at(300.0, 0.0)
        fresh.static()
        with pytest.raises(QuasiHarmonicError, match="outside the computed volumes"):
            fresh.at(300.0, 10.0)
    assert len(asked) == 3


@pytest.mark.parametrize("derivative", [2.0, 4.5, 18.0])
@pytest.mark.parametrize("place", [0.93, 1.0, 1.13])
def test_points_on_the_form_give_it_back(derivative, place):
    """Wherever in the range its minimum lies, and however fast it stiffens."""
    volumes, volume, xi = np.linspace(0.92, 1.14, 6) * V0, place * V0, 1.5 * (derivative - 1)
    u = xi * (1 - np.cbrt(volumes / volume))
    found = vinet(volumes, -3.0 + 9 * MODULUS * volume / xi**2 * (1 + (u - 1) * np.exp(u)))
    assert found[0] == pytest.approx(-3.0, abs=1e-8)
    assert found[1] == pytest.approx(MODULUS, rel=1e-5)
    assert found[2] == pytest.approx(derivative, rel=1e-4)
    assert found[3] == pytest.approx(volume, rel=1e-7)
    assert found[4] < 1e-9


def test_a_minimum_far_outside_is_not_named(solid):
    """A solid that melts away in the model: the form alone would give any volume."""
    slack = tuple(V0 * MODULUS * 0.01 * np.exp(-(np.array(solid.volumes) / V0)))
    fluid = QuasiHarmonic(solid.volumes, slack, solid.vibrations)
    with pytest.raises(
        QuasiHarmonicError, match=r"800 K, 0 GPa: every minimum lies outside the computed volumes, 7\.36"
    ):
        fluid.at(800.0)
    with pytest.raises(QuasiHarmonicError, match=r"the minimum at 7\.\d\d Å³/atom lies outside"):
        wide(solid).at(300.0, 5.0)


@pytest.mark.parametrize(("derivative", "is_told"), [(4.0, True), (14.0, True), (20.0, False)])
def test_a_derivative_of_no_solid_gives_no_bulk_modulus(solid, derivative, is_told):
    energies = tuple(MODULUS * _well(np.array(solid.volumes), derivative, V0))
    found = QuasiHarmonic(solid.volumes, energies, solid.vibrations).static()
    assert found.volume_per_atom == pytest.approx(V0, rel=1e-6)
    assert found.bulk_modulus == (pytest.approx(B0, rel=1e-4) if is_told else None)
