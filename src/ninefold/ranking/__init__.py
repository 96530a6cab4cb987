"""Ranking by visible terms."""

from ninefold.ranking.rank import Rankable, Ranked, rank
from ninefold.ranking.settings import RankingSettings

__all__ = ["Rankable", "Ranked", "RankingSettings", "rank"]
