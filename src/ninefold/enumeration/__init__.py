"""Enumeration: every composition of a chemical space that satisfies both equations."""

from ninefold.enumeration.complete import complete_assignments
from ninefold.enumeration.enumerate import count_assignments, enumerate_assignments, neighbours
from ninefold.enumeration.space import ChemicalSpace

__all__ = ["ChemicalSpace", "complete_assignments", "count_assignments", "enumerate_assignments", "neighbours"]
