"""Formation enthalpies and decomposition temperatures of known hydrides beside experiment, and KH's B1-B2 transition.

    python tools/hydrides_beside_experiment.py [ENGINE] [--no-vibrations] [--follow N] [--min-width Å]
        [--only LiH MgH2] [--save FILE.json]

ENGINE: NAME or NAME:MODEL, default sevennet:7net-0. Reference phases are relaxed at 0, 2.5, 5 and 10 GPa and their
vibrations computed, some minutes for each phase; one with imaginary modes is left for the minimum beside it, N times at
most, and its energy is that one's. Prints the table of docs/stability.md. What is in the file of `--save`
is not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

from ninefold.chemistry.formula import parse_formula
from ninefold.cli.trust import engine_settings
from ninefold.engines import make_engine
from ninefold.engines.settings import RelaxSettings
from ninefold.models.structure import StructureRecord
from ninefold.stages.compress import compress, state_of
from ninefold.stages.references import hydrogen_energy
from ninefold.thermo.equation_of_state import EquationOfState
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.hydrogen import KJ_PER_MOL, enthalpy
from ninefold.thermo.phase import Phase
from ninefold.thermo.references import reference_phase
from ninefold.thermo.settings import StabilitySettings
from ninefold.thermo.system import ChemicalSystem
from ninefold.thermo.window import decomposition_temperature
from ninefold.thermo.zero_point import HYDROGEN_ZERO_POINT
from ninefold.trust.uncertainty import class_of

ROOM = 298.15
MOLECULE = "H2 molecule in a box"
# kJ/mol H2 at 298 K and K at 1 bar, from memory: JANAF (LiH, NaH, KH, MgH2, CaH2: formation enthalpies); Grochala &
# Edwards, Chem. Rev. 104, 1283 (2004) (temperatures); Bogdanovic et al., J. Alloys Compd. 345, 77 (2002) (Mg2FeH6, from
# 2 Mg + Fe); Reilly & Wiswall, Inorg. Chem. 7, 2254 (1968) (Mg2NiH4, from Mg2Ni)
EXPERIMENT = {
    "LiH": ("LiH rocksalt", ("Li bcc",), -181, 1183),
    "NaH": ("NaH rocksalt", ("Na bcc",), -113, 698),
    "KH": ("KH rocksalt", ("K bcc",), -115, 690),
    "MgH2": ("MgH2 rutile", ("Mg hcp",), -75, 560),
    "CaH2": ("CaH2 cotunnite", ("Ca fcc",), -182, 1220),
    "Mg2FeH6": ("Mg2FeH6 K2PtCl6", ("Mg hcp", "Fe bcc"), -77, 590),
    "Mg2NiH4": ("Mg2NiH4 C2/c", ("Mg2Ni C_a",), -64, 528),
}
"""Name -> phase, the solids that it forms from with hydrogen, enthalpy of that reaction, temperature."""
TRANSITION = ("KH rocksalt", "KH CsCl", 4.0)
"""And GPa, measured: Hochheimer et al., Z. Phys. Chem. 143, 139 (1985), from memory."""


def computed(engine, name: str, settings, known: dict) -> dict:
    """Energy, volume, equation of state and vibrations of a reference phase, as plain values.

    Args:
        engine: That computes.
        name: Of the phase.
        settings: `PhononSettings` of the vibrations; None for none.
        known: What is there already; filled.
    """
    entry = known.setdefault(name, {})
    reference = reference_phase(name)
    if "energy" not in entry:
        [result] = engine.relax([reference.structure], reference.relax_settings)
        if result.energy_per_atom is None:
            raise SystemExit(f"{name}: {result.error}")
        entry["energy"] = result.energy_per_atom
        entry["structure"] = result.structure.as_dict()
        if reference.kind == "molecule":
            entry["energy"], entry["hydrogen"] = hydrogen_energy(engine.label, result.energy_per_atom, "calibrated")
            return entry
        record = compress("", name, StructureRecord.of(result.structure), result.energy_per_atom, engine)
        if isinstance(record, str):
            raise SystemExit(f"{name}: {record}")
        state = state_of(record)
        entry["volume"] = result.structure.volume / len(result.structure)
        entry["state"] = None if state is None else vars(state)
        entry["refused"] = record.reason
    if settings is not None and "vibrations" not in entry and reference.kind != "molecule":
        from pymatgen.core import Structure

        from ninefold.vibrations.course import CourseError, vibrations_of

        start = time.process_time()
        try:
            course = vibrations_of(Structure.from_dict(entry["structure"]), Forces(engine), settings)
            found = course.phonons.vibrations(settings.mesh_length).condensed()
            entry["vibrations"] = found.to_dict()
            if course.saddles:
                softest = abs(course.saddles[0].modes[0].frequency_meV)
                entry["followed"] = course.energy_per_atom - course.relaxed_energy
                entry["energy"] += entry["followed"]
                print(f"{name}: {softest:.1f}i meV, followed {1000 * entry['followed']:+.2f} meV/atom", file=sys.stderr)
        except CourseError as error:
            entry["vibrations"], entry["no_vibrations"] = None, str(error)
        entry["seconds"] = time.process_time() - start
    return entry


class Forces:
    """An engine as the source of forces."""

    def __init__(self, engine) -> None:
        self.engine = engine

    def relax(self, structures, settings: RelaxSettings):
        """As the engine does it."""
        return self.engine.relax(structures, settings)

    def evaluate(self, structures):
        """As the engine does it."""
        return self.engine.evaluate(structures)

    def forces(self, structure):
        """Energy and forces of one structure."""
        return self.engine.evaluate([structure])[0]


def phase_of(name: str, entry: dict) -> Phase:
    """A phase as hulls take it."""
    reference = reference_phase(name)
    state, vibrations = entry.get("state"), entry.get("vibrations")
    return Phase(
        name, reference.formula, parse_formula(reference.formula), entry["energy"], entry.get("volume"), reference.kind,
        phase_class=class_of(reference.formula) or "", equation_of_state=EquationOfState(**state) if state else None,
        vibrations=HarmonicVibrations.from_dict(vibrations) if vibrations else None,
    )  # fmt: skip


def per_h2(hydride: Phase, solids: list[Phase], molecule: Phase, of_phase, of_gas: float) -> float:
    """A quantity of the reaction solids + H2 -> hydride, kJ/mol H2."""
    amounts = dict(hydride.amounts)
    change = of_phase(hydride) * sum(amounts.values())
    for solid in solids:
        metal = next(symbol for symbol in solid.amounts)
        units = amounts[metal] / solid.amounts[metal]
        change -= units * of_phase(solid) * sum(solid.amounts.values())
    return (change - amounts["H"] * of_gas) / (amounts["H"] / 2) * KJ_PER_MOL


def transition(low: Phase, high: Phase, temperature: float | None) -> float | None:
    """Pressure, GPa, at which two polymorphs have the same Gibbs energy; static without a temperature."""
    from scipy.optimize import brentq

    def difference(pressure: float, *, compressed: bool = True) -> float:
        def energy(phase: Phase) -> float:
            if not compressed:
                return phase.energy_per_atom + pressure * phase.volume_per_atom / 160.21766208
            return phase.energy_per_atom + phase.pressure_term(pressure)

        value = energy(high) - energy(low)
        if temperature is not None:
            value += high.vibrations.free_energy(temperature) - low.vibrations.free_energy(temperature)
        return value

    if temperature == -1:
        temperature = None
        return (
            brentq(lambda p: difference(p, compressed=False), 0.01, 10)
            if difference(10, compressed=False) < 0
            else None
        )
    return brentq(difference, 0.01, 10) if difference(0.01) > 0 > difference(10) else None


def main() -> None:
    """Compute what is not in the file, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", nargs="?", default="sevennet:7net-0")
    parser.add_argument("--no-vibrations", action="store_true")
    parser.add_argument("--follow", type=int, default=0, metavar="N")
    parser.add_argument("--min-width", type=float, default=8.0, metavar="Å")
    parser.add_argument("--only", nargs="+", default=list(EXPERIMENT), choices=list(EXPERIMENT), metavar="FORMULA")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    known = json.loads(arguments.save.read_text()) if arguments.save and arguments.save.exists() else {}
    engine = make_engine(engine_settings(arguments.engine))
    settings = None
    if not arguments.no_vibrations:
        from ninefold.vibrations.settings import PhononSettings

        settings = PhononSettings(follow=arguments.follow, min_width=arguments.min_width)
    names = [name for formula in arguments.only for name in (EXPERIMENT[formula][0], *EXPERIMENT[formula][1])]
    names += [name for name in TRANSITION[:2] if "KH" in arguments.only]
    phases = {}
    for name in dict.fromkeys([MOLECULE, *names]):
        entry = computed(engine, name, settings, known)
        phases[name] = phase_of(name, entry)
        if arguments.save:
            arguments.save.write_text(json.dumps(known))
        print(name, f"{entry.get('seconds', 0):.0f} s", entry.get("refused") or "", file=sys.stderr)
    show(phases, arguments.only, engine.label, known[MOLECULE].get("hydrogen", ""))


def show(phases: dict[str, Phase], formulas: list[str], label: str, hydrogen: str) -> None:
    """Print the tables."""
    molecule = phases[MOLECULE]
    print(f"{label}; {hydrogen}\n")
    print("| hydride | ΔE static | ΔH 0 K | ΔH 298 K | measured | T at 1 bar, static | T at 1 bar | measured |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for formula in formulas:
        name, starting, heat, temperature = EXPERIMENT[formula]
        hydride, solids = phases[name], [phases[other] for other in starting]
        static = per_h2(hydride, solids, molecule, lambda phase: phase.energy_per_atom, molecule.energy_per_atom)
        every = [hydride, *solids]
        at_zero = at_room = math.nan
        if all(phase.own_vibrations for phase in every):
            gas = molecule.energy_per_atom + HYDROGEN_ZERO_POINT / 2
            at_zero = per_h2(
                hydride, solids, molecule, lambda phase: phase.energy_per_atom + phase.vibrations.zero_point_energy, gas
            )
            gas += enthalpy(ROOM) / KJ_PER_MOL / 2
            at_room = per_h2(
                hydride, solids, molecule,
                lambda phase: phase.energy_per_atom + phase.vibrations.internal_energy(ROOM), gas,
            )  # fmt: skip
        bare = [Phase(**{**vars_of(phase), "vibrations": None}) for phase in every]
        cells = [
            formula, f"{static:.0f}", _number(at_zero), _number(at_room), str(heat),
            _temperature(bare, molecule), _temperature(every, molecule) if not math.isnan(at_room) else "–",
            str(temperature),
        ]  # fmt: skip
        print("| " + " | ".join(cells) + " |")
    for phase in phases.values():
        if phase.vibrations is not None and phase.vibrations.n_imaginary:
            print(f"{phase.name}: {phase.vibrations.n_imaginary} imaginary modes")
    if {*TRANSITION[:2]} <= phases.keys():
        low, high = (phases[name] for name in TRANSITION[:2])
        parts = [f"with p V at the volume of 0 GPa {_number(transition(low, high, -1), 2)}"]
        parts.append(f"with equations of state {_number(transition(low, high, None), 2)}")
        if low.own_vibrations and high.own_vibrations:
            parts.append(f"with vibrations at 298 K {_number(transition(low, high, ROOM), 2)}")
        print(f"\nKH, B1 to B2, GPa: {', '.join(parts)}; measured {TRANSITION[2]:g}")
    print("\n| phase | V (Å³/atom) | B (GPa) | H(5 GPa) - H(0) (meV/atom) | p V at 0 GPa's volume | too high by |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, phase in phases.items():
        state = phase.equation_of_state
        if state is not None:
            term, simple = 1000 * phase.pressure_term(5), 5000 * phase.volume_per_atom / 160.21766208
            print(
                f"| {name} | {phase.volume_per_atom:.2f} | {state.bulk_modulus:.0f} | {term:.0f} | {simple:.0f} | "
                f"{simple - term:.0f} |"
            )


def vars_of(phase: Phase) -> dict:
    """Fields of a phase."""
    return {name: getattr(phase, name) for name in Phase.__dataclass_fields__}


def _temperature(every: list[Phase], molecule: Phase) -> str:
    hydride, *solids = every
    elements = frozenset(hydride.amounts)
    pure = [*solids, molecule]
    for symbol in elements - {"H"}:
        if not any(
            set(phase.amounts) == {symbol} for phase in pure
        ):  # an element that must be there and does not compete
            pure.append(Phase(f"{symbol}, far above", symbol, {symbol: 1}, 10.0, 10.0, "element"))
    system = ChemicalSystem(elements, [hydride], pure, StabilitySettings())
    found = decomposition_temperature(system, hydride)
    return "–" if found is None else f"{found:.0f}" if found < 1200 else "> 1200"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
