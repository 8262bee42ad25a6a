"""The PostgreSQL backend: django-timescaledb where the extension exists, plain PostgreSQL where not."""
