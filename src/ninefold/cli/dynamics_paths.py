"""`ninefold dynamics paths`: the ways by which ligands permute, with their barriers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import EngineOption, ModelOption, refuse
from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.dynamics.paths import Barrier, Site, Way


def paths(
    file: Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR, ...; relaxed here first, cell kept.")],
    centre: Annotated[str, typer.Option(help="Element at the centre of the anions, e.g. Re.")],
    engine: EngineOption = "sevennet",
    model: ModelOption = None,
    longest: Annotated[
        float, typer.Option(help="Ways whose ligands move by more in all are left out, Å (root of summed squares).")
    ] = 4.0,
    fmax: Annotated[float, typer.Option(help="Largest force across the path at the end, eV/Å.")] = 0.05,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimizer for each path at most.")] = 200,
    images: Annotated[int, typer.Option(min=3, max=51, help="Between the two ends.")] = 7,
    width: Annotated[float, typer.Option(help="Narrowest width of the supercell, Å.")] = 5.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for paths (extended XYZ); those that are there are kept.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the ways; compute nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Find the barriers of permutations: candidates by symmetry for each inequivalent anion, nudged elastic bands.

    Both ends are the same relaxed structure with its ligands' names exchanged.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.cli.dynamics import supercell
    from ninefold.dynamics.bands import relax_in_cell
    from ninefold.dynamics.paths import sites, ways
    from ninefold.engines import EngineSettings, make_engine

    if not 0 < fmax <= 1:
        refuse("--fmax", fmax, "is no force criterion", "above 0, up to 1 eV/Å")
    if not 0 < longest <= 100:
        refuse("--longest", longest, "is no length", "above 0, up to 100 Å")
    atoms = supercell(file, width, 300)
    made = make_engine(EngineSettings(name=engine, model=model))
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse("--engine", engine, "has no calculator", "chgnet, sevennet, or another ASE calculator")
    if not dry_run:
        atoms.calc = calculator()
        relax_in_cell(atoms)
    every = [(site, way) for site in sites(atoms, centre) for way in ways(atoms, site) if way.displacement <= longest]
    if dry_run:
        _print_plan(every, json=json)
        return
    rows: list[dict[str, Any]] = []
    with step_progress() as notify:
        for done, (site, way) in enumerate(every):
            notify("paths", done, len(every))
            rows.append(_one(atoms, site, way, calculator(), (fmax, steps, images), out, made))
        notify("paths", len(every), len(every))
    if json:
        print_json({"engine": made.label, "paths": rows})
        return
    _print_rows(rows, made.label)


def _one(
    atoms: Any, site: Site, way: Way, calculator: Any, limits: tuple[float, int, int], out: Path | None, engine: Any
) -> dict[str, Any]:
    """The row of a path, computed or found in the folder."""
    import json

    from ase.io import write

    from ninefold.atomic_files import write_atomically
    from ninefold.dynamics.paths import barrier
    from ninefold.keys import content_key

    key = content_key(
        [
            engine.fingerprint,
            [round(float(value), 3) for value in atoms.positions.ravel()],
            list(way.permutation),
            site.centre,
            *limits,
        ]
    )[:16]
    there = None if out is None else out / f"path-{key}.json"
    if there is not None and there.is_file():
        row: dict[str, Any] = json.loads(there.read_text(encoding="utf-8"))
        return row
    fmax, steps, images = limits
    found = barrier(atoms, site, way, calculator, fmax, steps, images)
    row = _row(site, way, found) | {"engine": engine.label, "method": engine.fingerprint}
    if out is not None and there is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out / f"path-{key}.xyz", list(found.images), format="extxyz")
        write_atomically(there, json.dumps(row, indent=1).encode())
    return row


def _row(site: Site, way: Way, found: Barrier | None) -> dict[str, Any]:
    row = {
        "site": site.centre, "equivalent_anions": site.equivalent, "polyhedron": site.polyhedron,
        "kind": way.kind, "permutation": way.cycles, "ligands": list(site.ligands),
        "multiplicity": way.multiplicity, "ligands_moved": way.ligands_moved, "displacement": way.displacement,
    }  # fmt: skip
    if found is not None:
        row |= {
            "barrier_eV": found.barrier_eV, "energies_eV": list(found.energies_eV), "path_length": found.path_length,
            "residual": found.residual, "is_converged": found.is_converged,
        }  # fmt: skip
    return row


def _print_plan(every: list[tuple[Site, Way]], *, json: bool) -> None:
    rows = [_row(site, way, None) for site, way in every]
    if json:
        print_json({"paths": rows})
        return
    out = console()
    for row in rows:
        out.print(
            f"site {row['site']} ({row['equivalent_anions']} anions, {row['polyhedron']}): {row['kind']} "
            f"{row['permutation']}, {row['multiplicity']} alike, ligands move by {row['displacement']:.2f} Å in all"
        )
    out.print(f"{len(rows)} paths")


def _print_rows(rows: list[dict[str, Any]], label: str) -> None:
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False)
    for name in ("site", "anions", "kind", "permutation", "alike", "barrier meV", "path Å", "residual eV/Å"):
        table.add_column(name, justify="left" if name in ("kind", "permutation") else "right")
    for row in sorted(rows, key=lambda row: (row["site"], row["barrier_eV"])):
        flag = "" if row["is_converged"] else " *"
        table.add_row(
            str(row["site"]), str(row["equivalent_anions"]), row["kind"], row["permutation"], str(row["multiplicity"]),
            f"{row['barrier_eV'] * 1000:.0f}{flag}", f"{row['path_length']:.2f}", f"{row['residual']:.3f}",
        )  # fmt: skip
    out.print(table)
    if any(not row["is_converged"] for row in rows):
        out.print("* not converged: an upper bound of this path, if its images are near it")
    out.print(f"Barriers by {label}, static: no zero-point energy, no tunnelling.")
