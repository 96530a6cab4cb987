"""`ninefold dynamics paths`: the ways by which ligands permute, with their barriers."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import BarrierEngineOption, ModelOption, barrier_engine, refuse, told_by
from ninefold.cli.dynamics.checks import CheckOption
from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ninefold.dynamics.anions.permutations import Way
    from ninefold.dynamics.anions.sites import Site
    from ninefold.dynamics.paths.band_barrier import Barrier
    from ninefold.dynamics.second_method.single_points import SinglePoints


def paths(
    file: Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR, ...; relaxed here first, cell kept.")],
    centre: Annotated[str, typer.Option(help="Element at the centre of the anions, e.g. Re; of cages B12.")],
    engine: BarrierEngineOption = None,
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
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="turn, isomer, exchange of two, ring of three (four, five, six); repeat."),
    ] = None,
    site: Annotated[
        list[int] | None, typer.Option("--site", help="Anion by its centre's index, as --dry-run lists them; repeat.")
    ] = None,
    permutation: Annotated[
        list[str] | None,
        typer.Option(
            "--permutation",
            help="These alone, however long, in cycles of the ligands' numbers of --dry-run: '(0 3 5)'; repeat.",
        ),
    ] = None,
    check: CheckOption = None,
    check_paths: Annotated[
        int, typer.Option("--check-paths", min=1, help="Converged paths of each anion to check, the lowest first.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the ways; compute nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Find the barriers of permutations: candidates by symmetry for each inequivalent anion, nudged elastic bands.

    Both ends are the same relaxed structure with its ligands' names exchanged. With --check a second method computes
    the images of the lowest path of each anion; each is kept, so that the same command goes on after a kill.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.cli.dynamics.checks import check_method, print_path_checks
    from ninefold.cli.dynamics.systems import check_elements, say_beside, supercell
    from ninefold.dynamics.anions.permutations import KINDS, ways
    from ninefold.dynamics.anions.sites import sites
    from ninefold.dynamics.paths.kept_minimum import ends_file, kept_minimum, read_minimum
    from ninefold.engines import make_engine

    if not 0 < fmax <= 1:
        refuse("--fmax", fmax, "is no force criterion", "above 0, up to 1 eV/Å")
    if not 0 < longest <= 100:
        refuse("--longest", longest, "is no length", "above 0, up to 100 Å")
    atoms = supercell(file, width, 300)
    with told_by():
        made = make_engine(barrier_engine(engine, model))
    calculator = getattr(made, "calculator", None)
    if calculator is None:
        refuse("--engine", engine, "has no calculator", "chgnet, sevennet, or another ASE calculator")
    check_elements(made, atoms.get_chemical_symbols())
    say_beside(made, atoms)
    if kind and (unknown := sorted(set(kind) - set(KINDS))):
        refuse("--kind", unknown[0], "is no kind of way", ", ".join(KINDS))
    points = None if check is None else check_method(check, made, atoms.get_chemical_symbols(), out)
    sites(atoms, centre)  # refuses a wrong centre before anything is computed or written
    ends = None if out is None else ends_file(out, made.fingerprint, atoms)
    if not dry_run:
        with step_progress() as notify:
            atoms = kept_minimum(atoms, calculator(), ends, _counting(notify, "relaxation of the ends, steps"))
    elif ends is not None and ends.is_file():
        atoms = read_minimum(ends)
    anions = sites(atoms, centre)
    if site and (absent := sorted(set(site) - {one.centre for one in anions})):
        refuse("--site", absent[0], "is no inequivalent anion", ", ".join(str(one.centre) for one in anions))
    chosen = [anion for anion in anions if not site or anion.centre in site]
    if permutation and kind:
        refuse("--kind", kind[0], "and --permutation are two choices", "one of them")
    of_own = [(chosen[0], _asked(atoms, chosen[0], one)) for one in permutation or ()]
    if permutation and len(chosen) > 1:
        refuse(
            "--permutation", permutation[0], "is of one anion", f"--site {' or '.join(str(a.centre) for a in chosen)}"
        )
    if permutation:
        of_kind, longest = of_own, math.inf
    else:
        of_kind = [(one, way) for one in chosen for way in ways(atoms, one) if not kind or way.kind in kind]
    every = [(anion, way) for anion, way in of_kind if way.displacement <= longest]
    if not every:
        shortest = min((way.displacement for _, way in of_kind), default=None)
        if shortest is None:
            refuse("--kind", ", ".join(kind or ()), "is no way of these anions", ", ".join(KINDS))
        refuse("--longest", f"{longest:g}", "leaves no way", f"above {shortest:.2f} Å, the shortest")
    if dry_run:
        _print_plan(every, json=json)
        return
    rows: list[dict[str, Any]] = []
    with step_progress() as notify:
        for done, (anion, way) in enumerate(every):
            name = f"path {done + 1} (site {anion.centre}, {way.kind}), steps of the band"
            of_steps = _counting(notify, name)
            rows.append(_one(atoms, anion, way, calculator(), (fmax, steps, images), out, made, of_steps))
            notify("paths", done + 1, len(every))
    was_stopped = points is not None and out is not None and not _checked(rows, check_paths, calculator(), points, out)
    if json:
        checked = {} if points is None else {"check": points.engine.label, "check_evidence": points.engine.evidence}
        print_json({"engine": made.label, **checked, "paths": rows})
    else:
        _print_rows(rows, made.label)
        if points is not None:
            print_path_checks(console(), rows, made.label, points.engine.label)
    if was_stopped:
        typer.echo("Stopped: interrupted; the same command goes on.", err=True)
        raise typer.Exit(130)


def _asked(atoms: Any, anion: Site, cycles: str) -> Way:
    """The way of --permutation."""
    from ninefold.dynamics.anions.permutations import read_cycles, way_of

    try:
        return way_of(atoms, anion, read_cycles(cycles, len(anion.ligands)))
    except ValueError as error:
        refuse("--permutation", cycles, str(error), f"cycles of 0 to {len(anion.ligands) - 1}, e.g. '(0 3 5)(1 2)'")


def _counting(notify: Callable[[str, int, int | None], None], name: str) -> Callable[[int], None]:
    """Tells the steps done of something whose number of steps is not known."""
    return lambda done: notify(name, done, None)


def _checked(rows: list[dict[str, Any]], number: int, calculator: Any, points: SinglePoints, out: Path) -> bool:
    """Add the check method's energies to the lowest converged paths of each anion; False if Ctrl-C ended it."""
    from ase.io import read

    from ninefold.cli.calculation import step_progress, stopping
    from ninefold.dynamics.second_method.point_checks import check_path

    chosen: list[dict[str, Any]] = []
    for anion in dict.fromkeys(row["site"] for row in rows):
        converged = [row for row in rows if row["site"] == anion and row["is_converged"]]
        chosen += sorted(converged, key=lambda row: row["barrier_eV"])[:number]
    if not chosen:
        typer.echo("No path is converged: none is checked.", err=True)
    with stopping(None) as stop, step_progress() as notify:
        for row in chosen:
            images = out / row["file"]
            if not images.is_file():
                described = images.with_suffix(".json").name
                refuse("--out", str(images), "is missing: the images of a path", f"delete {described}: it is run again")
            chain = read(images, index=":")
            notify_images = partial(notify, f"check of site {row['site']}")
            found = check_path(chain, calculator, points, notify_images, stop)
            if found is None:
                return False
            row["check"] = {"engine": points.engine.label, "method": points.engine.fingerprint} | found.to_dict()
    return True


def _one(
    atoms: Any,
    site: Site,
    way: Way,
    calculator: Any,
    limits: tuple[float, int, int],
    out: Path | None,
    engine: Any,
    notify: Callable[[int], None],
) -> dict[str, Any]:
    """The row of a path, computed or found in the folder."""
    import json

    from ase.io import write

    from ninefold.atomic_files import write_atomically
    from ninefold.dynamics.paths.band_barrier import barrier
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
        return row | {"file": f"path-{key}.xyz"}
    fmax, steps, images = limits
    found = barrier(atoms, site, way, calculator, fmax, steps, images, notify)
    row = _row(site, way, found) | {"engine": engine.label, "method": engine.fingerprint}
    if out is not None and there is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out / f"path-{key}.xyz", list(found.images), format="extxyz")
        write_atomically(there, json.dumps(row, indent=1).encode())
        row["file"] = f"path-{key}.xyz"
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
        if not math.isfinite(found.barrier_eV):  # no image has an energy: two atoms met
            row |= dict.fromkeys(("barrier_eV", "energies_eV", "path_length", "residual"))
    return row


def _print_plan(every: list[tuple[Site, Way]], *, json: bool) -> None:
    rows = [_row(site, way, None) for site, way in every]
    if json:
        print_json({"paths": rows})
        return
    out = console()
    for site in dict.fromkeys(site for site, _ in every):
        atoms = ", ".join(f"{number}: {atom}" for number, atom in enumerate(site.ligands))
        out.print(f"site {site.centre}: ligands and their atoms, from 0: {atoms}")
    for row in rows:
        out.print(
            f"site {row['site']} ({row['equivalent_anions']} anions, {row['polyhedron']}): {row['kind']} "
            f"{row['permutation']}, {row['multiplicity']} alike, ligands move by {row['displacement']:.2f} Å in all"
        )
    out.print(f"{len(rows)} path{'' if len(rows) == 1 else 's'}")


def _print_rows(rows: list[dict[str, Any]], label: str) -> None:
    from rich.table import Table

    out = console()
    table = Table(box=None, pad_edge=False)
    for name in ("site", "anions", "kind", "permutation", "alike", "barrier meV", "path Å", "residual eV/Å"):
        table.add_column(name, justify="left" if name in ("kind", "permutation") else "right")
    for row in sorted(
        rows, key=lambda row: (row["site"], math.inf if row["barrier_eV"] is None else row["barrier_eV"])
    ):
        flag = "" if row["is_converged"] else " *"
        barrier, length, residual = (
            "–" if row[key] is None else f"{row[key] * scale:.{places}f}"
            for key, scale, places in (("barrier_eV", 1000, 0), ("path_length", 1, 2), ("residual", 1, 3))
        )
        table.add_row(
            str(row["site"]), str(row["equivalent_anions"]), row["kind"], row["permutation"], str(row["multiplicity"]),
            f"{barrier}{flag}", length, residual,
        )  # fmt: skip
    out.print(table)
    if any(not row["is_converged"] for row in rows):
        out.print("* not converged: an upper bound of this path, if its images are near it")
    out.print(f"Barriers by {label}, static: no zero-point energy, no tunnelling.")
