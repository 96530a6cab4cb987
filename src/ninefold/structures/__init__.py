"""Structures of complex hydrides: proposed, settled with an ionic force field, checked, compared."""

from ninefold.structures.checks import Shells, check_shells
from ninefold.structures.proposal import Proposal

__all__ = ["Proposal", "Shells", "check_shells"]
