"""Options that several commands share, so that they are spelled and explained once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Store of the results, a file or URI. Default: $NINEFOLD_STORE, the campaign's, or ./ninefold.db.",
    ),
]
CampaignOption = Annotated[
    str | None, typer.Option("--campaign", "-c", help="Campaign by name in the store (or a campaign file).")
]
WorkflowOption = Annotated[
    str, typer.Option("--workflow", help="The flow: a name that ninefold ships, or a Python file with make_flow.")
]
SubmitToOption = Annotated[
    str | None, typer.Option("--cluster", help="Submit it to this cluster, instead of computing it here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with stable keys.")]


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output; in escapes where its encoding cannot hold every character.

    JSON has no number for what is not known or has no bound: null.
    """
    import json
    import sys

    is_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    try:
        text = json.dumps(value, indent=2, ensure_ascii=not is_unicode, allow_nan=False)
    except ValueError:
        text = json.dumps(finite(value), indent=2, ensure_ascii=not is_unicode, allow_nan=False)
    typer.echo(text)


def finite(value: Any) -> Any:
    """A value with null in place of NaN and infinity, at any depth."""
    import math

    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def console(**options: Any) -> Any:
    """A rich console on standard output; as wide as needed where the output is not a terminal.

    Text is printed as it is, in tables too: a path may hold brackets (`x[/b].db`) or colons, and an anion does.
    """
    import shutil
    import sys

    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """A reader that has seen enough (`| head`) is no error; rich would end the program with exit code 1."""
            raise BrokenPipeError

    if not sys.stdout.isatty() and "width" not in options:
        options["width"] = shutil.get_terminal_size((120, 24)).columns  # COLUMNS, if it is set
    return Output(highlight=False, markup=False, emoji=False, **options)
