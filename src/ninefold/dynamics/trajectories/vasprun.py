"""Molecular dynamics in a `vasprun.xml`: frames, and the settings that a trajectory needs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError, iterparse

from ninefold.errors import InputError

MOLECULAR_DYNAMICS = 0
"""IBRION."""


class VaspDynamics(NamedTuple):
    """What a run's parameters say."""

    time_step_fs: float
    """POTIM: every ionic step is in the file."""
    temperature_K: float | None
    """TEBEG; None where TEEND is another one."""
    masses: dict[str, float]
    """Element -> POMASS, u."""


def is_vasprun(path: Path) -> bool:
    """Whether a file is VASP's, by its name."""
    return path.name.startswith("vasprun") and ".xml" in path.name


def vasp_dynamics(path: Path) -> VaspDynamics:
    """Time step, temperature and masses.

    Args:
        path: `vasprun.xml`, compressed or not; one that ends early will do.

    Raises:
        InputError: if it is no molecular dynamics.
    """
    values: dict[str, str] = {}
    masses: dict[str, float] = {}
    try:
        with _opened(path) as file:
            for _, item in iterparse(file):
                if item.tag == "parameters":
                    values = {one.attrib["name"]: one.text or "" for one in item.iter("i") if "name" in one.attrib}
                elif item.tag == "atominfo":
                    rows = item.findall("array[@name='atomtypes']/set/rc")
                    cells = [[(cell.text or "").strip() for cell in row] for row in rows]
                    masses = {row[1]: float(row[2]) for row in cells}
                    break  # frames follow
    except (ParseError, EOFError, OSError, zlib.error, ValueError, IndexError) as error:
        raise InputError("trajectory", str(path), problem=f"is no vasprun.xml that can be read: {error}") from error
    try:
        kind, step = int(values["IBRION"]), float(values["POTIM"])
        first, last = float(values["TEBEG"]), float(values.get("TEEND", values["TEBEG"]))
    except (KeyError, ValueError) as error:
        raise InputError("trajectory", str(path), problem=f"lacks a parameter of dynamics: {error}") from error
    if kind != MOLECULAR_DYNAMICS:
        raise InputError("trajectory", str(path), problem=f"is no molecular dynamics: IBRION = {kind}",
                         allowed="IBRION = 0")  # fmt: skip
    # VASP writes -1 where INCAR gives no last temperature
    is_constant = last < 0 or abs(first - last) < 1.0
    return VaspDynamics(step, first if is_constant else None, masses)


def vasp_frames(path: Path, skip: int = 0) -> Iterator[Any]:
    """Every ionic step as ASE's atoms, with its energy; of a file that ends early those that are whole.

    Args:
        path: `vasprun.xml`, compressed or not.
        skip: Steps to leave out at the start.
    """
    from ase.io.vasp import read_vasp_xml

    with _opened(path) as file:
        yield from read_vasp_xml(file, index=slice(skip, None))


def _opened(path: Path) -> Any:
    from monty.io import zopen

    return zopen(path, "rb")
