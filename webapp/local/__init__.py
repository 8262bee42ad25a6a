"""A whole installation on one bare machine."""
