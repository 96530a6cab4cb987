"""`ninefold dynamics`: what the hydrogens of an anion and the cations do, and by which engine; a command a file."""
