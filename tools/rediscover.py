"""Find known structures again from their compositions: python tools/rediscover.py, or 'make rediscover'.

Every search is appended to OUT/searches.jsonl when it is done; run again, it goes on where it stopped. At the end
stand OUT/rediscovery.md (the table) and OUT/rediscovery.svg (best energy against relaxations).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import median
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = (
    "1"  # before any worker loads a numerical library
)

import typer

from ninefold.cli.trust import engine_settings
from ninefold.engines import make_engine
from ninefold.errors import NinefoldError
from ninefold.flows.rediscover import GOAL, Run, headline, read_settings, rediscover, runs, table
from ninefold.machine import usable_cores
from ninefold.search import search_version

_ENGINES: dict[str, Any] = {}


def main(
    settings: Annotated[Path | None, typer.Argument(help="Default: rediscovery.yaml beside this file.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results.")] = Path("rediscovery"),
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = usable_cores(),
    engine: Annotated[str, typer.Option(help="What computes energies.")] = "chgnet",
    energies: Annotated[
        str | None,
        typer.Option(help="What relaxes the lowest minima to the end and orders them: sevennet:7net-0. Default: none."),
    ] = None,
) -> None:
    """Search, compare, report."""
    chosen = read_settings(settings or Path(__file__).with_name("rediscovery.yaml"))
    out.mkdir(parents=True, exist_ok=True)
    names = [engine] if energies is None else [engine, energies]
    file = out / f"searches-{'-'.join(name.replace(':', '-') for name in names)}.jsonl"
    version = "-".join(search_version(make_engine(engine_settings(name))) for name in names)
    wanted = {f"{run.key}|{version}": run for run in runs(chosen)}
    done = {row["key"]: row for row in _rows(file) if row["key"] in wanted}
    left = [run for key, run in wanted.items() if key not in done]
    began = time.monotonic()
    with ProcessPoolExecutor(workers) as pool, file.open("a", encoding="utf-8") as results:
        futures = {pool.submit(_one, run, names): run for run in left}
        for count, future in enumerate(as_completed(futures), start=1):
            try:
                row = future.result()
            except Exception as error:  # one search that fails is told and the others go on
                row = {"key": futures[future].key, "error": f"{type(error).__name__}: {error}"}
            if row["error"]:
                typer.echo(f"{row['key']}: {row['error']}", err=True)
                continue
            row["key"] = f"{row['key']}|{version}"
            results.write(json.dumps(row) + "\n")
            results.flush()
            os.fsync(results.fileno())
            done[row["key"]] = row
            minutes = (time.monotonic() - began) / count * (len(left) - count) / 60
            found = "nothing valid" if row["difference"] is None else f"{row['difference']:+.1f} meV/atom"
            note = f"{row['formula']} {found}{', the published structure' if row['is_match'] else ''}"
            typer.echo(f"{len(done)}/{len(wanted)} searches, {note}, about {minutes:.0f} min left", err=True)
    rows = list(done.values())
    summary = headline(rows)
    (out / "rediscovery.md").write_text(f"{summary}\n\n{table(rows)}\n", encoding="utf-8")
    _plot(rows, out / "rediscovery.svg")
    typer.echo(f"{table(rows)}\n\n{summary}\n\n{out / 'rediscovery.md'}, {out / 'rediscovery.svg'}")


def _one(run: Run, names: list[str]) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    for name in names:
        if name not in _ENGINES:
            _ENGINES[name] = make_engine(engine_settings(name))
    return rediscover(run, *(_ENGINES[name] for name in names))


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # the line that a killed run left half written; its search is run again


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Median over the seeds of the best energy so far, one line per compound."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for axis, is_withheld in zip(axes, (False, True), strict=True):
        groups: dict[str, list[list[float | None]]] = {}
        for row in rows:
            if row["is_withheld"] == is_withheld:
                groups.setdefault(row["formula"], []).append(row["history"])
        for formula, histories in sorted(groups.items()):
            longest = max(map(len, histories), default=0)
            lines = [[h[min(i, len(h) - 1)] if h else None for i in range(longest)] for h in histories]
            points = [[value for line in lines if (value := line[i]) is not None] for i in range(longest)]
            x = [i + 1 for i, values in enumerate(points) if values]
            axis.plot(x, [median(values) for values in points if values], marker=".", linewidth=1, label=formula)
        axis.axhline(GOAL[is_withheld][0], color="0.6", linestyle=":", linewidth=1)
        axis.set_title(f"own type {'withheld' if is_withheld else 'offered'}", fontsize=10)
        axis.set_xlabel("relaxations")
        axis.set_yscale("symlog", linthresh=1)
    axes[0].set_ylabel("best so far, above the published structure (meV/atom)")
    axes[1].legend(fontsize=6, ncol=2)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    try:
        typer.run(main)
    except NinefoldError as error:
        sys.exit(f"rediscover: error: {error}")
