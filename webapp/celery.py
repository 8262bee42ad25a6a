"""The Celery application of worker, beat and Flower. Messages carry no data: a lost one costs a second."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("logboom")
app.config_from_object("django.conf:settings", namespace="CELERY")
