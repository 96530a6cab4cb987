"""`ninefold vibrations --file`: structures from files; and what is shown of any vibrations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from ninefold.engines.base import Engine, Evaluation
    from ninefold.models.property import PropertyRecord
    from ninefold.models.vibrations import VibrationRecord
    from ninefold.stages.stage import StageResult
    from ninefold.stages.vibrations import VibrationsSettings


class _Direct:
    """An engine without a store: what is computed is lost where it ends early."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.relax, self.evaluate = engine.relax, engine.evaluate

    def forces(self, structure: Structure) -> Evaluation:
        """See `Source.forces`."""
        return self._engine.evaluate([structure])[0]


def of_files(
    files: Sequence[Path],
    store: str | None,
    settings: VibrationsSettings,
    temperatures: Sequence[float],
    pressure: float,
    pictures: Path | None,
    dry_run: bool,
) -> tuple[list[dict[str, Any]], bool]:
    """Vibrations of structures from files; a bad file is told and the others go on.

    Args:
        files: Each with one structure; of a trajectory the last.
        store: Where forces are kept and found; None keeps nothing.
        settings: How.
        temperatures: K, of free energies.
        pressure: GPa, of volumes.
        pictures: Folder for drawings.
        dry_run: Whether to say the cost alone.

    Returns:
        A row for each, and whether one could not be read or computed.

    Raises:
        InputError: if the engine is not fit.
    """
    from contextlib import ExitStack

    from ninefold.cli.vibration_volumes import volumes_of
    from ninefold.engines import make_engine
    from ninefold.errors import InputError
    from ninefold.stages import vibrations
    from ninefold.structures.files import read_structure
    from ninefold.vibrations.course import CourseError

    engine = make_engine(settings.method)
    vibrations.check_engine(
        engine.label, settings.method.title, engine.evidence, lambda: vibrations.measured_asymmetry(engine)
    )
    rows: list[dict[str, Any]] = []
    failed = False
    with ExitStack() as stack:
        opened = None
        if store is not None and not dry_run:
            from ninefold.store import open_store

            opened = stack.enter_context(open_store(store, mode="write"))
        for file in files:
            try:
                structure = read_structure(file).structure
                _announce(file, structure, settings)
                if dry_run:
                    continue
                result, expansion = _compute(file, structure, engine, opened, settings)
            except (InputError, CourseError) as error:
                typer.echo(
                    f"ninefold: error: {error}" if isinstance(error, InputError) else f"{file}: {error}", err=True
                )
                failed = True
                continue
            record = _record_of(result)
            spectrum = None if record.spectrum is None else result.blobs[record.spectrum]
            shown = row_of(record, record.label, spectrum, temperatures)
            if expansion is not None:
                shown["volumes"] = volumes_of(expansion, result.blobs, temperatures, pressure)
            rows.append({"role": "file", "name": file.name, "formula": record.label, **shown})
            failed = failed or record.error is not None
            if pictures is not None and record.force_constants is not None:
                final = next(item for item in result.records if item.id == record.structure)
                assert record.supercell is not None
                draw(
                    pictures, file.stem, final.to_structure(),  # type: ignore[attr-defined]
                    record.supercell, result.blobs[record.force_constants],
                )  # fmt: skip
    return rows, failed


def _announce(file: Path, structure: Structure, settings: VibrationsSettings) -> None:
    """Size and cost, before anything is computed.

    Raises:
        InputError: if the supercell is too large.
    """
    from ninefold.report.text import duration
    from ninefold.structures.symmetry import symmetrised
    from ninefold.vibrations.cost import available_memory, check_memory, cost_of
    from ninefold.vibrations.displacements import displacements_of

    needed = displacements_of(symmetrised(structure), settings)
    cells, atoms = len(needed.displaced) + 1, needed.supercell.n_atoms
    cells *= 1 if settings.volumes == 1 else 1 + settings.volumes
    cost = cost_of(settings.method, atoms, cells)
    check_memory(structure.composition.reduced_formula, atoms, cost, available_memory())
    words = f"{file}: {cells} supercells of {atoms} atoms"
    if cost.seconds is not None and cost.memory_GB is not None:
        words += f"; some {duration(cost.seconds)} of core time for the forces, {cost.memory_GB:.1f} GB"
    typer.echo(words, err=True)


def _compute(
    file: Path, structure: Structure, engine: Engine, opened: Any, settings: VibrationsSettings
) -> tuple[StageResult, PropertyRecord | None]:
    """Vibrations, and those at other volumes where they are asked for; all blobs are in the first."""
    from ninefold.models.structure import StructureRecord
    from ninefold.stages import quasiharmonic, vibrations

    source: Any = _Direct(engine)
    if opened is not None:
        from ninefold.flows.cached_engine import CachedEngine
        from ninefold.flows.tasks import store_result
        from ninefold.flows.vibration_tasks import StoredForces
        from ninefold.models.method import Method

        opened.insert("methods", [Method.of(engine)])
        source = StoredForces(CachedEngine(engine, opened, ""), opened)
    label = structure.composition.reduced_formula
    result = vibrations.compute(
        "", label, StructureRecord.of(structure), source, engine.fingerprint, settings.phonons()
    )  # fmt: skip
    results = [result]

    def keep(each: StageResult) -> None:
        results.append(each)
        if opened is not None:
            store_result(opened, each)

    if opened is not None:
        store_result(opened, result)
    record, expansion = _record_of(result), None
    if settings.volumes > 1 and record.is_stable:
        [cell] = [item for item in result.records if item.id == record.structure]
        assert isinstance(cell, StructureRecord)
        expansion = quasiharmonic.expand(record, cell, source, settings, keep)
        if opened is not None:
            opened.insert("properties", [expansion])
    return result._replace(blobs={name: blob for each in results for name, blob in each.blobs.items()}), expansion


def _record_of(result: StageResult) -> VibrationRecord:
    from ninefold.models.vibrations import VibrationRecord

    record = result.records[-1]
    assert isinstance(record, VibrationRecord)
    return record


def row_of(
    record: VibrationRecord, formula: str, spectrum: bytes | None, temperatures: Sequence[float]
) -> dict[str, Any]:
    """What is shown of vibrations, as plain values.

    Args:
        record: Of them.
        formula: Of the phase.
        spectrum: The blob that it names.
        temperatures: K.
    """
    from pymatgen.core import Composition

    from ninefold.thermo.harmonic import HarmonicVibrations

    keys = (
        "id", "start", "structure", "energy_per_atom", "gain", "nsites", "supercell", "supercell_atoms",
        "displacements", "n_imaginary", "noise_meV", "zero_point_energy", "free_energy_298", "missing_modes",
        "force_constants", "notes", "error",
    )  # fmt: skip
    row: dict[str, Any] = {key: getattr(record, key) for key in keys}
    for key in ("imaginary", "start_imaginary", "trials"):
        row[key] = [item.model_dump() for item in getattr(record, key)]
    if spectrum is None or record.zero_point_energy is None:
        return row
    vibrations = HarmonicVibrations.from_dict(json.loads(spectrum))
    atoms = Composition(formula).num_atoms
    return row | {
        "zero_point_energy_per_formula": record.zero_point_energy * atoms,
        "free_energy": {f"{one:g}": vibrations.free_energy(one) for one in temperatures},
        "entropy": {f"{one:g}": vibrations.entropy(one) for one in temperatures},
        "heat_capacity": {f"{one:g}": vibrations.heat_capacity(one) for one in temperatures},
    }


def draw(
    folder: Path, name: str, primitive: Structure, supercell: Sequence[Sequence[int]], force_constants: bytes
) -> None:
    """Write the picture of a phase's dispersion and density of states.

    Args:
        folder: Made if it is not there.
        name: Of the phase.
        primitive: Its primitive cell.
        supercell: See `Phonons`.
        force_constants: As `Phonons.to_bytes` gives them.
    """
    from ninefold.errors import InputError
    from ninefold.output.structures import safe_name
    from ninefold.output.target import write_whole
    from ninefold.report.vibration_pictures import dispersion_svg
    from ninefold.vibrations.phonons import Phonons

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--pictures", str(folder), problem=f"cannot be made: {error.strerror}") from error
    phonons = Phonons.from_bytes(primitive, supercell, force_constants)
    path = folder / f"{safe_name(name)}-vibrations.svg"
    write_whole(path, dispersion_svg(name, phonons).encode(), "--pictures")
    typer.echo(str(path), err=True)


def imaginary_of(row: dict[str, Any]) -> str:
    """Imaginary modes before and after, as a table has them."""

    def told(modes: list[dict[str, Any]]) -> str:
        if not modes:
            return "none"
        return f"{len(modes)} (to {abs(modes[0]['frequency_meV']):.1f}i)"

    before, now = told(row["start_imaginary"]), told(row["imaginary"])
    return now if before == now else f"{before}, then {now}"


def trial_line(trial: dict[str, Any]) -> str:
    """What came of one side of an imaginary mode."""
    point = "Γ" if not any(trial["q"]) else f"q = ({', '.join(f'{value:.3g}' for value in trial['q'])})"
    gain = "" if trial["gain"] is None else f", {1000 * trial['gain']:+.2f} meV/atom"
    return (
        f"{abs(trial['frequency_meV']):.1f}i meV at {point}, displaced by {trial['amplitude']:+g} Å: "
        f"{trial['outcome']}{gain}"
    )
