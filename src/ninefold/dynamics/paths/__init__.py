"""Barriers of permutations by nudged elastic bands."""
