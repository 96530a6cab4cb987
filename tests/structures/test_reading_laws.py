"""A CIF of any space group in any setting is read as the crystal that it was made from, or refused; gemmi agrees."""

from collections import Counter
from fractions import Fraction

import gemmi
import moyopy
import numpy as np
import pytest
import spglib
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice

from ninefold.errors import InputError
from ninefold.structures.files import read_structure

ELEMENTS = ("Mg", "Fe", "H", "K", "Re")
SPECIAL = [Fraction(0), *(Fraction(k, d) for d in (2, 3, 4, 8) for k in range(1, d))]
ERRORS = {
    "site dropped": "the formula counts a site that is not listed",
    "identity only": "the identity stands for all operations",
    "wrong formula": "one element's number is doubled",
    "wrong Z": "twice the formula units",
    "half occupied": "one site has occupancy 0.5",
    "mixed site": "two elements on one site",
    "operation dropped": "one operation is missing",
    "no position": "one site has no coordinates",
    "wrong group": "the symbol of another group stands beside the operations",
}


class Crystal:
    """A random crystal, made with spglib's operations and nothing of ours."""

    def __init__(self, hall, sites, metric):
        symmetry = spglib.get_symmetry_from_database(hall)
        self.hall, self.sites = hall, sites
        self.rotations, self.translations = symmetry["rotations"], symmetry["translations"]
        own = np.einsum("nji,jk,nkl->il", self.rotations, metric, self.rotations) / len(self.rotations)
        cell = np.linalg.cholesky(own)
        points, kinds, orders = [], [], []
        for symbol, position in sites:
            images = np.einsum("nij,j->ni", self.rotations, position) + self.translations
            kept = []
            for image in images:
                if all(np.abs(_wrapped(image - other)).max() > 1e-4 for other in kept):
                    kept.append(image)
            points += kept
            kinds += [symbol] * len(kept)
            orders.append(len(kept))
        self.points, self.kinds, self.orders = np.array(points), kinds, orders
        nearest = _nearest(self.points, cell)
        assume(nearest > 0.02 * np.linalg.det(cell) ** (1 / 3))
        self.cell = cell * max(1.2 / nearest, (len(points) * 8 / np.linalg.det(cell)) ** (1 / 3))
        assume(np.linalg.norm(self.cell, axis=1).max() < 150)

    def text(self, how, error, with_formula):
        lattice, lines = Lattice(self.cell), ["data_random"]
        lines += [f"_cell_length_{axis} {value:.8f}" for axis, value in zip("abc", lattice.abc, strict=True)]
        names = ("alpha", "beta", "gamma")
        lines += [f"_cell_angle_{name} {value:.8f}" for name, value in zip(names, lattice.angles, strict=True)]
        counts = Counter(self.kinds)
        if with_formula:
            divisor = np.gcd.reduce(list(counts.values()))
            if error == "wrong formula":
                counts[self.kinds[0]] *= 2 if len(counts) > 1 else 3
            formula = " ".join(f"{symbol}{count // divisor}" for symbol, count in counts.items())
            units = divisor * (2 if error == "wrong Z" else 1)
            lines += [f"_chemical_formula_sum '{formula}'", f"_cell_formula_units_Z {units}"]
        lines += self.symmetry(how, error)
        lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
        lines += [f"_atom_site_fract_{axis}" for axis in "xyz"] + ["_atom_site_occupancy"]
        sites = list(zip(self.kinds, self.points, strict=True)) if how == "P1" else self.sites
        for place, (symbol, position) in enumerate(sites):
            first = place == 0
            if first and error == "site dropped":
                continue
            share = 0.5 if first and error in ("half occupied", "mixed site") else 1
            where = "? ? ?" if first and error == "no position" else " ".join(f"{value:.8f}" for value in position)
            lines.append(f"{symbol}{place} {symbol} {where} {share}")
            if first and error == "mixed site":
                lines.append(f"Mo{place} Mo {where} {share}")
        return "\n".join(lines) + "\n"

    def symmetry(self, how, error):
        entry = moyopy.HallSymbolEntry(self.hall)
        short = " ".join(entry.hm_full.replace("_", "").split())
        setting = f" :{entry.setting}" if entry.setting else ""
        operations = ["loop_", "_space_group_symop_operation_xyz"]
        if error == "identity only" or how == "P1":
            said = [] if how == "P1" else [f"_space_group_name_H-M_alt '{short}'"]
            return [*said, *operations, "x,y,z"]
        texts = [_text(r, t) for r, t in zip(self.rotations, self.translations, strict=True)]
        if error == "operation dropped":
            return [*operations, *texts[:-1]]
        if error == "wrong group":
            other = "P 1" if len(texts) > 1 else "P -1"
            return [f"_space_group_name_H-M_alt '{other}'", *operations, *texts]
        return {
            "operations": [*operations, *texts],
            "operations and symbol": [f"_space_group_name_H-M_alt '{short}'", *operations, *texts],
            "Hall": [f"_space_group_name_Hall '{spglib.get_spacegroup_type(self.hall).hall_symbol}'"],
            "symbol and setting": [f"_space_group_name_H-M_alt '{short}{setting}'"],
            "symbol": [f"_space_group_name_H-M_alt '{short}'"],
            "number": [f"_space_group_IT_number {entry.number}"],
        }[how]

    def is_read_as(self, cell, symbols, positions):
        """Whether these are its atoms; cell in any orientation."""
        is_same_cell = np.allclose(cell @ cell.T, self.cell @ self.cell.T, rtol=1e-4, atol=1e-3)
        if Counter(symbols) != Counter(self.kinds) or not is_same_cell:
            return False
        apart = np.linalg.norm(_wrapped(positions[:, None] - self.points[None]) @ self.cell, axis=2)
        alike = np.array(symbols)[:, None] == np.array(self.kinds)[None]
        return bool(((apart < 0.02) & alike).any(axis=1).all())


def _wrapped(values):
    return values - np.round(values)


def _nearest(points, cell):
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    apart = _wrapped(points[:, None] - points[None])[:, :, None] + shifts
    lengths = np.linalg.norm(apart @ cell, axis=3)
    lengths[np.arange(len(points)), np.arange(len(points)), 13] = np.inf  # an atom and itself
    return lengths.min()


def _text(rotation, translation):
    parts = []
    for row, shift in zip(rotation, translation, strict=True):
        terms = "".join(f"{'+' if value > 0 else '-'}{name}" for value, name in zip(row, "xyz", strict=True) if value)
        fraction = Fraction(float(shift)).limit_denominator(24)
        parts.append(terms + (f"+{fraction}" if fraction else ""))
    return f"'{','.join(parts)}'"


coordinates = st.one_of(
    st.sampled_from([float(value) for value in SPECIAL]),
    st.integers(0, 99_999_999).map(lambda value: value / 1e8),
)
crystals = st.builds(
    Crystal,
    st.integers(0, 2**30).map(lambda value: value % 530 + 1),  # small numbers come more often than large ones
    st.lists(st.tuples(st.sampled_from(ELEMENTS), st.tuples(*[coordinates] * 3).map(np.array)), min_size=1, max_size=3),
    st.tuples(*[st.floats(0.7, 1.5)] * 3, *[st.floats(-0.35, 0.35)] * 3).map(
        lambda v: np.diag(v[:3]) + np.array([[0, v[3], v[4]], [v[3], 0, v[5]], [v[4], v[5], 0]]) * 0.7
    ),
)
ways = st.sampled_from(["operations", "operations and symbol", "Hall", "symbol and setting", "symbol", "number", "P1"])
SURE = ("operations", "operations and symbol", "Hall", "P1")
"""Ways that leave nothing open: such a file must be read."""


def is_read(folder, crystal, how, error, with_formula):
    """Whether the file is read, then rightly; a refusal must have a cause."""
    path = folder / "random.cif"
    text = crystal.text(how, error, with_formula or error is not None)
    path.write_text(text, encoding="ascii")
    try:
        found = read_structure(path).structure
    except InputError as error_:
        found, said = None, str(error_)
    if found is None:
        assert error is not None or how not in SURE, f"{said}\n{text}"
        return False
    symbols = [site.specie.symbol for site in found]
    assert crystal.is_read_as(found.lattice.matrix, symbols, found.frac_coords), text
    if error is None and how in ("operations", "operations and symbol", "P1"):
        second = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())
        sites = second.get_all_unit_cell_sites()
        positions = np.array([site.fract.tolist() for site in sites])
        assert crystal.is_read_as(crystal.cell, [site.element.name for site in sites], positions), text
    return True


def law(count):
    """The law, held on so many random files, the same ones each time."""

    def decorate(function):
        given_files = given(
            crystal=crystals, how=ways, error=st.one_of(st.none(), st.sampled_from(sorted(ERRORS))),
            with_formula=st.booleans(),
        )  # fmt: skip
        # the folder is shared: each file replaces the one before
        return settings(
            max_examples=count, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )(given_files(function))  # fmt: skip

    return decorate


@law(60)
def test_a_random_cif_is_read_rightly_or_refused(tmp_path, crystal, how, error, with_formula):
    found = is_read(tmp_path, crystal, how, error, with_formula)
    event(f"{how}, {error}: {'read' if found else 'refused'}")


@pytest.mark.slow
@law(1000)
def test_a_thousand_random_cifs_are_read_rightly_or_refused(tmp_path, crystal, how, error, with_formula):
    found = is_read(tmp_path, crystal, how, error, with_formula)
    event(f"{how}, {error}: {'read' if found else 'refused'}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "least"),
    [("operations", 530), ("Hall", 530), ("symbol and setting", 529), ("symbol", 510), ("number", 200)],
)
def test_all_settings(tmp_path, how, least):
    """With an atom on no special position: read rightly, or refused where the file leaves the setting open."""
    sites = [("Re", np.array([0.084, 0.833, 0.787])), ("H", np.array([0.0, 0.0, 0.0]))]
    metric = np.array([[1.0, 0.11, 0.07], [0.11, 1.21, -0.09], [0.07, -0.09, 1.44]])
    found = [hall for hall in range(1, 531) if is_read(tmp_path, Crystal(hall, sites, metric), how, None, True)]
    assert len(found) >= least
