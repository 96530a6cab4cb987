"""Dynamics: what the hydrogens of an anion and the cations do in a trajectory."""
