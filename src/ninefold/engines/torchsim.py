"""Batches of structures at once with torch-sim: for a GPU, where a single small cell leaves most of it idle.

torch-sim (github.com/TorchSim/torch-sim) puts many structures into one evaluation and swaps a relaxed one for the next.
Here its models are loaded and checked; `torchsim_engine` computes with them.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from pathlib import Path
from typing import Any

from ninefold.engines.device_memory import AtomLimit, MemoryLimit
from ninefold.engines.foundation import FAMILIES
from ninefold.engines.kernels import KERNELS, check_same, check_usable, probe, quiet_load
from ninefold.engines.settings import EngineSettings
from ninefold.engines.torchsim_engine import TorchSimEngine, memory_limit
from ninefold.engines.weights import check_head, checksum, refuse_code, split_head, weight_file
from ninefold.errors import InputError, MissingDependencyError

MODELS = ("sevennet", "mace")
"""Families with a torch-sim model of their own; `lj` is for tests."""


def make(settings: EngineSettings) -> TorchSimEngine:
    """An engine from `sevennet`, `sevennet:7net-l3i5`, `mace:FILE` or `lj`; on the GPU where there is one.

    Raises:
        MissingDependencyError: if torch-sim, the model's package or that of the kernels is not installed.
        InputError: if there is no such model, or the kernels cannot be used.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that are not installed, with their tracebacks
            import torch_sim
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "engine.name", "torchsim", "torch-sim-atomistic (Python 3.12 and newer)"
        ) from error
    import torch

    _silence_warp()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    family, _, model = (settings.model or MODELS[0]).partition(":")
    if family == "lj":
        lj, memory = _lennard_jones(device)
        label = f"torch-sim {torch_sim.__version__} Lennard-Jones"
        return TorchSimEngine(label, lj, ("lj",), None, evidence="test", memory=memory)
    if family not in MODELS:
        allowed = ", ".join((*MODELS, f"{MODELS[0]}:MODEL", f"{MODELS[1]}:FILE"))
        raise InputError("engine.model", settings.model, problem="is not a model for torch-sim", allowed=allowed)
    if settings.kernels != "default":
        check_usable(settings.kernels, device)
    file, head = split_head(FAMILIES[family], model or None)
    weights = weight_file(FAMILIES[family], file)
    check_head(FAMILIES[family], model or file, weights, head)
    digest = checksum(weights)
    try:
        importlib.import_module(FAMILIES[family].module)  # torch-sim itself hides what is missing
        network, elements, memory = _loaded(family, weights, digest, device, settings.kernels, head)
    except ModuleNotFoundError as error:
        raise MissingDependencyError("engine.model", settings.model, error.name or family) from error
    except ValueError as error:
        raise InputError("engine.model", settings.model, problem=f"cannot be loaded: {error}") from error
    title = f"{FAMILIES[family].label} {model or weights.stem} by torch-sim on {device}"
    if settings.kernels != "default":
        title += f" with {KERNELS[settings.kernels].label}"
    return TorchSimEngine(
        title, network, (family, digest, device, *([] if head is None else [head])), elements, memory=memory
    )


@functools.cache
def _lennard_jones(device: str) -> tuple[Any, MemoryLimit | AtomLimit]:
    import torch
    from torch_sim.models.lennard_jones import LennardJonesModel

    model = LennardJonesModel(sigma=1.8, epsilon=0.1, cutoff=5.0, compute_stress=True, device=torch.device(device))
    return model, memory_limit(model)


@functools.cache
def _loaded(
    family: str, weights: Path, digest: str, device: str, kernels: str, head: str | None
) -> tuple[Any, frozenset[str] | None, MemoryLimit | AtomLimit]:
    """Model, its elements and what it may take of the device: one of each per process.

    Args:
        family: In `MODELS`.
        weights: A file.
        digest: Of the file, which may change.
        device: As torch says it.
        kernels: As in `EngineSettings`; compared with the model's own code.
        head: Of the weights, where they have several.
    """
    import torch

    if family == "mace":
        from torch_sim.models.mace import MaceModel

        mace = quiet_load(MaceModel, model=str(weights), device=torch.device(device))
        return mace, None, memory_limit(mace)
    from sevenn.torchsim import SevenNetModel

    refuse_code(weights, FAMILIES[family].bundled())
    options: dict[str, Any] = {} if head is None else {"modal": head}
    accelerated = {KERNELS[kernels].option: True} if kernels != "default" else {}
    network = quiet_load(SevenNetModel, model=str(weights), device=torch.device(device), **options, **accelerated)
    elements = frozenset(_symbols(network.type_map))
    if kernels != "default":
        plain = quiet_load(SevenNetModel, model=str(weights), device=torch.device(device), **options)
        structure = probe(elements)
        results = [
            TorchSimEngine("", each, (), elements, memory=AtomLimit()).evaluate([structure])[0]
            for each in (plain, network)
        ]
        check_same(kernels, *results)
    return network, elements, memory_limit(network)


def _silence_warp() -> None:
    """Warp, which makes neighbour lists, tells each kernel that it compiles on standard output."""
    try:
        warp: Any = importlib.import_module("warp")
    except ImportError:
        return
    if hasattr(warp, "LOG_WARNING"):
        warp.config.log_level = warp.LOG_WARNING


def _symbols(numbers: Any) -> list[str]:
    from ase.data import chemical_symbols

    return [chemical_symbols[int(number)] for number in numbers]
