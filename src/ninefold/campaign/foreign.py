"""What a campaign would run besides ninefold itself, found out without running it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign


class Foreign(NamedTuple):
    """Something that is executed, or read by a reader that may execute it."""

    field: str
    """Of the campaign; the entry point group, for what installed packages announce."""
    name: str
    """A file, a module or a package."""
    what: str
    """What happens with it."""
    runs_python: bool
    """Whether it is Python; weights may be, by the reader of their package."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return self._asdict()


def foreign_code(campaign: Campaign) -> list[Foreign]:
    """Every file and package of others that a run of this campaign executes or unpickles.

    A workflow is no part of a campaign: `--workflow FILE.py` is run, too.
    """
    return [*_rules(campaign), *_sources(campaign), *_engine(campaign)]


def _rules(campaign: Campaign) -> Iterator[Foreign]:
    from ninefold.rules.rule_set import ENTRY_POINTS

    for file in campaign.rules.files:
        yield Foreign("rules.files", file, "Python file, run when the campaign is read", True)
    for point in entry_points(group=ENTRY_POINTS):
        yield Foreign(ENTRY_POINTS, point.value, "rule of an installed package", True)


def _sources(campaign: Campaign) -> Iterator[Foreign]:
    from ninefold.structures.sources import FIELD, GROUP, OUR_NAMES, is_host

    announced = {point.name: point.value for point in entry_points(group=GROUP)}
    for name in campaign.structures.sources:
        if name in OUR_NAMES or is_host(name):
            continue
        what = "source of an installed package" if name in announced else "Python, run when the campaign is read"
        yield Foreign(FIELD, announced.get(name, name), what, True)


def _engine(campaign: Campaign) -> Iterator[Foreign]:
    from ninefold.engines.registry import GROUP, is_ours

    name, model = campaign.engine.name, campaign.engine.model
    if not is_ours(name):
        [value] = [point.value for point in entry_points(group=GROUP) if point.name == name]
        yield Foreign("engine.name", value, "engine of an installed package", True)
    if model is not None:
        from ninefold.engines.registry import weights_that_run

        what = weights_that_run(name, model)
        if what is not None:
            yield Foreign("engine.model", model, what, False)
