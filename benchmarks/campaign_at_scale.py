"""A hundred thousand structures through a whole campaign with the cheap test engine: memory, a kill -9, what was lost.

python benchmarks/campaign_at_scale.py [--structures 5000]. Lennard-Jones has no chemistry: what is measured is
everything around the engine. The run is killed with its workers when a third of the structures are through, and
resumed; before and after, the store tells which calculations it holds. Memory is the sum of the resident sets of the
campaign's processes, shared pages counted once for each.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

POOL = 150
USUAL = 110  # of them that are settled before the sources stop helping
SPACE = {
    "centres": ["Cr", "Mo", "W", "V", "Nb", "Ta", "Mn", "Tc", "Re", "Fe", "Ru", "Os"],
    "cations": ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba"],
    "n": [7, 9],
    "m": [0, 2],
}


def campaign(structures: int) -> dict:
    """As many compositions as it takes, by adding elements."""
    from ninefold.campaign import parse_campaign
    from ninefold.enumeration import enumerate_assignments

    settings = {
        "name": "scale", "seed": 1, "engine": {"name": "lj"},
        "rules": {"set": "exploratory"},
        "structures": {
            "pool": POOL, "single_points": POOL, "coarse_relaxations": 2, "coarse_steps": 10, "refinements": 1,
            "final_steps": 10, "formula_units": [1], "sources": ["prototypes", "hosts", "rigid_units"], "rounds": 1,
        },
        "stability": {"conditions": []}, "execution": {"compositions_per_job": 20},
    }  # fmt: skip
    counts = {}
    for centres in range(1, len(SPACE["centres"]) + 1):
        for cations in range(1, len(SPACE["cations"]) + 1):
            space = {**SPACE, "centres": SPACE["centres"][:centres], "cations": SPACE["cations"][:cations]}
            parsed = parse_campaign({**settings, "space": [space]})
            counts[centres, cations] = sum(len(table) for table in enumerate_assignments(parsed.space[0]))
    enough = [(count, size) for size, count in counts.items() if count * USUAL >= structures]
    count, (centres, cations) = min(enough, default=max((count, size) for size, count in counts.items()))
    space = {**SPACE, "centres": SPACE["centres"][:centres], "cations": SPACE["cations"][:cations]}
    settings["space"] = [space]
    settings["description"] = f"{count} compositions enumerated"
    return settings


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "ninefold.cli.main", "run", "campaign.yaml"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log.txt").open("a"), start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def resident(group: int) -> int:
    """Bytes of the resident sets of every process of a session."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) == group:
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ProcessLookupError):
            continue
    return total


COMPUTED = ("pools", "searches", "minima", "calculations")


def stored(folder: Path) -> dict[str, str]:
    """Every finished calculation, by collection and id."""
    try:
        with sqlite3.connect(f"file:{folder / 'ninefold.db'}?mode=ro", uri=True) as connection:
            return {
                f"{collection} {identifier}": text
                for collection in COMPUTED
                for identifier, text in connection.execute(f"SELECT id, doc FROM {collection}")
            }
    except sqlite3.OperationalError:
        return {}


def evaluated(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'ninefold.db'}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM calculations WHERE kind = 'evaluate'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def watch(process: subprocess.Popen, folder: Path, peaks: list[int], until: int | None = None) -> None:
    """Sample memory until the process ends, or so many structures are through."""
    while process.poll() is None:
        peaks.append(resident(process.pid))
        if until is not None and len(peaks) % 5 == 0 and evaluated(folder) >= until:
            return
        time.sleep(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = campaign(options.structures)
        (folder / "campaign.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        print(f"{settings['description']}, {POOL} structures each at most", flush=True)
        began = time.monotonic()
        peaks: list[int] = []
        process = start(folder)
        watch(process, folder, peaks, until=options.structures // 3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = stored(folder)
        print(f"killed after {time.monotonic() - began:.0f} s with {len(before)} calculations in the store", flush=True)
        process = start(folder)
        watch(process, folder, peaks)
        after = stored(folder)
        kept = sum(after.get(key) == value for key, value in before.items())
        funnel = subprocess.run(
            [sys.executable, "-m", "ninefold.cli.main", "status"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        tenths = [max(peaks[len(peaks) * k // 10 : len(peaks) * (k + 1) // 10] or [0]) / 2**30 for k in range(10)]
        print(funnel.stdout)
        print(
            f"exit code {process.returncode}; {time.monotonic() - began:.0f} s in all; "
            f"{evaluated(folder)} structures evaluated"
        )
        print(f"after the kill: {kept} of {len(before)} stored calculations are there unchanged")
        print(
            "resident memory of all processes, peak in each tenth of the run (GiB): "
            f"{', '.join(f'{tenth:.2f}' for tenth in tenths)}"
        )
        print(f"store: {(folder / 'ninefold.db').stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
