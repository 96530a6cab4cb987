"""The Python interface to a store's results: `ninefold.open`. See docs/python.md."""

from ninefold.api.candidates import Candidates
from ninefold.api.results import Results
from ninefold.api.rows import CampaignRow, CandidateRow, FoundStructure

__all__ = ["CampaignRow", "CandidateRow", "Candidates", "FoundStructure", "Results"]
