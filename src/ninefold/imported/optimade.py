"""Structures of an OPTIMADE provider with energies from a field of the provider's own.

The standard has no energies: which field holds them, in which unit, and by which method, the user says.
Source: Evans et al., Digital Discovery 3, 1509 (2024), doi:10.1039/D4DD00039K.
"""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import Request, urlopen

from ninefold.errors import InputError, description, listed
from ninefold.imported.run import ImportedMethod, ImportedRun

FIELD = "import"
UNITS = ("eV/atom", "eV/cell")
MOST_PAGES = 1000
MOST_BYTES = 200_000_000
SECONDS = 60
"""Without an answer."""


def is_optimade(data: Any) -> bool:
    """Whether JSON is an answer of an OPTIMADE server, or a list of its structures."""
    items = data.get("data") if isinstance(data, dict) else data
    first = items[0] if isinstance(items, list) and items else items
    return isinstance(first, dict) and first.get("type") == "structures" and isinstance(first.get("attributes"), dict)


def fetch(url: str, filter: str | None = None) -> list[dict[str, Any]]:
    """All pages of an answer.

    Args:
        url: A provider's base URL, or one that ends with `/structures`.
        filter: In OPTIMADE's language.

    Raises:
        InputError: if the server cannot be reached, refuses the filter, or answers something else.
    """
    address = url if "/structures" in urlsplit(url).path else f"{_versioned(url)}/structures"
    if filter is not None:
        address += ("&" if "?" in address else "?") + urlencode({"filter": filter})
    found: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        answer = _get(address)
        if not isinstance(answer.get("data"), list):
            raise InputError(FIELD, address, problem="is no answer of an OPTIMADE server: it has no data")
        found += answer["data"]
        following = (answer.get("links") or {}).get("next")
        following = following.get("href") if isinstance(following, dict) else following
        if not following:
            return found
        address = urljoin(address, following)
    raise InputError(FIELD, url, problem=f"has more than {MOST_PAGES} pages", hint="narrow it with --filter")


def read_structures(
    data: Any, source: str, method: str | None, energy_field: str | None, unit: str = "eV/atom",
    variant: str | None = None,
) -> list[ImportedRun]:  # fmt: skip
    """Structures with their energies.

    Args:
        data: An answer, or a list of its structures.
        source: File or address.
        method: Functional and settings, in the user's words: it identifies the method.
        energy_field: The provider's; a dot leads into a nested one.
        unit: Of it, one of `UNITS`.
        variant: Keeps its method apart.

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
            allowed=listed(_numbers(items[0]["attributes"]), 12) or f"none in {source}",
        )  # fmt: skip
    if not method:
        raise InputError(
            "--method", None, problem="is needed: OPTIMADE does not say how an energy was computed",
            hint='name functional and settings, e.g. --method "PBE, 520 eV"',
        )  # fmt: skip
    made = ImportedMethod(_provider(source), "", method, {"energy_field": energy_field, "unit": unit}, "none", variant)
    return [_run(item, source, made, energy_field, unit) for item in items]


def _run(item: dict[str, Any], source: str, method: ImportedMethod, energy_field: str, unit: str) -> ImportedRun:
    from optimade.adapters import Structure as Adapter
    from pymatgen.core import Structure

    where = f"{source}, structure {item.get('id')}"
    value: Any = item["attributes"]
    for part in [energy_field] if energy_field in value else energy_field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(
            FIELD, where, problem=f"has no number in {energy_field}",
            allowed=listed(_numbers(item["attributes"]), 12) or "none is there",
        )  # fmt: skip
    try:
        structure = Adapter(item).as_pymatgen
    except Exception as error:  # whatever the adapter says of a broken entry
        raise InputError(FIELD, where, problem=f"cannot be read: {description(error)}") from error
    if not isinstance(structure, Structure) or not structure.is_ordered:
        raise InputError(FIELD, where, problem="is no ordered crystal")
    energy = float(value) / (len(structure) if unit == "eV/cell" else 1)
    return ImportedRun(structure, energy, method, {}, where)


def _numbers(attributes: dict[str, Any], before: str = "") -> list[str]:
    """Fields of the provider's own that hold a number."""
    names = []
    for key, value in attributes.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            names += _numbers(value, f"{name}.") if name.startswith("_") else []
        elif name.startswith("_") and isinstance(value, (int, float)) and not isinstance(value, bool):
            names.append(name)
    return names


def _provider(source: str) -> str:
    return urlsplit(source).netloc or "OPTIMADE"


def _versioned(url: str) -> str:
    base = url.rstrip("/")
    return base if base.rsplit("/", 1)[-1] in ("v0", "v1") else f"{base}/v1"


def _get(address: str) -> dict[str, Any]:
    if urlsplit(address).scheme not in ("http", "https"):
        raise InputError(FIELD, address, problem="is no address", allowed="http:// or https://")
    try:
        request = Request(address, headers={"Accept": "application/json", "User-Agent": "ninefold"})
        with urlopen(request, timeout=SECONDS) as answer:
            content = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        raise InputError(FIELD, address, problem=f"was refused: {error.code}{_detail(error)}") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(FIELD, address, problem=f"cannot be reached: {reason}") from error
    if len(content) > MOST_BYTES:
        raise InputError(FIELD, address, problem=f"answers more than {MOST_BYTES} bytes")
    try:
        data = json.loads(content)
    except ValueError as error:
        raise InputError(FIELD, address, problem="answers no JSON") from error
    if not isinstance(data, dict):
        raise InputError(FIELD, address, problem="is no answer of an OPTIMADE server")
    return data


def _detail(error: HTTPError) -> str:
    """What the server says of the error."""
    try:
        errors = json.loads(error.read(100_000)).get("errors") or []
        return f" ({errors[0]['detail']})" if errors else ""
    except (ValueError, OSError, AttributeError, KeyError, IndexError, TypeError):
        return ""
