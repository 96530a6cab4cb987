"""Batches on a GPU: steps of one structure to hundreds, the neighbour list's share, coarse relaxations, beside ASE.

python benchmarks/relax_gpu.py [--kernels openequivariance]. Needs Python 3.12, torch-sim, SevenNet and a CUDA device;
without them it says why and ends with 0. `--device cpu --structures 4` tries it on a processor.

Structures are the lowest of the force-field pools of twelve compositions, 10 to 56 atoms. They are made first, on all
cores, 10 to 15 core-seconds a composition.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import contextlib
import importlib.util
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, zip_longest
from typing import Any

COMPOSITIONS = (
    "K2ReH9", "Na2ReH9", "Rb2TcH9", "Ca3ReH9", "Mg3CrH8", "Mg3ReH7", "Mg3MnH7", "Li5MoH11", "Li6NbH11", "Na3RuH7",
    "Mg2FeH8", "Li4WH10",
)  # fmt: skip
BATCHES = (1, 8, 64, 300)
ATOMS = (10, 56)
STEPS, FMAX = 40, 0.1
"""Of a coarse relaxation: steps at most, and eV/Å."""
SEQUENTIAL = 10
"""Structures that ASE relaxes one by one; more would take minutes and tell nothing new."""


def missing(device: str) -> str | None:
    """Why this machine cannot run it; None if it can."""
    if sys.version_info < (3, 12):
        return f"torch-sim needs Python 3.12, this is {sys.version_info.major}.{sys.version_info.minor}"
    for module, package in (("torch_sim", "torch-sim-atomistic"), ("sevenn", "sevenn")):
        if importlib.util.find_spec(module) is None:
            return f"{package} is not installed (pip install 'ninefold[torchsim]')"
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "torch finds no CUDA device; --device cpu --structures 4 tries it on a processor"
    return None


def pool(formula: str, wanted: int) -> list[Any]:
    """The lowest structures of a composition's force-field pool."""
    from ninefold.rules import assignments
    from ninefold.search import build_pool
    from ninefold.search.budget import SearchBudget

    found = assignments(formula, (18,)) or assignments(formula)
    budget = SearchBudget(pool=max(12, 6 * wanted))
    proposals = build_pool(found[0], budget, seed=0).proposals
    return [item.structure for item in proposals if ATOMS[0] <= len(item.structure) <= ATOMS[1]][:wanted]


def made(count: int) -> list[Any]:
    """Structures of all compositions in turn."""
    each = -(-count // len(COMPOSITIONS)) + (2 if count >= len(COMPOSITIONS) else 0)  # some pools are small
    names = COMPOSITIONS[: max(1, min(len(COMPOSITIONS), count))]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=context) as workers:
        pools = list(workers.map(pool, names, [each] * len(names)))
    in_turn = [item for item in chain.from_iterable(zip_longest(*pools)) if item is not None]
    return in_turn[:count]


def timed(compute: Callable[[], Any], device: str, repeats: int = 3) -> float:
    """Shortest wall time, s, after one run to compile."""
    import torch

    compute()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def step_time(model: Any, structures: list[Any], device: str) -> tuple[float, float]:
    """Energy, forces and stress of a batch, s, and what the neighbour list takes of it, s."""
    import torch_sim

    state = torch_sim.initialize_state([item.to_ase_atoms() for item in structures], model.device, model.dtype)
    cell = state.row_vector_cell
    return (
        timed(lambda: model(state), device),
        timed(lambda: model.neighbor_list_fn(state.positions, cell, state.pbc, model.cutoff, state.system_idx), device),
    )


@contextlib.contextmanager
def seen_device(device: str) -> Iterator[None]:
    """A CUDA device is not seen inside where a processor is asked for."""
    import torch

    available = torch.cuda.is_available
    if device == "cpu":
        torch.cuda.is_available = lambda: False
    try:
        yield
    finally:
        torch.cuda.is_available = available


def sequential(structures: list[Any], device: str) -> tuple[float, float, int]:
    """ASE with the stock calculator and BFGS, one structure at a time: s in all, s a step, structures that converge."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator("7net-0", device=device)
    steps = converged = 0
    total = 0.0
    for place, structure in enumerate([structures[0], *structures]):  # the first twice: it compiles
        atoms = structure.to_ase_atoms()
        atoms.calc = calculator
        start = time.perf_counter()
        run = BFGS(FrechetCellFilter(atoms), logfile=None)
        is_converged = run.run(fmax=FMAX, steps=STEPS)
        if place:
            total += time.perf_counter() - start
            steps += run.get_number_of_steps() + 1
            converged += bool(is_converged)
    return total, total / max(1, steps), converged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--structures", type=int, default=BATCHES[-1], help="in the largest batch (default: %(default)s)"
    )
    parser.add_argument("--kernels", default="default", help="default, openequivariance or cuequivariance")
    options = parser.parse_args()
    if options.structures < 1:
        parser.error("--structures must be 1 or more")
    if reason := missing(options.device):
        print(f"skipped: {reason}")
        return
    warnings.simplefilter("ignore")
    import torch

    from ninefold.engines import EngineSettings, RelaxSettings, make_engine

    device, on_gpu = options.device, options.device == "cuda"
    torch.set_num_threads(1)
    start = time.perf_counter()
    structures = made(options.structures)
    sizes = list(map(len, structures))
    print(f"{len(structures)} structures, {sum(sizes)} atoms, {min(sizes)} to {max(sizes)} each; "
          f"made in {time.perf_counter() - start:.0f} s")  # fmt: skip
    with seen_device(device):
        engine = make_engine(EngineSettings(name="torchsim", model="sevennet:7net-0", kernels=options.kernels))
        name = torch.cuda.get_device_name() if on_gpu else "one core of a processor"
        print(f"{engine.label}, {name}, torch {torch.__version__}\n")
        print(f"{'batch':>6}{'atoms':>8}{'step, ms':>10}{'of it neighbour list':>22}")
        for size in sorted({min(size, len(structures)) for size in BATCHES}):
            batch = structures[:size]
            step, neighbours = step_time(engine._model, batch, device)
            print(f"{size:>6}{sum(map(len, batch)):>8}{1e3 * step:>10.0f}{1e3 * neighbours:>19.0f} ms", flush=True)

        settings = RelaxSettings(fmax=FMAX, max_steps=STEPS)
        print()
        # the first call measures the memory of a GPU, the later ones do not
        calls = (
            ("evaluate, first call", lambda: engine.evaluate(structures)),
            ("evaluate, again", lambda: engine.evaluate(structures)),
            ("relax coarsely", lambda: engine.relax(structures, settings)),
            ("relax coarsely, again", lambda: engine.relax(structures, settings)),
        )
        for call, compute in calls if on_gpu else calls[1:3]:
            start = time.perf_counter()
            results = compute()
            seconds = time.perf_counter() - start
            failed = [result.error for result in results if result.error]
            print(f"{call:<24}{seconds:>8.1f} s {1e3 * seconds / len(structures):>8.0f} ms a structure"
                  f"{f', {len(failed)} failed: {failed[0]}' if failed else ''}", flush=True)  # fmt: skip
        is_converged = sum(result.is_converged for result in results)
        print(f"{is_converged} of {len(results)} at {FMAX} eV/Å within {STEPS} steps")
        if on_gpu:
            print(f"peak memory {torch.cuda.max_memory_allocated() / 1024**3:.1f} GiB")

        some = structures[:: max(1, len(structures) // SEQUENTIAL)][:SEQUENTIAL]
        total, step, converged = sequential(some, device)
    print(f"\nASE, BFGS, one at a time, stock calculator: {1e3 * step:.0f} ms a step, {total / len(some):.2f} s a "
          f"structure ({converged} of {len(some)} converged): {total / len(some) * len(structures):.0f} s for all, "
          f"{total / len(some) * len(structures) / seconds:.1f} times the batch")  # fmt: skip


if __name__ == "__main__":
    main()
