"""What each distance to the hull is uncertain by, from the parts that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ninefold.trust.uncertainty import combined, disagreement, hull_probability, window

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate

SMALLEST_WINDOW = 0.05
"""eV/atom; of a row without a model error, from an earlier version or a potential without chemistry."""
DISAGREE = "methods disagree by"
"""How the flag begins."""


class Comparison(NamedTuple):
    """A row beside those of the campaign's other methods."""

    spread: float | None
    """Highest less lowest distance of all methods, eV/atom; None with one method."""
    disagreement: float | None
    """Beyond what the methods' errors explain, eV/atom; None without another method of the same evidence."""
    is_verified: bool = False
    """Whether DFT has judged the composition."""


ALONE = Comparison(None, None)


def distance_of(row: Candidate) -> float | None:
    """To the hull of all others, or above the lowest structure of its own composition, eV/atom; negative if stable."""
    if row.phase_separation_energy is None:
        return None
    above = row.e_above_same_composition or 0.0
    return max(row.phase_separation_energy, above) if above > 0 else row.phase_separation_energy


class Comparisons:
    """Every method's distance of each composition.

    Args:
        rows: Of all methods.
    """

    def __init__(self, rows: Iterable[Candidate]) -> None:
        self._told: dict[str, dict[str, tuple[str, float, float | None]]] = {}
        for row in rows:
            if row.phase_separation_energy is not None:
                told = (row.evidence, row.phase_separation_energy, row.model_error)
                self._told.setdefault(row.composition, {})[row.method] = told

    def of(self, row: Candidate) -> Comparison:
        """A row beside the others of its composition."""
        every = self._told.get(row.composition, {})
        distances = [distance for _, distance, _ in every.values()]
        spread = max(distances) - min(distances) if len(distances) > 1 else None
        is_verified = any(evidence == "DFT" for evidence, _, _ in every.values())
        if row.phase_separation_energy is None or row.model_error is None:
            return Comparison(spread, None, is_verified)
        others = [
            (distance, error)
            for method, (evidence, distance, error) in every.items()
            if method != row.method and evidence == row.evidence and error is not None
        ]
        beyond = disagreement(row.phase_separation_energy, row.model_error, others) if others else None
        return Comparison(spread, beyond, is_verified)


def with_uncertainty(row: Candidate, comparison: Comparison = ALONE) -> Candidate:
    """A row with its uncertainty and the probability that it lies on the hull.

    Args:
        row: With `model_error` and `search_scatter`; one of an earlier version, without them, keeps what it has.
        comparison: With the other methods' rows.
    """
    update: dict[str, float | None] = {
        "method_spread": comparison.spread, "method_disagreement": comparison.disagreement,
    }  # fmt: skip
    if row.model_error is not None or row.search_scatter is not None:
        total = combined(row.model_error, row.search_scatter, comparison.disagreement)
        distance = distance_of(row)
        # the scatter of searches alone is no error of the energies: it says nothing of the hull
        has_error = row.model_error is not None and total is not None and distance is not None
        update["e_above_hull_uncertainty"] = total
        update["hull_probability"] = hull_probability(distance, total) if has_error else None  # type: ignore[arg-type]
        slope = row.formation.get("pressure_slope")  # dp = sigma / |dG/dp|
        update["lowest_pressure_uncertainty"] = total / abs(slope) if slope and total is not None else None
    return row.model_copy(update=update)


def default_window(row: Candidate, noise: float) -> float:
    """Distance to the hull up to which a candidate may lie on it, eV/atom.

    Args:
        row: With its uncertainty.
        noise: Of the campaign, eV/atom, for a row without a model error.
    """
    if row.model_error is not None and row.e_above_hull_uncertainty is not None:
        return window(row.e_above_hull_uncertainty)
    own = noise if row.e_above_hull_uncertainty is None else row.e_above_hull_uncertainty
    return max(SMALLEST_WINDOW, own + (row.method_spread or 0.0))


def own_window(row: Candidate, noise: float) -> float:
    """As `default_window`, by the method's own errors: without what another method's distance adds to them."""
    own = combined(row.model_error, row.search_scatter)
    return window(own) if row.model_error is not None and own is not None else max(SMALLEST_WINDOW, noise)


def disagrees(row: Candidate, noise: float) -> bool:
    """Whether the campaign's methods differ by more than the row's own window: what DFT is asked for first."""
    return row.method_spread is not None and row.method_spread > own_window(row, noise)


def with_disagreement_flag(row: Candidate, noise: float, *, is_verified: bool = False) -> Candidate:
    """The row with a flag that says so, until DFT has judged it; the flag of an earlier ranking is taken out."""
    flags = [text for text in row.flags if not text.startswith(DISAGREE)]
    if disagrees(row, noise) and not is_verified:
        spread, limit = 1000 * (row.method_spread or 0.0), 1000 * own_window(row, noise)
        flags.append(
            f"{DISAGREE} {spread:.0f} meV/atom, more than the window of {limit:.0f}: "
            "'ninefold verify' computes it before others"
        )
    return row.model_copy(update={"flags": flags})


def told(rows: Iterable[Candidate], comparisons: Comparisons, noise: float) -> Iterable[Candidate]:
    """Rows with their uncertainties and flags, one by one.

    Args:
        rows: Of any methods.
        comparisons: Of all methods.
        noise: As in `default_window`.
    """
    for row in rows:
        comparison = comparisons.of(row)
        yield with_disagreement_flag(with_uncertainty(row, comparison), noise, is_verified=comparison.is_verified)


def by_method(rows: Mapping[str, Iterable[Candidate]], noise: float) -> dict[str, list[Candidate]]:
    """Rows of each method, compared with those of the others.

    Args:
        rows: Method -> rows.
        noise: As in `default_window`.
    """
    held = {method: list(some) for method, some in rows.items()}
    comparisons = Comparisons(row for some in held.values() for row in some)
    return {method: list(told(some, comparisons, noise)) for method, some in held.items()}
