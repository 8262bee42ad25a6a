"""Rows in, answers out: storage, search, access, pages, and the Django project itself."""
