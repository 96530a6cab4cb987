"""Foundation potentials by name, through the ASE calculators of their packages.

SevenNet comes with ninefold, its weights inside its package. The others are installed by who wants them and
load a weight file that the user has: nothing is downloaded here, because a campaign that fetches a file at its first
use fails on the nodes of a cluster, and a file that changes behind a name changes every energy.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.settings import EngineSettings
from ninefold.engines.weights import Family, check_head, checksum, refuse_code, split_head, weight_file
from ninefold.errors import InputError, MissingDependencyError


def make(family: Family, settings: EngineSettings) -> ASEEngine:
    """An engine of a family.

    Raises:
        MissingDependencyError: if its package is not installed.
        InputError: if the weights are not on this machine, or cannot be loaded.
    """
    try:
        importlib.import_module(family.module)
    except ModuleNotFoundError as error:
        missing = error.name or family.package
        is_own = missing.split(".")[0] == family.module.split(".")[0]
        raise MissingDependencyError("engine.name", family.name, family.package if is_own else missing) from error
    model, head = split_head(family, settings.model)
    weights = weight_file(family, model)
    check_head(family, settings.model, weights, head)
    calculator = _loaded(family, weights, head)
    names = {path: name for name, path in family.bundled().items()}
    title = names.get(weights, weights.stem)
    return ASEEngine(
        family.name,
        f"{family.label} {title}" if head is None else f"{family.label} {title}:{head}",
        calculator,
        (version(family.package), checksum(weights), *([] if head is None else [head])),
        family.known(calculator),
    )


@functools.cache
def _loaded(family: Family, weights: Path, head: str | None = None) -> Any:
    """The calculator, one per process, weight file and head, on one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of accelerators that are not installed, and of pickles
        try:
            calculator = family.load(weights, head)
        except Exception as error:  # whatever a package raises on a file that is not its own
            words = (str(error).splitlines() or [""])[0][:120]
            raise InputError(
                "engine.model", str(weights), problem=f"cannot be loaded by {family.package}: {words}"
            ) from error
    if family.name != "grace":  # the others run on torch; TensorFlow reads OMP_NUM_THREADS itself
        import torch

        torch.set_num_threads(1)
    return calculator


def _symbols(numbers: Any) -> frozenset[str]:
    from ase.data import chemical_symbols

    return frozenset(chemical_symbols[int(number)] for number in numbers)


def _any(calculator: Any) -> None:
    """The package does not say which elements it knows."""


def _sevennet_models() -> dict[str, Path]:
    from sevenn.util import pretrained_name_to_path

    found = {}
    for name in ("7net-0", "7net-l3i5", "7net-mf-0"):
        path = Path(pretrained_name_to_path(name))
        if path.exists():
            found[name] = path
    return found


def _sevennet(weights: Path, head: str | None) -> Any:
    from sevenn.calculator import SevenNetCalculator

    from ninefold.engines.sevennet_kernel import use_compiled_convolutions

    refuse_code(weights, _sevennet_models())
    calculator = SevenNetCalculator(str(weights), device="cpu", modal=head)
    use_compiled_convolutions(calculator.model)
    return calculator


@functools.cache
def _sevennet_heads(weights: Path) -> tuple[str, ...]:
    """Functionals that a SevenNet was trained on together, in its own order."""
    from sevenn.util import load_checkpoint

    refuse_code(weights, _sevennet_models())
    modals = load_checkpoint(str(weights)).config.get("_modal_map") or {}
    return tuple(sorted(modals, key=modals.__getitem__))


def _mace(weights: Path, head: str | None) -> Any:
    from mace.calculators import MACECalculator

    return MACECalculator(model_paths=str(weights), device="cpu", default_dtype="float64")


def _orb(weights: Path, head: str | None) -> Any:
    """ORB keeps the architecture in code, by the name that its weight files begin with."""
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    models = {name.replace("_", "-"): function for name, function in pretrained.ORB_PRETRAINED_MODELS.items()}
    fitting = [name for name in models if weights.name.startswith(name)]
    if not fitting:
        raise ValueError(f"its name does not begin with a model of ORB: {', '.join(sorted(models))}")
    network = models[max(fitting, key=len)](
        weights_path=str(weights), device="cpu", precision="float32-highest", compile=False
    )
    return ORBCalculator(network, device="cpu")


def _mattersim(weights: Path, head: str | None) -> Any:
    from mattersim.forcefield import MatterSimCalculator

    return MatterSimCalculator.from_checkpoint(str(weights), device="cpu")


def _grace(weights: Path, head: str | None) -> Any:
    from tensorpotential.calculator import TPCalculator

    return TPCalculator(model=str(weights))


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "sevennet", "SevenNet", "sevenn.calculator", "sevenn", _sevennet,
            lambda calculator: _symbols(calculator.type_map), (".pth", ".pt"),
            "https://github.com/MDIL-SNU/SevenNet", bundled=_sevennet_models, heads=_sevennet_heads,
        ),
        Family(
            "mace", "MACE", "mace.calculators", "mace-torch", _mace,
            lambda calculator: _symbols(calculator.z_table.zs), (".model", ".pt", ".pth"),
            "https://github.com/ACEsuit/mace-foundations",
        ),
        Family(
            "orb", "ORB", "orb_models.forcefield.pretrained", "orb-models", _orb, _any, (".ckpt",),
            "https://github.com/orbital-materials/orb-models",
        ),
        Family(
            "mattersim", "MatterSim", "mattersim.forcefield", "mattersim", _mattersim, _any, (".pth",),
            "https://github.com/microsoft/mattersim",
            usual=("~/.local/mattersim/pretrained_models/mattersim-v1.0.0-1M.pth",),
        ),
        Family(
            "grace", "GRACE", "tensorpotential.calculator", "tensorpotential", _grace, _any, (),
            "https://gracemaker.readthedocs.io",
        ),
    )
}  # fmt: skip


def sevennet(settings: EngineSettings) -> ASEEngine:
    """SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)); weights inside its package."""
    return make(FAMILIES["sevennet"], settings)


def mace(settings: EngineSettings) -> ASEEngine:
    """MACE (Batatia et al., arXiv:2401.00096); needs a weight file."""
    return make(FAMILIES["mace"], settings)


def orb(settings: EngineSettings) -> ASEEngine:
    """ORB (Rhodes et al., arXiv:2504.06231); needs a weight file."""
    return make(FAMILIES["orb"], settings)


def mattersim(settings: EngineSettings) -> ASEEngine:
    """MatterSim (Yang et al., arXiv:2405.04967); needs a weight file."""
    return make(FAMILIES["mattersim"], settings)


def grace(settings: EngineSettings) -> ASEEngine:
    """GRACE (Bochkarev et al., Phys. Rev. X 14, 021036 (2024)); needs a folder of weights."""
    return make(FAMILIES["grace"], settings)
