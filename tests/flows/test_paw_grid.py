"""PAW data sets on a finer grid: the values that were there stay, integrals come near their analytic values."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid

from ninefold.flows.paw_grid import POINTS, refined

A, N, SIGMA, RADIUS = 0.4, 150, 0.2846, 0.9


def grid(size, end=None):
    place = np.arange(size if end is None else end + 1)
    return A * place / (size - place)


def data_set(r, size=N, eq="r=a*i/(n-i)"):
    """Like hydrogen's: a Gaussian charge, and waves that are equal from 0.9 bohr on."""
    wave = np.exp(-r)
    smooth = wave + np.where(r < RADIUS, (1 - (r / RADIUS) ** 2) ** 3, 0.0)
    gauss = np.exp(-((r / SIGMA) ** 2)) / (math.pi**1.5 * SIGMA**3)
    functions = {
        'ae_core_density grid="g1"': gauss,
        'ae_partial_wave state="H-1s" grid="g1"': wave,
        'pseudo_partial_wave state="H-1s" grid="g1"': smooth,
    }
    body = "\n".join(
        f"<{tag}>\n{' '.join(f'{value:.12e}' for value in values)}\n</{tag.split()[0]}>"
        for tag, values in functions.items()
    )
    return (
        f'<paw_setup version="0.6">\n<state n="1" l="0" f="1"  rc="{RADIUS}" e="-0.23866" id="H-1s"/>\n'
        f'<radial_grid eq="{eq}" a="{A}" n="{size}" istart="0" iend="{len(r) - 1}" id="g1"/>\n'
        f"{body}\n<kinetic_energy_differences>\n0.5 0.25\n</kinetic_energy_differences>\n</paw_setup>\n"
    )


def read(text, tag):
    return np.array(text.partition(f"<{tag} ")[2].partition(">")[2].partition("<")[0].split(), dtype=float)


def header(text):
    line = next(line for line in text.splitlines() if line.startswith("<radial_grid"))
    return {key: line.partition(f'{key}="')[2].partition('"')[0] for key in ("n", "iend", "a")}


def fine_grid(text):
    found = header(text)
    return grid(int(found["n"]), int(found["iend"]))


def charge(r, density, size):
    """By Simpson's rule on an even number of intervals, as ABINIT does it."""
    weights = np.ones(len(r))
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float((weights / 3 * density * 4 * math.pi * r**2 * A * size / (size - np.arange(len(r))) ** 2).sum())


def test_points_that_were_there_keep_their_place_and_their_values():
    old = data_set(grid(N))
    new = refined(old)
    factor = math.ceil(POINTS / N)
    assert header(new) == {"n": str(factor * N), "iend": str(factor * (N - 1)), "a": str(A)}
    np.testing.assert_allclose(fine_grid(new)[::factor], grid(N), rtol=1e-12)
    for tag in ("ae_core_density", "ae_partial_wave", "pseudo_partial_wave"):
        np.testing.assert_allclose(read(new, tag)[::factor], read(old, tag), atol=2e-12)


def test_between_them_stand_the_functions_themselves():
    new = refined(data_set(grid(N)))
    r = fine_grid(new)
    near = r < 10  # beyond, a step of the old grid is longer than what falls off there
    np.testing.assert_allclose(read(new, "ae_partial_wave")[near], np.exp(-r[near]), atol=2e-6)


def test_waves_are_equal_to_the_last_digit_outside_of_the_sphere():
    new = refined(data_set(grid(N)))
    outside = fine_grid(new) >= RADIUS
    np.testing.assert_array_equal(
        read(new, "pseudo_partial_wave")[outside], read(new, "ae_partial_wave")[outside]
    )  # fmt: skip
    assert (read(new, "pseudo_partial_wave")[~outside] != read(new, "ae_partial_wave")[~outside]).all()


def test_a_charge_is_integrated_better():
    """By the rule that ABINIT uses; the Gaussian's charge is 1."""
    few = data_set(grid(61, 60), size=61)
    r = fine_grid(refined(few))
    coarse = charge(grid(61, 60), read(few, "ae_core_density"), 61)
    fine = charge(r, read(refined(few), "ae_core_density"), int(header(refined(few))["n"]))
    assert abs(fine - 1) < 0.1 * abs(coarse - 1)


@pytest.mark.parametrize(
    "text",
    [
        data_set(grid(POINTS), size=POINTS),
        data_set(grid(N), eq="r=a*(exp(d*i)-1)"),
        data_set(grid(N)).replace('iend="149"', 'iend="148"'),
        data_set(grid(N)).replace("<ae_core_density", '<radial_grid id="g2"/>\n<ae_core_density'),
        "",
    ],
    ids=["fine already", "another grid", "another length", "two grids", "nothing"],
)
def test_what_cannot_be_or_need_not_be_refined_is_handed_on_as_it_is(text):
    assert refined(text) == text


def test_the_data_set_of_hydrogen_that_gpaw_brings():
    """Its integral of V + 1/r, the one that was 1.2 % off in ABINIT, is unchanged by the finer grid."""
    package = pytest.importorskip("gpaw_data", reason="gpaw-data is not installed")
    text = gzip.decompress((Path(package.__file__).parent / "setups/H.PBE.gz").read_bytes()).decode()
    new = refined(text)

    def integral(text):
        r = fine_of(text)
        return float(trapezoid(read(text, "zero_potential") * r**2, r))

    def fine_of(text):
        line = next(line for line in text.splitlines() if "<radial_grid" in line)
        size, end = (int(line.partition(f'{key}="')[2].partition('"')[0]) for key in ("n", "iend"))
        return grid(size, end)

    assert len(fine_of(new)) > POINTS > len(fine_of(text))
    assert integral(new) == pytest.approx(integral(text), rel=2e-3)
