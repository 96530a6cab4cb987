"""The command line: `ninefold`. Heavy libraries are imported inside the commands that need them."""

from __future__ import annotations

import os
import sys

from ninefold.cli import signals

with signals.ending_at_once():
    import typer
    from typer.exceptions import TyperException

    from ninefold import __version__
    from ninefold.cli import campaign, explain, read, rules, run, search
    from ninefold.errors import NinefoldError

app = typer.Typer(
    name="ninefold",
    help="Screen complex transition-metal hydrides whose anions hold seven or more hydrogens.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"ninefold {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass


for module in (run, read, explain, rules, search, campaign):
    module.register(app)


def main() -> None:
    """Run the command line; every error is one line on standard error and an exit code."""
    signals.install()
    try:
        code = app(standalone_mode=False)
    except NinefoldError as error:
        code = _complain(str(error), error.exit_code)
    except typer.Abort:
        code = _complain("interrupted", 130)
    except TyperException as error:
        code = _complain_of_usage(error)
    except signals.Interrupted as interrupt:
        signals.leave(_complain(str(interrupt), interrupt.exit_code))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("NINEFOLD_DEBUG"):
            raise
        code = _complain(
            f"a mistake of ninefold's own: {type(error).__name__}: {' '.join(str(error).split())} "
            "(NINEFOLD_DEBUG=1 shows where; please report it)",
            1,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _complain_of_usage(error: TyperException) -> int:
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(text)
        return 0
    cause = error.__cause__
    if cause is not None and hasattr(cause, "errors"):  # typer checks values with pydantic and leaves the value out
        text = f"{text.rstrip('.')}, not {cause.errors()[0]['input']!r}"
    context = getattr(error, "ctx", None)
    advice = f"; see '{context.command_path} --help'" if context is not None else ""
    return _complain(f"{' '.join(text.split()).removesuffix('.')}{advice}", 2)


def _complain(message: str, code: int) -> int:
    typer.echo(f"ninefold: error: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
