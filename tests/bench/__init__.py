"""`make bench`: what the pipe costs on this machine, as ratios to a floor measured in the same run."""
