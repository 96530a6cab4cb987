"""The supercell that a command of `ninefold dynamics` computes, and whether the engine knows what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from ninefold.cli.calculation import refuse


def supercell(file: Path, width: float, max_atoms: int) -> Any:
    """The structure of a file as ASE's atoms, repeated to a width."""
    from ninefold.dynamics.simulation.cells import repeats_of, widened
    from ninefold.structures.files import read_structure

    read = read_structure(file)
    for note in read.notes:
        typer.echo(f"ninefold: note: {file}: {note}", err=True)
    structure = read.structure
    return widened(structure, repeats_of(structure.lattice.matrix, width, len(structure), max_atoms))


def check_elements(made: Any, symbols: Iterable[str]) -> None:
    """Refuse a structure with an element that an engine does not know, before anything is computed."""
    known: frozenset[str] = getattr(made, "elements", None) or frozenset()
    unknown = sorted(set(symbols) - known)
    if known and unknown:
        refuse("--engine", made.name, f"does not know {', '.join(unknown)}", ", ".join(sorted(known)))


def say_beside(made: Any, atoms: Any) -> None:
    """Tell where a corrected engine is used for a composition or a volume that was not labelled."""
    from ninefold.dynamics.potentials.corrected import CorrectedEngine

    if isinstance(made, CorrectedEngine):
        for note in made.beside(atoms.get_chemical_symbols(), atoms.get_volume() / len(atoms)):
            typer.echo(f"ninefold: note: {note}", err=True)
