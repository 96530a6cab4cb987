"""The campaign file: one model that puts the layers' settings together.

Each science layer owns its settings; this module adds only the name, the seed, how to execute
and where to store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ninefold.campaign.budget import Budget
from ninefold.campaign.queries import SavedQuery, check_query
from ninefold.chemistry.compounds import KnownCompound, with_own_compounds
from ninefold.engines.registry import ENGINES
from ninefold.engines.settings import EngineSettings
from ninefold.enumeration.space import ChemicalSpace
from ninefold.errors import FieldError, InputError, shown
from ninefold.keys import content_key, file_checksum
from ninefold.machine import usable_cores
from ninefold.models.quantities import Kind
from ninefold.ranking.settings import RankingSettings
from ninefold.rules.settings import RuleSettings
from ninefold.search.budget import SearchBudget
from ninefold.settings import Settings
from ninefold.stages.energies import DEFAULT_SEARCH_FMAX
from ninefold.stages.own import STAGES
from ninefold.structures.sources import OUR_NAMES, sources_checksum
from ninefold.thermo.settings import SYNTHESIS, Condition, StabilitySettings

QueryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
CampaignName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

DEFAULT_ENERGIES = (EngineSettings(name="sevennet", model="7net-0"),)
"""What judges where a campaign names no method: CHGNet searches, and is not fit to relax to the end (docs/trust.md)."""


class ExecutionSettings(Settings):
    """How the work is spread. Never changes a result; a budget leaves compositions without one for now."""

    workers: int | None = Field(default=None, ge=1, le=1024)
    """Worker processes, one thread each; default: the cores this process may use."""
    compositions_per_job: int = Field(default=50, ge=1, le=100_000)
    """Compositions in one job of the flow; a job is what a cluster's queue runs."""
    budget: Budget | None = None
    """Release compositions in parts, the most promising first, until one of its limits is reached; default: all at
    once."""
    released_at_once: int = Field(default=1, ge=1, le=1000)
    """With a budget: jobs that are released at first; another one follows each that ends. `ninefold submit` takes as
    many as the cluster has places for."""

    @property
    def worker_count(self) -> int:
        """Workers to start on this machine."""
        return self.workers or usable_cores()


LOGIN_PROBLEM = "holds a login, and a campaign is stored with its results and with its jobs"
LOGIN_HINT = "write the address without it; NINEFOLD_STORE or a file of yours has the login: see docs/mongodb.md"


def without_login(store: str) -> str | None:
    """An address as it may be shown, if it holds a login; else None."""
    found = re.fullmatch(r"(mongodb(?:\+srv)?:/*).*@(.*)", store, re.IGNORECASE | re.DOTALL)
    return None if found is None else f"{found[1]}***@{found[2].partition('?')[0]}"


class Campaign(Settings):
    """A screening campaign: what to look for, how hard, and how to judge it."""

    name: CampaignName
    """Identifies the campaign in its store: letters, digits, dot, dash, underscore."""
    description: str = ""
    """For people."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Two runs with one seed give the same ranking."""
    space: tuple[ChemicalSpace, ...] = Field(min_length=1)
    """Chemical spaces to enumerate; their union is screened, without duplicates."""
    rules: RuleSettings = RuleSettings()
    """Which compositions may pass, and what the others score."""
    structures: SearchBudget = SearchBudget()
    """The structure search: sources and budgets. Budgets are counts, never seconds."""
    engine: EngineSettings = EngineSettings()
    """What searches: many cheap relaxations. May be written as `search`. Named without `energies`, its energies also
    make the hull."""
    energies: tuple[EngineSettings, ...] = ()
    """Further methods, by rising trust. Each relaxes the lowest minima that the search kept, and the reference phases,
    and has a hull of its own; a candidate is ranked by the last of them that has a hull distance for it. Default where
    neither `engine` nor `search` is named: sevennet:7net-0."""
    stages: tuple[str, ...] = ()
    """Stages of your own, run for every candidate with a structure: `FILE.py:NAME`; see docs/extend.md."""
    stability: StabilitySettings = StabilitySettings()
    """Conditions of temperature and hydrogen pressure, and the noise to state."""
    ranking: RankingSettings = RankingSettings()
    """Weights of the ranking's terms."""
    queries: dict[QueryName, SavedQuery] = Field(default_factory=dict)
    """Name -> question about candidates, which `ninefold query --saved NAME` asks; never changes a result."""
    execution: ExecutionSettings = ExecutionSettings()
    """Workers and job size; never changes a result."""
    known: str | None = None
    """A YAML file of compounds that have been made, beside those in ninefold's list; relative to the campaign file."""
    store: str | None = None
    """Where results go, if neither --store nor NINEFOLD_STORE says: an SQLite file; a MongoDB address without login."""

    @model_validator(mode="before")
    @classmethod
    def _default_methods(cls, values: Any) -> Any:
        """A campaign that names one engine means that one alone; one that names none has the default ladder."""
        if not isinstance(values, dict) or {"engine", "search", "energies"} & values.keys():
            return values
        budget = values.get("structures", {})
        if isinstance(budget, dict):
            budget = {"search_fmax": DEFAULT_SEARCH_FMAX, **budget}
        elif isinstance(budget, SearchBudget) and budget.search_fmax is None:
            budget = budget.model_copy(update={"search_fmax": DEFAULT_SEARCH_FMAX})
        energies = [method.model_dump() for method in DEFAULT_ENERGIES]
        return {**values, "energies": energies, "structures": budget}

    @model_validator(mode="before")
    @classmethod
    def _search_is_engine(cls, values: Any) -> Any:
        if isinstance(values, dict) and "search" in values:
            if "engine" in values:
                raise FieldError(
                    "search", values["search"], f"and engine, {shown(values['engine'])}, name the same thing",
                    "give one of them",
                )  # fmt: skip
            values = {**values, "engine": values["search"]}
            del values["search"]
        return values

    @model_validator(mode="after")
    def _check_methods(self) -> Self:
        titles = [method.title for method in self.methods]
        if twice := [title for title in dict.fromkeys(titles) if titles.count(title) > 1]:
            place = len(titles) - 1 - titles[::-1].index(twice[0])
            raise FieldError(
                f"energies.{place - 1}", twice[0], "is named twice, by engine (search) and energies together",
                "name it once",
            )  # fmt: skip
        return self

    @model_validator(mode="after")
    def _check_complete_search(self) -> Self:
        complete, of_candidates = self.stability.complete_search, self.structures.most_relaxations
        if complete is not None and complete.relaxations >= of_candidates:
            raise FieldError(
                "stability.complete_search.relaxations", complete.relaxations,
                f"is no low budget: a candidate has {of_candidates} (structures: coarse_relaxations and refinements)",
                f"give fewer than {of_candidates}" if of_candidates > 2 else "give candidates more",
            )  # fmt: skip
        return self

    @model_validator(mode="after")
    def _check_queries(self) -> Self:
        try:
            self.check_queries({}, may_have_more=bool(self.stages))
        except InputError as error:
            allowed = "" if error.allowed is None else f"; allowed: {error.allowed}"
            raise FieldError(error.field, error.value, f"{error.problem}{allowed}", error.hint) from error
        return self

    @model_validator(mode="after")
    def _check_store(self) -> Self:
        if self.store is not None and (shown_store := without_login(self.store)) is not None:
            raise FieldError("store", shown_store, LOGIN_PROBLEM, LOGIN_HINT)
        return self

    @field_validator("stages")
    @classmethod
    def _check_stages(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            STAGES.check_setting(name)
        return names

    @property
    def methods(self) -> tuple[EngineSettings, ...]:
        """The search's method first, then those of `energies`: by rising trust."""
        return (self.engine, *self.energies)

    def budget_of(self, *, is_low: bool) -> SearchBudget:
        """Of a composition: `structures`, or less of it for one that `stability.complete_search` adds."""
        complete = self.stability.complete_search
        return self.structures if complete is None or not is_low else self.structures.reduced_to(complete.relaxations)

    def search_budget_of(self, *, is_low: bool) -> SearchBudget:
        """As `budget_of`, as the search takes it: refined roughly where a further method relaxes to the end."""
        budget = self.budget_of(is_low=is_low)
        if not self.energies or budget.search_fmax is None:
            return budget
        return budget.model_copy(update={"final_fmax": max(budget.final_fmax, budget.search_fmax)})

    @property
    def method_titles(self) -> tuple[str, ...]:
        """Names of the methods for people and stages: without the paths of files, unless two would then be alike."""
        short = [
            ":".join([ENGINES.label(method.name), *([] if method.model is None else [Path(method.model).name])])
            for method in self.methods
        ]
        every = zip(short, self.methods, strict=True)
        return tuple(title if short.count(title) == 1 else method.title for title, method in every)

    def to_dict(self) -> dict[str, Any]:
        """The campaign as plain JSON values, defaults filled in."""
        return self.model_dump(mode="json")

    def check_queries(self, columns: Mapping[str, Kind], *, may_have_more: bool = False) -> None:
        """Refuse saved queries that could not be asked.

        Args:
            columns: Column -> kind, that its stages add to every candidate.
            may_have_more: Whether its stages have not been looked at.

        Raises:
            InputError: naming query and field.
        """
        for name, query in self.queries.items():
            try:
                check_query(query, columns, may_have_more=may_have_more)
            except InputError as error:
                raise InputError(
                    f"queries.{name}.{error.field}", error.value,
                    problem=error.problem, allowed=error.allowed, hint=error.hint,
                ) from error  # fmt: skip

    @property
    def synthesis(self) -> Condition:
        """Where candidates are to be made: `ranking.at`, else a large-volume press."""
        return self.ranking.at or SYNTHESIS

    def known_compounds(self) -> tuple[KnownCompound, ...]:
        """Compounds that have been made: ninefold's list and the campaign's own.

        Raises:
            InputError: if the campaign's file cannot be read or an entry of it is broken.
        """
        return with_own_compounds(Path(self.known) if self.known else None, "known")

    @property
    def names_files(self) -> bool:
        """Whether its results depend on files or packages of the user's, which its settings name and do not hold."""
        from ninefold.campaign.foreign import foreign_code

        own_rules = Path(self.rules.set).suffix in (".yaml", ".yml")
        return own_rules or self.known is not None or bool(foreign_code(self))

    def fingerprint(self) -> str:
        """Content hash of everything that changes results; files count by what they hold, not by where they lie."""
        settings = self.to_dict()
        for key in ("description", "execution", "store", "known", "queries"):
            settings.pop(key)
        for engine in (settings["engine"], *settings["energies"]):
            engine.pop("kernels")  # same method and weights, same energies
        # a campaign of one method and no further stages has the fingerprint that it always had
        if not self.energies:
            settings.pop("energies")
        if not self.energies or self.structures.search_fmax is None:
            settings["structures"].pop("search_fmax")
        if self.stability.complete_search is None:
            settings["stability"].pop("complete_search")
        settings.pop("stages")
        if self.stages:
            settings["stages"] = STAGES.checksum(self.stages)
        if self.known:
            settings["known"] = file_checksum(self.known)
        settings["rules"] = self.rules.content()
        settings["ranking"] = self.ranking.content()
        settings["engine"]["name"] = ENGINES.checksum([self.engine.name]) or self.engine.name
        for method, of_method in zip(self.energies, settings.get("energies", ()), strict=True):
            of_method["name"] = ENGINES.checksum([method.name]) or method.name
        if added := sources_checksum(self.structures.sources):
            ours = [name for name in self.structures.sources if name in OUR_NAMES]
            settings["structures"]["sources"] = [*ours, added]
        return content_key(settings)
