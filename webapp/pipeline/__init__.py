"""The admin's first page: how the pipeline is, and what to do about it."""
