"""Rows in, answers out: storage, search, access, pages, and the Django project itself."""

__version__ = "0.1.0"
