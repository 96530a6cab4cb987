"""Entries of pymatgen in a JSON file, as the Materials Project's client gives them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from ninefold.errors import InputError, description
from ninefold.imported.run import ImportedMethod, ImportedRun

FIELD = "import"
CORRECTIONS = ("none", "MP2020")
_FUNCTIONAL = {"GGA": "PBE", "GGA+U": "PBE", "PBE": "PBE", "PBE+U": "PBE", "R2SCAN": "r2SCAN", "PBESOL": "PBEsol"}


def are_entries(data: Any) -> bool:
    """Whether JSON holds computed entries of pymatgen: one, or a list of them."""
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, dict) and str(first.get("@class", "")).startswith("Computed")


def read_entries(data: Any, source: str, corrections: str = "none", variant: str | None = None) -> list[ImportedRun]:
    """Entries with structures.

    Corrections that a file holds are not taken: one entry has them and another of the same hull has none, by its
    elements, so that they do not tell by which scheme it was made.

    Args:
        data: Of the file.
        source: Its name.
        corrections: none: energies as computed. MP2020: every entry corrected anew by that scheme.
        variant: Keeps its methods apart.

    Raises:
        InputError: if an entry cannot be read or the scheme does not take it.
    """
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    runs = []
    for place, item in enumerate(data if isinstance(data, list) else [data]):
        where = f"{source}, entry {item.get('entry_id') or place + 1}" if isinstance(item, dict) else source
        if not isinstance(item, dict) or "structure" not in item:
            raise InputError(FIELD, where, problem="has no structure", allowed="ComputedStructureEntry")
        try:
            entry = ComputedStructureEntry.from_dict(item)
        except Exception as error:  # whatever pymatgen says of a broken entry
            raise InputError(FIELD, where, problem=f"cannot be read: {description(error)}") from error
        runs.append(_run(entry, where, corrections, variant))
    return runs


def _run(entry: Any, where: str, corrections: str, variant: str | None) -> ImportedRun:
    structure, parameters = entry.structure, entry.parameters or {}
    if not structure.is_ordered:
        raise InputError(FIELD, where, problem="has partly occupied sites")
    energy = entry.uncorrected_energy_per_atom
    notes: tuple[str, ...] = ()
    if corrections == "MP2020":
        energy = _corrected(entry, where)
    elif abs(entry.correction_per_atom) > 1e-12:
        notes = (f"the file's correction of {1000 * entry.correction_per_atom:+.0f} meV/atom is not taken",)
    if not math.isfinite(energy):
        raise InputError(FIELD, where, problem="has no energy")
    run_type = str(parameters.get("run_type") or "unknown")
    identifier = str(entry.entry_id or "")
    provider = "Materials Project" if identifier.startswith(("mp-", "mvc-")) else "entries"
    cutoff = (parameters.get("incar") or {}).get("ENCUT")
    settings = {"cutoff_eV": float(cutoff) if cutoff else None}
    version = str(parameters.get("vasp_version") or "")
    functional = _FUNCTIONAL.get(run_type.upper(), run_type)
    return ImportedRun(
        structure, energy, ImportedMethod(provider, version, functional, settings, corrections, variant),
        _potentials(parameters), where, notes=notes,
    )  # fmt: skip


def _corrected(entry: Any, where: str) -> float:
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility

    scheme = MaterialsProject2020Compatibility(check_potcar=False)
    plain = entry.copy()
    plain.energy_adjustments = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = scheme.process_entries([plain], inplace=False)
    if not made:
        raise InputError(
            FIELD, where, problem="is not taken by the corrections MP2020", allowed="GGA and GGA+U energies",
            hint="--corrections none",
        )  # fmt: skip
    return float(made[0].energy_per_atom)


def _potentials(parameters: Any) -> dict[str, str]:
    """Element -> title, and U."""
    units = {str(symbol): value for symbol, value in (parameters.get("hubbards") or {}).items() if value}
    titles: Sequence[Any] = parameters.get("potcar_spec") or parameters.get("potcar_symbols") or ()
    found = {}
    for item in titles:
        words = str(item.get("titel") if isinstance(item, dict) else item).split()
        if not words:
            continue
        symbol = (words[1] if len(words) > 1 else words[0]).split("_")[0]
        found[symbol] = " ".join(words) + (f", U = {units[symbol]:g} eV" if symbol in units else "")
    return found
