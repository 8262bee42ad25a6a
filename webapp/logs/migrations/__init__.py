"""Migrations of the log tables: thin pointers at the numbered SQL files."""
