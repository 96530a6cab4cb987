"""Compare engines with DFT on the trust set: the errors that the package carries, and the page of the docs.

    python tools/trust_page.py                     # minutes; after 'trust_set.py finish' and 'trust_set.py hydrogen'

Writes src/ninefold/trust/data/errors.yaml, the tables of docs/trust.md and the pictures docs/images/trust-*.svg. What
an engine has computed stands in the working folder: stop it at any moment and start it again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pymatgen.core import Structure

from ninefold.atomic_files import write_atomically
from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.base import Engine, Evaluation
from ninefold.models.structure import pack_structure
from ninefold.report.trust_pictures import pictures
from ninefold.report.trust_tables import errors_of_engines, tables
from ninefold.trust.calibration import ClassShift, class_shift
from ninefold.trust.errors import EngineErrors
from ninefold.trust.hessian import structure_of_test
from ninefold.trust.hydrogen import calibration_of
from ninefold.trust.phases import TrustSet, trust_set
from ninefold.trust.summary import TITLES, TrustSummary, summarise, with_hydrogen

ROOT = Path(__file__).resolve().parent.parent
ERRORS = ROOT / "src/ninefold/trust/data/errors.yaml"
PAGE = ROOT / "docs/trust.md"
BEGIN, END = "<!-- tables: tools/trust_page.py -->", "<!-- end of tables -->"
ENGINES = (
    ("chgnet", None), ("sevennet", "7net-0"), ("sevennet", "7net-l3i5"), ("sevennet", "7net-mf-0:PBE"),
    ("sevennet", "7net-mf-0:R2SCAN"),
)  # fmt: skip
AT_ONCE = 8
"""Structures computed between two writes of the working file."""


class Remembered:
    """An engine whose results are kept in a file.

    Args:
        engine: That computes.
        folder: Of the file.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._file = engine, folder / f"{engine.fingerprint}.json"
        self._known: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """As the engine's; what the file holds is not computed."""
        keys = [_key(structure) for structure in structures]
        missing = [place for place, key in enumerate(keys) if key not in self._known]
        for start in range(0, len(missing), AT_ONCE):
            some = missing[start : start + AT_ONCE]
            for place, result in zip(some, self._engine.evaluate([structures[place] for place in some]), strict=True):
                self._known[keys[place]] = [
                    result.energy_per_atom, _plain(result.forces), _plain(result.stress), result.error,
                ]  # fmt: skip
            write_atomically(self._file, json.dumps(self._known).encode())
            print(f"{self._engine.label}: {start + len(some)}/{len(missing)}", flush=True)
        return [_evaluation(*self._known[key]) for key in keys]


def main() -> None:
    """Compute, and write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("trust-engines"), help="folder of what engines have computed")
    parser.add_argument("--name", default="pbe", help="of the set in the package")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose tables are replaced")
    parser.add_argument("--errors", type=Path, default=ERRORS, help="file of errors that is written")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    trust = trust_set(arguments.name)
    summaries = []
    for name, model in ENGINES:
        engine: Any = Remembered(make_engine(EngineSettings(name=name, model=model)), arguments.work)
        summaries.append(summarise(engine, trust, structure_of_test()))
    titles = [EngineSettings(name=name, model=model).title for name, model in ENGINES]
    measured = [(title, summary, _shifts(summary, trust)) for title, summary in zip(titles, summaries, strict=True)]
    plain = errors_of_engines(measured, trust)
    head = "# Errors of engines on the trust set, by class of phases. Written by 'python tools/trust_page.py'.\n"
    write_atomically(arguments.errors, (head + yaml.safe_dump(plain, sort_keys=False, width=120)).encode())
    folder = arguments.page.parent / "images"
    folder.mkdir(exist_ok=True)
    for file, picture in pictures(summaries).items():
        write_atomically(folder / file, picture.encode())
    write_atomically(arguments.page, _with_tables(arguments.page, tables(summaries, trust)).encode())
    print(f"{arguments.errors}, {arguments.page} and {folder}/trust-*.svg written")


def _shifts(summary: TrustSummary, trust: TrustSet) -> dict[str, list[ClassShift]]:
    """By energy of hydrogen, what is left of the errors of each class; `calibrated` as campaigns use it."""
    own = summary.own
    found = {"own": _of_classes(own)}
    if (entry := calibration_of(own.engine)) is not None:
        found["calibrated"] = _of_classes(with_hydrogen(own, trust, entry.energy))
    return found


def _of_classes(errors: EngineErrors) -> list[ClassShift]:
    return [shift for name in TITLES if (shift := class_shift(errors, name)) is not None]


def _with_tables(page: Path, made: str) -> str:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page}: holds no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{made.strip()}\n\n{END}{after}"


def _key(structure: Structure) -> str:
    packed = pack_structure(structure)
    lattice, positions = (np.round(packed[name], 8).tolist() for name in ("lattice", "positions"))
    return hashlib.sha256(json.dumps([lattice, packed["species"], positions]).encode()).hexdigest()[:24]


def _plain(array: np.ndarray | None) -> Any:
    return None if array is None else np.asarray(array, dtype=float).tolist()


def _evaluation(energy: float | None, forces: Any, stress: Any, error: str | None) -> Evaluation:
    arrays = (None if one is None else np.array(one) for one in (forces, stress))
    return Evaluation(energy, *arrays, 0.0, error)


if __name__ == "__main__":
    main()
