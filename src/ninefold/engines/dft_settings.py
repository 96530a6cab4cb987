"""What a DFT engine computes with: a preset under `configs/dft/`, or a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ninefold.errors import InputError
from ninefold.settings import Settings
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

DEFAULT_PRESET = "standard"
FUNCTIONALS = ("PBE", "PBEsol")
_FIELD = "engine.model"


class DFTSettings(Settings):
    """Settings of a plane-wave DFT calculation; all but `log` are part of the method."""

    functional: Literal["PBE", "PBEsol"] = "PBE"
    """Exchange and correlation. PBEsol runs on the PAW data sets of PBE: there are no others."""
    cutoff: float = Field(default=600.0, ge=200, le=2000)
    """Plane-wave cutoff of every energy, eV."""
    relax_cutoff: float = Field(default=500.0, ge=200, le=2000)
    """Plane-wave cutoff while atoms and cell move, eV; the energy of the end is computed at `cutoff`."""
    kpoint_density: float = Field(default=3.5, gt=0, le=20)
    """k-points per 1/Å along each reciprocal vector (2π included), Γ-centred; Γ alone for a molecule in a box."""
    smearing: float = Field(default=0.05, gt=0, le=0.5)
    """Width of the Fermi-Dirac occupation, eV; energies are extrapolated to zero width."""
    spin: Literal["auto", "none", "polarised"] = "auto"
    """auto: polarised where d electrons are open by the electron count, and for Cr, Mn, Fe, Co, Ni."""
    energy_tolerance: float = Field(default=1e-5, gt=0, le=1e-2)
    """Change of the energy at self-consistency, eV per valence electron."""
    density_tolerance: float = Field(default=1e-4, gt=0, le=1e-2)
    """Change of the density at self-consistency, electrons per valence electron."""
    max_iterations: int = Field(default=100, ge=1, le=10_000)
    """Iterations of self-consistency before the next means is tried."""
    log: str | None = None
    """A folder for the code's own output; None: none is kept."""

    @model_validator(mode="after")
    def _check_cutoffs(self) -> Self:
        if self.relax_cutoff > self.cutoff:
            raise ValueError(
                f"relax_cutoff: {self.relax_cutoff:g} eV is above the cutoff of the energy, {self.cutoff:g} eV"
            )
        return self

    def method(self) -> dict[str, Any]:
        """What changes energies, as plain values."""
        return self.model_dump(mode="json", exclude={"log"})


def read_dft_settings(model: str | None, code: str = "GPAW") -> DFTSettings:
    """The settings behind `engine.model`.

    Args:
        model: A preset of `configs/dft/`, or a YAML file; None for the default preset.
        code: That will compute with them, for the error.

    Raises:
        InputError: if there is no such preset or file, or a value in it cannot be used.
    """
    model = model or DEFAULT_PRESET
    presets = sorted(path.stem for path in config_path("dft").glob("*.yaml"))
    if model in presets:
        path = config_path("dft", f"{model}.yaml")
    elif model.endswith((".yaml", ".yml")):
        path = Path(model)
    else:
        problem = "is no preset of DFT settings"
        raise InputError(_FIELD, model, problem=problem, allowed=f"{', '.join(presets)}, or a file FILE.yaml")
    data = read_yaml(path, _FIELD)
    if isinstance(data, dict) and "functional" in data:
        _check_functional(data["functional"], model, code)
    return DFTSettings.checked({} if data is None else data, f"{_FIELD} {model}")


def _check_functional(functional: Any, model: str, code: str) -> None:
    if functional in FUNCTIONALS:
        return
    problem = "is not offered"
    if code == "GPAW" and str(functional).lower().replace("-", "") in ("r2scan", "scan", "rscan"):
        problem = (
            "is refused in GPAW: libxc below version 7 enforces the curvature of the Fermi hole, with which meta-GGA "
            "energies are wrong or do not converge"
        )
    raise InputError(f"{_FIELD} {model}: functional", functional, problem=problem, allowed=", ".join(FUNCTIONALS))
