"""What a campaign says of its engine."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ninefold.errors import FieldError
from ninefold.settings import Settings


class EngineSettings(Settings):
    """What computes energies and forces."""

    name: str = "chgnet"
    """An engine by name: chgnet (weights come with the package), lj and emt (for tests), or an installed plug-in."""
    model: str | None = None
    """The engine's own model or weight file (of gpaw: draft, standard, production, or a YAML file of settings).
    Default: the engine's default (CHGNet 0.3.0)."""
    kernels: Literal["default", "openequivariance", "cuequivariance"] = "default"
    """Code for the tensor products of SevenNet in the engine torchsim on a CUDA device: faster where its package is
    installed. Energies stay the same within 0.1 meV/atom, which is checked at the start."""

    @property
    def title(self) -> str:
        """Name and model, for people and for the names of stages: sevennet:7net-0."""
        return self.name if self.model is None else f"{self.name}:{self.model}"

    @model_validator(mode="after")
    def _check_kernels(self) -> Self:
        if self.kernels != "default" and (self.name != "torchsim" or (self.model or "sevennet")[:8] != "sevennet"):
            raise FieldError(
                "kernels", self.kernels, f"is for the engine torchsim with a sevennet model, not for {self.title!r}"
            )
        return self


class RelaxSettings(Settings):
    """How far a structure is relaxed."""

    fmax: float = Field(default=0.01, gt=0, le=10)
    """Largest force on an atom, and virial per atom in the same measure, at the end, eV/Å."""
    max_steps: int = Field(default=300, ge=0, le=100_000)
    """Evaluations at most; a relaxation that needs more is not converged."""
    pressure: float = Field(default=0.0, ge=-100, le=1000)
    """External pressure, GPa."""
    relax_cell: bool = True
    """Cell and positions, or positions alone."""
    keep_symmetry: bool = False
    """Forces and stress are symmetrised with the space group of the start."""
