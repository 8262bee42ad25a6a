"""Bytes in, one durable batch out. No database, and nothing of `webapp` or `workers` is imported here."""
