"""The demo's candidates on the hulls of all its methods, as `ninefold verify` has left them: a table of docs/verify.md.

    make demo-dft                                              # hours; what is there is not computed again
    python tools/verified_hull.py --store ninefold.db          # seconds

With `--relaxed STORE` a further column has the distances of those that another store has relaxed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ninefold.atomic_files import write_atomically
from ninefold.models.calculation import Calculation
from ninefold.store import open_store
from ninefold.store.records import read_all

PAGE = Path(__file__).resolve().parent.parent / "docs/verify.md"
BEGIN, END = "<!-- table: tools/verified_hull.py -->", "<!-- end of table -->"
POTENTIALS = ("CHGNet", "SevenNet")
"""Of the demo, as their engines' titles begin: what searches, and what judges."""


def main() -> None:
    """Read the store, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("ninefold.db"), help="store of the verified demo")
    parser.add_argument("--relaxed", type=Path, help="store in which some have been relaxed")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose table is replaced")
    arguments = parser.parse_args()
    made = table(rows_of(arguments.store), rows_of(arguments.relaxed) if arguments.relaxed else {})
    before, _, rest = arguments.page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{arguments.page}: holds no lines {BEGIN} and {END}")
    write_atomically(arguments.page, f"{before}{BEGIN}\n\n{made}\n\n{END}{after}".encode())
    print(f"{arguments.page} written")


def rows_of(address: Path) -> dict[str, dict[str, Any]]:
    """Label -> first word of the engine, or `DFT`, -> the candidate's row, `core_seconds` added."""
    with open_store(str(address)) as store:
        seconds = {
            record.id: record.core_seconds or 0.0
            for record in read_all(store, Calculation)
            if record.kind in ("static", "relax")
        }
        found: dict[str, dict[str, Any]] = {}
        for row in store.find("candidates", limit=None):
            ids = (row.get("verification") or {}).get("calculations") or ()
            row["core_seconds"] = sum(seconds.get(key, 0.0) for key in ids)
            key = "DFT" if row.get("verification") else row["engine"].split()[0]
            found.setdefault(row["label"], {})[key] = row
    return found


def table(rows: dict[str, dict[str, Any]], relaxed: dict[str, dict[str, Any]]) -> str:
    """Candidates with a place on every hull, nearest to that of DFT first."""
    methods = [*POTENTIALS, "DFT"]
    heights = {
        label: {name: of_one[name]["phase_separation_energy"] for name in methods if name in of_one}
        for label, of_one in rows.items()
    }
    labels = [
        label for label, of_one in heights.items()
        if "DFT" in of_one and not rows[label]["DFT"]["is_competitor"] and of_one["DFT"] is not None
    ]  # fmt: skip
    labels.sort(key=lambda label: heights[label]["DFT"])
    ranks = {name: _ranks({label: heights[label].get(name) for label in labels}) for name in methods}
    titles = {name: next(of_one[name]["engine"] for of_one in rows.values() if name in of_one) for name in methods}
    head = ["candidate", *(f"{titles[name]}, meV/atom" for name in POTENTIALS), "DFT, meV/atom",
            "rank: CHGNet, 7net-0, DFT", "by DFT into", "force, eV/Å", "pressure, GPa", "atoms", "CPU s"]  # fmt: skip
    if relaxed:
        head.insert(4, "DFT relaxed")
    lines = []
    for label in labels:
        dft = rows[label]["DFT"]
        verification = dft["verification"]
        line = [
            dft["label"], *(_millis(heights[label].get(name)) for name in methods),
            " -> ".join(ranks[name].get(label, "–") for name in methods), _products(verification.get("reaction")),
            _number(verification.get("max_force"), 2), _number(verification.get("pressure"), 1),
            str(dft["nsites"]), f"{dft['core_seconds']:.0f}",
        ]  # fmt: skip
        if relaxed:
            line.insert(4, _relaxed(relaxed.get(label, {}).get("DFT")))
        lines.append(line)
    rule = ["---" if title.startswith(("candidate", "by", "rank")) else "---:" for title in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def _ranks(heights: dict[str, float | None]) -> dict[str, str]:
    there = {label: height for label, height in heights.items() if height is not None}
    return {label: str(place) for place, label in enumerate(sorted(there, key=there.__getitem__), 1)}


def _relaxed(row: dict[str, Any] | None) -> str:
    if row is None or row["verification"]["mode"] != "relax":
        return ""
    cut = "" if row["verification"].get("is_converged") else " (cut)"
    return f"{_millis(row['phase_separation_energy'])}{cut}"


def _millis(value: float | None) -> str:
    return "–" if value is None else f"{round(1000 * value):+d}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _products(reaction: str | None) -> str:
    return "–" if reaction is None else str(reaction).partition(" -> ")[2] or str(reaction)


if __name__ == "__main__":
    main()
