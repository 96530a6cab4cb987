"""A calculation that was made elsewhere, and the method that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.keys import content_key

if TYPE_CHECKING:
    import numpy as np
    from pymatgen.core import Structure

PREFIX = "imported "
"""Of the name of every imported method."""
NO_ENTRY: Mapping[str, str] = {}


@dataclass(frozen=True)
class ImportedMethod:
    """Everything that decides an energy and is the same for all compounds of one hull."""

    code: str
    """VASP, GPAW, ABINIT, or whoever publishes the energies."""
    version: str
    functional: str
    settings: Mapping[str, Any]
    """What changes energies besides: cutoff, precision, projections. Plain values."""
    corrections: str = "none"
    """Scheme of energy corrections that are in the energies."""
    variant: str | None = None
    """A name of the user's that keeps runs apart."""

    @cached_property
    def id(self) -> str:
        """Hash of all of it."""
        return content_key("imported method", self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As plain values, flat."""
        own = {"code": self.code, "version": self.version, "functional": self.functional}
        return {**own, "corrections": self.corrections, "variant": self.variant, **dict(self.settings)}

    @property
    def label(self) -> str:
        """For people: VASP 6.4.2, PBE, 680 eV."""
        parts = [f"{self.code} {self.version}".strip(), self.functional]
        if (cutoff := self.settings.get("cutoff_eV")) is not None:
            parts.append(f"{cutoff:g} eV")
        if self.corrections != "none":
            parts.append(f"corrections {self.corrections}")
        if self.variant:
            parts.append(self.variant)
        return ", ".join(parts)


@dataclass(frozen=True)
class ImportedRun:
    """One structure with its energy."""

    structure: Structure
    """Ordered; as the energy belongs to it."""
    energy_per_atom: float
    """eV/atom, extrapolated to no smearing where the code gives that."""
    method: ImportedMethod
    potentials: Mapping[str, str]
    """Element -> pseudopotential, PAW data set and U; empty where the source does not say."""
    source: str
    """File, entry or address."""
    forces: np.ndarray | None = None
    """shape (n_atoms, 3), eV/Å."""
    stress: list[float] | None = None
    """GPa, as in `Calculation`."""
    steps: int | None = None
    notes: tuple[str, ...] = ()
    of: Mapping[str, str] = field(default_factory=dict)
    """What a manifest of ours says of the structure: kind, id, name, formula."""


def difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """In which settings two methods differ: cutoff_eV 520 | 680."""
    keys = [key for key in dict.fromkeys((*first, *second)) if first.get(key) != second.get(key)]
    return "; ".join(f"{key} {_shown(first.get(key))} | {_shown(second.get(key))}" for key in keys)


def check_potentials(runs: Iterable[tuple[str, Mapping[str, str]]], label: str) -> dict[str, str]:
    """One potential for each element, over all runs of a method.

    Args:
        runs: Source and potentials of each.
        label: Of the method, for the error.

    Returns:
        Element -> potential.

    Raises:
        InputError: if two runs differ.
    """
    found: dict[str, tuple[str, str]] = {}
    for source, potentials in runs:
        for symbol, potential in potentials.items():
            earlier = found.setdefault(symbol, (potential, source))
            if earlier[0] != potential:
                raise InputError(
                    "import", source,
                    problem=f"has {potential} for {symbol}, and {earlier[1]} has {earlier[0]}: energies of two "
                    f"potentials cannot share a hull ({label})",
                    hint="import one of them with --as NAME, which makes it a method of its own",
                )  # fmt: skip
    return {symbol: potential for symbol, (potential, _) in found.items()}


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
