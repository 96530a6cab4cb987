"""The trust set's arithmetic: against pymatgen, an engine that is its own reference, and known shifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.morse import MorsePotential
from pymatgen.analysis.eos import BirchMurnaghan
from pymatgen.core import Lattice, Structure

from ninefold.chemistry.formula import formula_of
from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.base import Evaluation
from ninefold.models.structure import pack_structure
from ninefold.trust.calibration import class_shift, hydrogen_energy
from ninefold.trust.curve import NoMinimumError, fit_curve
from ninefold.trust.errors import compare, errors_of
from ninefold.trust.hessian import asymmetry, hessian
from ninefold.trust.phases import Frame, TrustPhase, TrustSet
from ninefold.trust.reactions import parts_by_element, parts_of_reaction
from ninefold.trust.summary import summarise, with_hydrogen


def rocksalt(one: str, other: str, a: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [one, other], [[0, 0, 0], [0.5, 0.5, 0.5]])


def fluorite(metal: str, a: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [metal, "H"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def bcc(symbol: str, a: float) -> Structure:
    return Structure.from_spacegroup("Im-3m", Lattice.cubic(a), [symbol], [[0, 0, 0]])


def k2pth6(cation: str, centre: str, a: float = 6.4) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, centre, "H"], [[0.25, 0.25, 0.25], [0, 0, 0], [0.25, 0, 0]]
    )


def molecule() -> Structure:
    return Structure(Lattice.cubic(8), ["H", "H"], [[0, 0, 0], [0, 0, 0.75]], coords_are_cartesian=False)


PHASES = [
    ("molecule", molecule(), None, None),
    ("element", bcc("Mg", 3.0), None, None),
    ("element", bcc("Li", 3.0), None, None),
    ("element", bcc("Na", 3.1), None, None),
    ("element", bcc("Fe", 2.9), None, None),
    ("element", bcc("Ru", 3.0), None, None),
    ("saline", fluorite("Mg", 4.6), None, None),
    ("saline", rocksalt("Li", "H", 4.3), None, None),
    ("saline", rocksalt("Na", "H", 4.4), None, None),
    ("complex", k2pth6("Mg", "Fe"), "Fe", 6),
    ("complex", k2pth6("Mg", "Ru"), "Ru", 6),
    ("complex", k2pth6("Na", "Ru"), "Ru", 6),
]


VOLUMES = {"H": 5.0, "Li": 12.0, "Na": 18.0, "Mg": 15.0, "Fe": 10.0, "Ru": 11.0}
"""Å³ per atom of the analytic engine's crystals."""
MODULUS = 0.3
"""eV/Å³, likewise."""


class Analytic:
    """An engine with E = sum of e_i + a Birch-Murnaghan curve with V0 = sum of v_i, and harmonic forces."""

    name = label = "analytic"
    fingerprint, evidence, batch = "f", "test", 1

    def evaluate(self, structures):
        return [self._one(structure) for structure in structures]

    def _one(self, structure):
        symbols = [site.specie.symbol for site in structure]
        volume, least = structure.volume, sum(VOLUMES[symbol] for symbol in symbols)
        f = ((least / volume) ** (2 / 3) - 1) / 2
        energy = sum(-0.1 * len(symbol) - VOLUMES[symbol] / 7 for symbol in symbols) + 4.5 * MODULUS * least * f**2
        pressure = 3 * MODULUS * f * (1 + 2 * f) ** 2.5
        forces = -0.5 * (structure.cart_coords - np.round(structure.cart_coords))
        return Evaluation(energy / len(symbols), forces, -pressure * np.eye(3), 0.0)


@pytest.fixture(scope="module")
def engine():
    return Analytic()


@pytest.fixture(scope="module")
def morse():
    calculator = MorsePotential(epsilon=0.5, rho0=3.0, r0=2.4, rcut1=3.0, rcut2=4.0)
    return ASEEngine("morse", "Morse", calculator, (), evidence="test")


@pytest.fixture(scope="module")
def trust(engine) -> TrustSet:
    phases = []
    for phase_class, structure, centre, n in PHASES:
        ratios = (1.0,) if phase_class == "molecule" else (0.90, 0.96, 1.0, 1.04)
        frames = [frame(engine, scaled(structure, ratio), "curve") for ratio in ratios]
        if centre:
            frames.append(frame(engine, structure.copy().perturb(0.05), "displaced"))
        formula = reduced(structure) if phase_class != "molecule" else "H2"
        phases.append(
            TrustPhase(
                name=f"{formula} {phase_class}",
                formula=formula,
                phase_class=phase_class,
                centre=centre,
                n=n,
                source="test",
                frames=frames,
            )
        )
    return TrustSet(method="analytic", settings={}, geometry="test", phases=phases)


def reduced(structure) -> str:
    return formula_of({str(symbol): int(count) for symbol, count in structure.composition.reduced_composition.items()})


def scaled(structure, ratio):
    """A cell at a ratio of the volume at which its energy is lowest."""
    if len(structure) == 2 and structure.volume > 500:
        return structure
    one = structure.copy()
    one.scale_lattice(ratio * sum(VOLUMES[site.specie.symbol] for site in structure))
    return one


def frame(engine, structure, kind) -> Frame:
    [result] = engine.evaluate([structure])
    return Frame(
        kind=kind, **pack_structure(structure), energy_per_atom=result.energy_per_atom,
        forces=result.forces.tolist(), stress=result.stress.tolist(), core_seconds=0.0,
    )  # fmt: skip


def results(trust, change=lambda phase, energy: energy):
    """What an engine would give whose energies are those of the set, changed."""
    return {
        phase.name: [
            Evaluation(change(phase, one.energy_per_atom), np.array(one.forces), np.array(one.stress), core_seconds=0.0)
            for one in phase.frames
        ]
        for phase in trust.phases
    }


def share(phase) -> float:
    return phase.elements.get("H", 0) / sum(phase.elements.values())


def test_an_engine_that_is_the_reference_has_no_errors(engine, trust):
    errors = errors_of(engine, trust)
    assert len(errors.phases) == len(trust.phases)
    for phase in errors.phases:
        assert phase.reason is None
        for value in (phase.formation_error, phase.reaction_error, phase.volume_error, phase.pressure_error):
            assert value is None or value == pytest.approx(0, abs=1e-6)
    complexes = errors.of_class("complex")
    assert [phase.formation_error is None for phase in complexes] == [False] * 3
    assert [phase.reaction_error is None for phase in complexes] == [False] * 3
    assert all(phase.force_error == pytest.approx(0, abs=1e-9) and phase.force_rms > 0.1 for phase in complexes)


def test_energies_are_formed_from_balanced_reactions(trust):
    phase = next(phase for phase in trust.phases if phase.formula == "Na2RuH6")
    assert parts_by_element(trust, phase) == pytest.approx(
        {"Na element": 2 / 9, "Ru element": 1 / 9, "H2 molecule": 6 / 9}
    )
    # 2 NaH + Ru + 2 H2 -> Na2RuH6, by atoms: 4 + 1 + 4 of 9
    assert parts_of_reaction(trust, phase) == pytest.approx(
        {"NaH saline": 4 / 9, "Ru element": 1 / 9, "H2 molecule": 4 / 9}
    )
    magnesium = next(phase for phase in trust.phases if phase.formula == "Mg2FeH6")
    assert parts_of_reaction(trust, magnesium)["H2 molecule"] == pytest.approx(2 / 9)  # MgH2 brings four
    assert all(sum(parts_of_reaction(trust, one).values()) == pytest.approx(1) for one in trust.of_class(["complex"]))


def test_a_phase_without_its_saline_hydride_has_no_reaction(trust):
    without = trust.model_copy(update={"phases": [p for p in trust.phases if p.name != "NaH saline"]})
    assert parts_of_reaction(without, next(p for p in trust.phases if p.formula == "Na2RuH6")) is None


def test_the_energy_of_hydrogen_is_found_from_the_binaries(trust):
    def high_molecule(phase, energy):
        return energy + 0.06 if phase.phase_class == "molecule" else energy

    errors = compare(trust, results(trust, high_molecule), "", "")
    found = hydrogen_energy(errors)
    assert found.shift == pytest.approx(-0.06, abs=1e-6)  # the molecule came out 60 meV too high
    assert found.energy == pytest.approx(errors.own_hydrogen - 0.06, abs=1e-6)
    assert found.error_before > 0.02
    assert found.error == pytest.approx(0, abs=1e-6)
    assert found.hydrides == 3
    again = compare(trust, results(trust, high_molecule), "", "", found.energy)
    assert all(phase.formation_error == pytest.approx(0, abs=1e-6) for phase in again.of_class("complex"))


def test_another_energy_of_hydrogen_needs_no_computation(trust):
    own = compare(trust, results(trust), "", "")
    computed, changed = compare(trust, results(trust), "", "", -0.7), with_hydrogen(own, trust, -0.7)
    assert changed.hydrogen == computed.hydrogen == -0.7
    for one, other in zip(changed.phases, computed.phases, strict=True):
        for name in ("formation_engine", "reaction_engine"):
            assert getattr(one, name) == (None if (x := getattr(other, name)) is None else pytest.approx(x, abs=1e-12))


def test_a_summary_speaks_of_every_class_that_forms(engine, trust):
    summary = summarise(engine, trust, crystal())
    assert [one.phase_class for one in summary.classes] == ["saline", "complex"]
    assert [one.computed for one in summary.classes] == [3, 3]
    assert summary.classes[1].reaction == pytest.approx(0, abs=1e-6)
    assert summary.by_n == {6: pytest.approx(0, abs=1e-6)}
    assert list(summary.by_centre) == ["Fe", "Ru"]
    assert list(summary.by_cation) == ["Mg", "Na"]
    assert summary.hessian_asymmetry == pytest.approx(0, abs=1e-9)  # harmonic forces
    assert summary.to_dict()["engine"] == "analytic"


def test_what_differs_within_a_class_is_left_as_error(trust):
    shifts = {"Fe": 0.03, "Ru": -0.01}  # eV per H

    def by_centre(phase, energy):
        return energy + shifts.get(phase.centre, 0.0) * share(phase)

    found = class_shift(compare(trust, results(trust, by_centre), "", ""), "complex")
    assert found.shift_per_hydrogen == pytest.approx((0.03 - 0.01 - 0.01) / 3, abs=1e-5)
    # each centre is corrected by the other alone
    assert found.error == pytest.approx(0.04 * 6 / 9, abs=1e-5)
    assert found.error_before == pytest.approx(6 / 9 * np.sqrt((0.03**2 + 2 * 0.01**2) / 3), abs=1e-5)


def test_a_class_of_one_centre_is_not_calibrated(trust):
    alone = trust.model_copy(update={"phases": [p for p in trust.phases if p.centre != "Fe"]})
    assert class_shift(compare(alone, results(alone), "", ""), "complex") is None


def test_what_an_engine_cannot_compute_has_a_reason_and_spoils_no_other(trust):
    found = results(trust)
    found["Ru element"] = [Evaluation(None, None, None, 0.0, "element unknown to the engine: Ru")] * 4
    errors = compare(trust, found, "", "")
    by_name = {phase.name: phase for phase in errors.phases}
    assert by_name["Ru element"].reason == "element unknown to the engine: Ru"
    assert by_name["Na2RuH6 complex"].formation_engine is None
    assert by_name["Mg2FeH6 complex"].formation_error == pytest.approx(0, abs=1e-9)


def test_a_minimum_far_beyond_the_volumes_leaves_the_lowest_energy(trust):
    phase = next(phase for phase in trust.phases if phase.formula == "MgH2")
    found = results(trust)
    expanding = [replace(one, stress=-0.1 * np.eye(3)) for one in found[phase.name]]
    falling = [replace(one, energy_per_atom=-1.0 - 0.1 * place) for place, one in enumerate(expanding)]
    errors = compare(trust, {**found, phase.name: falling}, "", "")
    by_name = {one.name: one for one in errors.phases}
    assert by_name[phase.name].reason is None
    assert by_name[phase.name].volume_engine is None
    lowest = falling[-1].energy_per_atom
    before = {one.name: one for one in compare(trust, found, "", "").phases}[phase.name]
    own = min(frame.energy_per_atom for frame in phase.curve)  # the analytic curve's minimum is one of its frames
    change = by_name[phase.name].formation_engine - before.formation_engine
    assert change == pytest.approx(lowest - own, abs=1e-6)
    # and DFT's likewise: nothing fails
    dft = [frame.model_copy(update={"energy_per_atom": -1.0 - 0.1 * place, "stress": (-0.1 * np.eye(3)).tolist()})
           for place, frame in enumerate(phase.curve)]  # fmt: skip
    changed = [one.model_copy(update={"frames": dft}) if one.name == phase.name else one for one in trust.phases]
    again = compare(trust.model_copy(update={"phases": changed}), found, "", "")
    assert {one.name: one for one in again.phases}[phase.name].volume is None


@pytest.mark.parametrize("volumes", [(7.3, 8.0, 8.4), (7.2, 7.8, 8.1, 8.5), (7.8, 8.3)])
def test_the_curve_is_pymatgen_s_birch_murnaghan(volumes):
    energy, modulus, derivative, volume = -3.2, 0.25, 4.3 if len(volumes) > 2 else 4.0, 8.1
    equation = BirchMurnaghan([1], [1])

    def at(v):
        return equation._func(np.asarray(v, float), (energy, modulus, derivative, volume))

    step = 1e-4
    pressures = -(at(np.array(volumes) + step) - at(np.array(volumes) - step)) / (2 * step)
    curve = fit_curve(volumes, at(volumes), pressures)
    assert curve.volume_per_atom == pytest.approx(volume, rel=1e-5)
    assert curve.energy_per_atom == pytest.approx(energy, abs=1e-6)
    assert curve.bulk_modulus == pytest.approx(modulus, rel=1e-3)


def test_a_curve_without_a_minimum_is_refused():
    with pytest.raises(NoMinimumError, match=r"no minimum between 7\.00 and 8\.00"):
        fit_curve([7.0, 7.5, 8.0], [-1.0, -1.1, -1.2], [0.2, 0.2, 0.2])


def test_forces_that_are_derivatives_have_a_symmetric_hessian(morse):
    matrix = hessian(morse, crystal())
    assert matrix.shape == (9, 9)
    assert np.linalg.norm(matrix) > 1
    assert asymmetry(matrix) < 1e-4
    # the acoustic sum rule: moving every atom alike costs nothing
    assert np.abs(matrix.reshape(9, 3, 3).sum(axis=1)).max() < 1e-6


def crystal():
    return fluorite("Mg", 4.6).get_primitive_structure().perturb(0.02)


def test_forces_that_are_no_derivatives_are_seen(morse):
    class Curled(ASEEngine):
        def evaluate(self, structures):
            return [
                Evaluation(one.energy_per_atom, one.forces + size * curl(structure), one.stress, 0.0)
                for structure, one in zip(structures, super().evaluate(structures), strict=True)
            ]

    def curl(structure):
        x = structure.cart_coords
        return np.stack([-x[:, 1], x[:, 0], 0 * x[:, 2]], axis=1)

    symmetric = hessian(morse, crystal())
    size = 0.1 * np.linalg.norm(symmetric)
    curled = Curled("curled", "Curled", morse.calculator(), (), evidence="test")
    antisymmetric = size * np.sqrt(2 * 3)  # two entries for each of three atoms
    expected = antisymmetric / np.hypot(np.linalg.norm(symmetric), antisymmetric)
    assert asymmetry(hessian(curled, crystal())) == pytest.approx(expected, rel=0.01)


def test_asymmetry_of_known_matrices():
    assert asymmetry(np.array([[1.0, 2.0], [2.0, 3.0]])) == 0
    assert asymmetry(np.array([[0.0, 1.0], [-1.0, 0.0]])) == 1
    assert asymmetry(np.zeros((2, 2))) == 0
