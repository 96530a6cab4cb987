"""The command line: `ninefold`. Heavy libraries are imported inside the commands that need them."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import sys

from ninefold import machine
from ninefold.cli import signals

machine.use_one_thread()  # before any library that computes is loaded: see there
gc.disable()  # of a query's half second the collector takes 60 ms, to look through what imports have made and keep

with signals.ending_at_once():
    import typer
    from typer.exceptions import TyperException

    from ninefold import __version__, user_code
    from ninefold.errors import NinefoldError, description, shown

LONGEST_MESSAGE = 2000
"""Characters of an error."""

MODULES = {
    "run": ("run", "resume"),
    "read": ("status", "query", "show", "export", "report"),
    "rank": ("rank",),
    "explain": ("explain", "fields"),
    "rules": ("rules",),
    "stages": ("stages",),
    "search": ("search", "relax"),
    "campaign": ("campaign",),
    "enumeration": ("enumerate",),
    "trust": ("trust",),
    "verify": ("verify",),
    "vibrations": ("vibrations",),
    "import_runs": ("import",),
    "references": ("references",),
    "db": ("db",),
    "cluster": ("cluster", "up"),
    "submit": ("submit", "retry"),
    "cluster_workers": ("work", "serve-spool"),
    "submitted": ("failures", "pause", "cancel"),
    "dynamics.group": ("dynamics",),
    "xrd": ("xrd",),
    "recipe": ("recipe",),
    "compress": ("compress",),
    "phase_map": ("map",),
    "facts": ("facts",),
}
"""Module -> the commands that it adds, in the order of the help. Where one is named only its module is imported, and
only its options are read: with all of them a query would take a tenth of a second more."""
_QUICK = "query"
"""The command that ends before any garbage matters."""


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"ninefold {__version__}")
        raise typer.Exit


def _global_options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    if context.invoked_subcommand != _QUICK:
        gc.enable()


def command_line(named: str | None = None) -> typer.Typer:
    """The commands: those of the module of the named one, or all."""
    app = typer.Typer(
        name="ninefold",
        help="Screen complex transition-metal hydrides whose anions hold seven or more hydrogens.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for module in [name for name, commands in MODULES.items() if named in commands] or MODULES:
        importlib.import_module(f"ninefold.cli.{module}").register(app)
    return app


gc.enable()


def main() -> None:
    """Run the command line; every error is one line on standard error and an exit code."""
    gc.disable()
    _prepare_streams()
    signals.install()
    try:
        with signals.ending_at_once():
            app = command_line(next((word for word in sys.argv[1:] if not word.startswith("-")), None))
        code = app(standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here, not when the interpreter ends
    except NinefoldError as error:
        code = _print_error(str(error), error.exit_code)
    except typer.Abort:
        code = _print_error("interrupted", 130)
    except TyperException as error:
        code = _print_usage_error(error)
    except signals.Interrupted as interrupt:
        signals.leave(_print_error(str(interrupt), interrupt.exit_code))
    except BrokenPipeError:
        code = 0
    except BaseException as error:  # SystemExit too: no command of ours ends by it, a user's file may
        if os.environ.get("NINEFOLD_DEBUG"):
            raise
        code = _print_unexpected(error)
    gc.enable()
    _silence_stdout()
    if (module := sys.modules.get("ninefold.store.mongo_connection")) is not None:  # not imported for this alone
        module.leave_threads()
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    """Three open streams, and no character that cannot be written.

    A stream that is closed (`>&-`) would leave its number to the next file that is opened, a store for one, into
    which a library's output would then go. What a terminal's encoding lacks is written as an escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # writing fails on standard output, as to any closed file; for standard error no report is possible
            mode = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            descriptor = os.open(os.devnull, mode)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """What is left in the buffer and cannot be written must not make the interpreter print an error when it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_unexpected(error: BaseException) -> int:
    """One line on an error that no command foresaw: of a user's file, of the machine, or an internal one."""
    package = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package and package != "ninefold" and package not in sys.stdlib_module_names:
        return _print_error(f"the package {package!r} is not installed; pip install {package}", 2)
    if (blamed := user_code.blamed(error)) is not None:
        return _print_error(str(blamed), blamed.exit_code)
    if isinstance(error, SystemExit):
        return _print_error(f"a library ended the program (exit code {error.code!r})", 1)
    if isinstance(error, ImportError) and not package:
        return _print_error(f"a library cannot be loaded (memory, or a broken installation): {description(error)}", 1)
    if isinstance(error, MemoryError):
        return _print_error("the memory of this machine is used up", 1)
    if isinstance(error, OSError):
        return _print_system_error(error)
    if "ninefold.store.locate" in sys.modules:
        from ninefold.store.locate import find_damage

        if (damage := find_damage()) is not None:
            return _print_error(str(damage), damage.exit_code)
    place = "NINEFOLD_DEBUG=1 shows where; please report it"
    return _print_error(f"internal error: {description(error)} ({place})", 1)


def _print_system_error(error: OSError) -> int:
    """An error of the file system that no command foresaw: a full disk, a folder that is gone."""
    words = error.strerror or description(error)
    if error.filename is not None:
        return _print_error(f"file: {shown(os.fsdecode(error.filename))}: {words}", 2)
    try:
        os.getcwd()
    except OSError:
        return _print_error("working folder: it has been deleted; change to one that exists", 2)
    return _print_error(f"output: cannot be written: {words}", 2)


def _print_usage_error(error: TyperException) -> int:
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(text)
        return 0
    cause = error.__cause__
    if cause is not None and hasattr(cause, "errors"):  # typer checks values with pydantic and leaves the value out
        text = f"{text.rstrip('.')}, not {shown(cause.errors()[0]['input'])}"
    context = getattr(error, "ctx", None)
    advice = f"; see '{context.command_path} --help'" if context is not None else ""
    return _print_error(f"{' '.join(text.split()).removesuffix('.')}{advice}", 2)


def _print_error(message: str, code: int) -> int:
    if len(message) > LONGEST_MESSAGE:  # an argument may be a file's whole content
        message = f"{message[: LONGEST_MESSAGE // 2]} ... {message[-LONGEST_MESSAGE // 4 :]}"
    typer.echo(f"ninefold: error: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
