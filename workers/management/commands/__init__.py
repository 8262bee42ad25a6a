"""queue, spill."""
