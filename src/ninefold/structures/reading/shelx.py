"""SHELX `.res` and `.ins`, as crystallographers and structure predictions (AIRSS) write them.

The instructions are those of SHELXL: https://shelx.uni-goettingen.de/shelxl_html.php. A site's `sof` is its occupancy
divided by the order of its symmetry, and 10 is added to what is not refined: 11.0 is 1.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from ninefold.structures.reading.expansion import Site, expand
from ninefold.structures.reading.model import HYDROGENS, ReadStructure, UnreadableError, element_of, plain_structure
from ninefold.structures.reading.space_groups import PARTS, Group, keeps_cell, shelx_group

_INSTRUCTIONS = frozenset(
    "ABIN ACTA AFIX ANIS ANSC ANSR BASF BIND BLOC BOND BUMP CELL CGLS CHIV CONF CONN DAMP DANG DEFS DELU DFIX DISP "
    "EADP END EQIV EXTI EXYZ FEND FLAT FMAP FRAG FREE FVAR GRID HFIX HKLF HTAB ISOR LATT LAUE LIST L.S. MERG MORE MOVE "
    "MPLA NCSY NEUT OMIT PART PLAN PRIG REM RESI RIGU RTAB SADI SAME SFAC SHEL SIMU SIZE SPEC STIR SUMP SWAT SYMM TEMP "
    "TITL TWIN TWST UNIT WGHT WIGL WPDB XNPD ZERR".split()
)


def read_shelx(text: str) -> ReadStructure:
    """The structure of a SHELX file.

    Raises:
        UnreadableError: if it is broken, or disordered.
    """
    cell: np.ndarray | None = None
    latt: int | None = None
    operations: list[str] = []
    elements: list[str] = []
    unit: list[float] = []
    variables: list[float] = []
    rows: list[list[str]] = []
    parts: set[int] = set()
    part = 0
    for line in _lines(text):
        words = line.split()
        key = words[0].upper().split("_")[0]
        if key in ("HKLF", "END"):
            break
        if key == "CELL":
            cell = _cell(words)
        elif key == "LATT":
            latt = int(_number(words, 1, "LATT"))
        elif key == "SYMM":
            operations.append(line[4:].strip())
        elif key == "SFAC":
            elements += _elements(words[1:])
        elif key == "UNIT":
            unit = [_number(words, place, "UNIT") for place in range(1, len(words))]
        elif key == "FVAR":
            variables += [_number(words, place, "FVAR") for place in range(1, len(words))]
        elif key == "PART":
            part = int(_number(words, 1, "PART"))
        elif key not in _INSTRUCTIONS:
            rows.append(words)
            parts.add(part)
    if cell is None or not elements:
        raise UnreadableError("is no SHELX file: it has no CELL or no SFAC line")
    if latt is None:
        raise UnreadableError("gives no LATT line", "LATT -1 is a primitive lattice without inversion")
    if not rows:
        raise UnreadableError("holds no periodic structure: it has no atoms")
    if len(parts - {0}) > 1 or any(number < 0 for number in parts):
        raise UnreadableError("is disordered: its atoms are of different parts (PART)", "give one of them")
    group = shelx_group(latt, operations)
    if not keeps_cell(group, cell):
        raise UnreadableError("contradicts its own symmetry: the cell does not have that of LATT and SYMM")
    sites = [_site(words, elements, variables, group, cell) for words in rows]
    expanded = expand(sites, group, cell)
    if len(unit) == len(elements) and any(unit):
        _check_unit(expanded.counts, elements, unit)
    return plain_structure(cell, expanded.symbols, expanded.positions, expanded.notes)


def _lines(text: str) -> list[str]:
    """Lines without comments; one that ends with `=` goes on in the next."""
    found: list[str] = []
    goes_on = False
    for raw in text.splitlines():
        line = raw.split("!")[0].rstrip()
        if goes_on and found:
            found[-1] += " " + line.strip()
        elif line.strip() and not raw[0].isspace():
            found.append(line)
        elif line.strip():
            found.append(line.strip())
        goes_on = line.endswith("=") and bool(found)
        if goes_on:
            found[-1] = found[-1][:-1].rstrip()
    return found


def _number(words: list[str], place: int, name: str) -> float:
    try:
        return float(words[place].split("(")[0])
    except (IndexError, ValueError) as error:
        raise UnreadableError(f"is broken in a line of {name}: {' '.join(words)[:60]!r}") from error


def _cell(words: list[str]) -> np.ndarray:
    from pymatgen.core import Lattice

    values = [_number(words, place, "CELL") for place in range(2, 8)]
    if min(values) <= 0 or max(values[3:]) >= 180:
        raise UnreadableError(f"gives a cell that is none: {' '.join(words)}")
    cell = np.array(Lattice.from_parameters(*values).matrix)
    if not np.isfinite(cell).all():
        raise UnreadableError(f"gives a cell that is none: {' '.join(words)}")
    return cell


def _elements(words: list[str]) -> list[str]:
    found = []
    for word in words:
        if re.match(r"[-+.\d]", word):
            break  # scattering factors of one element follow its symbol
        element = element_of(re.sub(r"[^A-Za-z]", "", word))
        if element is None:
            raise UnreadableError(f"names {word!r} in SFAC, which is no element")
        found.append(element)
    return found


def _free(value: float, variables: list[float], label: str) -> float:
    """A parameter as SHELXL codes it: 10 + p is p held; 10 m + p is p times the free variable m."""
    if abs(value) < 5:
        return value
    variable = round(abs(value) / 10)
    rest = value - np.sign(value) * 10 * variable
    if variable == 1:
        return float(rest)
    if variable > len(variables):
        raise UnreadableError(f"refers to the free variable {variable} at {label}, which FVAR does not give")
    free = variables[variable - 1]
    return float(rest * free if value > 0 else rest * (free - 1))


def _site(words: list[str], elements: list[str], variables: list[float], group: Group, cell: np.ndarray) -> Site:
    label = words[0]
    kind = int(_number(words, 1, f"the atom {label}"))
    if not 1 <= kind <= len(elements):
        raise UnreadableError(f"gives {label} the scattering factor {kind}; SFAC has {len(elements)}")
    position = np.array([_free(_number(words, place, f"the atom {label}"), variables, label) for place in (2, 3, 4)])
    factor = _free(_number(words, 5, f"the atom {label}") if len(words) > 5 else 1.0, variables, label)
    images = group.rotations @ position + group.translations / PARTS - position
    near = np.linalg.norm((images - np.round(images)) @ cell, axis=1) < 0.1
    # 0.16667 for a sixth: rounded to 5 digits or fewer
    occupancy = factor * int(near.sum())
    return Site(label, elements[kind - 1], position, round(occupancy, 3))


def _check_unit(counts: Counter[str], elements: list[str], unit: list[float]) -> None:
    from pymatgen.core import Composition

    wanted: Counter[str] = Counter()
    for element, amount in zip(elements, unit, strict=True):
        wanted["H" if element in HYDROGENS else element] += amount  # type: ignore[assignment]
    if any(abs(counts[element] - wanted[element]) > 0.05 for element in {*counts, *wanted}):
        has = Composition(dict(counts)).formula
        says = Composition({element: amount for element, amount in wanted.items() if amount}).formula
        missing = "has hydrogens missing" if wanted["H"] and not counts["H"] else "contradicts its own formula"
        raise UnreadableError(f"{missing}: UNIT says {says}, its atoms are {has}")
