"""VASP as the method of a verification: what identifies it. It computes in jobs of a flow, not in this process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from pymatgen.core import Lattice, Structure

from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.settings import EngineSettings, RelaxSettings
from ninefold.engines.vasp_settings import DEFAULT, VaspSettings, read_vasp_settings
from ninefold.errors import InputError
from ninefold.flows.vasp_checks import check_potentials
from ninefold.keys import content_key
from ninefold.models.evidence import Evidence


class VaspMethod:
    """Name, label and fingerprint of VASP with a set of settings; see `ninefold.flows.vasp_verify` for what computes.

    The version of VASP and its potentials are known when it has run: the jobs refuse a second one.

    Args:
        settings: Of the calculations.
        title: Name of the set or file that they come from.
    """

    name = "vasp"
    evidence: Evidence = "DFT"
    batch = 1

    def __init__(self, settings: VaspSettings, title: str) -> None:
        self.settings = settings
        cutoff = settings.incar.get("ENCUT")
        parts = [f"VASP, {settings.functional}", *([f"{cutoff:g} eV"] if cutoff else [])]
        self.label = f"{', '.join(parts)} ({title})"
        self.fingerprint = content_key(self.name, settings.model_dump(mode="json"))

    def check_elements(self, symbols: Iterable[str]) -> None:
        """Refuse elements without a potential, before anything is queued.

        Raises:
            InputError: naming the folder or the potentials that are missing.
        """
        check_potentials([Structure(Lattice.cubic(4), [symbol], [[0, 0, 0]]) for symbol in symbols], self.settings)

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Refused: see the class."""
        _refuse()

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Refused: see the class."""
        _refuse()


def vasp(settings: EngineSettings) -> VaspMethod:
    """The method; `engine.model` is a set of `configs/vasp/` or a file of settings."""
    return VaspMethod(read_vasp_settings(settings.model), Path(settings.model or DEFAULT).stem)


def _refuse() -> NoReturn:
    raise InputError(
        "engine.name", "vasp", problem="runs as jobs of a flow and not in this process",
        hint="take vasp_verify_maker under jobflow (docs/dft.md, 'Verify by VASP')",
    )  # fmt: skip
