"""Density of hydrogen, its free energy, and at which energy it connects."""
