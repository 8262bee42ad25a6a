"""`make chaos`: a whole installation under load and faults by seed, and a checker that counts every line."""
