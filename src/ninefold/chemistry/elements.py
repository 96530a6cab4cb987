"""Element data that the equations and rules need, small enough to import at once.

Group numbers are IUPAC's. Electronegativities are Pauling's scale as in the CRC Handbook
(the values pymatgen carries). Charges are the usual ones of counter-cations in hydrides.
"""

from __future__ import annotations

SYMBOLS: tuple[str, ...] = tuple(
    (
        "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
        "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
        "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
        "Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
    ).split()
)
"""Every element, by atomic number."""

GROUP: dict[str, int] = {
    **dict.fromkeys(("Sc", "Y", "La"), 3),
    **dict.fromkeys(("Ti", "Zr", "Hf"), 4),
    **dict.fromkeys(("V", "Nb", "Ta"), 5),
    **dict.fromkeys(("Cr", "Mo", "W"), 6),
    **dict.fromkeys(("Mn", "Tc", "Re"), 7),
    **dict.fromkeys(("Fe", "Ru", "Os"), 8),
    **dict.fromkeys(("Co", "Rh", "Ir"), 9),
    **dict.fromkeys(("Ni", "Pd", "Pt"), 10),
    **dict.fromkeys(("Cu", "Ag", "Au"), 11),
    **dict.fromkeys(("Zn", "Cd", "Hg"), 12),
}
"""Centre -> group number, which is its number of valence electrons."""

CATION_CHARGES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs"), (1,)),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba"), (2,)),
    **dict.fromkeys(("Sc", "Y", "La", "Al", "Ce", "Pr", "Nd", "Sm", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Lu"), (3,)),
    **dict.fromkeys(("Eu", "Yb"), (2, 3)),
}
"""Counter-cation -> its usual charges."""

ELECTRONEGATIVITY: dict[str, float] = {
    "H": 2.20,
    "Li": 0.98,
    "Be": 1.57,
    "Na": 0.93,
    "Mg": 1.31,
    "Al": 1.61,
    "K": 0.82,
    "Ca": 1.00,
    "Rb": 0.82,
    "Sr": 0.95,
    "Cs": 0.79,
    "Ba": 0.89,
    "Sc": 1.36,
    "Y": 1.22,
    "La": 1.10,
    "Ce": 1.12,
    "Pr": 1.13,
    "Nd": 1.14,
    "Sm": 1.17,
    "Eu": 1.2,
    "Gd": 1.2,
    "Tb": 1.1,
    "Dy": 1.22,
    "Ho": 1.23,
    "Er": 1.24,
    "Tm": 1.25,
    "Yb": 1.1,
    "Lu": 1.27,
    "Ti": 1.54,
    "Zr": 1.33,
    "Hf": 1.3,
    "V": 1.63,
    "Nb": 1.6,
    "Ta": 1.5,
    "Cr": 1.66,
    "Mo": 2.16,
    "W": 2.36,
    "Mn": 1.55,
    "Tc": 1.9,
    "Re": 1.9,
    "Fe": 1.83,
    "Ru": 2.2,
    "Os": 2.2,
    "Co": 1.88,
    "Rh": 2.28,
    "Ir": 2.20,
    "Ni": 1.91,
    "Pd": 2.20,
    "Pt": 2.28,
    "Cu": 1.90,
    "Ag": 1.93,
    "Au": 2.54,
    "Zn": 1.65,
    "Cd": 1.69,
    "Hg": 2.00,
}
"""Pauling electronegativity."""
