"""Pattern files and backgrounds."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from ninefold.diffraction.background import peak_places, reduced, snip, typical_width
from ninefold.diffraction.measured import MeasuredPattern, read_pattern
from ninefold.diffraction.profile import drawn
from ninefold.diffraction.radiation import radiation
from ninefold.errors import InputError

BEAM = radiation("1.0")
ROWS = [(10 + 0.1 * place, 100 + place % 7) for place in range(60)]


def written(tmp_path, text, name="scan.xy"):
    file = tmp_path / name
    file.write_text(text)
    return file


def plain(rows, separator=" "):
    return "\n".join(separator.join(str(value) for value in row) for row in rows) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        plain(ROWS),
        plain(ROWS, ","),
        plain(ROWS, ";"),
        plain(ROWS, "\t"),
        f"# a comment\nAngle Intensity\n{plain(ROWS)}",
        f"2theta,intensity\n{plain(ROWS, ',')}",
        f"\ufeff{plain(ROWS)}",
        plain(ROWS).replace("\n", "\r\n"),
        plain([(*row, 10.5) for row in ROWS]),
        plain(ROWS[::-1]),
    ],
    ids=["xy", "csv", "semicolons", "tabs", "header", "csv header", "mark", "crlf", "xye", "falling"],
)
def test_columns_are_read(tmp_path, text):
    found = read_pattern(written(tmp_path, text), BEAM)
    assert found.two_theta == pytest.approx([row[0] for row in ROWS])
    assert found.intensity == pytest.approx([row[1] for row in ROWS])


def test_errors_of_a_third_column_and_packed_files(tmp_path):
    text = plain([(*row, 10.5) for row in ROWS])
    packed = tmp_path / "scan.xye.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_pattern(packed, BEAM).error == pytest.approx([10.5] * len(ROWS))


@pytest.mark.parametrize("axis", ["q", "d"])
def test_other_axes_become_angles(tmp_path, axis):
    angles = np.linspace(5, 60, 80)
    d = 1.0 / (2 * np.sin(np.radians(angles) / 2))
    column = d if axis == "d" else 2 * np.pi / d
    file = written(tmp_path, plain([(value, 5 + place) for place, value in enumerate(column)]))
    found = read_pattern(file, BEAM, axis)
    assert found.two_theta == pytest.approx(angles)
    assert found.intensity == pytest.approx(5 + np.arange(80))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# nothing but a comment\n", "has no row of two numbers"),
        (plain(ROWS[:20]), "has 20 rows of numbers"),
        (plain([*ROWS[:30], (11.0, 5), *ROWS[30:]]), "neither rise nor fall throughout: line 31"),
        (plain([*ROWS[:30], ("nan", 5), *ROWS[30:]]), "no finite number in line 31"),
        (plain([*ROWS[:30], (13.0, "inf"), *ROWS[31:]]), "no finite number in line 31"),
        (plain(ROWS) + "end of scan\n", "line 61 is no row of numbers: 'end of scan'"),
        (plain([(row[0] + 175, row[1]) for row in ROWS]), "no angle between 0 and 180 degrees"),
        (plain([(row[0], 7) for row in ROWS]), "the same intensity everywhere"),
        (plain([(row[0],) for row in ROWS]), "has no row of two numbers"),
        (plain([*((*row, 1) for row in ROWS[:3]), (*ROWS[3], 0), *((*row, 1) for row in ROWS[4:])]), "of 0 in line 4"),
        (plain([(*row, -1) for row in ROWS]), "error of the intensity of -1 in line 1; allowed: errors above 0"),
        (plain([(row[0], -row[1]) for row in ROWS]), "no intensity above 0"),
    ],
    ids=[
        "empty",
        "comment",
        "short",
        "jumps",
        "nan",
        "inf",
        "tail",
        "angle",
        "flat",
        "one column",
        "no error",
        "negative error",
        "negative",
    ],
)
def test_what_is_no_pattern_is_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as caught:
        read_pattern(written(tmp_path, text), BEAM)
    assert "\n" not in str(caught.value)


def test_axis_and_file_that_there_are_not(tmp_path):
    with pytest.raises(InputError, match="2theta, q, d"):
        read_pattern(written(tmp_path, plain(ROWS)), BEAM, "theta")
    with pytest.raises(InputError, match="does not exist"):
        read_pattern(tmp_path / "none.xy", BEAM)
    broken = tmp_path / "scan.xy.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be read"):
        read_pattern(broken, BEAM)


def scan(scale=1000.0, seed=3):
    """Peaks 0.15 degrees wide on a background that falls and has a hump, with counting noise."""
    grid = np.arange(10, 80, 0.02)
    centres = np.array([17.0, 25.0, 25.4, 38.0, 52.0, 66.0])
    peaks = drawn(grid, centres, np.array([1.0, 0.6, 0.3, 0.5, 0.2, 0.1]), np.full(6, 0.15), 0.5) * scale / 4
    background = 0.2 * scale * (np.exp(-(grid - 10) / 20) + 0.5 * np.exp(-(((grid - 28) / 12) ** 2)) + 0.1)
    noisy = np.random.default_rng(seed).poisson(peaks + background).astype(float)
    return MeasuredPattern(grid, noisy), peaks, background, centres


def test_background_is_found_below_peaks():
    pattern, peaks, background, _ = scan()
    found = reduced(pattern)
    assert np.sqrt(np.mean((found.background - background) ** 2)) < 0.01 * peaks.max()
    assert abs(found.background - background).max() < 0.03 * peaks.max()


def test_a_background_without_peaks_is_all_background():
    smooth = 100 + 50 * np.exp(-np.linspace(0, 3, 2000))
    assert snip(smooth, 60) == pytest.approx(smooth, rel=0.01)


def test_noise_is_that_of_counting():
    pattern, peaks, background, _ = scan(4000.0)
    assert np.median(reduced(pattern).noise / np.sqrt(peaks + background)) == pytest.approx(1.0, abs=0.15)
    # and scales with the intensity, whatever its unit
    scaled = MeasuredPattern(pattern.two_theta, pattern.intensity / 512)
    assert np.median(reduced(scaled).noise * 512 / reduced(pattern).noise) == pytest.approx(1.0, abs=0.02)


def test_peaks_and_their_width():
    pattern, _, _, centres = scan()
    found = reduced(pattern)
    width = typical_width(found)
    assert width == pytest.approx(0.15, abs=0.04)
    places = found.two_theta[peak_places(found, found.net, width)]
    assert places == pytest.approx(centres, abs=0.05)


def test_averages_of_neighbours_keep_the_intensity():
    found = reduced(scan()[0])
    coarse = found.bunched(0.08)
    assert coarse.step == pytest.approx(0.08)
    assert coarse.net.mean() == pytest.approx(found.net.mean(), rel=0.01)
    assert np.median(coarse.noise / np.interp(coarse.two_theta, found.two_theta, found.noise)) == pytest.approx(
        0.5, rel=0.05
    )
