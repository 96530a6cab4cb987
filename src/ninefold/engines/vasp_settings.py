"""What VASP computes with: an input set of pymatgen with settings for hydrides on top, from `configs/vasp/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ninefold.errors import FieldError, InputError
from ninefold.settings import Settings
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.vasp.sets import VaspInputSet

DEFAULT = "mpgga"
FUNCTIONALS = {"MPGGA": ("PBE",), "MP24": ("r2SCAN", "PBE", "PBEsol"), "MatPES": ("PBE", "r2SCAN")}
"""Protocol -> functionals that its input set offers."""
Purpose = Literal["relax", "static"]
_FUNCTIONAL_TAGS = ("GGA", "METAGGA", "LHFCALC", "LDAU", "LUSE_VDW", "IVDW", "MAGMOM", "ISPIN")
"""Tags that other keys of the settings decide."""
Tags = dict[str, Any]
DEUTERIUM = 2.014
"""u."""


class VaspSettings(Settings):
    """Settings of VASP calculations."""

    protocol: Literal["MPGGA", "MP24", "MatPES"] = "MPGGA"
    """The input set that k-points, potentials and all tags come from that are not named here."""
    functional: str = "PBE"
    spin: Literal["auto", "always", "never"] = "auto"
    """auto: polarised where d electrons are open by the electron count, and for Cr, Mn, Fe, Co, Ni."""
    incar: Tags = Field(default_factory=dict)
    """Tags of every calculation."""
    relax: Tags = Field(default_factory=dict)
    """Tags while atoms and cell move."""
    static: Tags = Field(default_factory=dict)
    """Tags of the energy at the end."""
    molecule: Tags = Field(default_factory=dict)
    """Tags of a molecule in a box."""

    @field_validator("incar", "relax", "static", "molecule")
    @classmethod
    def _check_tags(cls, tags: Tags) -> Tags:
        for tag, value in tags.items():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", tag):
                raise ValueError(f"{tag!r} is no INCAR tag: capitals, digits and underscores")
            if tag in _FUNCTIONAL_TAGS:
                raise ValueError(f"{tag} follows from protocol, functional and spin and cannot be set here")
            if isinstance(value, dict):
                raise ValueError(f"{tag}: a number, a word, true, false, null or a list of these")
        return tags

    @model_validator(mode="after")
    def _check_functional(self) -> Self:
        if self.functional not in FUNCTIONALS[self.protocol]:
            raise FieldError(
                "functional", self.functional,
                f"is not offered by the input set {self.protocol}; allowed: {', '.join(FUNCTIONALS[self.protocol])}",
            )  # fmt: skip
        return self


def read_vasp_settings(name: str | None) -> VaspSettings:
    """Settings by the name of a file under `configs/vasp/`, or from a YAML file.

    Args:
        name: None for PBE.

    Raises:
        InputError: if there is no such file, or a value in it cannot be used.
    """
    name = name or DEFAULT
    shipped = sorted(path.stem for path in config_path("vasp").glob("*.yaml"))
    if name in shipped:
        data = read_yaml(config_path("vasp", f"{name}.yaml"), "--vasp")
    elif name.endswith((".yaml", ".yml")):
        own = read_yaml(Path(name), "--vasp")
        wanted = str(own.get("protocol", DEFAULT)).lower() if isinstance(own, dict) else DEFAULT
        base = read_yaml(config_path("vasp", f"{wanted if wanted in shipped else DEFAULT}.yaml"), "--vasp")
        data = _merged(base, own)
    else:
        raise InputError(
            "--vasp", name, problem="is no set of VASP settings", allowed=f"{', '.join(shipped)}, or a file FILE.yaml"
        )
    return VaspSettings.checked(data, f"--vasp {name}")


def _merged(base: Any, own: Any) -> Any:
    """Settings of a file over shipped ones: tags one by one."""
    if own is None:
        return base
    if not isinstance(own, dict):
        return own
    merged = dict(base)
    for key, value in own.items():
        is_tags = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if is_tags else value
    return merged


def input_set(
    structure: Structure,
    settings: VaspSettings,
    purpose: Purpose,
    functional: str | None = None,
    own: Tags | None = None,
) -> VaspInputSet:
    """The input set of one structure; POTCARs are named and not read.

    Args:
        structure: Ordered.
        settings: What to compute with.
        purpose: relax or static.
        functional: Another one than that of the settings: PBEsol before r2SCAN.
        own: Tags in place of all others; None takes one away.
    """
    from pymatgen.io.vasp import Kpoints
    from pymatgen.io.vasp import sets as of_pymatgen

    from ninefold.engines.gpaw_engine import is_molecule

    tags = {**settings.incar, **(settings.relax if purpose == "relax" else settings.static)}
    if purpose == "static":
        tags |= {"IBRION": -1, "NSW": 0}
    tags |= _spin_tags(structure, settings.spin)
    more: dict[str, Any] = {}
    if is_molecule(structure):
        # one point: a box has no dispersion; the sets that give KSPACING have no KPOINTS file otherwise
        tags |= {**settings.molecule, "KSPACING": None, "ISMEAR": 0}
        if purpose == "static":
            tags.pop("ISIF", None)
        more["user_kpoints_settings"] = Kpoints(comment="a molecule in a box")
    tags |= own or {}
    functional = functional or settings.functional
    is_relaxed = purpose == "relax"
    if settings.protocol == "MPGGA":
        kind = of_pymatgen.MPRelaxSet if is_relaxed else of_pymatgen.MPStaticSet
        more |= {"force_gamma": True, "auto_metal_kpoints": True, "inherit_incar": False}
    elif settings.protocol == "MP24":
        kind = of_pymatgen.MP24RelaxSet if is_relaxed else of_pymatgen.MP24StaticSet
        more["xc_functional"] = functional
    else:
        kind = of_pymatgen.MatPESStaticSet
        more["xc_functional"] = "R2SCAN" if functional == "r2SCAN" else functional
        if is_relaxed:
            tags = {"IBRION": 2, "ISIF": 3, "NSW": 99, **tags}
    return kind(structure, user_incar_settings=tags, **more)


def dynamics_set(
    structure: Structure, settings: VaspSettings, temperature_K: float, steps: int, time_step_fs: float,
    friction_per_ps: float, isotope: str, seed: int,
) -> VaspInputSet:  # fmt: skip
    """The input set of molecular dynamics at constant temperature and volume.

    Langevin dynamics, as ninefold's own runs: a chain of Nosé and Hoover does not go round in a crystal of few atoms
    that is nearly harmonic. Forces are those of a single point with the same settings, without its symmetry.

    Args:
        structure: The supercell.
        settings: What to compute with.
        temperature_K: Of the thermostat.
        steps: Of the integrator.
        time_step_fs: 0.5 for hydrogen.
        friction_per_ps: Of the thermostat, on every atom.
        isotope: H or D.
        seed: Of the first velocities and of the thermostat.
    """
    tags: Tags = {
        "IBRION": 0, "NSW": steps, "POTIM": time_step_fs, "TEBEG": temperature_K, "TEEND": temperature_K, "ISIF": 2,
        "MDALGO": 3, "LANGEVIN_GAMMA": [friction_per_ps] * len(structure.composition), "ISYM": 0, "ISMEAR": 0,
        "SIGMA": 0.05, "NELMIN": 4, "MAXMIX": 20, "RANDOM_SEED": [seed % 900_000_000, 0, 0], "LCHARG": False,
        "LWAVE": False,
        "LAECHG": None, "LVHAR": None, "LORBIT": None, "EDIFFG": None,
    }  # fmt: skip
    if isotope == "D":
        ordered = [site.specie for site in structure.get_sorted_structure()]
        tags["POMASS"] = [DEUTERIUM if str(one) == "H" else float(one.atomic_mass) for one in dict.fromkeys(ordered)]
    return input_set(structure, settings, "static", own=tags)


def potential_table(settings: VaspSettings) -> str:
    """The release of POTCARs that the input set takes, as pymatgen names it: PBE, PBE_64."""
    return "PBE" if settings.protocol == "MPGGA" else "PBE_64"


def _spin_tags(structure: Structure, spin: str) -> Tags:
    from ninefold.engines.spin import forced_moments, starting_moments

    symbols = [site.specie.symbol for site in structure]
    moments = None
    if spin != "never":
        moments = forced_moments(symbols) if spin == "always" else starting_moments(symbols)
    if moments is None:
        return {"ISPIN": 1, "MAGMOM": None}
    return {"ISPIN": 2, "MAGMOM": dict(zip(symbols, moments, strict=True))}  # a start depends on the element alone
