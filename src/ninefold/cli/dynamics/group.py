"""The commands of `ninefold dynamics`."""

from __future__ import annotations

import typer

from ninefold.cli.dynamics.analyse import analyse
from ninefold.cli.dynamics.candidates import candidates
from ninefold.cli.dynamics.correct import correct
from ninefold.cli.dynamics.density import density
from ninefold.cli.dynamics.distil import distil
from ninefold.cli.dynamics.jumps import jumps
from ninefold.cli.dynamics.paths import paths
from ninefold.cli.dynamics.plot import plot
from ninefold.cli.dynamics.quench import quench
from ninefold.cli.dynamics.run import run
from ninefold.cli.dynamics.transport import transport


def register(app: typer.Typer) -> None:
    """Add `ninefold dynamics` and its commands."""
    group = typer.Typer(no_args_is_help=True, help="Molecular dynamics, and the pseudorotation of anions in it.")
    for command in (run, analyse, paths, transport, jumps, candidates, plot, distil, correct, density, quench):
        group.command()(command)
    app.add_typer(group, name="dynamics")
