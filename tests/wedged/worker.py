"""`celery -A tests.wedged.worker worker`: WEDGE is consumer, step, ticker, flusher or nothing."""

import os

import django
from celery.signals import task_received

from tests.wedged import first_life, stand_still
from webapp.celery import app

django.setup()

from workers import flusher, lifecycle, pulse, pump, report  # noqa: E402  # want Django set up

__all__ = ["app"]

pulse.LOOP_SECONDS = 4.0
pulse.DUE_SECONDS = 4.0
lifecycle.longest_end = lambda: 4.0 / 3  # a step may take three times that

if os.environ["WEDGE"] and first_life():
    match os.environ["WEDGE"]:
        case "consumer":
            task_received.connect(stand_still, weak=False)
        case "step":
            pump.Pump.step = stand_still  # type: ignore[assignment,method-assign]
        case "ticker":
            report.Report.tell = stand_still  # type: ignore[method-assign]
        case "flusher":
            flusher.Flusher.step = stand_still  # type: ignore[assignment,method-assign]
