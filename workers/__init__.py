"""Queue in, rows out. Nobody imports this package; Celery finds it by name."""
