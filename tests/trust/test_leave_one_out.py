"""Leave-one-out errors of a calibrated method, against fits that have never seen the phase they are judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.optimize import minimize_scalar

from ninefold.chemistry.formula import parse_formula
from ninefold.engines.base import Evaluation
from ninefold.models.structure import pack_structure
from ninefold.trust.calibration import class_shift, hydrogen_energy
from ninefold.trust.errors import compare
from ninefold.trust.phases import Frame, TrustPhase, TrustSet
from ninefold.trust.summary import summary_of, with_hydrogen

BINARIES = dict.fromkeys(("LiH", "NaH", "KH", "MgH2", "CaH2"), "saline") | dict.fromkeys(
    ("TiH2", "VH", "CrH", "PdH", "Pd4H"), "interstitial"
)
COMPLEXES = {
    "Mg2FeH6": "Fe", "Ca2FeH6": "Fe", "Mg2RuH6": "Ru", "Na4RuH6": "Ru", "Mg3ReH7": "Re", "K2ReH9": "Re", "K2PdH4": "Pd",
    "Mg3CrH8": "Cr",
}  # fmt: skip
ELEMENTS = ("Li", "Na", "K", "Mg", "Ca", "Ti", "V", "Cr", "Fe", "Ru", "Re", "Pd")


def cell(formula: str) -> Structure:
    symbols = [symbol for symbol, count in parse_formula(formula).items() for _ in range(count)]
    places = [[place / len(symbols), 0.3, 0.1] for place in range(len(symbols))]
    return Structure(Lattice.cubic(6), symbols, places)


def phase(formula, phase_class, centre=None):
    structure = cell(formula)
    frame = Frame(
        kind="curve", **pack_structure(structure), energy_per_atom=-3.0 - 0.01 * len(structure),
        forces=np.zeros((len(structure), 3)).tolist(), stress=np.zeros((3, 3)).tolist(), core_seconds=0.0,
    )  # fmt: skip
    return TrustPhase(
        name=f"{formula} {phase_class}", formula=formula, phase_class=phase_class, centre=centre, source="test",
        frames=[frame],
    )  # fmt: skip


@pytest.fixture(scope="module")
def trust():
    phases = [phase("H2", "molecule"), *(phase(symbol, "element") for symbol in ELEMENTS)]
    phases += [phase(formula, name) for formula, name in BINARIES.items()]
    phases += [phase(formula, "complex", centre) for formula, centre in COMPLEXES.items()]
    return TrustSet(method="DFT", settings={}, geometry="test", phases=phases)


@pytest.fixture(scope="module")
def found(trust):
    """What an engine gives whose errors are a shift per hydrogen, different by class, and chance."""
    chance = np.random.default_rng(7)
    shift = {"saline": -0.03, "interstitial": 0.02, "complex": 0.05, "molecule": 0.06}

    def energy(one):
        counts = parse_formula(one.formula)
        share = counts.get("H", 0) / sum(counts.values())
        return one.frames[0].energy_per_atom + shift.get(one.phase_class, 0.0) * share + 0.02 * chance.standard_normal()

    return {
        one.name: [Evaluation(energy(one), np.zeros((len(one.frames[0].species), 3)), np.zeros((3, 3)), 0.0)]
        for one in trust.phases
    }


def without(trust, *names):
    return trust.model_copy(update={"phases": [one for one in trust.phases if one.name not in names]})


def errors(trust, found, hydrogen=None):
    return compare(trust, found, "engine", "f", hydrogen)


def of(engine_errors, name):
    return next(one for one in engine_errors.phases if one.name == name)


def best_shift(shares, wrongs):
    """The slope of least squares, found by searching for it."""
    least = minimize_scalar(lambda slope: float(np.sum((np.array(wrongs) - slope * np.array(shares)) ** 2)))
    return least.x


def test_the_energy_of_hydrogen_is_judged_by_hydrides_that_its_fit_has_not_seen(trust, found):
    """Refitted with each hydride taken out of the set, and the whole set computed anew with what came out."""
    fitted = hydrogen_energy(errors(trust, found))
    assert fitted.hydrides == len(BINARIES)
    left_out = []
    for formula, phase_class in BINARIES.items():
        name = f"{formula} {phase_class}"
        blind = hydrogen_energy(errors(without(trust, name), found))
        assert blind.hydrides == len(BINARIES) - 1
        left_out.append(of(errors(trust, found, blind.energy), name).formation_error)
    assert fitted.error == pytest.approx(np.mean(np.abs(left_out)), abs=1e-12)
    with_all = [
        of(errors(trust, found, fitted.energy), f"{name} {kind}").formation_error for name, kind in BINARIES.items()
    ]
    assert np.sum(np.square(left_out)) > np.sum(np.square(with_all)), "what a fit has seen it is nearer to"
    raw = [of(errors(trust, found), f"{name} {kind}").formation_error for name, kind in BINARIES.items()]
    assert fitted.error_before == pytest.approx(np.mean(np.abs(raw)), abs=1e-12)


def test_the_energy_of_hydrogen_is_that_of_least_squares(trust, found):
    fitted = hydrogen_energy(errors(trust, found))

    def squares(energy):
        some = errors(trust, found, energy)
        return sum(of(some, f"{name} {kind}").formation_error ** 2 for name, kind in BINARIES.items())

    least = minimize_scalar(squares, bracket=(fitted.energy - 0.1, fitted.energy + 0.2))
    assert fitted.energy == pytest.approx(least.x, abs=1e-6)


@pytest.mark.parametrize("phase_class", ["saline", "interstitial", "complex"])
def test_a_class_is_judged_by_phases_that_its_shift_has_not_seen(trust, found, phase_class):
    """Of complexes all of a centre are taken out together: what is asked is how a centre fares that is not there."""
    shifted = class_shift(errors(trust, found), phase_class)
    members = {
        f"{formula} {phase_class}": (formula, COMPLEXES.get(formula, formula))
        for formula, name in {**BINARIES, **dict.fromkeys(COMPLEXES, "complex")}.items()
        if name == phase_class
    }
    all_errors = errors(trust, found)

    def wrong(name):
        one = of(all_errors, name)
        return one.reaction_error if phase_class == "complex" else one.formation_error

    def share(formula):
        counts = parse_formula(formula)
        return counts["H"] / sum(counts.values())

    left_out = []
    for name, (formula, group) in members.items():
        seen = [other for other, (_, of_group) in members.items() if of_group != group]
        slope = best_shift([share(members[other][0]) for other in seen], [wrong(other) for other in seen])
        left_out.append(wrong(name) - slope * share(formula))
        blind = class_shift(errors(without(trust, *(set(members) - set(seen))), found), phase_class)
        assert blind.shift_per_hydrogen == pytest.approx(slope, abs=1e-7)
    assert (shifted.phases, shifted.groups) == (len(members), len({group for _, group in members.values()}))
    assert shifted.error == pytest.approx(np.sqrt(np.mean(np.square(left_out))), abs=1e-7)
    assert shifted.error_before == pytest.approx(np.sqrt(np.mean([wrong(name) ** 2 for name in members])), abs=1e-12)


def test_what_is_left_of_a_class_of_binaries_does_not_depend_on_hydrogen(trust, found):
    """The class's own shift takes up whatever energy of hydrogen was used: no hydride is judged by a fit it was in."""
    own = errors(trust, found)
    for energy in (own.hydrogen - 0.3, hydrogen_energy(own).energy):
        changed = with_hydrogen(own, trust, energy)
        for phase_class in ("saline", "interstitial"):
            before, after = class_shift(own, phase_class), class_shift(changed, phase_class)
            assert after.error == pytest.approx(before.error, abs=1e-12)
            assert after.shift_per_hydrogen == pytest.approx(
                before.shift_per_hydrogen + own.hydrogen - energy, abs=1e-12
            )


def test_complexes_take_no_part_in_the_energy_of_hydrogen(trust, found):
    """So that their errors with it are errors of phases it was not fitted to."""
    moved = {
        one.name: [replace(found[one.name][0], energy_per_atom=found[one.name][0].energy_per_atom + 0.5)]
        for one in trust.phases
        if one.phase_class == "complex"
    }
    assert hydrogen_energy(errors(trust, {**found, **moved})) == hydrogen_energy(errors(trust, found))


def test_the_summary_s_calibrated_errors_are_with_the_fitted_hydrogen(trust, found):
    summary = summary_of(errors(trust, found), trust)
    fitted = errors(trust, found, hydrogen_energy(errors(trust, found)).energy)
    [complexes] = [one for one in summary.classes if one.phase_class == "complex"]
    expected = class_shift(fitted, "complex")
    for name in ("shift_per_hydrogen", "error", "error_before"):
        assert getattr(complexes.shift, name) == pytest.approx(getattr(expected, name), abs=1e-12)
    assert complexes.formation == pytest.approx(
        np.mean([abs(one.formation_error) for one in fitted.of_class("complex")]), abs=1e-12
    )
