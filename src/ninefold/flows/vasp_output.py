"""What a VASP job of atomate2 left, as plain values, and as the import reads a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError, NinefoldError, listed
from ninefold.flows.earlier import CONTINUED
from ninefold.models.structure import pack_structure, unpack_structure

if TYPE_CHECKING:
    from ninefold.imported.run import ImportedRun


class VaspRunError(NinefoldError):
    """VASP came to no converged energy, with custodian's means."""


def packed_task(document: Any, formula: str, runs: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A task document as `run_of` takes it: the run's own vasprun.xml, read and checked as an import is.

    Args:
        document: Of the last run.
        formula: Of the structure that was asked for.
        runs: `folder` and `custodian` of every run; none: of the last alone.
    """
    from ninefold.imported.vasp import read_vasprun

    folder = Path(_attribute(document, "dir_name").split(":", 1)[-1])
    files = sorted(folder.glob("vasprun.xml*"))
    if not files:
        raise VaspRunError(f"VASP: {formula}: {folder} holds no vasprun.xml")
    try:
        run = read_vasprun(files[-1])
    except InputError as error:
        raise VaspRunError(f"VASP: {formula}: {error}") from error
    every = runs or [{"folder": folder, "custodian": _attribute(document, "custodian")}]
    corrections = list(dict.fromkeys(error for one in every for error in _corrections(one["custodian"])))
    notes = [*run.notes, *([f"custodian corrected: {listed(corrections, 6)}"] if corrections else [])]
    if stopped := sum(_was_continued(one["folder"]) for one in every):
        notes.append(f"relaxations that went on in another queue job: {stopped}")
    return {
        "structure": pack_structure(run.structure),  # jobflow would make an object of pymatgen's own dict
        "energy_per_atom": run.energy_per_atom,
        "forces": None if run.forces is None else run.forces.tolist(),
        "stress": run.stress,
        "steps": run.steps,
        "method": run.method.to_dict(),
        "potentials": dict(run.potentials),
        "source": str(files[-1]),
        "notes": notes,
    }


def run_of(packed: Mapping[str, Any]) -> ImportedRun:
    """The inverse of `packed_task`."""
    import numpy as np

    from ninefold.imported.run import ImportedMethod, ImportedRun

    own = dict(packed["method"])
    named = {key: own.pop(key) for key in ("code", "version", "functional", "corrections", "variant")}
    return ImportedRun(
        structure=unpack_structure(packed["structure"]),
        energy_per_atom=packed["energy_per_atom"],
        method=ImportedMethod(settings=own, **named),
        potentials=packed["potentials"],
        source=packed["source"],
        forces=None if packed["forces"] is None else np.asarray(packed["forces"]),
        stress=packed["stress"],
        steps=packed["steps"],
        notes=tuple(packed["notes"]),
    )


def _corrections(custodian: Any) -> list[str]:
    """Errors that custodian met in a run, in its own words."""
    found = []
    for one in custodian or ():
        for correction in _attribute(one, "corrections") or ():
            found += [str(error) for error in _attribute(correction, "errors") or ()]
    return found


def _was_continued(folder: Any) -> bool:
    return Path(str(folder).split(":", 1)[-1], CONTINUED).exists()


def _attribute(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
