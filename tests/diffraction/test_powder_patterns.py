"""Powder patterns against pymatgen, gemmi, and laws of diffraction."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from powder_samples import mg2feh6, mgh2, molybdenum, rock_salt, triclinic
from pymatgen.analysis.diffraction.neutron import NDCalculator
from pymatgen.analysis.diffraction.xrd import WAVELENGTHS, XRDCalculator
from pymatgen.core import Lattice, Structure

from ninefold.diffraction.pattern import at_volume, murnaghan_ratio, powder_pattern, scattered, scattered_with_slopes
from ninefold.diffraction.profile import Profile, drawn, profile
from ninefold.diffraction.radiation import KEV_ANGSTROM, radiation, two_theta_of
from ninefold.diffraction.reflections import reflections
from ninefold.errors import InputError


@pytest.mark.parametrize("anode", ["Cu", "Mo", "Co", "Fe", "Cr", "Ag"])
def test_lines_are_those_of_pymatgens_table(anode):
    (first, _), (second, share) = radiation(f"{anode}Ka").lines
    assert first == pytest.approx(WAVELENGTHS[f"{anode}Ka1"], abs=3e-4)
    assert second == pytest.approx(WAVELENGTHS[f"{anode}Ka2"], abs=3e-4)
    assert share == pytest.approx(1 / 3)
    assert radiation(f"{anode.lower()}ka1").lines == ((first, 1.0),)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("CuKb", {}, "is no wavelength"),
        ("", {}, "is no wavelength"),
        ("nan", {}, "out of range"),
        ("0.05", {}, "0.1 to 3 Å for X-rays"),
        ("15.4", {}, "out of range"),
        ("0.2", {"neutrons": True}, "0.3 to 6 Å for neutrons"),
        ("CuKa", {"neutrons": True}, "a line of X-rays, and --neutrons is given; allowed: a number in Å"),
    ],
)
def test_what_is_no_wavelength_is_refused(text, options, words):
    with pytest.raises(InputError, match=words):
        radiation(text, **options)


def test_polarisation_of_a_tube_and_of_a_synchrotron():
    angles = np.array([10.0, 45.0, 90.0, 120.0])
    tube, ring = radiation("CuKa"), radiation("1.5418")
    ratio = tube.lorentz_polarisation(angles) / ring.lorentz_polarisation(angles)
    assert ratio == pytest.approx((1 + np.cos(np.radians(angles)) ** 2) / 2)
    assert ratio[2] == pytest.approx(0.5)  # at 90 degrees nothing of the component in the plane is scattered
    assert radiation("1.5418", polarised=False).polarisation == 1.0


def assert_alike(own, theirs, within=0.01):
    """Intensities near each strong peak: the codes merge reflections that nearly coincide differently."""
    angles, heights = np.array([peak.two_theta for peak in own]), np.array([peak.intensity for peak in own])
    strong = angles[heights > 5]
    ours = np.array([heights[np.abs(angles - angle) < within].sum() for angle in strong])
    other = np.array([theirs.y[np.abs(theirs.x - angle) < within].sum() for angle in strong])
    assert len(strong) > 2
    assert ours / ours.max() == pytest.approx(other / other.max(), abs=0.03, rel=0.06)


@pytest.mark.parametrize(
    "structure", [molybdenum(), mg2feh6(), mgh2(), triclinic()], ids=["Mo", "Mg2FeH6", "MgH2", "P1"]
)
@pytest.mark.parametrize("wavelength", [0.5594, 0.7093])
def test_pattern_is_pymatgens(structure, wavelength):
    """Away from absorption edges, where the dispersion that pymatgen leaves out is small."""
    beam = radiation(str(wavelength), polarised=False)
    assert_alike(
        powder_pattern(structure, beam, (5, 45), b_iso=0.0).peaks(),
        XRDCalculator(wavelength=wavelength).get_pattern(structure, two_theta_range=(5, 45)),
    )


def test_squared_structure_factors_are_gemmis():
    structure, beam = triclinic(), radiation("1.2")
    found = reflections(structure, beam, 1.0, b_iso=0.0)
    small = gemmi.SmallStructure()
    small.cell = gemmi.UnitCell(*structure.lattice.abc, *structure.lattice.angles)
    small.spacegroup = gemmi.SpaceGroup("P1")
    for site in structure:
        atom = gemmi.SmallStructure.Site()
        atom.label, atom.element = site.specie.symbol, gemmi.Element(site.specie.symbol)
        atom.fract, atom.occ = gemmi.Fractional(*site.frac_coords), 1.0
        small.add_site(atom)
    small.setup_cell_images()
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    energy = KEV_ANGSTROM / 1.2 * 1000
    for site in structure:
        symbol = site.specie.symbol
        real, _ = gemmi.cromer_liberman(z=gemmi.Element(symbol).atomic_number, energy=energy)
        calculator.addends.set(gemmi.Element(symbol), real)
    volume = structure.volume
    # our cell is the reduced one; compare by spacing, real dispersion on both sides
    spacings = found.spacings()
    for hkl in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 2], [2, 0, 1]):
        length = 1 / np.linalg.norm(np.array(hkl) @ structure.lattice.inv_matrix.T)
        own = found.strength[np.abs(spacings - length) < 1e-6].sum() * volume**2 / 2
        theirs = abs(calculator.calculate_sf_from_small_structure(small, hkl)) ** 2
        assert own == pytest.approx(theirs, rel=0.05)  # f'' is in ours alone: up to 7 of 75 electrons, in quadrature


def test_dispersion_takes_electrons_from_iron_under_copper():
    """Odd reflections of MgFe in the CsCl type: |f(Mg) - f(Fe) - f'|² + f''², where pymatgen has |f(Mg) - f(Fe)|²."""
    structure = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.1), ["Mg", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    beam, d = radiation("CuKa1"), 3.1
    found = reflections(structure, beam, 2.9, b_iso=0.0)
    magnesium, iron = (gemmi.Element(symbol).it92.calculate_sf(stol2=1 / (4 * d**2)) for symbol in ("Mg", "Fe"))
    of_mg = complex(*gemmi.cromer_liberman(z=12, energy=8047.8))
    of_fe = complex(*gemmi.cromer_liberman(z=26, energy=8047.8))
    assert of_fe.real < -1
    expected = abs(magnesium + of_mg - iron - of_fe) ** 2
    assert found.strength[0] / 6 * 3.1**6 == pytest.approx(expected, rel=1e-3)
    assert abs(expected / (magnesium - iron) ** 2 - 1) > 0.1


@pytest.mark.parametrize("matrix", [[[1, 0, 0], [0, 2, 0], [0, 0, 1]], [[1, 1, 0], [0, 1, 0], [0, 1, 1]]])
def test_pattern_does_not_depend_on_the_cell_or_its_origin(matrix):
    structure, beam = mgh2(), radiation("CuKa1")
    other = structure.copy()
    other.make_supercell(matrix)
    other.translate_sites(list(range(len(other))), [0.13, 0.21, 0.34])
    for one, two in zip(
        powder_pattern(structure, beam).peaks(0.1), powder_pattern(other, beam).peaks(0.1), strict=True
    ):
        assert one.two_theta == pytest.approx(two.two_theta, abs=1e-6)
        assert one.intensity == pytest.approx(two.intensity, abs=1e-4)
        assert (one.hkl, one.multiplicity) == (two.hkl, two.multiplicity)


def test_multiplicities_of_a_cubic_metal():
    peaks = powder_pattern(molybdenum(), radiation("CuKa1"), (5, 120)).peaks()
    assert [(peak.hkl, peak.multiplicity) for peak in peaks] == [
        ((1, 1, 0), 12), ((2, 0, 0), 6), ((2, 1, 1), 24), ((2, 2, 0), 12), ((3, 1, 0), 24), ((2, 2, 2), 8),
    ]  # fmt: skip


def test_debye_waller_factor():
    beam = radiation("CuKa1")
    still, moving = (reflections(molybdenum(), beam, 0.9, b_iso) for b_iso in (0.0, 1.5))
    assert moving.strength / still.strength == pytest.approx(np.exp(-1.5 / (2 * still.spacings() ** 2)))


def test_strained_spacings_are_those_of_a_strained_lattice():
    structure, beam = mgh2(), radiation("CuKa1")
    found = reflections(structure, beam, 1.0)
    assert len(found.strains) == 2  # a tetragonal metal lattice: size, and c/a
    strain = np.array([0.012, -0.02])
    lattice = found.strained_lattice(strain)
    by_lattice = 1 / np.linalg.norm(found.hkl @ np.linalg.inv(lattice).T, axis=1)
    assert found.spacings(strain) == pytest.approx(by_lattice, rel=1e-9)


@pytest.mark.parametrize(
    ("structure", "count"),
    [(molybdenum(), 1), (mg2feh6(), 1), (mgh2(), 2), (triclinic(), 6)],
    ids=["bcc", "fcc", "P4", "P1"],
)
def test_a_cell_strains_as_its_metals_symmetry_allows(structure, count):
    strains = reflections(structure, radiation("CuKa1"), 1.5).strains
    assert len(strains) == count
    assert strains[0] == pytest.approx(np.eye(3))
    assert np.trace(strains[1:], axis1=1, axis2=2) == pytest.approx(np.zeros(count - 1), abs=1e-9)


def test_slopes_are_differences():
    structure, beam, shape = triclinic(), radiation("CuKa"), Profile(w=0.04, u=0.02)
    found = reflections(structure, beam, 1.2)
    grid = np.arange(15, 60, 0.02)
    strain, step = np.array([0.004, 0.002, -0.003, 0.001, 0.0, 0.002]), 1e-5
    _, slopes = scattered_with_slopes(found, beam, grid, shape, strain, 0.03)
    for place in range(7):
        moved = [strain.copy(), strain.copy()]
        zeros = [0.03, 0.03]
        for sign, side in ((1, 0), (-1, 1)):
            if place < 6:
                moved[side][place] += sign * step
            else:
                zeros[side] += sign * step
        up, down = (scattered(found, beam, grid, shape, one, zero) for one, zero in zip(moved, zeros, strict=True))
        numeric = (up - down) / (2 * step)
        # intensities and widths are taken as constant, strains as small; peaks end at a finite reach
        wrong = np.abs(slopes[place] - numeric)
        assert np.percentile(wrong, 99) < 0.03 * np.percentile(np.abs(numeric), 99.9)


def test_neutrons_see_deuterium():
    """LiD: b of Li -1.90, of D 6.67 fm: odd reflections, of the difference, are strong."""
    beam = radiation("1.8", neutrons=True, deuterated=True)
    found = reflections(rock_salt(), beam, 1.3, b_iso=0.0)
    odd, even = found.strength[0] / found.multiplicity[0], found.strength[1] / found.multiplicity[1]
    assert odd / even == pytest.approx(((-1.90 - 6.671) / (-1.90 + 6.671)) ** 2, rel=1e-3)
    protium = reflections(rock_salt(), radiation("1.8", neutrons=True), 1.3, b_iso=0.0)
    assert protium.strength[0] / protium.multiplicity[0] < 0.2 * odd


def test_neutron_pattern_is_pymatgens():
    structure = triclinic()
    assert_alike(
        powder_pattern(structure, radiation("1.5", neutrons=True), (10, 90), b_iso=0.0).peaks(),
        NDCalculator(wavelength=1.5).get_pattern(structure, two_theta_range=(10, 90)),
    )


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_a_peak_has_its_area_and_its_width(eta):
    grid = np.arange(0, 60, 0.005)
    curve = drawn(grid, np.array([30.0]), np.array([2.0]), np.array([0.2]), eta, reach=140)
    assert curve.sum() * 0.005 == pytest.approx(2.0, rel=0.01)
    above = grid[curve >= curve.max() / 2]
    assert above[-1] - above[0] == pytest.approx(0.2, abs=0.011)


def test_width_by_caglioti():
    shape = profile(0.1, u=0.04, v=-0.01)
    assert shape.fwhm(np.array([90.0]))[0] == pytest.approx(np.sqrt(0.04 * 1 - 0.01 * 1 + 0.01))
    with pytest.raises(InputError, match="above 0, at most 5 degrees"):
        profile(0.0)
    with pytest.raises(InputError, match="Gaussian"):
        profile(0.1, eta=1.2)


def test_a_scaled_cell_moves_every_peak_alike():
    beam = radiation("0.4")
    ratio = murnaghan_ratio(5.0, 35.0, 4.0)
    assert ratio == pytest.approx((1 + 4 * 5 / 35) ** -0.25)
    loose, tight = (powder_pattern(each, beam, (5, 30)).peaks(1) for each in (mgh2(), at_volume(mgh2(), ratio)))
    changes = [two.d / one.d for one, two in zip(loose, tight, strict=False)]
    assert changes == pytest.approx([ratio ** (1 / 3)] * len(changes))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: powder_pattern(mgh2(), radiation("CuKa"), (50, 20)), "two rising angles"),
        (lambda: powder_pattern(mgh2(), radiation("CuKa"), (5, 200)), "two rising angles"),
        (lambda: powder_pattern(mgh2(), radiation("CuKa"), b_iso=-1), "0 to 20 Å²"),
        (lambda: at_volume(mgh2(), 3.0), "0.5 to 1.5"),
        (lambda: murnaghan_ratio(-1, 30), "0 to 300 GPa"),
        (lambda: murnaghan_ratio(1, 0), "1 to 1000 GPa"),
    ],
)
def test_impossible_settings_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_no_reflection_beyond_the_reach_of_a_wavelength():
    assert np.isnan(two_theta_of(np.array([0.7]), 1.5406))[0]
    assert powder_pattern(rock_salt(), radiation("CuKa"), (5, 179)).peaks()[-1].d > 1.5406 / 2
