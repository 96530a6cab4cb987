"""A campaign that searches every composition of its chemical system, in seconds: energies are planted."""

ENGINE = """
from collections import Counter

from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine

# so weak that what the force field has settled stays as it is
PARAMETERS = {"sigma": 1.15, "epsilon": 0.001, "rc": 5.0, "smooth": True}
PLANTED = {(1, 1, 4): -1.0, (1, 1, 5): -3.0}


class Planted(LennardJones):
    # MgZnH4 is bound by 1 eV/atom, MgZnH5 by 3; all else hardly
    def calculate(self, atoms, properties, system_changes):
        super().calculate(atoms, properties, system_changes)
        counts = Counter(atoms.get_chemical_symbols())
        amounts = tuple(counts[symbol] / max(1, counts["Zn"]) for symbol in ("Mg", "Zn", "H"))
        for key in ("energy", "free_energy"):
            self.results[key] += PLANTED.get(amounts, 0.0) * len(atoms)


def weak(settings):
    return ASEEngine("weak", "Lennard-Jones weak", Planted(**PARAMETERS), (PARAMETERS, "planted"), evidence="test")


def weaker(settings):
    parameters = {**PARAMETERS, "epsilon": 0.0005}
    return ASEEngine("weaker", "Lennard-Jones weaker", Planted(**parameters), (parameters, "planted"), evidence="test")
"""
SYSTEM = ("Mg", "Zn", "H")
"""Six compositions."""
CAMPAIGN = {
    "name": "tiny", "seed": 3, "engine": {"name": "engines.py:weak"}, "energies": [{"name": "engines.py:weaker"}],
    "space": [{"centres": ["Zn"], "cations": ["Mg"], "n": 4, "m": 0}],
    "structures": {
        "pool": 48, "single_points": 12, "coarse_relaxations": 5, "refinements": 1, "formula_units": [1],
        "coarse_steps": 3, "final_steps": 4, "rounds": 2, "passed_on": 3, "sources": ["symmetric_units", "rigid_units"],
    },
    "execution": {"workers": 1, "compositions_per_job": 3},
}  # fmt: skip
COMPLETE = {**CAMPAIGN, "stability": {"complete_search": {"relaxations": 2}}}
