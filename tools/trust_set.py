"""Compute the trust set: energies, forces and stresses by DFT on ninefold's list of phases.

    python tools/trust_set.py geometries                    # relax the phases with an ML potential, minutes
    python tools/trust_set.py compute --workers 2           # DFT on every geometry, hours
    python tools/trust_set.py finish                        # write the file that the package carries
    python tools/trust_set.py hydrogen                      # fit the energy of hydrogen of every engine, minutes

What is computed stands in the working file after each geometry: stop it at any moment and start it again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure

from ninefold.atomic_files import write_atomically
from ninefold.chemistry.formula import formula_of
from ninefold.engines import EngineSettings, make_engine
from ninefold.models.structure import pack_structure, unpack_structure
from ninefold.structures.known_types import prototype
from ninefold.thermo.references import reference_phase
from ninefold.trust import frames
from ninefold.trust.bonds import bonds
from ninefold.trust.phases import TrustPhase, TrustSet
from ninefold.yaml_files import read_yaml

DATA = Path(__file__).resolve().parent.parent / "src/ninefold/trust/data"
SEED = 2017
ENGINES = (
    ("chgnet", None), ("chgnet", "r2scan"), ("sevennet", "7net-0"), ("sevennet", "7net-l3i5"),
    ("sevennet", "7net-mf-0:PBE"), ("sevennet", "7net-mf-0:R2SCAN"),
)  # fmt: skip
"""Engines with weights inside their packages: name and model."""
METALLIC = ("element", "interstitial")
"""Classes computed with the settings for metals."""


def main() -> None:
    """Read the command line and run a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("geometries", "compute", "finish", "hydrogen"))
    parser.add_argument("--work", type=Path, default=Path("trust-set.json"), help="working file")
    parser.add_argument("--geometry-model", default="7net-0", help="SevenNet model that relaxes the phases")
    parser.add_argument("--engine", default="gpaw", help="engine that computes the set")
    parser.add_argument(
        "--model", default=str(DATA / "gpaw-insulators.yaml"), help="its settings for phases with a gap"
    )
    parser.add_argument("--metal-model", default=str(DATA / "gpaw-metals.yaml"), help="settings for metals")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", help="phases whose name holds this text")
    parser.add_argument("--name", default="pbe", help="of the set in the package")
    arguments = parser.parse_args()
    if arguments.step == "geometries":
        make_geometries(arguments.work, arguments.geometry_model)
    elif arguments.step == "compute":
        settings = {
            is_metal: EngineSettings(name=arguments.engine, model=model)
            for is_metal, model in ((False, arguments.model), (True, arguments.metal_model))
        }
        compute(arguments.work, settings, arguments.workers, arguments.only)
    elif arguments.step == "finish":
        finish(arguments.work, DATA / f"{arguments.name}.json")
    else:
        fit_hydrogen(arguments.name)


def make_geometries(work: Path, model: str) -> None:
    """Relax every phase that the working file does not have yet."""
    engine: Any = make_engine(EngineSettings(name="sevennet", model=model))
    state = _read(work) if work.exists() else {"geometry": engine.label, "phases": []}
    done = {phase["name"] for phase in state["phases"]}
    for entry in read_yaml(DATA / "phases.yaml", "trust phases"):
        start = time.monotonic()
        name, structure, source = _start_of(entry)
        if name in done:
            continue
        displaced: list[Structure] = []
        if entry["class"] == "molecule":
            curve = frames.molecule()
        else:
            structure = frames.relaxed(engine, structure)
            curve = frames.volume_series(engine, structure, entry.get("volumes", frames.VOLUME_RATIOS))
            if wanted := entry.get("displaced"):
                displaced = frames.displaced(engine.calculator(), structure, wanted, SEED)
        kinds = [("curve", one) for one in curve] + [("displaced", one) for one in displaced]
        state["phases"].append(
            {
                "name": name, "formula": _formula(structure), "phase_class": entry["class"],
                "centre": entry.get("centre"), "n": entry.get("n"), "source": source,
                "frames": [{"kind": kind, **_rounded(pack_structure(one))} for kind, one in kinds],
            }
        )  # fmt: skip
        _write(work, state)
        print(f"{name}: {len(structure)} atoms, {len(kinds)} geometries, {time.monotonic() - start:.0f} s", flush=True)


def compute(work: Path, settings: dict[bool, EngineSettings], workers: int, only: str | None) -> None:
    """Compute every geometry that has no energy, small cells first.

    Args:
        work: The working file.
        settings: Whether a phase is metallic -> what computes it.
        workers: Processes.
        only: A part of the names of the phases to compute.
    """
    state = _read(work)
    open_frames = [
        (phase["name"], phase["phase_class"] in METALLIC, frame)
        for phase in state["phases"]
        for frame in phase["frames"]
        if "energy_per_atom" not in frame and not (only and only not in phase["name"])
    ]
    open_frames.sort(key=lambda item: (item[2]["kind"] != "curve", len(item[2]["species"])))
    state["method"] = make_engine(settings[False]).label.partition(" (")[0]
    state["settings"] = {"metals" if is_metal else "others": _settings_of(one) for is_metal, one in settings.items()}
    context = multiprocessing.get_context("spawn")
    begin = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {
            pool.submit(_evaluate, settings[is_metal], frame): (name, frame) for name, is_metal, frame in open_frames
        }
        for count, future in enumerate(as_completed(waiting), start=1):
            name, frame = waiting[future]
            result = future.result()
            if "error" in result:
                print(f"{name}: {result['error']}", file=sys.stderr, flush=True)
            else:
                frame.update(result)
                _write(work, state)
            print(
                f"{count}/{len(open_frames)} {name} ({len(frame['species'])} atoms, {frame['kind']}): "
                f"{result.get('core_seconds', 0):.0f} core s; {time.monotonic() - begin:.0f} s so far",
                flush=True,
            )


def finish(work: Path, target: Path) -> None:
    """Write phases whose geometries are all computed, and name the others."""
    state = _read(work)
    whole = [phase for phase in state["phases"] if all("energy_per_atom" in frame for frame in phase["frames"])]
    for phase in state["phases"]:
        if phase not in whole:
            print(f"left out: {phase['name']}, not computed yet")
    made = TrustSet.model_validate({**state, "phases": whole})
    kept = [phase for phase in made.phases if phase.phase_class != "complex" or _keeps_anion(phase)]
    for phase in made.phases:
        if phase not in kept:
            print(f"left out: {phase.name}, the relaxation took hydrogen from its anion")
    made = made.model_copy(update={"phases": kept})
    _write(target, made.model_dump(mode="json"))
    print(f"{target}: {len(kept)} phases, {sum(len(phase.frames) for phase in kept)} geometries")


def _keeps_anion(phase: TrustPhase) -> bool:
    """Whether every centre has as many hydrogens as the phase says."""
    structure = phase.lowest.to_structure()
    metals = sum(site.specie.symbol == phase.centre for site in structure)
    return phase.n is not None and len(bonds(structure, phase.centre or "")[0]) == phase.n * metals


def _settings_of(settings: EngineSettings) -> dict[str, Any]:
    """What a file of settings says, or the name of a preset."""
    file = Path(settings.model or "")
    return read_yaml(file, "settings") if file.is_file() else settings.model_dump(mode="json")


def fit_hydrogen(name: str) -> None:
    """Write the energy of hydrogen that suits each engine to the binary hydrides of the set.

    An engine whose own molecule does as well as the fit does for hydrides that it has not seen keeps its own.
    """
    from ninefold.thermo.references import reference_phase
    from ninefold.trust.calibration import BINARY, hydrogen_energy
    from ninefold.trust.errors import errors_of
    from ninefold.trust.phases import trust_set

    chosen = trust_set(name)
    # what the fit looks at; the others would only take time
    binaries = chosen.model_copy(update={"phases": chosen.of_class(["element", "molecule", *BINARY])})
    molecule = reference_phase("H2 molecule in a box")
    lines = [
        "# Energies of hydrogen gas fitted to binary hydrides, eV/atom. Written by tools/trust_set.py hydrogen.",
        f"reference: {chosen.method}",
        "engines:",
    ]
    for engine_name, model in ENGINES:
        engine = make_engine(EngineSettings(name=engine_name, model=model))
        [relaxed] = engine.relax([molecule.structure], molecule.relax_settings)
        found = hydrogen_energy(errors_of(engine, binaries, relaxed.energy_per_atom))
        if found is None or relaxed.energy_per_atom is None:
            raise SystemExit(f"{engine.label}: too few binary hydrides in the set")
        if found.error >= found.error_before:
            print(f"  # {engine.label}: its own molecule is as good, {found.error_before:.4f} before and "
                  f"{found.error:.4f} left out", flush=True)  # fmt: skip
            continue
        energies = f"energy: {found.energy:.4f}, own: {relaxed.energy_per_atom:.4f}"
        lines.append(
            f"  - {{engine: {json.dumps(engine.label)}, {energies}, hydrides: {found.hydrides}, "
            f"error: {found.error:.4f}}}"
        )
        print(lines[-1], f"# error before {found.error_before:.4f}", flush=True)
    write_atomically(DATA / "hydrogen.yaml", ("\n".join(lines) + "\n").encode())


def _evaluate(settings: EngineSettings, frame: dict[str, Any]) -> dict[str, Any]:
    """Energy, forces and stress of a frame, or the reason why there are none."""
    [result] = make_engine(settings).evaluate([unpack_structure(frame)])
    if result.error is not None or result.forces is None or result.stress is None:
        return {"error": result.error or "no forces or stress"}
    return {
        "energy_per_atom": float(result.energy_per_atom or 0.0),
        "forces": np.round(result.forces, 6).tolist(),
        "stress": np.round(result.stress, 8).tolist(),
        "core_seconds": round(result.core_seconds, 1),
        "notes": list(result.notes),
    }


def _start_of(entry: dict[str, Any]) -> tuple[str, Structure, str]:
    """Name, structure and source of an entry of the list."""
    if "reference" in entry:
        phase = reference_phase(entry["reference"])
        return phase.name, phase.structure, phase.source
    if "candidate" in entry:
        every = json.loads((DATA / "candidates.json").read_text(encoding="utf-8"))
        [packed] = (one for one in every if one["formula"] == entry["candidate"])
        source = "ninefold's structure search, quickstart campaign, CHGNet 0.3.0"
        return f"{packed['formula']} {packed['space_group']}", unpack_structure(packed), source
    structure = prototype(entry["type"]).copy()
    structure.replace_species({"Os": entry["centre"], "K": "Li"})
    for position in entry.get("extra", ()):
        structure.append("Li", position)
    formula = _formula(structure)
    if formula != entry["put"]:
        raise SystemExit(f"phases.yaml: {entry['put']} in the type {entry['type']} gives {formula}")
    return f"{formula} {entry['type']}", structure, f"type {entry['type']}, composition put in"


def _formula(structure: Structure) -> str:
    reduced = structure.composition.reduced_composition
    return (
        formula_of({str(symbol): int(count) for symbol, count in reduced.items()})
        if len(reduced) > 1
        else ("H2" if "H" in reduced else str(next(iter(reduced))))
    )


def _rounded(packed: dict[str, Any]) -> dict[str, Any]:
    return packed | {key: np.round(packed[key], 10).tolist() for key in ("lattice", "positions")}


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _write(file: Path, state: dict[str, Any]) -> None:
    """One line for each frame, so that two versions can be compared."""

    def lines() -> Iterator[str]:
        head = {key: value for key, value in state.items() if key != "phases"}
        yield json.dumps(head)[:-1] + ', "phases": ['
        for place, phase in enumerate(state["phases"]):
            start = json.dumps({key: value for key, value in phase.items() if key != "frames"})[:-1]
            every = ",\n  ".join(json.dumps(frame) for frame in phase["frames"])
            yield f'{start}, "frames": [\n  {every}]}}{"," if place + 1 < len(state["phases"]) else ""}'
        yield "]}"

    write_atomically(file, ("\n".join(lines()) + "\n").encode())


if __name__ == "__main__":
    main()
