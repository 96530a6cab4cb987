"""The demo's complex hydrides on three hulls: DFT, and two potentials on the same geometries, from the trust set.

    python tools/trust_hull.py                     # minutes; after 'trust_set.py finish' and 'trust_set.py hydrogen'

Replaces the table in docs/verify.md. Shares the working folder of tools/trust_page.py: what is there is not computed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trust_page import Remembered

from ninefold.atomic_files import write_atomically
from ninefold.chemistry.formula import parse_formula
from ninefold.engines import EngineSettings, make_engine
from ninefold.report.trust_hulls import HullPlace, heights_by_method
from ninefold.trust.errors import errors_of
from ninefold.trust.hydrogen import calibration_of
from ninefold.trust.phases import trust_set
from ninefold.trust.summary import with_hydrogen

PAGE = Path(__file__).resolve().parent.parent / "docs/verify.md"
BEGIN, END = "<!-- table: tools/trust_hull.py -->", "<!-- end of table -->"
SYSTEMS = ({"K", "Re", "H"}, {"Mg", "Cr", "H"}, {"Li", "Mo", "H"})
"""Chemical systems of the demo."""
ENGINES = (("chgnet", None), ("sevennet", "7net-0"))
"""Of the demo: what searches, and what judges."""


def main() -> None:
    """Compute what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("trust-engines"), help="folder of what engines have computed")
    parser.add_argument("--name", default="pbe", help="of the set in the package")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose table is replaced")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    trust = trust_set(arguments.name)
    errors = []
    for name, model in ENGINES:
        engine: Any = Remembered(make_engine(EngineSettings(name=name, model=model)), arguments.work)
        own = errors_of(engine, trust)
        entry = calibration_of(own.engine)
        errors.append(own if entry is None else with_hydrogen(own, trust, entry.energy))
    seconds = {phase.name: sum(frame.core_seconds for frame in phase.frames) for phase in trust.phases}
    forces = {phase.name: phase.largest_force for phase in errors[0].phases}
    made = _table(heights_by_method(errors), seconds, forces)
    before, _, rest = arguments.page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{arguments.page}: holds no lines {BEGIN} and {END}")
    write_atomically(arguments.page, f"{before}{BEGIN}\n\n{made}\n\n{END}{after}".encode())
    print(f"{arguments.page} written")


def _table(
    found: Mapping[str, Mapping[str, HullPlace]], seconds: Mapping[str, float], forces: Mapping[str, float | None]
) -> str:
    labels = list(found)
    dft = found["DFT"]
    names = [name for name, height in dft.items() if set(parse_formula(height.formula)) in SYSTEMS]
    names = [name for name in names if all(name in heights for heights in found.values())]
    names.sort(key=lambda name: dft[name].distance)
    ranks = {
        label: {name: place for place, name in enumerate(sorted(names, key=lambda key: heights[key].distance), 1)}
        for label, heights in found.items()
    }
    engines = labels[1:]
    head = ["phase", *(f"{label}, meV/atom" for label in [*engines, "DFT"]), f"rank: {', '.join([*engines, 'DFT'])}",
            "by DFT into", *(f"by {engine} into" for engine in engines[-1:]), "force, eV/Å", "CPU s"]  # fmt: skip
    lines = []
    for name in names:
        order = [*engines, "DFT"]
        lines.append([
            name, *(f"{1000 * found[label][name].distance:+.0f}" for label in order),
            " -> ".join(str(ranks[label][name]) for label in order), _products(dft[name]),
            *(_products(found[engine][name]) for engine in engines[-1:]),
            "–" if forces[name] is None else f"{forces[name]:.2f}", f"{seconds[name]:.0f}",
        ])  # fmt: skip
    rule = ["---" if title.startswith(("phase", "by", "rank")) else "---:" for title in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def _products(height: HullPlace) -> str:
    return "–" if height.equation is None else str(height.equation).partition(" -> ")[2]


if __name__ == "__main__":
    main()
