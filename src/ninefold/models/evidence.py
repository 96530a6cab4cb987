"""How far a result can be believed: what made it, as one word of a closed set."""

from __future__ import annotations

from typing import Literal

Evidence = Literal["rule", "force field", "ML", "DFT", "phonon", "MD", "experiment", "test"]

EVIDENCE: dict[Evidence, str] = {
    "rule": "passed the rules: nothing was computed",
    "force field": "classical potential: geometry alone, no distance to a hull can be trusted",
    "ML": "machine-learned potential: distances to the hull carry its model error, which no spread of searches shows",
    "DFT": "density functional theory: distances to the hull carry the functional's error",
    "phonon": "dynamically stable, from DFT phonons",
    "MD": "survives molecular dynamics at the temperature stated",
    "experiment": "made and measured",
    "test": "a potential without chemistry: its energies and ranks mean nothing",
}
"""Level -> what a reader may conclude from it. Engines have one of them, and stages."""
TRUST: tuple[Evidence, ...] = ("test", *(level for level in EVIDENCE if level != "test"))
"""By rising trust."""
