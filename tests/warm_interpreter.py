"""Commands in processes of their own that need not import the libraries first: forked from one that has them.

Each command is a child of an interpreter that has imported what commands import and has done nothing else, in one
thread: with its own working folder, environment, streams, `__main__`, random numbers and exit code, as if it had been
started. Two things are not seen here: what a command imports, and whether results depend on the hash seed or on the
addresses of objects, which all commands of one interpreter share. Tests of such things start an interpreter
(`fresh=True`), as does every command with `NINEFOLD_TEST_FRESH=1`.

Run as a script it is that interpreter: it reads one command a line from standard input and answers with two lines, the
number of its process and its exit code.
"""

import atexit
import contextlib
import gc
import importlib
import json
import multiprocessing.process
import os
import re
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LIBRARIES = (
    "typer", "rich.table", "rich.progress", "yaml", "pydantic", "numpy", "scipy.optimize", "scipy.spatial", "numba",
    "threadpoolctl", "spglib", "moyopy", "gemmi", "pymatgen.core", "pymatgen.io.ase", "pymatgen.io.cif",
    "pymatgen.io.vasp", "pymatgen.symmetry.analyzer", "pymatgen.analysis.structure_matcher",
    "pymatgen.analysis.phase_diagram", "ase.io", "ase.optimize", "ase.filters", "ase.calculators.lj",
    "ase.calculators.emt", "jobflow", "maggma.stores", "jinja2", "torch", "chgnet.model",
    "ninefold.run.local", "ninefold.search", "ninefold.flows.makers", "ninefold.flows.campaign_jobs",
    "ninefold.flows.search_jobs", "ninefold.flows.reference_jobs", "ninefold.flows.result_jobs",
    "ninefold.engines.ase_engine", "ninefold.store.sqlite", "ninefold.report.page", "ninefold.report.terminal",
)  # fmt: skip
"""No module of the command line: those look at their arguments, environment and streams when they are imported. None
that starts a thread, which a child would not have: `sevenn` does."""
FEW = 2
"""Commands for which the libraries are not worth their import."""
AS_IT_STARTED = re.compile(
    r"PYTHON(?!PATH$)|OMP_|MKL_|OPENBLAS_|NUMBA_|TORCH(?!INDUCTOR_CACHE_DIR$)|CUDA|LD_|LANG|LC_|TZ$|HOME$|XDG_|PMG_|JOBFLOW|MPL"
)
"""Variables that an interpreter or a library reads once, when it starts. torch sets the one that is left out itself, to
its default, in any process that compiles a model."""


class WarmInterpreter:
    """Started with its first command, and ended with this process."""

    def __init__(self):
        self.environment = dict(os.environ)
        self._lock = threading.Lock()
        self._process = None
        self._asked = 0

    def run(self, arguments, cwd, environment, timeout):
        """The finished process, or None where it would not be what an interpreter that is started gives."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._asked += 1
            if self._asked <= FEW:
                return None
            if self._process is None:
                self._start()
            if not self._is_as_started(Path(cwd), environment):
                return None
            with tempfile.TemporaryDirectory() as folder:
                out, err = Path(folder, "out"), Path(folder, "err")
                code = self._ask(
                    {"arguments": arguments, "cwd": str(cwd), "environment": environment, "out": str(out),
                     "err": str(err), "path": self._added(environment)}, timeout,
                )  # fmt: skip
                told = [file.read_text(encoding="utf-8") if file.exists() else "" for file in (out, err)]
            return subprocess.CompletedProcess(arguments, code, *told)
        finally:
            self._lock.release()

    def threads(self):
        """Of the interpreter that commands are forked from; on Linux."""
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    def _start(self):
        self._process = subprocess.Popen(  # no buffer: what is read beyond a line would not be seen by `select`
            [sys.executable, __file__], env=self.environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0,
        )  # fmt: skip
        self._imported = {*json.loads(self._answer()), "sitecustomize", "usercustomize"}
        atexit.register(self._end, os.getpid())

    def _end(self, owner):
        if os.getpid() == owner and self._process is not None:
            self._process.stdin.close()
            self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            code, self._process = self._process.wait(), None
            raise RuntimeError(f"the interpreter that commands are forked from ended with exit code {code}")
        return line

    def _ask(self, command, timeout):
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        number = int(self._answer())
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            os.kill(number, signal.SIGKILL)
            self._answer()
            raise subprocess.TimeoutExpired(command["arguments"], timeout)
        return int(self._answer())

    def _added(self, environment):
        """Folders of modules before those of this interpreter; None where those are not the last."""
        here, wanted = ([each for each in of.get("PYTHONPATH", "").split(os.pathsep) if each]
                        for of in (self.environment, environment))  # fmt: skip
        added = wanted[: len(wanted) - len(here)]
        return added if [*added, *here] == wanted else None

    def _is_as_started(self, cwd, environment):
        for name in self.environment.keys() | environment.keys():
            if AS_IT_STARTED.match(name) and self.environment.get(name) != environment.get(name):
                return False
        if (added := self._added(environment)) is None:
            return False
        for folder in [cwd, *map(Path, added)]:
            if not folder.is_dir():
                return False
            if self._imported & {name for each in folder.iterdir() if (name := module_name(each)) is not None}:
                return False  # that one would have been imported
        return True


def module_name(path):
    """What a file or folder is imported as; None where it is no module."""
    if path.is_dir():
        return path.name if (path / "__init__.py").exists() else None
    return path.name.partition(".")[0] if path.suffix in (".py", ".so", ".pyc") else None


def serve():
    """Fork for one command after another; true in the child, which then is the command."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ends with the one that started it
    gc.collect()
    gc.freeze()  # what every child has need not be looked through, nor copied, when it ends
    answers = os.fdopen(os.dup(1), "w")
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        number = os.fork()
        if number == 0:
            answers.close()
            become(command)
            return True
        print(number, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), file=answers, flush=True)
    return False


def become(command):
    """Take on the streams, the environment and the folder of a command."""
    for number, name in enumerate((os.devnull, command["out"], command["err"])):
        file = os.open(name, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["cwd"])
    sys.path[:1] = [os.getcwd(), *command["path"]]
    sys.argv = ["ninefold", *command["arguments"]]
    sys.modules["numpy"].random.seed()  # else every command would draw the same
    sys.modules["torch"].seed()
    tempfile.tempdir = None
    multiprocessing.process.ORIGINAL_DIR = os.getcwd()
    importlib.invalidate_caches()


def end(code):
    """As the interpreter ends, without taking every module apart: with these libraries that takes half a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__" and serve():
    try:
        runpy.run_module("ninefold.cli.main", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        end(ended.code)
