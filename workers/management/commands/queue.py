"""`manage.py queue`: what waits in the broker, since when, in whose hands, and what does not get on.

Exit code 0: all that waits gets on; 1: something is stuck, each in a sentence at the end; 2: the broker does
not answer. It asks the broker alone, and changes nothing.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.buffer import connect
from ingest.errors import IngestError
from webapp.pipeline.saying import age, counted, number, size
from workers import waiting
from workers.waiting import Owner, Report, Waiting


class Command(BaseCommand):
    requires_system_checks = ()  # it must work while the rest of the installation does not
    help = "What waits in the broker. Exit code 0: it gets on, 1: something is stuck, 2: no answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of text")

    def handle(self, *args: Any, json: bool = False, **options: Any) -> None:
        try:
            report = waiting.report(connect(settings.BROKER_URL))
        except IngestError as error:
            raise CommandError(str(error), returncode=2) from error
        if json:
            self.stdout.write(msgspec.json.encode(report).decode())
        else:
            self.stdout.write("\n".join(text(report)))
        if report.stuck:
            raise SystemExit(1)


def text(report: Report) -> Iterator[str]:
    yield (
        f"queue     {counted(report.queued_rows, 'line')}: {counted(report.due_batches, 'batch')} due,"
        f" {number(report.leased_batches)} with workers; {leaving(report)}"
    )
    yield f"oldest    {batch(report.oldest) if report.oldest else 'nothing waits'}"
    for one in report.workers:
        trouble = f"; {one.trouble}" if one.trouble else ""
        yield f"worker    {one.name} is {'running' if one.running else 'NOT RUNNING'}{trouble}"
    for owner in report.owners:
        yield f"leased    {leased(owner)}"
    yield (
        f"spilled   {counted(report.spilled_rows, 'line')} in {counted(report.spilled_batches, 'batch')}"
        + (f"; oldest {batch(report.oldest_spilled)}" if report.oldest_spilled else "")
    )
    share = report.memory_used / report.memory_bound if report.memory_bound else 0.0
    yield (
        f"memory    {size(report.memory_used)} of {size(report.memory_bound)} ({share:.0%};"
        f" senders are refused from {settings.ADMISSION_SHARE:.0%})"
    )
    way = "one under way" if report.hint_under_way else "none under way"
    yield f"hints     {number(report.hints_in_line)} in line, {way}"
    yield from by_source(report)
    for dead in report.died_over:
        yield f"deaths    {dead.deaths}: {batch(dead)}"
    for sentence in report.stuck:
        yield f"STUCK     {sentence}"


def leaving(report: Report) -> str:
    if report.empty_in_seconds is None:
        return "nothing leaves it"
    rate = f"{report.rows_per_second:,.0f} lines/s leave it"
    return f"{rate}, empty in {age(round(1000 * report.empty_in_seconds))}" if report.queued_rows else rate


def batch(one: Waiting) -> str:
    hands = f", with {one.owner}" if one.owner else ""
    old = age(round(1000 * one.age_seconds))
    return f"{one.batch} of {one.source}, {counted(one.rows, 'line')}, {old}{hands}"


def leased(one: Owner) -> str:
    held = f"{counted(one.batches, 'batch')}, {counted(one.rows, 'line')}"
    ends = f"{one.first_ends:%H:%M:%S}"
    if one.last_ends != one.first_ends:
        ends += f" to {one.last_ends:%H:%M:%S}"
    if one.owner is None:
        return f"handed back: {held}; due again at {ends} UTC"
    state = {True: "running", False: "NOT RUNNING", None: "not heard of"}[one.alive]
    return f"{one.owner} ({state}): {held}; lease ends at {ends} UTC, in {one.seconds_left:.0f} s"


def by_source(report: Report) -> Iterator[str]:
    for one in report.sources:
        queued = f"{counted(one.queued_rows, 'line')} in {counted(one.queued_batches, 'batch')} queued"
        spilled = f"{counted(one.spilled_rows, 'line')} in {counted(one.spilled_batches, 'batch')} spilled"
        yield f"source    {one.name}: {queued}; {spilled}"
