"""What a campaign would run besides ninefold itself, found out without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.plugins import Registry


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
    from ninefold.engines.registry import weights_that_run

    found = []
    for registry, names, when in _kinds(campaign):
        for name in names:
            if registry.is_shipped(name):
                continue
            is_announced = name in registry.announced()
            setting = registry.group if is_announced and registry.setting == "rules.files" else registry.setting
            shown = registry.origin(name) if is_announced else name
            found.append(Foreign(setting, shown, f"{registry.told(name)}, {when}", True))
    weights = [
        (method.model, weights_that_run(method.name, method.model)) for method in campaign.methods if method.model
    ]
    return [*found, *(Foreign("engine.model", model, what, False) for model, what in weights if what is not None)]


def load_foreign_code(campaign: Campaign) -> None:
    """Load everything that is not ninefold's but the workflow, so that what is broken is told at once.

    Rules, stages and ranking terms are tried as well; no engine is made.

    Raises:
        InputError: if something cannot be loaded, or does not give what it should.
    """
    from ninefold.engines.registry import ENGINES
    from ninefold.ranking.terms import try_terms
    from ninefold.rules import load_rule_set
    from ninefold.stages.own import columns_of
    from ninefold.stages.trial import try_stages
    from ninefold.structures.sources import load_foreign

    columns = columns_of(campaign.stages)
    load_rule_set(campaign.rules, extra_columns=columns)
    load_foreign(campaign.structures.sources)
    try_terms(campaign.ranking, columns)
    try_stages(campaign.stages)
    campaign.check_queries(columns)
    for method in campaign.methods:
        if not ENGINES.is_shipped(method.name):
            ENGINES.load(method.name)


def shadowed_names(campaign: Campaign) -> list[str]:
    """One sentence for each name of ninefold's own that an installed package announces, too."""
    return [note for registry, _, _ in _kinds(campaign) for note in registry.shadowed()]


def _kinds(campaign: Campaign) -> Iterator[tuple[Registry, Sequence[str], str]]:
    """For each kind of code: where it is registered, what of it this campaign names, and when that runs."""
    from ninefold.engines.registry import ENGINES
    from ninefold.ranking.terms import TERMS
    from ninefold.rules.registry import RULES
    from ninefold.stages.own import STAGES
    from ninefold.structures.sources import SOURCES, is_host

    # what a package announces as a rule judges without being named
    yield RULES, [*campaign.rules.files, *RULES.announced()], "run when the rules are read"
    sources = [name for name in campaign.structures.sources if not is_host(name)]
    yield SOURCES, sources, "run when the campaign is checked, then for every composition"
    yield ENGINES, [method.name for method in campaign.methods], "run to compute energies"
    yield STAGES, list(campaign.stages), "run for every candidate with a structure"
    yield TERMS, list(campaign.ranking.weights), "run to rank"
