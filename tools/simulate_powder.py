"""Powder patterns for the tests of `ninefold xrd match`, simulated by another program: Dans_Diffraction (Apache 2.0).

    pip install Dans_Diffraction
    python tools/simulate_powder.py tests/diffraction/data           # the patterns recorded there
    python tools/simulate_powder.py FOLDER 7000                      # others, by another first seed

Structure factors with dispersion come from that package. What a diffractometer adds is written here, apart from
ninefold: cells that differ from the calculated ones, atoms off their places, preferred orientation (March and Dollase),
broadening by size and strain of each phase, the Kα doublet, asymmetry at low angles, a background with a hump, a zero
shift and counting noise. `phases.json.gz` beside the recorded patterns holds the phases of the demo; `truth.json` is
written with the patterns.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")

DATA = Path(__file__).parents[1] / "tests" / "diffraction" / "data"
COPPER = ((1.540593, 2 / 3), (1.544427, 1 / 3))
SYNCHROTRON = ((0.4132, 1.0),)
FOREIGN = ("Sapphire", "Silicon", "ZnO", "Rutile", "LiCoO2", "Copper", "Gold", "KCl", "Ca2RuO4", "Graphite")
"""Structures that come with Dans_Diffraction; none is in the demo's systems."""


def main() -> None:
    """Write every pattern and what is in it."""
    folder = Path(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    phases = json.loads(gzip.decompress((DATA / "phases.json.gz").read_bytes()))
    by_system = {
        system: [phase for phase in phases if set(phase["species"]) <= set(system.split("-"))]
        for system in ("Li-Mo-H", "K-Re-H", "Mg-Cr-H")
    }
    truth = {}
    for number in range(30):
        random = np.random.default_rng(seed + number)
        system = tuple(by_system)[number % 3]
        chosen = _mixture(by_system[system], random, count=1 + number // 3 % 3)
        truth[f"mix{number:02d}"] = _made(folder / f"mix{number:02d}.xy.gz", chosen, system, random, number % 5 == 4)
    for number, name in enumerate(FOREIGN):
        random = np.random.default_rng(seed + 1000 + number)
        import Dans_Diffraction

        crystal = _quiet(lambda name=name: Dans_Diffraction.Crystal(str(_shipped(name))))
        file = f"foreign{number:02d}"
        truth[file] = _made(folder / f"{file}.xy.gz", [({"name": name, "crystal": crystal}, 1.0)], "", random, False)
    for number, (system, other) in enumerate((a, b) for a in by_system for b in by_system if a != b):
        random = np.random.default_rng(seed + 2000 + number)
        chosen = _mixture([each for each in by_system[other] if len(set(each["species"])) == 3], random, count=1)
        file = f"other{number:02d}"
        truth[file] = _made(folder / f"{file}.xy.gz", chosen, system, random, False)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def _mixture(phases: list[dict], random: np.random.Generator, count: int) -> list[tuple[dict, float]]:
    """Phases with shares of volume: a ternary, and beside it binaries or elements, or a second ternary."""
    ternaries = [phase for phase in phases if len(set(phase["species"])) == 3]
    others = [phase for phase in phases if len(set(phase["species"])) < 3]
    chosen = [ternaries[random.integers(len(ternaries))]]
    while len(chosen) < count:
        pool = ternaries if random.random() < 0.3 else others
        phase = pool[random.integers(len(pool))]
        if all(phase["name"] != each["name"] for each in chosen):
            chosen.append(phase)
    shares = np.array([1.0, *random.uniform(0.2, 1.0, count - 1)])
    return list(zip(chosen, shares / shares.sum(), strict=True))


def _made(
    file: Path, chosen: list[tuple[dict, float]], system: str, random: np.random.Generator, synchrotron: bool
) -> dict:
    """Write a pattern; what is in it."""
    lines = SYNCHROTRON if synchrotron else COPPER
    grid = np.arange(3.0, 25.0, 0.006) if synchrotron else np.arange(10.0, 80.0, 0.02)
    zero = float(random.uniform(-0.02, 0.02) if synchrotron else random.uniform(-0.08, 0.08))
    curves, records = [], []
    for phase, share in chosen:
        curve, changes = _phase(phase, lines, grid, zero, random)
        curves.append(curve * share)
        records.append(
            {"name": phase["name"], "id": phase.get("id"), "volume_share": round(float(share), 4), **changes}
        )
    total = np.sum(curves, axis=0)
    top = total.max()
    for record, curve in zip(records, curves, strict=True):
        record["strongest_peak"] = round(float(curve.max() / top), 4)
    counts = 4000 * total / top
    span = (grid - grid[0]) / (grid[-1] - grid[0])
    background = random.uniform(60, 250) * (0.4 + np.exp(-4 * span)) + 40 * random.random() * span
    background += random.uniform(0, 120) * np.exp(-(((span - random.uniform(0.12, 0.3)) / 0.08) ** 2))
    measured = random.poisson(counts + background)
    text = "\n".join([f"# wavelength {lines[0][0]} A", *(f"{x:.3f} {y}" for x, y in zip(grid, measured, strict=True))])
    with open(file, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as out:
        out.write((text + "\n").encode())
    print(file.name, [(each["name"], each["strongest_peak"]) for each in records], flush=True)
    wavelength = "0.4132" if synchrotron else "CuKa"
    return {"system": system, "wavelength": wavelength, "zero_shift": round(zero, 4), "phases": records}


def _phase(
    phase: dict, lines: tuple, grid: np.ndarray, zero: float, random: np.random.Generator
) -> tuple[np.ndarray, dict]:
    """Intensity of one unit of volume on a grid, and by how much its cell was changed."""
    length_change = float(random.uniform(-0.02, 0.015))
    if "crystal" in phase:
        crystal, strain = phase["crystal"], np.zeros((3, 3))
        length_change = 0.0
    else:
        strain = _strain(phase, random)
        lattice = np.array(phase["lattice"]) @ (np.eye(3) * (1 + length_change) + strain)
        crystal = _crystal(phase, lattice, random)
    wavelength = sum(value * weight for value, weight in lines)
    energy = 12.398419843 / wavelength
    hkl = _quiet(lambda: crystal.Cell.all_hkl(energy, max_angle=float(grid[-1]) + 2))
    hkl = hkl[np.any(hkl != 0, axis=1)]
    q = np.linalg.norm(crystal.Cell.calculateQ(hkl), axis=1)
    kind = "xray dispersion"
    strength = _quiet(
        lambda: np.asarray(crystal.Scatter.intensity(hkl, scattering_type=kind, energy_kev=energy), dtype=float)
    )
    strength = strength / crystal.Cell.volume() ** 2 * np.exp(-1.2 * (q / (4 * np.pi)) ** 2 * 2)
    # March and Dollase about the normal of a low-index plane
    axis = np.eye(3)[random.integers(3)]
    normal = crystal.Cell.calculateQ(np.array([axis]))[0]
    r = float(random.uniform(0.7, 1.0))
    cosine = (crystal.Cell.calculateQ(hkl) @ normal) / (q * np.linalg.norm(normal))
    strength = strength * (r**2 * cosine**2 + (1 - cosine**2) / r) ** -1.5
    total = np.zeros(len(grid))
    width, size, micro = random.uniform(0.06, 0.12), random.uniform(0.02, 0.12), random.uniform(0.0, 0.25)
    is_narrow = len(lines) == 1
    eta = float(random.uniform(0.3, 0.8))
    for value, weight in lines:
        sine = value * q / (4 * np.pi)
        seen = (sine < 0.99) & (strength > 1e-5 * strength.max())
        theta = np.arcsin(sine[seen])
        factor = 1 / (np.sin(theta) ** 2 * np.cos(theta))
        factor *= 1 if is_narrow else (1 + np.cos(2 * theta) ** 2) / 2
        fwhm = (0.25 if is_narrow else 1) * (
            width + size / np.cos(theta) * (0.5 if is_narrow else 1) + micro * np.tan(theta)
        )
        for angle, area, wide in zip(np.degrees(2 * theta), weight * strength[seen] * factor, fwhm, strict=True):
            around = np.abs(grid - angle - zero) < 15 * wide
            apart = grid[around] - angle - zero
            skew = 1 + 0.25 * np.clip((40 - angle) / 40, 0, 1) * (apart < 0)  # axial divergence
            x = 2 * apart / (wide * skew)
            shape = eta * 2 / (np.pi * (1 + x**2)) + (1 - eta) * 2 * np.sqrt(np.log(2) / np.pi) * np.exp(
                -np.log(2) * x**2
            )
            total[around] += area * shape / wide
    changes = {"length_change": round(length_change, 5), "strain": np.round(strain, 5).tolist(), "march": round(r, 3)}
    return total, changes


def _strain(phase: dict, random: np.random.Generator) -> np.ndarray:
    """A change of shape along the cell's own axes; none for a cell with three equal edges, which may be cubic."""
    lengths = np.linalg.norm(phase["lattice"], axis=1)
    if np.ptp(lengths) < 1e-3 * lengths.mean():
        return np.zeros((3, 3))
    axis = np.array(phase["lattice"])[int(np.argmax(np.abs(lengths - np.median(lengths))))]
    axis = axis / np.linalg.norm(axis)
    outer = np.outer(axis, axis)
    return float(random.uniform(-0.008, 0.008)) * (outer - (np.eye(3) - outer) / 2)


def _crystal(phase: dict, lattice: np.ndarray, random: np.random.Generator) -> object:
    """The phase with atoms moved by some 0.03 Å, as a crystal of Dans_Diffraction."""
    import Dans_Diffraction

    lengths = np.linalg.norm(lattice, axis=1)
    unit = lattice / lengths[:, None]
    angles = [np.degrees(np.arccos(unit[i] @ unit[j])) for i, j in ((1, 2), (0, 2), (0, 1))]
    moved = np.array(phase["positions"])
    if len(moved) > 4:  # elements and rock salt stay what they are
        moved = moved + random.normal(0, 0.02, moved.shape) @ np.linalg.inv(lattice)
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    rows = ["data_x", *(f"_cell_{name} {value:.5f}" for name, value in zip(names, [*lengths, *angles], strict=True))]
    rows += ["loop_", "_symmetry_equiv_pos_as_xyz", "'x,y,z'", "loop_"]
    rows += [f"_atom_site_{name}" for name in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")]
    for place, (symbol, (x, y, z)) in enumerate(zip(phase["species"], moved, strict=True)):
        rows.append(f"{symbol}{place} {symbol} {x:.5f} {y:.5f} {z:.5f} 1")
    with tempfile.NamedTemporaryFile("w", suffix=".cif", delete=False) as out:
        out.write("\n".join(rows) + "\n")
    crystal = _quiet(lambda: Dans_Diffraction.Crystal(out.name))
    Path(out.name).unlink()
    return crystal


def _shipped(name: str) -> Path:
    import Dans_Diffraction

    return Path(Dans_Diffraction.__file__).parent / "Structures" / f"{name}.cif"


def _quiet(call):
    """What the package prints is left out."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        return call()


if __name__ == "__main__":
    main()
