"""The sealed clue track: what accusations say, for the people on a list and nobody else."""
