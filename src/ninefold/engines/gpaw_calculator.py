"""One structure's GPAW calculations: self-consistency by ever stronger means, and GPAW's own output kept in a file.

A means that has worked stays for the geometries that follow: a relaxation changes its energy surface only where one has
failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ninefold.engines.base import CalculationError
from ninefold.engines.dft_settings import DFTSettings

LADDER_VERSION = 1
"""Rises when the means, their order or what is handed to GPAW change energies; in the fingerprint."""
SLOW_MIXING = {"backend": "pulay", "beta": 0.02, "nmaxold": 8, "weight": 100.0}
"""Two per cent of the new density in each step, long waves damped: as GPAW's manual advises for metals and magnets."""
SYMMETRIES: tuple[Any, ...] = ({"symmorphic": False}, {}, "off")
"""With screw axes and glide planes, without, none: same energy, more k-points. GPAW finds no group for some cells."""
WIDER = 4.0
"""Factor on the smearing; the energy is still extrapolated to zero width."""
OTHER_SPIN = 0.3
"""Factor on the starting moments: low spin from a high-spin start."""


@dataclass(frozen=True)
class Means:
    """How self-consistency is reached."""

    name: str
    iterations: float = 1.0
    """Factor on `max_iterations`."""
    is_slow: bool = False
    smearing: float = 1.0
    """Factor."""
    moments: float = 1.0
    """Factor."""


LADDER = (
    Means("as set"),
    Means("slow mixing", 3.0, is_slow=True),
    Means(f"slow mixing, smearing times {WIDER:g}", 3.0, is_slow=True, smearing=WIDER),
    Means(f"slow mixing, starting moments times {OTHER_SPIN}", 3.0, is_slow=True, moments=OTHER_SPIN),
)
"""In their order; the last one only where there are moments."""


class LadderCalculator(Calculator):
    """An ASE calculator for one structure as it moves.

    Args:
        settings: Of the method.
        cutoff: Plane-wave cutoff, eV.
        mesh: k-points along the reciprocal vectors, kept while the cell moves.
        moments: μB per atom to start from; None for a calculation without spin.
        is_lone_atom: Hund's rule sets the moment.
        log: File for GPAW's output; None for none. Each means has a file of its own.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self,
        settings: DFTSettings,
        cutoff: float,
        mesh: tuple[int, int, int],
        moments: Sequence[float] | None,
        is_lone_atom: bool = False,
        log: Path | None = None,
    ) -> None:
        super().__init__()
        self.notes: list[str] = []
        """What was not as usual, in words."""
        self._settings, self._cutoff, self._mesh = settings, cutoff, mesh
        self._moments, self._is_lone_atom, self._log = moments, is_lone_atom, log
        self._ladder = [means for means in LADDER if means.moments == 1.0 or moments is not None]
        self._step = self._symmetry = 0
        self._inner: Any = None

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """See ASE; energy and forces always, the stress when it is asked for.

        Raises:
            CalculationError: if no means leads to self-consistency.
        """
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        if self._inner is None or system_changes:
            self._converge(atoms)
        for name in ("energy", "free_energy", "forces", *(properties or ())):
            if name not in self.results:
                self.results[name] = self._inner.get_property(name, atoms)

    def _converge(self, atoms: Atoms) -> None:
        from gpaw.new.symmetry import SymmetryAnalysisBug, SymmetryBrokenError

        while True:
            try:
                if self._inner is None:
                    self._inner = self._make()
                self._inner.get_property("energy", atoms)
                break
            except SymmetryBrokenError:
                # the calculator goes on with the symmetry of its first geometry; a new one looks for that of this one
                self._inner = None
            except SymmetryAnalysisBug:
                self._inner = None
                if self._symmetry + 1 == len(SYMMETRIES):
                    raise
                self._symmetry += 1
            except Exception as error:
                if not _is_of_scf(error):
                    raise
                self._inner = None
                self._step += 1
                if self._step == len(self._ladder):
                    self._step = 0  # of whoever asks again
                    tried = "; ".join(f"{means.name} ({self._iterations(means)} iterations)" for means in self._ladder)
                    raise CalculationError(f"SCF did not converge after: {tried}") from None
                self.notes.append(f"SCF did not converge {self._ladder[self._step - 1].name}: {self._means.name}")
        if self._moments is not None or self._is_lone_atom:
            self._note_moment(float(self._inner.get_property("magmom", atoms)))

    @property
    def _means(self) -> Means:
        return self._ladder[self._step]

    def _iterations(self, means: Means) -> int:
        return round(self._settings.max_iterations * means.iterations)

    def _make(self) -> Any:
        from gpaw import GPAW

        settings, means = self._settings, self._means
        options: dict[str, Any] = {
            "mode": {"name": "pw", "ecut": self._cutoff},
            "xc": _functional(settings.functional),
            "kpts": {"size": self._mesh, "gamma": True},
            "occupations": {"name": "fermi-dirac", "width": settings.smearing * means.smearing},
            "convergence": {"energy": settings.energy_tolerance, "density": settings.density_tolerance},
            "symmetry": SYMMETRIES[self._symmetry],
            "maxiter": self._iterations(means),
            "txt": None if self._log is None else self._log.with_suffix(f".{self._step}.txt"),
            "legacy_gpaw": False,
        }
        if means.is_slow:
            options["mixer"] = dict(SLOW_MIXING)
        if self._is_lone_atom:
            options["hund"] = True
        elif self._moments is not None:
            options |= {"spinpol": True, "magmoms": [moment * means.moments for moment in self._moments]}
        return GPAW(**options)

    def _note_moment(self, moment: float) -> None:
        self.notes = [note for note in self.notes if not note.startswith("magnetic moment")]
        self.notes.append(f"magnetic moment {moment:.2f} μB per cell")


def _is_of_scf(error: Exception) -> bool:
    """Whether self-consistency was not reached or ran away, rather than anything else going wrong."""
    from gpaw import KohnShamConvergenceError

    if isinstance(error, (KohnShamConvergenceError, np.linalg.LinAlgError)):
        return True
    return isinstance(error, ValueError) and "NaN" in str(error)  # GPAW's words for energies that are no numbers


def _functional(name: str) -> Any:
    """PBE by name; PBEsol on PBE's data sets, which GPAW would not find by itself."""
    if name == "PBE":
        return "PBE"
    from gpaw.dft import XC

    class OnPBEData(XC):
        def functional(self, **options: Any) -> Any:
            made = super().functional(**options)
            made.get_setup_name = lambda: "PBE"
            return made

    return OnPBEData(name)
