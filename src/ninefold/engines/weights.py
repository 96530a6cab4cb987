"""Files of weights: a family of potentials names its own, a user names one; what is checked before one is loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ninefold.errors import InputError
from ninefold.paths import user_path


@dataclass(frozen=True)
class Family:
    """A family of potentials and how its package loads one."""

    name: str
    label: str
    module: str
    """Imported to see whether the package is there."""
    package: str
    """What to install."""
    load: Callable[[Path, str | None], Any]
    """ASE calculator of a weight file, and of one of its heads where it has several."""
    known: Callable[[Any], frozenset[str] | None]
    """Symbols that a calculator knows; None for all."""
    suffixes: tuple[str, ...]
    """Of weight files; empty for a folder."""
    where: str
    """Where its weights are published."""
    bundled: Callable[[], dict[str, Path]] = dict
    """Models inside the package, the default first."""
    heads: Callable[[Path], tuple[str, ...]] = lambda weights: ()
    """Heads of a weight file: one network trained on several functionals gives each its own energies."""
    usual: tuple[str, ...] = ()
    """Files in the home folder where the package itself keeps its default model."""


def split_head(family: Family, model: str | None) -> tuple[str | None, str | None]:
    """A model and its head: `7net-mf-0:PBE` is the head PBE of 7net-mf-0, `weights.pth:PBE` that of a file.

    Args:
        family: Whose.
        model: As in `EngineSettings`.
    """
    name, colon, head = (model or "").rpartition(":")
    if colon and (name in family.bundled() or name.endswith(family.suffixes or "/")):
        return name, head
    return model, None


def check_head(family: Family, model: str | None, weights: Path, head: str | None) -> None:
    """Refuse a head that the weights do not have, and weights of several without one: their energies differ by eV."""
    try:
        heads = family.heads(weights)
    except Exception:  # not its own file: told when it is loaded
        return
    if head is None and not heads:
        return
    if head not in heads:
        problem = "has several heads" if head is None else "has no such head" if heads else "has no heads"
        name = (model or weights.stem).removesuffix(f":{head}")
        raise InputError(
            "engine.model", model, problem=problem, allowed=", ".join(f"{name}:{one}" for one in heads) or name
        )


def weight_file(family: Family, model: str | None) -> Path:
    """The weights of a model: one inside the package, or a file of the user's.

    Raises:
        InputError: if they are not there; says where they are published.
    """
    bundled = family.bundled()
    if model is None:
        if bundled:
            return next(iter(bundled.values()))
        for place in family.usual:
            if (path := Path(place).expanduser()).exists():
                return path
        raise InputError(
            "engine.model", "none", problem=f"is not enough for {family.name}: its package brings no weights",
            hint=f"download them from {family.where} and give the file as engine.model (--model)",
        )  # fmt: skip
    if model in bundled:
        return bundled[model]
    path = user_path(model, "engine.model")
    if not path.exists():
        inside = f"{', '.join(bundled)}, or " if bundled else ""
        problem = f"is no model inside {family.package} and no file" if bundled else "is no file"
        raise InputError(
            "engine.model", model, problem=problem,
            allowed=f"{inside}a weight file; weights are published at {family.where}",
        )  # fmt: skip
    if family.suffixes and (path.is_dir() or path.suffix not in family.suffixes):
        raise InputError(
            "engine.model", model, problem=f"is no weight file of {family.label}", allowed=", ".join(family.suffixes)
        )
    return path


def checksum(weights: Path) -> str:
    """SHA-256 of a weight file, or of every file of a folder of weights."""
    digest = hashlib.sha256()
    for file in sorted(weights.rglob("*")) if weights.is_dir() else [weights]:
        if file.is_file():
            with file.open("rb") as handle:
                while block := handle.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def refuse_code(weights: Path, bundled: dict[str, Path]) -> None:
    """Refuse a file of weights whose pickle asks for more than tensors, arrays and plain values.

    Its package unpickles it without limits, which runs whatever the file names.

    Args:
        weights: The file.
        bundled: Models that come with the package, whose code runs anyway.

    Raises:
        ValueError: naming what the file would have called.
    """
    import pickle

    import numpy as np
    import torch

    if weights in bundled.values():
        return
    array = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    allowed = [
        (array, "numpy.core.multiarray._reconstruct"), (array, "numpy._core.multiarray._reconstruct"),
        np.ndarray, np.dtype, *{type(np.dtype(kind)) for kind in ("?", "i4", "i8", "f4", "f8")},
    ]  # fmt: skip
    try:
        with torch.serialization.safe_globals(allowed):
            torch.load(weights, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"asks for {named[1]}" if named else "is no plain file of weights"
        raise ValueError(f"the file {what}; weights that run code are refused") from error
