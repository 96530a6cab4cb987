"""What a VASP job of atomate2 left, as plain values, and as the import reads a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError, NinefoldError, listed
from ninefold.models.structure import pack_structure, unpack_structure

if TYPE_CHECKING:
    from ninefold.imported.run import ImportedRun


class VaspRunError(NinefoldError):
    """VASP came to no converged energy, with custodian's means."""


def packed_task(document: Any, formula: str) -> dict[str, Any]:
    """A task document as `run_of` takes it: the run's own vasprun.xml, read and checked as an import is."""
    from ninefold.imported.vasp import read_vasprun

    folder = Path(_attribute(document, "dir_name").split(":", 1)[-1])
    files = sorted(folder.glob("vasprun.xml*"))
    if not files:
        raise VaspRunError(f"VASP: {formula}: {folder} holds no vasprun.xml")
    try:
        run = read_vasprun(files[-1])
    except InputError as error:
        raise VaspRunError(f"VASP: {formula}: {error}") from error
    corrections = _corrections(document)
    notes = [*run.notes, *([f"custodian corrected: {listed(corrections, 6)}"] if corrections else [])]
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


def _corrections(document: Any) -> list[str]:
    """Errors that custodian met in the last run, in its own words."""
    found = []
    for one in _attribute(document, "custodian") or ():
        for correction in _attribute(one, "corrections") or ():
            found += [str(error) for error in _attribute(correction, "errors") or ()]
    return list(dict.fromkeys(found))


def _attribute(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
