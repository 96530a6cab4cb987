"""The shipped stages in the order of the data, and where others stand among them."""

from __future__ import annotations

from collections.abc import Iterable

from ninefold.stages import (
    build,
    choose,
    compress,
    dynamics,
    energies,
    prescreen,
    rank,
    references,
    select,
    stability,
    verify,
    vibrations,
)
from ninefold.stages.stage import Stage, split_name

SHIPPED: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        select.ENUMERATE, select.STAGE, select.COMPETITORS, build.STAGE, prescreen.STAGE, references.STAGE,
        choose.STAGE, stability.STAGE, energies.STAGE, verify.STAGE, vibrations.STAGE, compress.COMPRESS,
        dynamics.STAGE, rank.STAGE,
    )
}  # fmt: skip
"""Name -> stage, in the order of the data."""
STRUCTURED = ("prescreen", "stability", "energies")
"""Stages that a stage of the user's may follow: they leave candidates with a structure, and no rank yet."""
OF_ENGINES = ("prescreen", "references", "choose", "stability", "energies", "rank")
"""Stages whose evidence is that of a campaign's engines."""
_ROUND = ("choose", "build", "prescreen")
"""Order of the stages within a further round."""
_METHOD = ("energies", "verify", "vibrations", "compress", "dynamics", "references", "stability")
"""Order of the stages of a further method."""


def in_order(own: Iterable[Stage] = ()) -> list[Stage]:
    """The stages of a flow in the order of the data.

    Args:
        own: Those of the user's in it.
    """
    return sorted([*SHIPPED.values(), *own], key=lambda stage: place(stage.name, stage.after))


def place(name: str, after: str | None = None, method: int = 0) -> tuple[float, ...]:
    """A key that sorts stages by the order of the data; works for any name.

    Args:
        name: As in a `FunnelRecord`: with its round or method.
        after: The stage that it declares to follow, if it is none of ours.
        method: Of a stage of a further method, that one's place in the campaign.
    """
    names = list(SHIPPED)
    stage, suffix = split_name(name)
    if stage in SHIPPED and suffix.isdigit() and SHIPPED[stage].is_in_rounds:
        return (names.index("choose"), int(suffix), _ROUND.index(stage))
    if stage in _METHOD and suffix:
        return (names.index("energies"), method, *(ord(letter) for letter in suffix), -1, _METHOD.index(stage))
    if stage in SHIPPED:
        return (names.index(stage), 0, 0)
    behind, _ = split_name(after or "stability")
    # behind what it follows, and before what comes after that
    return (names.index(behind) + 0.5 if behind in SHIPPED else len(names), 0, 0)
