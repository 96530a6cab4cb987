"""Enumeration: every composition of a chemical space that satisfies both equations."""

from ninefold.enumeration.enumerate import count_assignments, enumerate_assignments, neighbours
from ninefold.enumeration.space import ChemicalSpace

__all__ = ["ChemicalSpace", "count_assignments", "enumerate_assignments", "neighbours"]
