"""NEP4 as a student: fitted by torchnep in a process of its own, run by calorine.

NEP4: Song et al., Nat. Commun. 15, 10208 (2024), doi:10.1038/s41467-024-54554-x. torchnep is free software under
GPL-3, and calorine (MPL-2.0) carries NEP_CPU, under GPL-3 too: both are no dependencies of ninefold
(`pip install 'ninefold[distil]'`). torchnep is only called as a program: NINEFOLD_NEP_PYTHON names the Python that has
it, if it is another than ninefold's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.errors import MachineFaultError, MissingDependencyError

PYTHON_VARIABLE = "NINEFOLD_NEP_PYTHON"
POLL_SECONDS = 2.0
"""Between two looks at how far a fit has come."""
_PROGRAM = """
import ctypes, signal, sys, torch
if sys.platform == "linux":  # ends with the program that called it, even where that is killed
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
torch.set_num_threads(1)
from torchnep import train_nep
seed, start = int(sys.argv[1]), sys.argv[2] or None
train_nep("nep.in", "train.xyz", output_dir="output", device="cpu", run_seed=seed, finetune_from=start,
          print_interval=50, checkpoint_interval=25, prediction_interval=1000000)
"""


class NEPTrainer:
    """Fits NEP4 potentials.

    Raises:
        MissingDependencyError: if calorine or torchnep is not installed.
    """

    settings: dict[str, Any] = {  # noqa: RUF012  # of a protocol
        "cutoff": "5 4", "n_max": "4 4", "basis_size": "6 6", "l_max": "4 1 0", "neuron": "30", "batch": "2",
        "epoch": "90", "lr": "1e-2", "lambda_e": "0.1", "lr_scheduler": "step", "scheduler_patience": "10",
        "scheduler_factor": "0.7", "stage2": "1", "start_stage2": "60", "stage2_lr": "1e-3", "stage2_lambda_e": "300",
        "stage2_lambda_f": "0.5", "stage2_scheduler_patience": "2", "stage2_scheduler_factor": "0.6",
        "path_weight": "8",
    }  # fmt: skip
    """As in torchnep's nep.in, but for `path_weight`: how often an image of a path counts. In the second stage energies
    weigh as much as forces: their squared errors, per atom, are a thousandth of those of force components, and a
    barrier is the difference of two energies. There the step falls by 0.6 every two epochs. With its default schedule
    it hardly fell: the energies of fitted frames stayed 4.6 meV/atom off (now 0.7, at the same forces), and K2ReH9's
    barrier at 1a was 20 to 38 meV off from round to round (now 17). Twice as many terms took 1.4 times as long a step,
    and left the error on frames not fitted (68 to 113 meV/Å) as it was."""

    refit: dict[str, Any] = {"epoch": "35", "start_stage2": "15", "lr": "3e-3"}  # noqa: RUF012  # read, never changed
    """Instead, where a fit goes on from an earlier potential."""

    few: dict[str, Any] = {  # noqa: RUF012  # read, never changed
        "cutoff": "5 4", "n_max": "2 2", "basis_size": "4 4", "l_max": "2 0 0", "neuron": "8", "batch": "2",
        "epoch": "200", "lr": "1e-2", "lambda_e": "1", "lr_scheduler": "step", "scheduler_patience": "10",
        "scheduler_factor": "0.8", "weight_decay": "1e-2", "path_weight": "1",
    }  # fmt: skip
    """For tens of frames, as they are in a correction: fewer terms, weights that decay. Of 16 images of two paths of
    K2ReH9, the difference of 7net-l3i5 and 7net-0 (48 meV/Å, 0.56 meV/atom), 30 and 0.45 were left on those not fitted
    (twice as many terms: 29 and 0.64, in four times the time); by the pair potentials of `pairs` 27 and 0.18."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        if settings is not None:
            self.settings = settings
        if find_spec("calorine") is None:
            raise MissingDependencyError("--student", "nep", "calorine", "distil")
        self._python = os.environ.get(PYTHON_VARIABLE) or sys.executable
        self.label = f"NEP4 (torchnep {_torchnep_version(self._python)}, calorine {version('calorine')})"

    def fit(
        self, frames: Sequence[LabelledFrame], folder: Path, seed: int, start: Path | None,
        notify: Callable[[int, int], None],
    ) -> bytes:  # fmt: skip
        """See `Trainer.fit`; one that was killed goes on from torchnep's last checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        species = sorted({symbol for frame in frames for symbol in frame.species})
        lines = [f"type {len(species)} {' '.join(species)}", "version 4"]
        settings = self.settings if start is None else self.settings | self.refit
        lines += [f"{name} {value}" for name, value in settings.items() if name != "path_weight"]
        (folder / "nep.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
        weight = float(settings["path_weight"])
        text = "".join(_xyz(frame, weight if frame.is_path_image else 1.0) for frame in frames)
        (folder / "train.xyz").write_text(text, encoding="utf-8")
        log = folder / "log.txt"
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [self._python, "-c", _PROGRAM, str(seed), "" if start is None else str(start.resolve())],
                cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=_environment(),
            )  # fmt: skip
            try:
                while process.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(POLL_SECONDS)
                    notify(_epochs(folder), int(settings["epoch"]))
            finally:
                process.kill()
                process.wait()
        model = folder / "output" / "nep_best.txt"
        if process.returncode or not model.is_file():
            last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""])[-1]
            raise MachineFaultError(f"torchnep ended with exit code {process.returncode}: {last[:200]} ({log})")
        return model.read_bytes()

    def for_few_frames(self) -> NEPTrainer:
        """See `FewFramesTrainer`."""
        return NEPTrainer(self.few)

    def calculator(self, model: Path) -> Any:
        """See `Trainer.calculator`."""
        from calorine.calculators import CPUNEP

        return CPUNEP(str(model))


def _epochs(folder: Path) -> int:
    """Epochs that a fit has done: a line each, below one of headings."""
    try:
        return max(0, (folder / "output" / "loss.out").read_bytes().count(b"\n") - 1)
    except OSError:
        return 0


def _environment() -> dict[str, str]:
    """Of the trainer: one thread, as everything here, and none of this program's modules."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _torchnep_version(python: str) -> str:
    if python == sys.executable:
        try:
            return version("torchnep")
        except PackageNotFoundError as error:
            raise MissingDependencyError("--student", "nep", "torchnep", "distil") from error
    code = "from importlib.metadata import version; print(version('torchnep'))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, env=_environment())
    except OSError as error:
        raise MissingDependencyError(PYTHON_VARIABLE, python, "torchnep", "distil") from error
    if done.returncode:
        raise MissingDependencyError(PYTHON_VARIABLE, python, "torchnep", "distil")
    return done.stdout.strip()


def _xyz(frame: LabelledFrame, weight: float) -> str:
    lattice = " ".join(f"{value:.8f}" for value in frame.cell.ravel())
    lines = [
        str(len(frame.species)),
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={frame.energy_eV:.8f} weight={weight:g}',
    ]
    for symbol, position, force in zip(frame.species, frame.positions, frame.forces, strict=True):
        numbers = " ".join(f"{value:.8f}" for value in (*position, *force))
        lines.append(f"{symbol} {numbers}")
    return "\n".join(lines) + "\n"
