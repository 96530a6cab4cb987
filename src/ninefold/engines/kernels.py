"""Other code for the tensor products of an equivariant model: optional packages, for CUDA devices.

They change how a model is computed and not the model: the method, and with it the fingerprint, stays the same. That is
checked on a structure whenever such kernels are loaded, because they are compiled for the device at hand.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from ninefold.engines.base import Evaluation
from ninefold.errors import InputError, MissingDependencyError, description

FIELD = "engine.kernels"
ENERGY_TOLERANCE = 1e-4
"""eV/atom between two kernels; single precision leaves some 1e-5."""
FORCE_TOLERANCE = 5e-3
"""eV/Å; single precision leaves some 1e-4."""


@dataclass(frozen=True)
class Kernels:
    """A package of kernels."""

    label: str
    modules: tuple[str, ...]
    """All must be there."""
    packages: str
    """What to install."""
    option: str
    """Argument of SevenNet's model that turns it on."""
    helper: str
    """SevenNet's module that says whether it can use the package: where it cannot, it warns and computes without."""
    usable: str
    """Function of the helper."""


KERNELS = {
    "openequivariance": Kernels(
        "OpenEquivariance", ("openequivariance",), "openequivariance", "enable_oeq", "sevenn.nn.oeq_helper",
        "is_oeq_available",
    ),
    "cuequivariance": Kernels(
        "cuEquivariance", ("cuequivariance", "cuequivariance_torch", "cuequivariance_ops_torch"),
        "cuequivariance-torch cuequivariance-ops-torch-cu13", "enable_cueq", "sevenn.nn.cue_helper",
        "is_cue_available",
    ),
}  # fmt: skip


def check_usable(name: str, device_type: str) -> Kernels:
    """Refuse kernels that would not be used.

    Args:
        name: In `KERNELS`.
        device_type: As torch says it: cuda, cpu.

    Raises:
        MissingDependencyError: if a package is not installed.
        InputError: if there is no CUDA device, or the package does not load.
    """
    kernels = KERNELS[name]
    for module in kernels.modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = (error.name or module).split(".")[0]
            package = kernels.packages if missing in kernels.modules else missing
            raise MissingDependencyError(FIELD, name, package) from error
        except Exception as error:  # some are compiled as they are imported
            raise InputError(FIELD, name, problem=f"cannot be loaded: {description(error)}", hint=_OFF) from error
    if device_type != "cuda":
        raise InputError(FIELD, name, problem="needs a CUDA device, and there is none here", hint=_OFF)
    if not getattr(importlib.import_module(kernels.helper), kernels.usable)():
        raise InputError(FIELD, name, problem="is installed, and SevenNet cannot use it", hint=_OFF)
    return kernels


_OFF = "leave it at 'default'"


def check_same(name: str, plain: Evaluation, other: Evaluation) -> None:
    """Refuse kernels that give another energy or other forces.

    Args:
        name: In `KERNELS`.
        plain: By the model's own code.
        other: Of the same structure, by the kernels.

    Raises:
        InputError: with the difference.
    """
    if plain.error or other.error or plain.energy_per_atom is None or other.energy_per_atom is None:
        raise InputError(FIELD, name, problem=f"fails: {other.error or plain.error}", hint=_OFF)
    energy = abs(other.energy_per_atom - plain.energy_per_atom)
    force = float(np.abs(np.asarray(other.forces) - np.asarray(plain.forces)).max())
    if not (energy <= ENERGY_TOLERANCE and force <= FORCE_TOLERANCE):  # so that NaN is refused
        raise InputError(
            FIELD, name, hint=_OFF,
            problem=f"changes the energy by {1e3 * energy:.2g} meV/atom and a force by {force:.2g} eV/Å",
            allowed=f"{1e3 * ENERGY_TOLERANCE:g} meV/atom, {FORCE_TOLERANCE:g} eV/Å",
        )  # fmt: skip


def probe(elements: frozenset[str]) -> Structure:
    """A structure without symmetry that a model knows: Mg2FeH6 or, without its elements, others in their places.

    Args:
        elements: Symbols that the model knows; at least one.
    """
    known = sorted(elements)
    symbols = ["Fe", "Mg", "H"] if {"Fe", "Mg", "H"} <= elements else [known[place % len(known)] for place in range(3)]
    cell = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6.443), symbols, [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    ).get_primitive_structure()
    moved = cell.cart_coords + np.random.default_rng(0).normal(scale=0.05, size=(len(cell), 3))
    return Structure(cell.lattice, cell.species, moved, coords_are_cartesian=True)


def quiet_load(load: Any, **options: Any) -> Any:
    """A model, without what its package prints and warns while it loads."""
    import contextlib
    import io
    import warnings

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return load(**options)
