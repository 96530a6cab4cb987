"""Trajectories of any program: frames, what moved their atoms, and how far they moved."""
