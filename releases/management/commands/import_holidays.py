"""`manage.py import_holidays ID FILE --name NAME`: days off from an iCalendar file, for cadences to name."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from processes.management.command import BlueprintCommand, read_source
from releases.models import HolidayCalendar
from releases.services.holidays import import_calendar


class Command(BlueprintCommand):
    help = "Imports days off from an iCalendar file (.ics), in place of those the calendar had."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", help="what cadences call the calendar")
        parser.add_argument("file", help="an iCalendar file, or - for standard input")
        parser.add_argument("--name", help="what people call it; a calendar that is there keeps its name without this")

    def run(self, actor: User | None, options: dict[str, Any]) -> None:
        """Prints how many days off there are now, and what was ignored."""
        slug, text = options["id"], read_source([options["file"]])
        known = HolidayCalendar.objects.filter(slug=slug).values_list("name", flat=True).first()
        done = import_calendar(actor, slug=slug, name=options["name"] or known or "", text=text, now=timezone.now())
        self.stdout.write(f"Days off in '{slug}': {done.days}.")
        if done.ignored:
            self.stderr.write(f"Events that were ignored, as they have a time of day: {done.ignored}.")
