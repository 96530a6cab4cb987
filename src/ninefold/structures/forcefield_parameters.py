"""The fitted parameters of the ionic force field."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Parameters:
    """What is fitted; `tools/fit_forcefield.py` makes the file that holds the values in use."""

    charge_scale: float
    """Formal charges times this: these solids are not fully ionic."""
    charge_transfer: float
    """e that each ligand takes from its centre beside its share of the anion's charge."""
    wall: float
    """eV at the contact distance."""
    bond_stiffness: float
    """eV/Å^2."""
    bulk_modulus: float
    """eV/Å^3; holds the cell near the additive volume, which is known better than any contact distance."""
    volume_factor: float
    """Volume at which that term rests over the additive one: the ions' attraction makes up the difference."""
    hydride_radius: float
    """Å, of an interstitial hydride ion."""
    ligand_radius: float
    """Å, of a hydrogen on a centre."""
    centre_radius: float
    """Å; keeps cations off the centre."""
    ligand_repulsion: dict[int, float]
    """n -> eV at the contact of two ligands; what keeps a polyhedron in shape."""
    cation_radius: dict[str, float]
    """Å; lanthanides that are not listed take that of `Ln`."""
    bond: dict[str, float]
    """M-H length at rest, Å; centres that are not listed take that of `M_H_DISTANCE`."""

    def repulsion(self, n: int) -> float:
        """Ligand repulsion of [MH_n], eV; of the nearest n that is listed."""
        return self.ligand_repulsion[min(self.ligand_repulsion, key=lambda known: abs(known - n))]

    def radius(self, symbol: str) -> float:
        """Radius of a counter-cation, Å."""
        return self.cation_radius.get(symbol, self.cation_radius["Ln"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to four decimals."""
        return {
            name: {key: round(item, 4) for key, item in value.items()} if isinstance(value, dict) else round(value, 4)
            for name, value in asdict(self).items()
        }

    def to_vector(self) -> list[float]:
        """Every value, in the order of the fields."""
        values = asdict(self).values()
        return [item for value in values for item in (value.values() if isinstance(value, dict) else (value,))]

    @classmethod
    def from_vector(cls, vector: Iterable[float], like: Parameters) -> Parameters:
        """The inverse of `to_vector`, with the keys of another set."""
        numbers = iter(float(value) for value in vector)
        values: dict[str, Any] = {
            name: {key: next(numbers) for key in value} if isinstance(value, dict) else next(numbers)
            for name, value in asdict(like).items()
        }
        return cls(**values)


@functools.cache
def parameters() -> Parameters:
    """The parameters in use."""
    from ninefold.yaml_files import read_yaml

    path = Path(str(files("ninefold.structures").joinpath("data/forcefield.yaml")))
    return Parameters(**read_yaml(path, "force field"))
