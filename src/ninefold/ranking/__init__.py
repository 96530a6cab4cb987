"""Ranking by visible terms."""

from ninefold.ranking.rank import Ranked, rank
from ninefold.ranking.settings import RankingSettings
from ninefold.ranking.terms import Quantities, Rankable

__all__ = ["Quantities", "Rankable", "Ranked", "RankingSettings", "rank"]
