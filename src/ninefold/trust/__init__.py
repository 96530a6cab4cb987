"""How far an engine can be trusted: its energies, forces and volumes beside DFT's on a set of phases."""
