"""What the ligands of an anion do: shells, polyhedra, permutations, turns, exchange of places."""
