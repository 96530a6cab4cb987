"""The chemical space of a campaign: which compositions are asked for."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.settings import Settings


def _as_range(value: Any) -> Any:
    """A single number means from and to itself."""
    if _is_whole(value):
        return (value, value)
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_whole, value)):
        return value
    raise ValueError("must be a whole number, or from and to, like 1 or [1, 2]")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Range = Annotated[tuple[int, int], BeforeValidator(_as_range)]


class ChemicalSpace(Settings):
    """Compositions that satisfy G + n + q = electron count and Z = q + m within these limits."""

    centres: tuple[str, ...] = Field(min_length=1)
    """Central atoms M, groups 3 to 12."""
    cations: tuple[str, ...] = Field(min_length=1)
    """Counter-cations, each with its usual charges."""
    n: Range = (7, 9)
    """Hydrogens on M: a number, or from and to; 10 and more are H2-ligand complexes, a class of their own."""
    m: Range = (0, 2)
    """Interstitial hydride ions per M: a number, or from and to."""
    cation_kinds: Range = (1, 2)
    """Different counter-cations in one composition: a number, or from and to."""
    max_cations_per_centre: int = Field(default=10, ge=1, le=60)
    """Counter-cations per M at most."""
    electron_counts: tuple[int, ...] = Field(default=(18,), min_length=1)
    """Valence electrons at M that are enumerated; the rule electron_count judges them again."""

    @field_validator("centres", "cations")
    @classmethod
    def _check_elements(cls, symbols: tuple[str, ...], info: Any) -> tuple[str, ...]:
        known = GROUP if info.field_name == "centres" else CATION_CHARGES
        for symbol in symbols:
            if symbol not in known:
                role = "centre" if info.field_name == "centres" else "counter-cation"
                raise ValueError(f"{symbol!r} is not a {role}; allowed: {', '.join(known)}")
        if len(set(symbols)) < len(symbols):
            raise ValueError(f"{', '.join(symbols)} names an element twice")
        return symbols

    @field_validator("n", "m", "cation_kinds")
    @classmethod
    def _check_range(cls, value: tuple[int, int], info: Any) -> tuple[int, int]:
        low, high = {"n": (2, 14), "m": (0, 12), "cation_kinds": (1, 3)}[info.field_name]
        if not low <= value[0] <= value[1] <= high:
            raise ValueError(f"[{value[0]}, {value[1]}] must be a range within [{low}, {high}]")
        return value

    @field_validator("electron_counts")
    @classmethod
    def _check_counts(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 8 <= count <= 24 for count in counts):
            raise ValueError(f"{counts} must lie within 8 to 24; complexes of this field count 12 to 18")
        return tuple(sorted(set(counts)))

    def __str__(self) -> str:
        ranges = f"n {self.n[0]}-{self.n[1]}, m {self.m[0]}-{self.m[1]}"
        return f"{'/'.join(self.centres)} with {'/'.join(self.cations)}, {ranges}"
