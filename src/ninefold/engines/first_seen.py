"""A calculator that is made for the first geometry that it sees: for codes whose settings follow from a structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes


class FirstSeenCalculator(Calculator):
    """One calculator for a structure as it moves; another structure gets a new one.

    Args:
        make: Gives the calculator of a structure.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, make: Callable[[Atoms], Calculator]) -> None:
        super().__init__()
        self._make = make
        self._made: Any = None
        self._numbers: list[int] = []

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """See ASE."""
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        if self._made is None or self._numbers != atoms.numbers.tolist():
            self._made, self._numbers = self._make(atoms), atoms.numbers.tolist()
        for name in dict.fromkeys(("energy", "forces", *(properties or ()))):
            self.results[name] = self._made.get_property(name, atoms)
