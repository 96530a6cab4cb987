"""Structures of an OPTIMADE provider with energies from a field of the provider's own.

The standard has no energies: which field holds them, in which unit, and by which method, the user says.
Source: Evans et al., Digital Discovery 3, 1509 (2024), doi:10.1039/D4DD00039K.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from ninefold.errors import InputError, description, listed
from ninefold.imported.run import ImportedMethod, ImportedRun

FIELD = "import"
UNITS = ("eV/atom", "eV/cell")


def is_optimade(data: Any) -> bool:
    """Whether JSON is an answer of an OPTIMADE server, or a list of its structures."""
    items = data.get("data") if isinstance(data, dict) else data
    first = items[0] if isinstance(items, list) and items else items
    return isinstance(first, dict) and first.get("type") == "structures" and isinstance(first.get("attributes"), dict)


def read_structures(
    data: Any, source: str, method: str | None, energy_field: str | None, unit: str = "eV/atom",
    variant: str | None = None, left_out: list[InputError] | None = None,
) -> list[ImportedRun]:  # fmt: skip
    """Structures with their energies.

    Args:
        data: An answer, or a list of its structures.
        source: File or address.
        method: Functional and settings, in the user's words: it identifies the method.
        energy_field: The provider's; a dot leads into a nested one.
        unit: Of it, one of `UNITS`.
        variant: Keeps its method apart.
        left_out: Collects the errors of structures that cannot be used; None: the first is raised.

    Raises:
        InputError: if field or method is not named, or a structure has no energy or cannot be read.
    """
    items = data["data"] if isinstance(data, dict) else data
    items = items if isinstance(items, list) else [items]
    if not items:
        raise InputError(FIELD, source, problem="holds no structure")
    if energy_field is None:
        raise InputError(
            "--energy-field", None, problem="is needed: OPTIMADE has no standard field for energies",
            allowed=listed(_numbers(_attributes(items[0])), 12) or f"none in {source}",
        )  # fmt: skip
    if not method:
        raise InputError(
            "--method", None, problem="is needed: OPTIMADE does not say how an energy was computed",
            hint='name functional and settings, e.g. --method "PBE, 520 eV"',
        )  # fmt: skip
    made = ImportedMethod(_provider(source), "", method, {"energy_field": energy_field, "unit": unit}, "none", variant)
    runs = []
    for item in items:
        try:
            runs.append(_run(item, source, made, energy_field, unit))
        except InputError as error:
            if left_out is None:
                raise
            left_out.append(error)
    return runs


def _run(item: Any, source: str, method: ImportedMethod, energy_field: str, unit: str) -> ImportedRun:
    from optimade.adapters import Structure as Adapter
    from pymatgen.core import Structure

    attributes = _attributes(item)
    where = f"{source}, structure {item.get('id')}" if isinstance(item, dict) else source
    if not attributes or item.get("type") != "structures":
        raise InputError(FIELD, where, problem="is no structure of OPTIMADE")
    value: Any = attributes
    for part in [energy_field] if energy_field in value else energy_field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    energy = _finite(value)
    if energy is None:
        numbers = _numbers(attributes)
        raise InputError(
            FIELD, where, problem=f"has no number in {energy_field}", allowed=listed(numbers, 12) if numbers else None,
            # a provider is asked for this field alone
            hint=None if numbers else "without --energy-field the import lists the fields that are there",
        )  # fmt: skip
    try:
        structure = Adapter(item).as_pymatgen
    except Exception as error:  # whatever the adapter says of a broken entry
        raise InputError(FIELD, where, problem=f"cannot be read: {description(error)}") from error
    if not isinstance(structure, Structure) or not structure.is_ordered:
        raise InputError(FIELD, where, problem="is no ordered crystal")
    return ImportedRun(structure, energy / (len(structure) if unit == "eV/cell" else 1), method, {}, where)


def _attributes(item: Any) -> dict[str, Any]:
    found = item.get("attributes") if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _finite(value: Any) -> float | None:
    """A number; None for everything else, NaN and infinity among it, which Python's JSON reader lets pass."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _numbers(attributes: dict[str, Any], before: str = "") -> list[str]:
    """Fields of the provider's own that hold a number."""
    names = []
    for key, value in attributes.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            names += _numbers(value, f"{name}.") if name.startswith("_") else []
        elif name.startswith("_") and _finite(value) is not None:
            names.append(name)
    return names


def _provider(source: str) -> str:
    return urlsplit(source).netloc or "OPTIMADE"
